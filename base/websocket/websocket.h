/*
 * WebSockets (RFC 6455), the server's side, on wslay.
 *
 *     request ──► fb_websocket_accept() ──► 101 with fb_websocket_output() as body
 *
 *     input, a reader ──► frames ──► message()          ping every so often
 *     output, a reader ◄── frames ◄── next()            close, from either end
 *
 * Both directions are pulled. Whoever takes the output has next() asked for a message when the
 * peer has taken the one before: a slow peer gets the newest state and not all states, and nothing
 * queues up for it. Pings of the peer are answered; while answers wait to be taken no more is read.
 *
 * Ownership  new → output, which the taker closes; that ends the socket. Until `closed` has run the
 *            socket may be used.
 * Threads    One loop's.
 * Limits     `max_message` bytes of a message, else it is closed with 1009. A peer that is not
 *            heard of for two pings is given up.
 * Failures   Frames that break the protocol close it with 1002, 1007 or 1009 and end the output.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/http/head.h"
#include "base/loop/reader.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_arena;
struct fb_loop;
struct fb_websocket;

enum { FB_WEBSOCKET_GOING_AWAY = 1001, FB_WEBSOCKET_POLICY = 1008 };

/* The checks of RFC 6455 section 4.2.1. FB_OK: what the answer 101 says besides is added to
 * `headers`. FB_E_UNSUPPORTED: another version, which Sec-WebSocket-Version in `headers` says with
 * 426. FB_E_MALFORMED: the answer is 400. */
FB_MUST_CHECK int fb_websocket_accept(const struct fb_request_head *request, struct fb_arena *arena,
                                      struct fb_headers *headers);

struct fb_websocket_options {
    struct fb_loop *loop;
    struct fb_reader *input; /* borrowed until `closed`; what the peer sends */
    size_t max_message;      /* 0: 4 KiB */
    uint32_t ping_ms;        /* 0: 30 s */

    /* Appends the next message, and true; false while there is none. */
    bool (*next)(void *ctx, struct fb_buf *text);

    /* May be NULL. A message came; its bytes are good for the call. */
    void (*message)(void *ctx, struct fb_str bytes, bool is_text);

    /* It is over: nothing is called any more. */
    void (*closed)(void *ctx);
    void *ctx;
};

struct fb_websocket *fb_websocket_new(const struct fb_websocket_options *options);

/* What the peer is to get; once, taken over by whoever asks. */
struct fb_reader *fb_websocket_output(struct fb_websocket *socket);

/* next() has a message. */
void fb_websocket_notify(struct fb_websocket *socket);

/* Tells the peer that it is over; the output ends when the peer has agreed, or after 5 s. */
void fb_websocket_close(struct fb_websocket *socket, uint16_t code);
