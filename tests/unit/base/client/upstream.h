/*
 * A literal upstream, a client, and a caller that reads what it fetched. For
 * the tests in this folder; each includes it once.
 */
#pragma once

#include "base/client/client.h"
#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/metrics/metrics.h"
#include "base/net/stream.h"
#include "base/net/tcp.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a literal peer ------------------------------------------------------ */

enum { MAX_PEERS = 64 };

/* One connection as the upstream sees it. */
struct peer {
    struct fb_stream *stream; /* NULL once the upstream closed it */
    struct fb_op wait;
    struct fb_stream_write write;
    struct fb_str piece;
    struct fb_buf in; /* all that came */
    int end;          /* FB_OK until the client closed */
    struct fixture *f;
};

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_metrics *metrics;
    struct fb_client *client;
    struct fb_listener *listener;
    uint16_t port;
    struct peer *peers[MAX_PEERS];
    unsigned n_peers;
    unsigned n_ended; /* peers whose client went away */

    struct fb_str answer; /* sent for every request; ptr NULL: by hand */
    bool closes;          /* after the answer */
    unsigned n_requests;
};

#define UNTIL(f, condition)                  \
    do {                                     \
        while (!(condition)) {               \
            fb_loop_turn_waiting((f)->loop); \
        }                                    \
    } while (0)

static inline void quiet(struct fixture *f)
{
    for (int i = 0; i < 20; i++) {
        fb_loop_turn(f->loop);
    }
}

static inline void peer_send(struct peer *peer, struct fb_str bytes)
{
    UNTIL(peer->f, fb_op_is_idle(&peer->write.op));
    peer->piece = bytes;
    peer->write.pieces = &peer->piece;
    peer->write.n_pieces = 1;
    fb_stream_write(peer->stream, &peer->write);
}

static inline void peer_close(struct peer *peer)
{
    fb_stream_close(peer->stream);
    peer->stream = NULL;
}

static inline void peer_answer(struct peer *peer)
{
    struct fixture *f = peer->f;

    f->n_requests++;
    if (f->answer.ptr == NULL) {
        return;
    }
    if (f->answer.len > 0) {
        peer->piece = f->answer;
        peer->write.pieces = &peer->piece;
        peer->write.n_pieces = 1;
        fb_stream_write(peer->stream, &peer->write);
    }
    if (f->closes) {
        fb_stream_shut(peer->stream);
    }
}

static inline void on_peer_readable(struct fb_op *op)
{
    struct peer *peer = FB_CONTAINER_OF(op, struct peer, wait);
    struct fb_slice slice;
    int err = FB_OK;

    while (peer->stream != NULL && (err = fb_reader_next(&peer->stream->reader, &slice)) == FB_OK) {
        fb_buf_append(&peer->in, slice.bytes);
        fb_slice_release(&slice);
        if (memcmp(peer->in.ptr + peer->in.len - 4, "\r\n\r\n", 4) == 0) {
            peer_answer(peer);
        }
    }
    if (peer->stream == NULL) {
        return;
    }
    if (err == FB_E_LATER) {
        fb_reader_wait(&peer->stream->reader, &peer->wait);
    } else {
        peer->end = err;
        peer->f->n_ended++;
    }
}

static inline void on_peer_written(struct fb_op *op)
{
    (void)op;
}

static inline void on_accepted(void *ctx, struct fb_stream *stream)
{
    struct fixture *f = ctx;
    struct peer *peer = FB_NEW(struct peer);

    assert_true(f->n_peers < MAX_PEERS);
    f->peers[f->n_peers++] = peer;
    peer->f = f;
    peer->stream = stream;
    fb_op_init(&peer->wait, f->loop, on_peer_readable);
    fb_op_init(&peer->write.op, f->loop, on_peer_written);
    fb_reader_wait(&stream->reader, &peer->wait);
}

static inline void listen_at(struct fixture *f, uint16_t port)
{
    struct fb_listener_options options = {.accepted = on_accepted, .ctx = f};

    assert_int_equal(fb_address_from_ip(FB_STR("127.0.0.1"), port, &options.address), FB_OK);
    assert_int_equal(fb_listener_open(f->loop, &options, &f->listener), FB_OK);
    struct fb_address bound = fb_listener_address(f->listener);
    f->port = fb_address_port(&bound);
}

