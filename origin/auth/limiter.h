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
    uint32_t refill_ms; /* times burst: less than 2^32 ms are told of in a quota */
    uint32_t max_keys;
};

struct origin_limiter *origin_limiter_new(const struct origin_limiter_options *options);
void origin_limiter_free(struct origin_limiter *limiter);

/* What a key has, for the RateLimit fields of a response. */
struct origin_quota {
    uint32_t limit;     /* the burst */
    uint32_t window_ms; /* in which all of it comes back */
    uint32_t left;
    uint32_t reset_ms; /* until all of it is back */
    uint32_t wait_ms;  /* until there will be one; 0: there is */
};

/* Spends one of `key`; FB_E_LIMIT when there is none. *ret_quota is what is left
 * after it, and is written in both cases. */
FB_MUST_CHECK int origin_limiter_take(struct origin_limiter *limiter, struct fb_str key,
                                      struct origin_quota *ret_quota);

/* Spends one of `key`; FB_E_LIMIT when there is none, with the time until there
 * will be (the one output that is written on failure). */
FB_MUST_CHECK int origin_limiter_spend(struct origin_limiter *limiter, struct fb_str key,
                                       uint32_t *ret_wait_ms);
