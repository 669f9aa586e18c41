/*
 * The tables of what was watched: by hour, by slot of five minutes for the last
 * hours, and by day and rendition. Rows are added by origin_catalog_views_apply()
 * (view_reports.h).
 *
 * Reads go row by row to a function, in the order said, and hold a connection
 * meanwhile: that function is quick and does not call the catalog. What it
 * returns below 0 ends the visit and is its result.
 */
#pragma once

#include "origin/catalog/catalog.h"
#include "origin/model/id.h"

#include <stddef.h>
#include <stdint.h>

#define ORIGIN_MS_PER_HOUR INT64_C(3600000)
#define ORIGIN_MS_PER_DAY  (24 * ORIGIN_MS_PER_HOUR)
#define ORIGIN_MS_PER_SLOT INT64_C(300000)

/* For how long there are slots; they go hour by hour, well after that. */
#define ORIGIN_SLOTS_KEPT_MS (3 * ORIGIN_MS_PER_HOUR)

/* X(name): the columns of sums, alike in all tables; struct fb_view_entry says what they are. */
#define ORIGIN_VIEW_SUMS(X) \
    X(views)                \
    X(capped)               \
    X(sessions)             \
    X(watch_ms)             \
    X(ends)                 \
    X(stalls)               \
    X(stall_ms)             \
    X(bytes)                \
    X(bytes_missed)

struct origin_view_sums {
#define ORIGIN_VIEW_SUM_MEMBER(name) uint64_t name;
    ORIGIN_VIEW_SUMS(ORIGIN_VIEW_SUM_MEMBER)
#undef ORIGIN_VIEW_SUM_MEMBER
};

struct origin_view_row {
    int64_t seq;             /* the video's number */
    struct origin_id video;  /* and id */
    struct fb_str region;    /* for the visit */
    struct fb_str rendition; /* for the visit; ptr NULL: of all */
    int64_t start_ms;        /* of the slot, hour or day */
    int64_t span_ms;
    struct origin_view_sums sums;
};

typedef int origin_view_row_fn(void *ctx, const struct origin_view_row *row);

/* Slots that end after `since_ms`, oldest first. */
FB_MUST_CHECK int origin_catalog_view_slots(struct origin_catalog *catalog, int64_t since_ms,
                                            origin_view_row_fn *row, void *ctx);

/* Hours that end after `since_ms` and begin before `until_ms`, of one video (oldest first) or,
 * if `seq` is 0, of all (video by video). */
FB_MUST_CHECK int origin_catalog_view_hours(struct origin_catalog *catalog, int64_t seq,
                                            int64_t since_ms, int64_t until_ms,
                                            origin_view_row_fn *row, void *ctx);

/* Days by rendition that end after `since_ms`, in one region (video by video). */
FB_MUST_CHECK int origin_catalog_view_renditions(struct origin_catalog *catalog,
                                                 struct fb_str region, int64_t since_ms,
                                                 origin_view_row_fn *row, void *ctx);

/* All regions that were ever reported, by name. */
FB_MUST_CHECK int origin_catalog_regions(struct origin_catalog *catalog,
                                         int (*region)(void *ctx, struct fb_str name), void *ctx);

/* Removes slots that nobody asks for any more, at most `max`. */
FB_MUST_CHECK int origin_catalog_view_slots_prune(struct origin_catalog *catalog, size_t max,
                                                  size_t *ret_n);
