/*
 * The mix: candidates put into the order in which they are shown, so that it does not bore.
 *
 *     - the likeliest to be watched comes first, of those that may come next;
 *     - no owner twice in a row;
 *     - at most ORIGIN_MIX_OF_TAG of one tag in any `window` places;
 *     - each ORIGIN_MIX_NEW_EVERY-th place is for something new, drawn by lot: what was never shown
 *       cannot prove itself.
 *
 * Where nothing may come next the list ends, however many candidates are left.
 *
 * Threads    Pure functions; any.
 */
#pragma once

#include "origin/feed/candidates.h"

enum { ORIGIN_MIX_OF_TAG = 3, ORIGIN_MIX_NEW_EVERY = 8, ORIGIN_MIX_WINDOW_MAX = 100 };

struct origin_mix_options {
    size_t window; /* a page's places, 1 to ORIGIN_MIX_WINDOW_MAX */
    size_t max;    /* places in all */
    uint64_t seed; /* of the lot: the same gives the same */
};

/* Orders `candidates`, whose chances are set, in place; returns how many of them, from the first,
 * make the list. */
size_t origin_mix(const struct origin_shelf *shelf, struct origin_candidate *candidates, size_t n,
                  const struct origin_mix_options *options);
