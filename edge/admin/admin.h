/*
 * What operators see of a node, and the little they can tell it.
 *
 * The admin server itself is base/daemon's; this gives it the members of
 * /status and the route POST /purge?url=URL, which drops what is kept under the
 * URL, all variants of it, in both tiers, and answers {"purged": N} when it would not
 * come back after a crash either; with "durable": false if a volume that is out of service
 * could not be told, which forgets it before it serves again unless the process ends.
 *
 * Ownership  Everything is borrowed.
 * Threads    The main loop's.
 */
#pragma once

#include "base/core/str.h"

struct edge_crew;
struct edge_store;
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
    struct edge_volumes *volumes; /* NULL: none */
    struct edge_upstreams *upstreams;
    struct fb_metrics *metrics;
};

/* Adds node, role, requests, bytes, store, volumes and upstreams. */
void edge_admin_status(const struct edge_admin *admin, struct fb_json *status);

void edge_admin_purge(const struct edge_admin *admin, struct fb_exchange *exchange);
