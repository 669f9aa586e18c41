/*
 * Routers: from method and path to a handler.
 *
 * A pattern is a path whose segments are literal, `{name}` (one non-empty
 * segment, percent-decoded for the handler) or, last, `{name...}` (the rest,
 * not decoded). Literal segments win over names. HEAD falls back to GET. A path
 * that matches with another method answers 405 with Allow; OPTIONS is answered
 * with Allow; no match answers 404; FB_METHOD_OTHER answers 501 at any path; what
 * is refused has problem details.
 *
 * Handlers come in two kinds: `handle` runs on the loop and must not block;
 * `call` is plain blocking code that runs on the pool, after the server has
 * read the content (at most `max_body_bytes`, else 413).
 *
 * Ownership  The router borrows its routes.
 * Threads    Routing on any loop; `call` on a pool thread.
 */
#pragma once

#include "base/core/buf.h"
#include "base/http/head.h"
#include "base/net/address.h"

#include <stddef.h>

struct fb_exchange;
struct fb_pool;
struct fb_router;

/* A request and the response to it, for blocking handlers. */
struct fb_call {
    const struct fb_request_head *request; /* borrowed for the call */
    struct fb_str body;                    /* the whole content, borrowed */
    struct fb_address peer;
    struct fb_str peer_name; /* of its certificate (base/tls/handshake.h); ptr NULL: none */
    struct fb_arena *arena;  /* for what the response refers to */

    /* The response; 200 without content to begin with. */
    unsigned status;
    struct fb_headers headers; /* fb_headers_add(&call->headers, call->arena, …) */
    struct fb_buf content;     /* taken over by the router */

    /* Private to the router. */
    const struct fb_route *route;
    struct fb_headers params;
};

struct fb_route {
    enum fb_method method;
    const char *pattern; /* such as "/api/v1/videos/{id}/status" */
    void (*handle)(void *ctx, struct fb_exchange *exchange); /* one of these two */
    void (*call)(void *ctx, struct fb_call *call);
    size_t max_body_bytes; /* for `call`; 0: 64 KiB */
};

/* `ctx` goes to all handlers; `pool` (borrowed) runs the blocking ones and may
 * be NULL if there are none. */
struct fb_router *fb_router_new(const struct fb_route *routes, size_t n, struct fb_pool *pool,
                                void *ctx);
void fb_router_free(struct fb_router *router);

/* For fb_server_options.handle, with the router as ctx. */
void fb_router_handle(void *router, struct fb_exchange *exchange);

/* The segment that `{name}` matched; empty with ptr NULL if there is none. */
struct fb_str fb_exchange_param(const struct fb_exchange *exchange, const char *name);
struct fb_str fb_call_param(const struct fb_call *call, const char *name);

/* The query parameter `name`, percent-decoded into `arena`; ptr NULL if absent. */
struct fb_str fb_query_param(struct fb_str query, struct fb_arena *arena, struct fb_str name);

/* Makes the response problem details, as fb_exchange_problem(). */
void fb_call_problem(struct fb_call *call, unsigned status, const char *slug, const char *fmt, ...)
    FB_PRINTF(4, 5);
