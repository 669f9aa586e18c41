/*
 * The one order of this folder: the greater first, and of what is equal the smaller number, so that
 * the same facts always give the same list.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include <stdint.h>

/* For qsort(): how `left` with the value `a` stands to `right` with `b`. */
static inline int origin_feed_order(double a, double b, uint32_t left, uint32_t right)
{
    if (a > b) {
        return -1;
    }
    if (a < b) {
        return 1;
    }
    return left < right ? -1 : left > right;
}
