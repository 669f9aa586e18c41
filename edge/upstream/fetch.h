/*
 * Fetches: one request to whichever upstream is fit to answer it.
 *
 * The shape that edge/fill and edge/serve hold against the upstreams, and that
 * their tests fake. It finishes when the response's head has arrived, whatever
 * its status; the content is then pulled from `body`.
 *
 * Ownership  The caller owns the struct until done, and from then on `body`, to
 *            be closed; closing it early drops the connection.
 * Threads    The operation's loop.
 * Failures   What base/client gives; FB_E_UNAVAILABLE when no upstream is fit. What
 *            `request_body` failed with is told as `content_failed`, and no
 *            upstream's fault.
 */
#pragma once

#include "base/core/arena.h"
#include "base/http/head.h"
#include "base/loop/op.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_forwarded;
struct edge_pool;
struct fb_reader;

struct edge_fetch {
    struct fb_op op;

    /* In; borrowed until done. The target and host as the upstream sees them;
     * headers from edge/fresh/fields.h, with what validates added. */
    const struct fb_request_head *request;
    struct fb_reader *request_body;      /* taken over; NULL for none */
    int64_t request_length;              /* of request_body; FB_LENGTH_UNKNOWN: chunked */
    bool is_for_one;                     /* goes at one client's pace, which may be slow */
    const struct edge_forwarded *client; /* that one, for upstreams that are told; NULL: nobody's */
    const struct edge_pool *pool;        /* of edge_upstreams_pool(); NULL: the node's own */
    struct fb_str key;    /* what is wanted, the same for all ranges and variants of it:
                             chooses among regional nodes; empty: host and target do */
    unsigned avoided;     /* bits of upstreams to ask last: their bodies broke */
    uint32_t patience_ms; /* the upstream holds its answer back on purpose, at most so
                             long; its time tells nothing of its health, nobody else is
                             asked meanwhile, nor after it ran out. 0: as configured */

    /* Out. Strings of the head live in `arena`, which is the caller's. */
    struct fb_arena *arena;
    struct fb_response_head response;
    int64_t length;         /* of the content, or FB_LENGTH_UNKNOWN */
    struct fb_reader *body; /* the caller's to close; gives FB_E_END if empty */
    unsigned upstream;      /* who answered: a number for `avoided` with the same
                               pool, below 32 */
    const char *tier;       /* of who answered: "regional", "origin"; lives for ever */
    bool content_failed;    /* it failed because `request_body` did */

    /* Says of `body`, not closed yet, that its bytes were wrong: that counts against who gave
     * it like a body that broke. NULL: nobody keeps count. */
    void (*blame)(struct fb_reader *body);
};

/* Begins `fetch`, whose op was set up with fb_op_init(). Cancelable. */
typedef void edge_fetch_fn(void *ctx, struct edge_fetch *fetch);
