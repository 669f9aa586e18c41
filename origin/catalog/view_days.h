/*
 * What was watched on each day, for the creators of videos: sums, and what is not
 * a sum. Rows are added by origin_catalog_views_apply() (view_reports.h).
 */
#pragma once

#include "origin/catalog/view_hours.h"
#include "origin/catalog/view_reports.h"

struct origin_view_scope {
    int64_t seq;                   /* one video; 0: all of `owner` */
    const struct origin_id *owner; /* for seq 0 */
    int64_t since_day;             /* from 1970; both are part of it */
    int64_t until_day;
};

/* Sums by day and region (row->region; seq and video are not set), oldest first. */
FB_MUST_CHECK int origin_catalog_view_day_sums(struct origin_catalog *catalog,
                                               const struct origin_view_scope *scope,
                                               origin_view_row_fn *row, void *ctx);

/* `day` and its sketches, and `region`, are good for the visit. */
typedef int origin_view_day_fn(void *ctx, const struct origin_view_day *day, struct fb_str region);

/* The rest, by video, day and region. FB_E_CORRUPT for a sketch that is none. */
FB_MUST_CHECK int origin_catalog_view_days(struct origin_catalog *catalog,
                                           const struct origin_view_scope *scope,
                                           origin_view_day_fn *day, void *ctx);
