/*
 * The tables of nodes whose reports were applied, and what was applied: the one
 * way into all tables of views.
 *
 * Of each stream (node and epoch, base/wire/view_report.h) its row tells the last
 * report that was applied. ..._apply() moves it on and adds the rows in one
 * transaction, if the stream still stands where the caller read it.
 */
#pragma once

#include "base/wire/view_report.h"
#include "origin/catalog/catalog.h"
#include "origin/catalog/view_hours.h"
#include "origin/model/id.h"

#include <stddef.h>
#include <stdint.h>

struct fb_hyperloglog;

enum {
    ORIGIN_RECEIVER_LEN = 32,  /* hex digits: FB_VIEW_RECEIVER_SIZE */
    ORIGIN_UNKNOWN_MAX = 1000, /* names of unknown videos kept of a day */
    ORIGIN_STREAMS_MAX = 100000,
    ORIGIN_AUDIT_REASON_MAX = 32
};

/* One row to add to, of slots, hours, or days by rendition. */
struct origin_view_part {
    int64_t when; /* the number of its slot, hour or day since 1970 */
    struct fb_str rendition;
    struct origin_view_sums sums;
};

/* One day of one video: what is not a sum. */
struct origin_view_day {
    int64_t day;
    uint64_t sources[FB_VIEW_SOURCES_N];
    uint64_t uncounted[FB_VIEW_REASONS_N];
    uint64_t startup[FB_VIEW_STARTUP_N];
    struct fb_hyperloglog *viewers; /* may be NULL: nobody */
    struct fb_hyperloglog *networks;
};

/* What is added to one video. */
struct origin_view_video {
    struct fb_str name;          /* as the nodes call it */
    int64_t seq;                 /* out: its number; 0: there is no such video */
    struct origin_id id;         /* out */
    struct origin_view_sums sum; /* of all that follows */
    struct origin_view_part *slots;
    struct origin_view_part *hours;
    struct origin_view_part *renditions;
    struct origin_view_day *days;
    size_t n_slots;
    size_t n_hours;
    size_t n_renditions;
    size_t n_days;
};

struct origin_view_apply {
    struct fb_str node;
    struct fb_str region;
    uint64_t epoch;
    struct fb_view_stream from; /* where the stream stood */
    struct fb_view_stream to;   /* and stands afterwards */
    size_t n_reports;
    struct fb_view_totals totals;
    const struct fb_view_merged *merged; /* streams of others that these reports stand for */
    size_t n_merged;
    struct origin_view_video *videos;
    size_t n_videos;

    /* Out. */
    size_t n_rows;     /* added to */
    size_t n_unknown;  /* videos */
    size_t n_overlaps; /* of `merged` with what came before: told in the audit */
};

/* This origin's id as a receiver, drawn when there is none yet. */
FB_MUST_CHECK int origin_catalog_receiver(struct origin_catalog *catalog,
                                          char ret_id[ORIGIN_RECEIVER_LEN + 1]);

/* Where a stream stands; zero if it is new. */
FB_MUST_CHECK int origin_catalog_view_stream(struct origin_catalog *catalog, struct fb_str node,
                                             uint64_t epoch, struct fb_view_stream *ret_stream);

/* FB_E_CONFLICT, and nothing is changed, if the stream does not stand at `from` any more;
 * FB_E_UNAVAILABLE, likewise, if it is new and ORIGIN_STREAMS_MAX are known. */
FB_MUST_CHECK int origin_catalog_views_apply(struct origin_catalog *catalog,
                                             struct origin_view_apply *apply);

struct origin_view_audit {
    struct fb_str node;
    uint64_t epoch;
    uint64_t sequence;    /* of the report */
    uint64_t expected;    /* in its place, or how many of what was found */
    struct fb_str reason; /* "gap", "changed", "overlap", "clock-ahead", "clock-behind" */
    uint64_t n;           /* how often; not read by ..._add() */
    int64_t first_ms;     /* nor are these */
    int64_t last_ms;
};

/* Notes what was not as it should be; once more, if it is there. */
FB_MUST_CHECK int origin_catalog_view_audit_add(struct origin_catalog *catalog,
                                                const struct origin_view_audit *audit);

/* The latest first, at most `limit`; strings are good for the visit. */
FB_MUST_CHECK int origin_catalog_view_audit_list(struct origin_catalog *catalog, size_t limit,
                                                 int (*audit)(void *ctx,
                                                              const struct origin_view_audit *),
                                                 void *ctx);

struct origin_view_node {
    struct fb_str node;
    struct fb_str region;
    struct fb_str via;
    uint64_t epoch;
    uint64_t sequence;
    uint64_t n_reports;
    int64_t first_ms;
    int64_t last_ms;
    struct fb_view_totals totals;
};

/* All streams, the last heard of first, at most `limit`; strings are good for the visit. */
FB_MUST_CHECK int origin_catalog_view_nodes(struct origin_catalog *catalog, size_t limit,
                                            int (*node)(void *ctx, const struct origin_view_node *),
                                            void *ctx);

/* Removes what is too old to be of use: streams of a year ago, names of unknown videos, the
 * audit's rows beyond its last. */
FB_MUST_CHECK int origin_catalog_view_reports_prune(struct origin_catalog *catalog);
