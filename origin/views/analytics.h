/*
 * Analytics: what creators are told of their videos, by day or by region.
 *
 * Unique viewers are a union of sketches (standard error 1.6 %). The key under which viewers are
 * hashed changes daily, so somebody who comes on two days counts on both.
 *
 * Ownership  A table owns its rows' sketches; labels are the arena's.
 * Threads    Blocking; any thread.
 * Limits     ORIGIN_ANALYTICS_DAYS_MAX days of one video, ORIGIN_ANALYTICS_OWNER_DAYS_MAX of all of
 *            an owner's; ORIGIN_ANALYTICS_ROWS_MAX rows, what is more is summed in the last.
 * Failures   The catalog's.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/view_days.h"

#include <stdbool.h>

struct origin_views;

enum {
    ORIGIN_ANALYTICS_DAYS_MAX = 400,
    ORIGIN_ANALYTICS_OWNER_DAYS_MAX = 31,
    ORIGIN_ANALYTICS_ROWS_MAX = 500
};

struct origin_analytics_row {
    struct fb_str region; /* by region; ptr NULL: the rest */
    int64_t day;          /* by day, from 1970 */
    struct origin_view_sums sums;
    struct origin_view_day detail; /* its sketches are owned */
};

struct origin_analytics {
    bool by_region;
    struct origin_analytics_row *rows; /* days in their order; regions as they first came */
    size_t n_rows;
    struct origin_analytics_row total;
};

FB_MUST_CHECK int origin_views_analytics(struct origin_views *views, struct fb_arena *arena,
                                         const struct origin_view_scope *scope, bool by_region,
                                         struct origin_analytics *ret_analytics);

/* Frees the sketches; safe on zero. */
void origin_analytics_done(struct origin_analytics *analytics);

/* The time to start that `percent` of the starts stay below, as a bound of its histogram in
 * milliseconds; 0 if nothing started, UINT64_MAX beyond the last bound. */
uint64_t origin_analytics_startup_ms(const struct origin_view_day *detail, unsigned percent);