static inline int set_up(void **state)
{
    static const struct fb_client_limits limits = {.max_connections = 3, .max_idle = 2};
    struct fixture *f = FB_NEW(struct fixture);

    f->clock = test_clock_at_start();
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    f->metrics = fb_metrics_new();
    f->client = fb_client_new(f->loop, &limits, f->metrics);
    listen_at(f, 0);
    f->answer = FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    *state = f;
    return 0;
}

/* Freeing the loop asserts that no operation, timer or block is left. */
static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_client_close(f->client);
    fb_listener_close(f->listener);
    for (unsigned i = 0; i < f->n_peers; i++) {
        peer_close(f->peers[i]);
    }
    fb_loop_turn(f->loop);
    assert_int_equal(fb_metrics_sum(f->metrics, "fb_client_connections"), 0);
    for (unsigned i = 0; i < f->n_peers; i++) {
        fb_buf_done(&f->peers[i]->in);
        fb_free(f->peers[i]);
    }
    fb_loop_free(f->loop);
    fb_metrics_free(f->metrics);
    fb_free(f);
    return 0;
}

/* ---- a caller ------------------------------------------------------------ */

struct get {
    struct fb_fetch fetch;
    struct fb_arena arena;
    struct fb_op wait;
    struct fb_buf content;
    unsigned n_done;
    bool by_hand; /* the test reads the body */
    int end;      /* of the content; FB_OK until then */
};

static inline void get_read(struct get *get)
{
    struct fb_slice slice;
    int err;

    while ((err = fb_reader_next(get->fetch.body, &slice)) == FB_OK) {
        fb_buf_append(&get->content, slice.bytes);
        fb_slice_release(&slice);
    }
    if (err == FB_E_LATER) {
        fb_reader_wait(get->fetch.body, &get->wait);
        return;
    }
    get->end = err;
    fb_reader_close(get->fetch.body);
}

static inline void on_get_readable(struct fb_op *op)
{
    get_read(FB_CONTAINER_OF(op, struct get, wait));
}

static inline void on_get_done(struct fb_op *op)
{
    struct get *get = FB_CONTAINER_OF(op, struct get, fetch.op);

    get->n_done++;
    if (op->result < 0) {
        get->end = op->result;
    } else if (!get->by_hand) {
        get_read(get);
    }
}

static inline void get_init(struct get *get, struct fixture *f)
{
    *get = (struct get){0};
    fb_op_init(&get->fetch.op, f->loop, on_get_done);
    fb_op_init(&get->wait, f->loop, on_get_readable);
    get->fetch.url = (struct fb_url){.scheme = FB_STR("http"),
                                     .host = FB_STR("127.0.0.1"),
                                     .port = f->port,
                                     .target = FB_STR("/x")};
    get->fetch.arena = &get->arena;
}

static inline void get_done(struct get *get)
{
    fb_buf_done(&get->content);
    fb_arena_done(&get->arena);
}

static inline void get_start(struct get *get, struct fixture *f)
{
    get_init(get, f);
    fb_client_fetch(f->client, &get->fetch);
}

/* A whole GET; returns how the content ended. */
static inline int get_all(struct fixture *f, struct fb_buf *ret_content)
{
    struct get get;

    get_start(&get, f);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.n_done, 1);
    *ret_content = fb_buf_take(&get.content);
    get_done(&get);
    return get.end;
}

/* A response has begun, of which the peer sends the n-th of `pieces` a second after the one before
 * it, and the last again and again. Returns after how many seconds its content ended. */
static inline unsigned seconds_to_the_end(struct fixture *f, struct get *get,
                                          const struct fb_str *pieces, unsigned n)
{
    unsigned seconds = 0;

    UNTIL(f, get->n_done == 1);
    while (get->end == FB_OK && seconds < 1000) {
        peer_send(f->peers[f->n_peers - 1], pieces[FB_MIN(seconds, n - 1)]);
        quiet(f);
        test_clock_advance_ms(&f->clock, 1000);
        quiet(f);
        seconds++;
    }
    return seconds;
}

static inline uint64_t metric(struct fixture *f, const char *name)
{
    return fb_metrics_sum(f->metrics, name);
}
