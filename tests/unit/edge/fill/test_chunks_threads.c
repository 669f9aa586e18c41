/*
 * Loops that want parts of one large object in a memory that is too small for it, from an
 * upstream that breaks off, ignores ranges, and changes the object now and then. A
 * client may be cut, but never has a byte of another version or a wrong place.
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "base/loop/thread.h"
#include "edge/fill/fill.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_LOOPS = 3,
    N_CLIENTS = 4, /* per loop */
    N_WANTS = 25,  /* per client */
    PIECE = 64 * 1024,
    PERIOD = 1000003,
    SIZE = 20 * 1024 * 1024 + 5,
    MEMORY = 24 * 1024 * 1024
};

struct fixture;

struct bench {
    struct fixture *fixture;
    struct fb_loop *loop;
    struct fb_thread *thread;
    struct fb_post post;
    struct fb_op drain;
    unsigned n_clients; /* that are not done yet */
};

struct fixture {
    struct edge_store *store;
    struct edge_fill_table *table;
    struct bench benches[N_LOOPS];
    _Atomic unsigned n_fetches;
    _Atomic unsigned version;
    _Atomic unsigned n_whole; /* ranges that clients have got all of */
    _Atomic unsigned n_cut;
};

static char pattern[PERIOD];

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return *seed >> 33;
}

/* What version `version` has at `offset`, up to `n` bytes. */
static struct fb_str bytes_at(unsigned version, uint64_t offset, uint64_t n)
{
    size_t from = (size_t)((offset + version * 7919ULL) % PERIOD);

    return (struct fb_str){pattern + from, (size_t)FB_MIN(n, PERIOD - from)};
}

/* ---- an upstream ------------------------------------------------------- */

/* Gives one piece per turn. */
struct auto_body {
    struct fb_reader reader;
    struct fb_loop *loop;
    struct fb_op *waiter;
    struct fb_post post;
    unsigned version;
    uint64_t at;
    uint64_t end;
    uint64_t cut_at; /* where it breaks off, if before the end */
    bool is_ready;
    bool is_posted;
    bool is_closed;
};

static int auto_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct auto_body *body = FB_CONTAINER_OF(reader, struct auto_body, reader);

    if (body->at >= body->end) {
        return FB_E_END;
    }
    if (body->at >= body->cut_at) {
        return FB_E_CLOSED;
    }
    if (!body->is_ready) {
        return FB_E_LATER;
    }
    uint64_t n = FB_MIN(body->end, body->cut_at) - body->at;
    struct fb_str bytes = bytes_at(body->version, body->at, FB_MIN(n, (uint64_t)PIECE));
    body->is_ready = body->at % (8 * PIECE) != 0; /* several at a time, and then a pause */
    body->at += bytes.len;
    *ret_slice = (struct fb_slice){.bytes = bytes};
    return FB_OK;
}

static void auto_on_mail(struct fb_post *post)
{
    struct auto_body *body = FB_CONTAINER_OF(post, struct auto_body, post);
    struct fb_op *waiter = body->waiter;

    if (body->is_closed) {
        fb_free(body);
        return;
    }
    body->is_posted = false;
    body->waiter = NULL;
    body->is_ready = true;
    if (waiter != NULL) {
        fb_op_finish(waiter, FB_OK);
    }
}

static void auto_cancel(struct fb_op *op)
{
    ((struct auto_body *)op->provider)->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static void auto_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct auto_body *body = FB_CONTAINER_OF(reader, struct auto_body, reader);

    fb_op_begin(op, auto_cancel);
    op->provider = body;
    body->waiter = op;
    if (!body->is_posted) {
        body->is_posted = true;
        fb_loop_post(body->loop, &body->post);
    }
}

static void auto_close(struct fb_reader *reader)
{
    struct auto_body *body = FB_CONTAINER_OF(reader, struct auto_body, reader);

    body->is_closed = true;
    if (!body->is_posted) {
        fb_free(body);
    }
}

static void add_field(struct edge_fetch *fetch, const char *name, const char *fmt, ...)
    FB_PRINTF(3, 4);

static void add_field(struct edge_fetch *fetch, const char *name, const char *fmt, ...)
{
    char text[128];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fb_headers_add(&fetch->response.headers, fetch->arena, fb_str_from(name),
                   fb_arena_dup(fetch->arena, fb_str_from(text)));
}

/* What a server would make of Range and If-Range; false: the whole. */
static bool auto_range(const struct edge_fetch *fetch, const char *etag, struct fb_range *ret_range)
{
    const struct fb_headers *headers = &fetch->request->headers;
    struct fb_str if_range = fb_headers_find(headers, FB_STR("if-range"));
    struct fb_ranges ranges;

    if (if_range.len > 0 && !fb_str_equal(if_range, fb_str_from(etag))) {
        return false;
    }
    if (fb_range_evaluate(fb_headers_find(headers, FB_STR("range")), SIZE, &ranges) !=
        FB_RANGE_PARTIAL) {
        return false;
    }
    *ret_range = ranges.items[0];
    return true;
}

