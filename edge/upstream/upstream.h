/*
 * Upstreams: the servers that this node fills itself from.
 *
 * One struct edge_upstreams serves the whole process and knows the health of
 * each server; one struct edge_uplink per loop holds the connections. A pool is
 * a list of servers, of the node or of one site; a server that stands in several
 * pools is one server, with one health. A fetch asks the servers of its pool:
 *
 *     regional   in the order of rendezvous hashing on the key, so that all edges
 *                ask the same node for the same thing, and one that comes or goes moves
 *                its own share alone. One with more requests under way than its
 *                share and `headroom` of all is passed over for the next one.
 *     origin     after them, in the order of the configuration
 *
 *     PICK ──► TRY ──► head ──────────────► done, with status, fields, body
 *      ▲        │
 *      └────────┴── no connection, no head in time, cut head, 502, 503, 504;
 *                   of a regional node also 500, 507 and 508
 *
 * A request goes on to the next server only if it is safe to send it twice: the
 * method is idempotent and there is no content. The last server's answer is
 * passed on whatever it is, and so is a 504 to a request with only-if-cached. Going on
 * costs from a budget, `retry_share` of the requests beside a reserve, so that
 * an outage does not multiply the load.
 *
 * Hedging    A request that may be repeated and has no head after the 95th
 *            percentile of its server's recent times is sent to the next server as
 *            well; the first usable head wins, and the other request is canceled.
 *            At most `hedge_share` of the requests are.
 *
 * Health     of a server:
 *
 *                UP ──► EJECTED or OPEN ──► PROBING ──► SLOW_START ──► UP
 *                              ▲              │
 *                              └──────────────┘ fails, for twice as long
 *
 *            EJECTED: it failed `eject_after` times in a row, or active checks did
 *            (edge/upstream/checks.h; these end what they began). OPEN: too great a share
 *            of its recent requests failed or were overtaken. Once the period is over one
 *            request probes it. In SLOW_START a regional node gets a growing share of
 *            its keys, always the same first. FULL: `max_requests` are under way, so it
 *            is passed over. Ejection is advice about order, never a reason to refuse:
 *            with all servers out they are still tried. A body that breaks counts
 *            like a request that failed.
 *
 * Ownership  upstreams_new → uplink_new per loop → uplink_close → upstreams_free.
 *            Pools and servers live as long as the upstreams: a request under way keeps
 *            what it began with. A server that is in no pool in use any more keeps its
 *            numbers for when it comes back; its connections end idle.
 * Threads    Upstreams and pools: any. An uplink and its fetches: their loop's.
 * Limits     Those of base/client, with smaller windows for what goes at one client's pace;
 *            EDGE_UPSTREAMS_MAX servers in a pool.
 * Failures   FB_E_UNAVAILABLE, FB_E_TIMEOUT if it was time that ran out with the last server,
 *            FB_E_MALFORMED if its answer could not be understood or was more than is taken,
 *            FB_E_BUSY if all were full or their connections taken, FB_E_CANCELED. What each
 *            server did is logged.
 */
#pragma once

#include "base/client/client.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "edge/upstream/fetch.h"
#include "edge/upstream/forwarded.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_pool;
struct edge_uplink;
struct edge_upstreams;
struct fb_clock;
struct fb_loop;
struct fb_metrics;
struct fb_tls_party;

enum { EDGE_UPSTREAMS_MAX = 16 };

enum edge_tier { EDGE_TIER_ORIGIN, EDGE_TIER_REGIONAL };

struct edge_upstream_spec {
    struct fb_str url;                /* http://host[:port], or https; borrowed for the call */
    enum fb_client_protocol protocol; /* that is spoken with it, and for its checks */
    struct fb_tls_party *tls;         /* of https; outlives the uplinks */
    struct fb_str tls_name;           /* that its certificate must be for; ptr NULL: the host */
    enum edge_tier tier;
    uint32_t weight;     /* [1] of a regional node among its like; at most 1000 */
    struct fb_str check; /* URL for active checks; none: the path of the options */
    struct fb_str host;  /* that requests name, and checks without a URL of their own; none: the
                            client's, and the URL's */
    enum edge_forwarding forwarding;
};

enum edge_hedge_after { EDGE_HEDGE_OFF, EDGE_HEDGE_P95, EDGE_HEDGE_FIXED };

/* Zero means the default in brackets. */
struct edge_upstreams_options {
    struct fb_str node;          /* borrowed; this node's name in Via and CDN-Loop */
    uint32_t connect_timeout_ms; /* [2 s] */
    uint32_t head_timeout_ms;    /* [15 s] */
    uint32_t body_timeout_ms;    /* [15 s] between two pieces of content */

    /* Per server and loop; as many again for what is for one client alone. */
    uint32_t max_connections; /* [256] */
    uint32_t max_queue;       /* [1024] requests that wait for one of them */
    uint32_t max_idle;        /* [64] kept */
    uint32_t idle_ms;         /* [20 s] kept so long, or less if the server says so */
    uint32_t max_reuses;      /* requests of one connection; 0: no bound */
    uint32_t max_age_ms;      /* of one connection; 0: no bound */

