/*
 * Limiters: token buckets by key, in memory.
 *
 * A key may spend `burst` at once and gets one back every `refill_ms`. At most
 * `max_keys` are remembered; beyond, the one that was idle longest is forgotten.
 *
 * Threads    Any.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stdint.h>

struct fb_clock;
struct origin_limiter;

struct origin_limiter_options {
    const struct fb_clock *clock; /* borrowed */
    uint32_t burst;
    uint32_t refill_ms;
    uint32_t max_keys;
};

struct origin_limiter *origin_limiter_new(const struct origin_limiter_options *options);
void origin_limiter_free(struct origin_limiter *limiter);

/* Spends one of `key`; FB_E_LIMIT when there is none, with the time until there
 * will be (the one output that is written on failure). */
FB_MUST_CHECK int origin_limiter_spend(struct origin_limiter *limiter, struct fb_str key,
                                       uint32_t *ret_wait_ms);