static void auto_fetch(void *ctx, struct edge_fetch *fetch)
{
    static const struct fb_reader_ops ops = {auto_next, auto_wait, auto_close};
    struct bench *bench = ctx;
    struct fixture *f = bench->fixture;
    uint64_t seed = atomic_fetch_add(&f->n_fetches, 1) + 1;
    unsigned choice = (unsigned)(next_random(&seed) % 32);
    struct fb_range range = {.last = SIZE - 1};
    char etag[32];

    fb_op_begin(&fetch->op, NULL); /* it is answered at once */
    if (choice == 0) {
        fb_op_finish(&fetch->op, FB_E_TIMEOUT);
        return;
    }
    if (choice == 1) {
        atomic_fetch_add(&f->version, 1);
    }
    struct auto_body *body = FB_NEW(struct auto_body);
    body->reader.ops = &ops;
    body->loop = bench->loop;
    body->post.run = auto_on_mail;
    body->version = atomic_load(&f->version);
    (void)snprintf(etag, sizeof(etag), "\"%u\"", body->version);
    bool is_part = choice != 2 && auto_range(fetch, etag, &range);
    body->at = range.first;
    body->end = range.last + 1;
    body->cut_at = choice >= 3 && choice <= 8 ? body->at + PIECE * (1 + choice) : UINT64_MAX;
    fetch->response.status = is_part ? 206 : 200;
    fetch->length = (int64_t)(body->end - body->at);
    fetch->body = &body->reader;
    add_field(fetch, "ETag", "%s", etag);
    add_field(fetch, "Cache-Control", "max-age=600");
    if (is_part) {
        add_field(fetch, "Content-Range", "bytes %llu-%llu/%d", (unsigned long long)range.first,
                  (unsigned long long)range.last, (int)SIZE);
    }
    fb_op_finish(&fetch->op, FB_OK);
}

/* ---- clients ----------------------------------------------------------- */

struct client {
    struct bench *bench;
    uint64_t seed;
    unsigned n_wants;
    struct fb_request_head request;
    struct fb_range_spec range;
    struct edge_fill_join join;
    struct edge_fill_chunks chunks;
    struct fb_reader *reader;
    struct fb_op wait;
    unsigned version;
    uint64_t at;
    uint64_t patience; /* leaves after so many bytes */
};

static void client_next(struct client *client);

static void client_on_drained(struct fb_op *op)
{
    fb_loop_stop(FB_CONTAINER_OF(op, struct bench, drain)->loop);
}

static void client_end(struct client *client)
{
    struct bench *bench = client->bench;

    fb_free(client);
    if (--bench->n_clients == 0) {
        fb_op_init(&bench->drain, bench->loop, client_on_drained);
        edge_fill_drain(bench->fixture->table, bench->loop, &bench->drain);
    }
}

static void client_finish_one(struct client *client)
{
    fb_reader_close(client->reader);
    client->reader = NULL;
    edge_pass_free(client->join.pass);
    client->join.pass = NULL;
    if (next_random(&client->seed) % 16 == 0) {
        edge_store_invalidate(client->bench->fixture->store, client->bench->loop, FB_STR("h/x"));
    }
    client_next(client);
}

static void client_read(struct client *client);

static void client_on_news(struct fb_op *op)
{
    client_read(FB_CONTAINER_OF(op, struct client, wait));
}

static void client_check(struct client *client, struct fb_str bytes)
{
    while (bytes.len > 0) {
        struct fb_str want = bytes_at(client->version, client->at, bytes.len);
        FB_REQUIRE(memcmp(bytes.ptr, want.ptr, want.len) == 0);
        bytes = fb_str_skip(bytes, want.len);
        client->at += want.len;
    }
}

static void client_read(struct client *client)
{
    struct fixture *f = client->bench->fixture;
    struct fb_slice slice;
    int err = FB_OK;

    while (client->at - client->range.first < client->patience &&
           (err = fb_reader_next(client->reader, &slice)) == FB_OK) {
        client_check(client, slice.bytes);
        fb_slice_release(&slice);
    }
    if (err == FB_E_LATER) {
        fb_op_init(&client->wait, client->bench->loop, client_on_news);
        fb_reader_wait(client->reader, &client->wait);
        return;
    }
    FB_REQUIRE(err != FB_E_END || client->at == client->range.last + 1);
    atomic_fetch_add(&f->n_whole, err == FB_E_END ? 1 : 0);
    atomic_fetch_add(&f->n_cut, err < 0 && err != FB_E_END ? 1 : 0);
    client_finish_one(client);
}

