/*
 * Serving: one request to the cache, from its head to its last byte.
 *
 *     START ──► LOOKUP ──┬─ fresh, or stale-while-revalidate ───────► RESPOND ──► SENT
 *       │                └─ missing, stale ──► JOIN ──┬─ object ────────►│
 *       │                                             ├─ pass ──────────►│
 *       │  other methods, conditions that             └─ alone ─┐        │
 *       └─ only the origin can judge ────────────► FETCH ◄──────┘        │
 *                                                    └──────────────────►│
 *                                      whatever fails: problem details ──┘
 *
 * GET and HEAD are answered from objects, with conditions and byte ranges evaluated
 * here (condition.h), also while the object is still arriving. What the store lacks of
 * an object is fetched while the rest is sent. Of what is not kept at all, the first of
 * the ranges is fetched, rounded to chunks; the others when their turn comes. A HEAD that
 * no tier can answer goes on as a HEAD, and nothing is kept of its answer; if that is of
 * the same version as what is stale, this is fresh again (RFC 9111 section 4.3.5). If-Match and
 * If-Unmodified-Since are the origin's to judge (RFC 9111 section 4.3.2): what holds of a fresh
 * response is answered with that, all else is passed.
 *
 * Any other known method is passed with its content, streaming both ways; the
 * success of an unsafe one drops what is kept under its key, and what Location and
 * Content-Location name on the same host (RFC 9111 section 4.4). TRACE and unknown methods
 * are refused. Responses that may not be kept are passed with backpressure.
 *
 * Every response bears Via and one member of Cache-Status (RFC 9211) behind the
 * upstream's; those from the store bear Age. A hit is what needs no upstream for any
 * of the bytes it sends, whichever tier has them; `fwd=partial` needs one for some. A
 * body that breaks resets the client's connection.
 *
 * Ownership  One struct edge_serve per loop, freed after its server.
 * Threads    The loop's own; store and fills are shared by all.
 * Failures   Problem details: 400 for a path or host that has no key, 414 for one
 *            too long, 405 for TRACE, 416 for a range past the end, 501 for an unknown method, 508
 * for a request that has been here before, 502, 503, 504 for upstreams.
 */
#pragma once

#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_access_log;
struct edge_fill_table;
struct edge_serve;
struct edge_sites;
struct edge_store;
struct edge_uplink;
struct edge_views;
struct fb_clients;
struct fb_exchange;
struct fb_headers;
struct fb_loop;
struct fb_metrics;
struct fb_pool;

struct edge_serve_options {
    struct fb_str node;       /* borrowed, as everything here; a token */
    struct edge_sites *sites; /* to begin with; a reference is taken */
    struct edge_store *store;
    struct edge_fill_table *fills;
    struct fb_metrics *metrics;
    struct edge_access_log *access_log; /* NULL: none */
    struct edge_views *views;           /* NULL: nothing is counted */
    struct fb_clients *clients;         /* who is trusted, and bounds of each; NULL: nobody, none */
    bool sends_tags; /* Cache-Tag and the like, to the tiers that ask this node: see
                      * edge_field_is_for_tiers() */

    /* Answers requests that are for the node itself, or gives false. NULL: there are none. */
    bool (*take)(void *ctx, struct fb_exchange *exchange);
    void *take_ctx;
    struct fb_pool *pool; /* for verifying tokens; NULL: on the loop */
    int prefetch;         /* enum edge_prefetch_kind */
    unsigned prefetch_parallel;
};

/* `uplink` is of the same loop. */
struct edge_serve *edge_serve_new(struct fb_loop *loop, struct edge_uplink *uplink,
                                  const struct edge_serve_options *options);

/* Requires that no request is left. Accepts NULL. */
void edge_serve_free(struct edge_serve *serve);

/* From now on requests find their site among `sites`, a reference to which is taken;
 * those under way keep theirs. On the loop. */
void edge_serve_reload(struct edge_serve *serve, struct edge_sites *sites);

/* Begins nothing of its own accord any more, and ends what it began. On the loop. */
void edge_serve_halt(struct edge_serve *serve);

/* Those in force, borrowed until the loop's next turn. On the loop. */
struct edge_sites *edge_serve_sites(const struct edge_serve *serve);

/* For fb_server_options.handle, with the struct edge_serve as ctx. */
void edge_serve_handle(void *serve, struct fb_exchange *exchange);

/* For fb_server_options.refusing: what the server refuses by itself has the site's CORS fields,
 * without which a page would not learn the status, and a line in the access log. */
void edge_serve_refusing(void *serve, struct fb_exchange *exchange, struct fb_headers *headers);

/* How requests ended. */
enum edge_serve_result {
    EDGE_SERVE_HIT,         /* fresh, all of it from the store */
    EDGE_SERVE_PARTIAL,     /* fresh, but some of it is fetched */
    EDGE_SERVE_MISS,        /* fetched, or joined to a fetch */
    EDGE_SERVE_STALE,       /* stale, from the store */
    EDGE_SERVE_REVALIDATED, /* from the store after a 304 */
    EDGE_SERVE_PASS,        /* not kept */
    EDGE_SERVE_ERROR,       /* problem details of our own */
    EDGE_SERVE_N_RESULTS
};

struct edge_serve_counts {
    uint64_t by_result[EDGE_SERVE_N_RESULTS];
    uint64_t hits_memory; /* without an upstream, from either tier */
    uint64_t hits_volume;
    uint64_t bytes_served;
};

/* Adds this loop's numbers to `counts`. Any thread. */
void edge_serve_count(const struct edge_serve *serve, struct edge_serve_counts *counts);
