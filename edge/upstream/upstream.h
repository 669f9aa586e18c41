/*
 * Upstreams: the ordered list of servers that this node fills itself from.
 *
 * One struct edge_upstreams serves the whole process and knows the health of
 * each server; one struct edge_uplink per loop holds the connections. A fetch
 * tries the servers in the order of the configuration until one gives a head:
 *
 *     PICK ──► TRY ──► head ──────────────► done, with status, fields, body
 *      ▲        │
 *      └────────┴── no connection, no head in time, cut head, 502, 503, 504
 *
 * A request goes on to the next server only if it is safe to send it twice: the
 * method is idempotent and there is no content. The last server's answer is
 * passed on whatever it is.
 *
 * Health is passive. A server that fails `eject_after` times in a row is
 * ejected: it is tried last, and only if nobody else gave any answer. After a
 * period that doubles with each further failure one request probes it. An
 * ejection is advice about order, never a reason to refuse: with all servers
 * ejected they are still tried.
 *
 * A body that breaks counts against its server like a request that failed.
 *
 * Ownership  upstreams_new → uplink_new per loop → uplink_close → upstreams_free.
 * Threads    Upstreams: any (atomics). An uplink and its fetches: their loop's.
 * Limits     Those of base/client, and at most EDGE_UPSTREAMS_MAX servers.
 * Failures   FB_E_UNAVAILABLE, FB_E_TIMEOUT if it was time that ran out with
 *            the last server, FB_E_BUSY if all its connections were taken,
 *            FB_E_CANCELED. What each server did is logged.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "edge/upstream/fetch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_uplink;
struct edge_upstreams;
struct fb_clock;
struct fb_loop;
struct fb_metrics;

enum { EDGE_UPSTREAMS_MAX = 16 };

/* Zero means the default in brackets. */
struct edge_upstreams_options {
    const struct fb_str *urls;   /* borrowed for the call; http://host[:port] */
    size_t n_urls;               /* 1..EDGE_UPSTREAMS_MAX */
    struct fb_str node;          /* borrowed; this node's name in Via */
    uint32_t connect_timeout_ms; /* [2 s] */
    uint32_t head_timeout_ms;    /* [15 s] */
    uint32_t body_timeout_ms;    /* [15 s] between two pieces of content */
    uint32_t max_connections;    /* [256] per server and loop; for what is for one
                                    client alone, as many again */
    uint32_t eject_after;        /* [3] failures in a row */
    uint32_t eject_min_ms;       /* [1 s] first period; doubles */
    uint32_t eject_max_ms;       /* [30 s] */
};

/* Says what keeps `url` from being an upstream, if anything does. */
FB_MUST_CHECK int edge_upstream_check_url(struct fb_str url, struct fb_diag *diag);

/* Fails as edge_upstream_check_url(). `clock` (borrowed) is
 * where ejections read the time; `metrics` is borrowed and may be NULL. */
FB_MUST_CHECK int edge_upstreams_new(const struct edge_upstreams_options *options,
                                     const struct fb_clock *clock, struct fb_metrics *metrics,
                                     struct edge_upstreams **ret_upstreams, struct fb_diag *diag);

/* Requires that no uplink is left. Accepts NULL. */
void edge_upstreams_free(struct edge_upstreams *upstreams);

/* For status pages. */
size_t edge_upstreams_count(const struct edge_upstreams *upstreams);
struct fb_str edge_upstreams_url(const struct edge_upstreams *upstreams, size_t index);
bool edge_upstreams_is_up(const struct edge_upstreams *upstreams, size_t index);

struct edge_uplink *edge_uplink_new(struct edge_upstreams *upstreams, struct fb_loop *loop);

/* Requires that no fetch or body is left. Accepts NULL. */
void edge_uplink_close(struct edge_uplink *uplink);

/* An edge_fetch_fn; `uplink` is a struct edge_uplink of the fetch's loop. Sends
 * the request's fields as they are, and Via. For HEAD `length` is what a GET
 * would have given. */
void edge_uplink_fetch(void *uplink, struct edge_fetch *fetch);
