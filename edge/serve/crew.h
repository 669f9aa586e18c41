/*
 * Crews: the loops that serve, one thread each.
 *
 * Every worker has a loop, a server, an uplink and a struct edge_serve of its
 * own; store, fills and upstreams' health are shared. All workers listen on the
 * same addresses, and the kernel spreads connections over them.
 *
 *     new ──► listen ──► start ──► … ──► drain ──► free
 *
 * A drain takes the workers through phases together, because a client of one
 * worker may read what another one's fill brings, and any may write to a volume:
 *
 *     SERVING ──► DRAINING ─────────► FILLING ───────► WRITING ──────► CLOSING ──► OVER
 *                 requests end,       what still       volumes are     connections to
 *                 at most grace_ms    fills is cut     written out     upstreams close
 *
 * Where another process goes on at the same addresses, RETREATING comes first.
 *
 * Ownership  The caller owns the crew and, longer than it, what the options name.
 * Threads    All calls on the thread that made the crew, the main loop's.
 * Failures   Those of listening; -EAGAIN when the system gives no more threads.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/net/address.h"
#include "base/server/server.h"
#include "edge/serve/serve.h"

#include <stddef.h>
#include <stdint.h>

struct edge_crew;
struct edge_sites;
struct edge_uplink;
struct edge_upstreams;
struct edge_volumes;
struct fb_clock;
struct fb_loop;
struct fb_sockets;
struct fb_tcp_tuning;
struct fb_tls_party;

struct edge_crew_options {
    size_t n_workers;
    struct fb_loop *main_loop;
    const struct fb_clock *clock;
    struct edge_upstreams *upstreams;
    struct edge_volumes *volumes;   /* every worker's loop is attached; NULL: none */
    struct fb_server_limits limits; /* per worker */
    uint32_t grace_ms;              /* for requests under way when draining */
    struct fb_sockets *sockets;     /* that may listen already; those of the addresses that are
                                     * asked for are taken; NULL: none */
    /* May be NULL. While draining, on the main loop: no request begins any more. */
    void (*quiet)(void *ctx);
    void *quiet_ctx;
    struct edge_serve_options serve;
};

FB_MUST_CHECK int edge_crew_new(const struct edge_crew_options *options,
                                struct edge_crew **ret_crew, struct fb_diag *diag);

/* Lets every worker listen on `address`, with `tls` (borrowed) or, if it is NULL, without; the
 * connections send as `tuning` (borrowed until edge_crew_start(), or NULL) says. Port 0
 * is the same one for all. `ret_bound` may be NULL. Before edge_crew_start(), which opens what is
 * missing where sockets were taken, but not one for each worker. */
FB_MUST_CHECK int edge_crew_listen(struct edge_crew *crew, const struct fb_address *address,
                                   struct fb_tls_party *tls, const struct fb_tcp_tuning *tuning,
                                   struct fb_address *ret_bound, struct fb_diag *diag);

/* Starts the threads: all of them, or none. The volumes may be started after it. */
FB_MUST_CHECK int edge_crew_start(struct edge_crew *crew, struct fb_diag *diag);

/* The first worker's, for what the node does there of its own accord: begun by mail to the loop
 * after edge_crew_start(), and over before edge_crew_drain(). */
struct edge_crew_seat {
    struct fb_loop *loop;
    struct edge_uplink *uplink;
    struct edge_serve *serve;
};

struct edge_crew_seat edge_crew_seat(const struct edge_crew *crew);

/* Adds another descriptor of each listening socket to `sockets`. Main thread, before the drain. */
FB_MUST_CHECK int edge_crew_share(const struct edge_crew *crew, struct fb_sockets *sockets);

/* Puts `sites` in force: `op` finishes on the main loop when every worker has them,
 * so that no request that comes later sees the old ones. Takes a reference. One at a
 * time; FB_E_CANCELED once the drain has begun. */
void edge_crew_reload(struct edge_crew *crew, struct edge_sites *sites, struct fb_op *op);

/* The sites of edge_crew_new() or the last edge_crew_reload(). Main thread. */
struct edge_sites *edge_crew_sites(const struct edge_crew *crew);

/* Stops accepting, lets requests end, and finishes `op` on the main loop when
 * nothing is left. With `linger_ms` the clients are told first to make new connections, which
 * another process accepts (fb_server_retreat()). Once, after edge_crew_start(). */
void edge_crew_drain(struct edge_crew *crew, uint32_t linger_ms, struct fb_op *op);

/* Requires that the crew was drained or never started. Accepts NULL. */
void edge_crew_free(struct edge_crew *crew);

/* Adds up all workers' numbers. */
struct edge_serve_counts edge_crew_count(const struct edge_crew *crew);
