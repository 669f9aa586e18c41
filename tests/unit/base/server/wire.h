/*
 * A server on one end of a pair in memory, and a literal client on the other.
 * For the tests in this folder; each includes it once.
 */
#pragma once

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/net/pair.h"
#include "base/net/stream.h"
#include "base/server/exchange.h"
#include "base/server/server.h"
#include "tests/support/test_clock.h"

#include <string.h>

enum { WIRE_CAPACITY = 256 * 1024, WIRE_TURNS = 12 };

struct wire {
    size_t capacity;                             /* of the pair; 0: WIRE_CAPACITY */
    void (*connected)(struct fb_stream *served); /* before it is; NULL: nobody looks */
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_server *server;
    struct fb_stream *client; /* NULL once hung up */
    struct fb_stream_write write;
    struct fb_str piece;
    struct fb_buf sent;     /* what the client sends */
    struct fb_buf received; /* what it got */
    int end;                /* FB_OK until the server's FIN or reset */
};

static inline void wire_on_written(struct fb_op *op)
{
    (void)op;
}

/* Takes what has come. */
static inline void wire_receive(struct wire *wire)
{
    struct fb_slice slice;

    while (wire->client != NULL && wire->end == FB_OK) {
        int err = fb_reader_next(&wire->client->reader, &slice);
        if (err == FB_E_LATER) {
            return;
        }
        if (err < 0) {
            wire->end = err;
            return;
        }
        fb_buf_append(&wire->received, slice.bytes);
        fb_slice_release(&slice);
    }
}

static inline void wire_turn(struct wire *wire)
{
    for (int i = 0; i < WIRE_TURNS; i++) {
        fb_loop_turn(wire->loop);
        wire_receive(wire);
    }
}

static inline void wire_connect(struct wire *wire)
{
    struct fb_stream *served = NULL;

    fb_buf_clear(&wire->received);
    wire->end = FB_OK;
    fb_stream_pair(wire->loop, wire->capacity != 0 ? wire->capacity : WIRE_CAPACITY, &wire->client,
                   &served);
    if (wire->connected != NULL) {
        wire->connected(served);
    }
    fb_server_serve(wire->server, served);
}

static inline void wire_hang_up(struct wire *wire)
{
    fb_stream_close(wire->client);
    wire->client = NULL;
    wire_turn(wire);
}

/* Sends and lets the server work. */
static inline void wire_send_bytes(struct wire *wire, struct fb_str bytes)
{
    fb_buf_clear(&wire->sent);
    fb_buf_append(&wire->sent, bytes);
    wire->piece = fb_buf_str(&wire->sent);
    wire->write.pieces = &wire->piece;
    wire->write.n_pieces = 1;
    fb_op_init(&wire->write.op, wire->loop, wire_on_written);
    fb_stream_write(wire->client, &wire->write);
    wire_turn(wire);
}

static inline void wire_send(struct wire *wire, const char *text)
{
    wire_send_bytes(wire, fb_str_from(text));
}

static inline void wire_advance_ms(struct wire *wire, uint64_t ms)
{
    test_clock_advance_ms(&wire->clock, ms);
    wire_turn(wire);
}

static inline bool wire_has(const struct wire *wire, const char *text)
{
    return wire->received.len > 0 && strstr(wire->received.ptr, text) != NULL;
}

static inline size_t wire_count(const struct wire *wire, const char *text)
{
    size_t n = 0;
    const char *at = wire->received.ptr;

    while (at != NULL && (at = strstr(at, text)) != NULL) {
        at += strlen(text);
        n++;
    }
    return n;
}

static inline void wire_init(struct wire *wire, const struct fb_server_options *options)
{
    wire->clock = test_clock_at_start();
    if (fb_loop_new(&wire->clock.clock, &wire->loop) < 0) {
        return;
    }
    wire->server = fb_server_new(wire->loop, options);
}

/* Returns how many connections are left, which should be none. */
static inline uint32_t wire_done(struct wire *wire)
{
    if (wire->client != NULL) {
        wire_hang_up(wire);
    }
    wire_turn(wire);
    uint32_t n_left = fb_server_connections(wire->server);
    if (n_left == 0) {
        fb_server_free(wire->server);
        wire_turn(wire);
        fb_loop_free(wire->loop);
    }
    fb_buf_done(&wire->sent);
    fb_buf_done(&wire->received);
    return n_left;
}
