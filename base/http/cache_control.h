/*
 * Cache-Control and its kin (RFC 9111 section 5.2, RFC 5861, RFC 8246, RFC 9213).
 *
 * Reading is tolerant about what is unknown and strict about what is known:
 * a number that is too large is FB_DELTA_MAX, one that is no number is 0, so a
 * damaged lifetime makes a response stale, never fresh. Of a directive that is
 * repeated the smaller number counts. `no-cache` and `private` with a list of
 * fields are read as without, which is always allowed and never wrong.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { FB_DELTA_NONE = -1, FB_DELTA_MAX = 0x7fffffff };

struct fb_cache_control {
    bool no_store;
    bool no_cache;
    bool no_transform;
    bool only_if_cached;
    bool is_private;
    bool is_public;
    bool must_revalidate;
    bool proxy_revalidate;
    bool must_understand;
    bool immutable;
    /* Seconds, FB_DELTA_NONE if not given. */
    int64_t max_age;
    int64_t s_maxage;
    int64_t stale_while_revalidate;
    int64_t stale_if_error;
    int64_t min_fresh;
    int64_t max_stale; /* FB_DELTA_MAX without a number */
};

/* Reads a whole field, its lines joined by commas; an empty one gives no
 * directives. */
struct fb_cache_control fb_cache_control_parse(struct fb_str value);

/* delta-seconds, also of Age: digits, or FB_DELTA_MAX when there are too many,
 * or 0 when it is no number. */
int64_t fb_delta_parse(struct fb_str text);
