/*
 * Demands: what a client's Cache-Control asks of the cache (RFC 9111 section 5.2.1, RFC 5861).
 *
 * All of these are advisory, and in front of a fleet most are harmful: with no-cache any
 * client could steer the traffic upstream. So a site says which it obeys; by preset that is
 * only-if-cached alone, which spares the upstream. The rest are read as if they were not
 * there. Pragma is not read (section 5.4).
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/http/head.h"

#include <stdbool.h>
#include <stdint.h>

/* Directives that a site obeys, as bits. */
enum {
    EDGE_DEMAND_ONLY_IF_CACHED = 1,
    EDGE_DEMAND_MAX_STALE = 2,
    EDGE_DEMAND_MIN_FRESH = 4,
    EDGE_DEMAND_NO_CACHE = 8,
    EDGE_DEMAND_MAX_AGE = 16,
    EDGE_DEMAND_NO_STORE = 32,
    EDGE_DEMAND_STALE_IF_ERROR = 64,
    EDGE_DEMANDS_ALL = 127,
    EDGE_DEMANDS_PRESET = EDGE_DEMAND_ONLY_IF_CACHED
};

/* All zero but max_age_ms is to demand nothing. */
struct edge_demands {
    bool only_if_cached; /* from the store or 504; never from an upstream */
    bool no_store;       /* what comes for this request is not kept */
    bool no_cache;       /* nothing stored is used before it is validated */
    int64_t max_age_ms;  /* older is not wanted, nor stale unless max-stale; or -1 */
    int64_t min_fresh_ms;
    int64_t max_stale_ms; /* stale by no more than that is fine */
    int64_t if_error_ms;  /* the same if the upstream fails */
};

/* The demands of `request` that are in `obeyed`. Costs a look for the field if there is none. */
struct edge_demands edge_demands_of(struct fb_arena *arena, const struct fb_headers *request,
                                    unsigned obeyed);
