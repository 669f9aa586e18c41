/*
 * What operators see of a node, and the little they can tell it.
 *
 * The admin server itself is base/daemon's; this gives it the members of
 * /status and the routes of purges:
 *
 *     POST /purge?url=URL | prefix=URL | tag=TAG [&soft=1], or several in a body (ask.h)
 *     GET /purges
 *
 * A purge is answered with {"epoch": N, "purged": n} when it counts on every loop and is
 * durable: its receipt, and how many objects it is known to have taken by then. Where there is no
 * folder for purges ("state"), "durable": false says that a volume out of service could not be
 * told; it forgets before it serves again unless the process ends.
 *
 * Ownership  Everything is borrowed.
 * Threads    The main loop's.
 */
#pragma once

#include "base/core/str.h"

struct edge_crew;
struct edge_purges;
struct edge_store;
struct edge_sweeper;
struct edge_upstreams;
struct edge_volumes;
struct fb_exchange;
struct fb_json;
struct fb_metrics;

struct edge_admin {
    struct fb_str node;
    const char *role;
    const struct edge_crew *crew;
    struct edge_store *store;
    struct edge_purges *purges;
    struct edge_sweeper *sweeper;
    struct edge_volumes *volumes; /* NULL: none */
    struct edge_upstreams *upstreams;
    struct fb_metrics *metrics;
};

/* Adds node, role, requests, bytes, store, volumes and upstreams. */
void edge_admin_status(const struct edge_admin *admin, struct fb_json *status);

/* POST /purge; `admin` stands until the exchange is over. */
void edge_admin_purge(const struct edge_admin *admin, struct fb_exchange *exchange);

/* GET /purges: the last ones, newest first, and how far the sweep is. */
void edge_admin_list_purges(const struct edge_admin *admin, struct fb_exchange *exchange);