static void client_open(struct client *client, struct edge_object *object)
{
    struct bench *bench = client->bench;
    struct fb_str etag = edge_object_head(object)->etag;
    uint64_t version = 0;

    FB_REQUIRE(fb_str_to_u64((struct fb_str){etag.ptr + 1, etag.len - 2}, &version) == FB_OK);
    client->version = (unsigned)version;
    client->at = client->range.first;
    edge_fill_chunks_init(&client->chunks, bench->fixture->table, bench->loop, &client->join.ask);
    client->reader = edge_object_reader(object, bench->loop, client->range.first,
                                        (int64_t)(client->range.last - client->range.first + 1),
                                        &client->chunks.source);
    edge_object_unref(object);
    client_read(client);
}

static void client_on_joined(struct fb_op *op)
{
    struct client *client = FB_CONTAINER_OF(op, struct client, join.op);

    if (op->result == FB_OK && client->join.outcome == EDGE_FILL_OBJECT) {
        client_open(client, client->join.object);
    } else {
        client_finish_one(client);
    }
}

static void client_next(struct client *client)
{
    struct bench *bench = client->bench;
    struct fixture *f = bench->fixture;

    if (client->n_wants++ == N_WANTS) {
        client_end(client);
        return;
    }
    uint64_t most = next_random(&client->seed) % 8 == 0 ? SIZE : 3 * (uint64_t)EDGE_CHUNK_BYTES;
    client->range.first = next_random(&client->seed) % SIZE;
    uint64_t n = next_random(&client->seed) % most;
    client->range.last = FB_MIN(client->range.first + n, (uint64_t)SIZE - 1);
    client->patience = next_random(&client->seed) % 4 == 0
                           ? next_random(&client->seed) % EDGE_CHUNK_BYTES
                           : UINT64_MAX;
    struct edge_object *object = edge_store_find(f->store, FB_STR("h/x"), &client->request.headers);
    fb_op_init(&client->join.op, bench->loop, client_on_joined);
    client->join.ask = (struct edge_fill_ask){.key = FB_STR("h/x"),
                                              .request = &client->request,
                                              .range = &client->range,
                                              .upstream = bench};
    if (object == NULL) {
        edge_fill_join(f->table, &client->join);
    } else if (edge_object_holds(object, client->range.first, 1) || client->n_wants % 2 == 0) {
        client_open(client, object);
    } else {
        client->join.ask.partial = object;
        edge_fill_join(f->table, &client->join);
        edge_object_unref(object);
    }
}

static void bench_begin(struct fb_post *post)
{
    struct bench *bench = FB_CONTAINER_OF(post, struct bench, post);

    bench->n_clients = N_CLIENTS;
    for (unsigned i = 0; i < N_CLIENTS; i++) {
        struct client *client = FB_NEW(struct client);
        client->bench = bench;
        client->seed = (uint64_t)(bench - bench->fixture->benches) * N_CLIENTS + i;
        client_next(client);
    }
}

static void parts_of_one_object_are_had_by_all_loops(void **state)
{
    struct fixture f = {0};

    (void)state;
    for (unsigned i = 0; i < PERIOD; i++) {
        pattern[i] = (char)((i * 2654435761U) >> 13);
    }
    fb_log_open(2, FB_LOG_FORMAT_TEXT, FB_LOG_NEVER);
    f.store = edge_store_new(
        &(struct edge_store_options){.memory_bytes = MEMORY, .clock = fb_clock_system()});
    f.table = edge_fill_table_new(
        &(struct edge_fill_options){.store = f.store, .fetch = auto_fetch, .max_fills = 64});
    for (unsigned i = 0; i < N_LOOPS; i++) {
        struct bench *bench = &f.benches[i];
        bench->fixture = &f;
        bench->post.run = bench_begin;
        assert_int_equal(fb_loop_new(fb_clock_system(), &bench->loop), FB_OK);
        assert_int_equal(fb_thread_start("bench", bench->loop, &bench->thread), FB_OK);
        fb_loop_post(bench->loop, &bench->post);
    }
    for (unsigned i = 0; i < N_LOOPS; i++) {
        fb_thread_join(f.benches[i].thread);
    }
    for (unsigned i = 0; i < N_LOOPS; i++) {
        for (unsigned n = 0; n < 4; n++) {
            fb_loop_turn(f.benches[i].loop); /* mail to whoever was closed */
        }
        fb_loop_free(f.benches[i].loop);
    }
    print_message("%u fetches, %u versions, %u whole, %u cut\n", f.n_fetches, f.version + 1,
                  f.n_whole, f.n_cut);
    assert_int_equal(edge_fill_count(f.table), 0);
    assert_true(f.n_whole > N_LOOPS * N_CLIENTS * N_WANTS / 3);
    edge_fill_table_free(f.table);
    edge_store_free(f.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_one_object_are_had_by_all_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