    uint32_t eject_after;   /* [3] failures in a row */
    uint32_t eject_min_ms;  /* [1 s] first period; doubles */
    uint32_t eject_max_ms;  /* [30 s] */
    uint32_t failure_share; /* percent of recent answers that opens; 0: never */
    uint32_t max_requests;  /* under way with one server, all loops; 0: no bound */
    uint32_t slow_start_ms; /* 0: none */
    uint32_t headroom;      /* [25] percent over its share that a regional node takes */
    uint32_t retry_share;   /* percent of requests; 0: the reserve alone */

    enum edge_hedge_after hedge_after;
    uint32_t hedge_least_ms; /* [50 ms]; FIXED: this */
    uint32_t hedge_share;    /* [5] percent of requests */

    struct fb_str check_path;   /* borrowed; empty: servers with a `check` alone */
    uint32_t check_interval_ms; /* [5 s] */
    uint32_t check_timeout_ms;  /* [2 s] */
    uint32_t check_healthy;     /* [2] in a row */
    uint32_t check_unhealthy;   /* [3] */
};

/* Says what keeps `url` from being an upstream, or the URL of a check, if anything does. */
FB_MUST_CHECK int edge_upstream_check_url(struct fb_str url, struct fb_diag *diag);
FB_MUST_CHECK int edge_upstream_check_check(struct fb_str url, struct fb_diag *diag);

/* `clock` (borrowed) is where ejections read the time; `metrics` is borrowed and
 * may be NULL. No pool is in use yet. */
struct edge_upstreams *edge_upstreams_new(const struct edge_upstreams_options *options,
                                          const struct fb_clock *clock, struct fb_metrics *metrics);

/* Requires that no uplink is left. Accepts NULL. */
void edge_upstreams_free(struct edge_upstreams *upstreams);

/* The pool of 1..EDGE_UPSTREAMS_MAX servers: the same one each time it is asked for with equal
 * servers in the same order, and as long-lived as `upstreams`. Changes nothing for
 * requests; a configuration that is dropped may leave pools behind. Fails as
 * edge_upstream_check_url(). */
FB_MUST_CHECK int edge_upstreams_pool(struct edge_upstreams *upstreams,
                                      const struct edge_upstream_spec *servers, size_t n,
                                      const struct edge_pool **ret_pool, struct fb_diag *diag);

/* From now on these are the pools in use, the first of them (at least one) the
 * node's own; and with `options` not NULL these count, except `node` and the bounds of
 * connections, which are those of when the uplinks were made. Other pools go on
 * serving the fetches that name them, but are neither checked nor shown. For a
 * configuration that was read again; any thread, one at a time. */
void edge_upstreams_use(struct edge_upstreams *upstreams,
                        const struct edge_upstreams_options *options,
                        const struct edge_pool *const *pools, size_t n_pools);

/* ---- for status pages ---------------------------------------------------- */

enum edge_upstream_state {
    EDGE_UPSTREAM_UP,
    EDGE_UPSTREAM_SLOW_START,
    EDGE_UPSTREAM_FULL,
    EDGE_UPSTREAM_EJECTED,
    EDGE_UPSTREAM_OPEN,
    EDGE_UPSTREAM_PROBING,
    EDGE_UPSTREAM_RESTING
};

enum { EDGE_UPSTREAM_ERROR_MAX = 160 };

struct edge_upstream_status {
    struct fb_str url; /* lives as long as the upstreams */
    enum edge_tier tier;
    uint32_t weight;
    enum edge_upstream_state state;
    const char *protocol; /* of its last response, "HTTP/1.1" or "HTTP/2"; NULL: none came */
    bool is_up;           /* in service: any of the first three */
    uint32_t n_requests;  /* under way */
    uint64_t head_p50_us; /* from the request to the head; 0: not known */
    uint64_t head_p95_us;
    int64_t until_ms;                    /* wall clock: ejected, open or resting until then; 0: not,
                                            or until a check or a probe, whose time has come */
    char error[EDGE_UPSTREAM_ERROR_MAX]; /* the last one, for people; empty: none */
    int64_t error_ms;                    /* when that was */
};

/* Servers in use: as many as the pools in use have, each once. */
size_t edge_upstreams_count(struct edge_upstreams *upstreams);

/* False if there are not so many any more. */
FB_MUST_CHECK bool edge_upstreams_status(struct edge_upstreams *upstreams, size_t index,
                                         struct edge_upstream_status *ret_status);

/* "up", "slow-start", "full", "ejected", "open", "probing" or "resting"; "regional" or
 * "origin". */
const char *edge_upstream_state_name(enum edge_upstream_state state);
const char *edge_tier_name(enum edge_tier tier);

/* ---- one per loop -------------------------------------------------------- */

struct edge_uplink *edge_uplink_new(struct edge_upstreams *upstreams, struct fb_loop *loop);

/* Requires that no fetch or body is left. Accepts NULL. */
void edge_uplink_close(struct edge_uplink *uplink);

/* An edge_fetch_fn; `uplink` is a struct edge_uplink of the fetch's loop. Sends
 * the request's fields as they are, and Via and CDN-Loop, and what tells of the client. For HEAD
 * `length` is what a GET would have given. */
void edge_uplink_fetch(void *uplink, struct edge_fetch *fetch);
