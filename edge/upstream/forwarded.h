/*
 * Forwarded: whose request it is that an upstream gets, where it is told.
 *
 * Only of a request that is one client's alone: what is fetched for all tells of nobody. What the
 * client itself claims is not passed on, but for a peer that is trusted, such as a tier below: then
 * the addresses that it names stand before its own.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/http/head.h"

#include <stdbool.h>

enum edge_forwarding {
    EDGE_FORWARDING_OFF,
    EDGE_FORWARDING_X,       /* X-Forwarded-For, -Proto and -Host */
    EDGE_FORWARDING_RFC7239, /* Forwarded */
};

struct edge_forwarded {
    struct fb_str address; /* without brackets or port; empty: not known */
    struct fb_str host;    /* that it named */
    bool is_secure;
    const struct fb_headers *before; /* the request's, of a trusted peer; NULL: nothing counts */
};

/* Adds to `headers` what tells of `client`. */
void edge_forwarded_add(struct fb_headers *headers, struct fb_arena *arena,
                        enum edge_forwarding forwarding, const struct edge_forwarded *client);
