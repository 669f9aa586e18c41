/*
 * What the tests of large bodies share: a body in which every offset shows, of which
 * the upstream gives any span, and clients that check what they read.
 */
#pragma once

#define FIXTURE_MEMORY (64 * 1024 * 1024)

#include "base/core/clock.h"
#include "base/http/range.h"
#include "fill_fixture.h"

#define MIB    ((uint64_t)EDGE_CHUNK_BYTES)
#define LENGTH (10 * MIB + 77)
#define STRONG KEEP "ETag: \"s\"\n"

/* The body repeats itself, but never so that a byte would fit in a wrong chunk. */
enum { PERIOD = 1000003 };

static char pattern[PERIOD];

/* The bytes at `offset`, up to `n` of them. */
static inline struct fb_str bytes_at(uint64_t offset, uint64_t n)
{
    if (pattern[1] == 0) {
        for (uint64_t i = 0; i < PERIOD; i++) {
            pattern[i] = (char)(1 + (i * 2654435761U >> 13) % 127);
        }
    }
    size_t from = (size_t)(offset % PERIOD);
    return (struct fb_str){pattern + from, (size_t)FB_MIN(n, PERIOD - from)};
}

/* The upstream sends the bytes from `first` up to `end`. */
static inline void push_span(struct fake_body *body, uint64_t first, uint64_t end)
{
    struct fb_buf bytes = {0};

    while (first < end) {
        struct fb_str some = bytes_at(first, end - first);
        fb_buf_append(&bytes, some);
        first += some.len;
    }
    fake_body_push(body, fb_buf_str(&bytes));
    fb_buf_done(&bytes);
}

/* Answers fetch `i` with a 206 of the bytes up to `end` of `length`. */
static inline struct fake_body *answer_part(struct fixture *f, unsigned i, const char *fields,
                                            uint64_t first, uint64_t end, uint64_t length)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "%sContent-Range: bytes %llu-%llu/%llu\n", fields,
                   (unsigned long long)first, (unsigned long long)(end - 1),
                   (unsigned long long)length);
    return fake_answer(&f->upstream, i, 206, text, (int64_t)(end - first));
}

/* The upstream sends all that is left of a body. */
static inline void finish_body(struct fixture *f, struct fake_body *body, uint64_t first,
                               uint64_t end)
{
    push_span(body, first, end);
    fake_body_end(body, FB_E_END);
    turn(f);
}

/* The upstream sends so much of a body, and then no more. */
static inline void break_body(struct fixture *f, struct fake_body *body, uint64_t first,
                              uint64_t end, int cause)
{
    push_span(body, first, end);
    turn(f);
    fake_body_end(body, cause);
    turn(f);
}

/* Answers fetch `i` with a 206, all of which comes. */
static inline void give_part(struct fixture *f, unsigned i, const char *fields, uint64_t first,
                             uint64_t end, uint64_t length)
{
    struct fake_body *body = answer_part(f, i, fields, first, end, length);

    turn(f);
    finish_body(f, body, first, end);
}

static inline void assert_sent(struct fixture *f, unsigned i, const char *name, const char *want)
{
    struct fb_str value = sent(f, i, name);

    if (want == NULL) {
        assert_null(value.ptr);
        return;
    }
    assert_int_equal(value.len, strlen(want));
    assert_memory_equal(value.ptr, want, value.len);
}

/* Joiner `i` asks for `range` ("bytes=…") of a/k, or for all of it. */
static inline struct joiner *join_range(struct fixture *f, unsigned i, const char *range)
{
    static struct fb_range_specs specs[MAX_JOINERS];
    struct joiner *joiner = &f->joiners[i];

    joiner->request = (struct fb_request_head){.method = FB_METHOD_GET};
    joiner->n_done = 0;
    fb_op_init(&joiner->join.op, f->loop, on_joined);
    joiner->join.ask = (struct edge_fill_ask){
        .key = FB_STR("a/k"), .request = &joiner->request, .upstream = &f->upstream};
    if (range != NULL) {
        assert_int_equal(fb_range_parse(fb_str_from(range), &specs[i]), FB_OK);
        joiner->join.ask.range = &specs[i].items[0];
    }
    edge_fill_join(f->table, &joiner->join);
    return joiner;
}

static inline void expire(struct fixture *f, uint64_t ms)
{
    test_clock_advance_ms(&f->clock, ms);
    turn(f);
}

/* ---- clients ----------------------------------------------------------- */

/* Reads from `at` on whenever there is something, and checks each byte. */
struct client {
    struct fixture *f;
    struct fb_request_head request;
    struct edge_fill_chunks chunks;
    struct fb_reader *reader;
    struct fb_op wait;
    uint64_t at;
    uint64_t stop; /* how far it reads before it rests */
    int end;       /* FB_E_LATER until it is over */
};

static inline void client_read(struct client *client);

static inline void client_on_more(struct fb_op *op)
{
    struct client *client = FB_CONTAINER_OF(op, struct client, wait);

    if (op->result == FB_OK) {
        client_read(client);
    }
}

static inline void client_read(struct client *client)
{
    struct fb_slice slice;
    int err = FB_OK;

    while (client->at < client->stop) {
        err = fb_reader_next(client->reader, &slice);
        if (err < 0) {
            break;
        }
        struct fb_str rest = slice.bytes;
        while (rest.len > 0) {
            struct fb_str want = bytes_at(client->at, rest.len);
            assert_memory_equal(rest.ptr, want.ptr, want.len);
            rest = fb_str_skip(rest, want.len);
            client->at += want.len;
        }
        fb_slice_release(&slice);
    }
    if (err == FB_E_LATER) {
        fb_op_init(&client->wait, client->f->loop, client_on_more);
        fb_reader_wait(client->reader, &client->wait);
    } else if (err < 0) {
        client->end = err;
    }
}

/* A client that reads `length` bytes of `object` from `offset`; the reference stays the caller's.
 */
static inline void client_open(struct fixture *f, struct client *client, struct edge_object *object,
                               uint64_t offset, int64_t length)
{
    *client = (struct client){.f = f, .at = offset, .stop = UINT64_MAX, .end = FB_E_LATER};
    client->request = (struct fb_request_head){.method = FB_METHOD_GET};
    struct edge_fill_ask ask = {
        .key = FB_STR("a/k"), .request = &client->request, .upstream = &f->upstream};
    edge_fill_chunks_init(&client->chunks, f->table, f->loop, &ask);
    client->reader = edge_object_reader(object, f->loop, offset, length, &client->chunks.source);
    fb_op_init(&client->wait, f->loop, client_on_more);
    client_read(client);
}

/* Goes on, up to `stop`. */
static inline void client_go_on(struct client *client, uint64_t stop)
{
    client->stop = stop;
    client_read(client);
}

static inline void client_close(struct fixture *f, struct client *client)
{
    fb_op_cancel(&client->wait);
    turn(f);
    fb_reader_close(client->reader);
    client->reader = NULL;
    turn(f);
}

/* The same, of one that got all it wanted. */
static inline void client_close_whole(struct fixture *f, struct client *client)
{
    assert_int_equal(client->end, FB_E_END);
    client_close(f, client);
}

/* A fresh object of LENGTH bytes, of which nothing is there, in the index. `fields` are lines of
 * "Name: value". */
static inline struct edge_object *make_empty(struct fixture *f, const char *fields)
{
    struct fb_headers headers = {0};
    struct fb_headers none = {0};
    struct fb_str rest = fb_str_from(fields);
    struct fb_str line;
    struct edge_object *object = NULL;

    while (rest.len > 0 && fb_str_cut(&rest, '\n', &line)) {
        size_t colon = fb_str_find(line, ':');
        fb_headers_add(&headers, &f->arena, fb_str_first(line, colon),
                       fb_str_trim(fb_str_skip(line, colon + 1)));
    }
    assert_int_equal(
        edge_store_create(f->store,
                          &(struct edge_object_spec){.key = FB_STR("a/k"),
                                                     .request = &none,
                                                     .status = 200,
                                                     .headers = &headers,
                                                     .terms = {.lifetime_ms = EDGE_YEAR_MS},
                                                     .length = (int64_t)LENGTH},
                          &object),
        FB_OK);
    edge_store_publish(f->store, f->loop, object);
    return object;
}
