/*
 * Views over a catalog of their own with a few videos, and a node that makes reports; for the
 * tests in this folder.
 */
#pragma once

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/metrics/metrics.h"
#include "base/sketch/hyperloglog.h"
#include "base/wire/view_report.h"
#include "origin/catalog/catalog.h"
#include "origin/catalog/users.h"
#include "origin/catalog/videos.h"
#include "origin/views/views_internal.h"
#include "tests/support/test_clock.h"
#include "tests/support/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { VIDEOS = 3, ENTRIES_MAX = 64 };

struct fixture {
    struct test_folder folder;
    struct test_clock clock;
    struct fb_metrics *metrics;
    struct origin_catalog *catalog;
    struct origin_views *views;
    struct origin_id user;
    struct origin_id videos[VIDEOS];
    struct fb_arena arena;
    char url[TEST_PATH_MAX + 32];

    struct fb_view_entry entries[ENTRIES_MAX]; /* of the next report; their sketches are owned */
    size_t n_entries;
};

static inline void must(int result)
{
    assert_int_equal(result, FB_OK);
}

static inline struct origin_id add_video(struct fixture *f)
{
    struct origin_video video = {
        .id = origin_id_new(),
        .owner = f->user,
        .title = FB_STR("A title"),
        .description = FB_STR(""),
        .tags = FB_STR("[]"),
        .filename = FB_STR("clip.mp4"),
        .source_bytes = 1000,
    };
    must(origin_catalog_video_add(f->catalog, &video));
    return video.id;
}

static inline int64_t seq_of(struct fixture *f, const struct origin_id *id)
{
    struct origin_video video;
    must(origin_catalog_video_get(f->catalog, &f->arena, id, &video));
    return video.seq;
}

static inline void open_views(struct fixture *f)
{
    must(origin_catalog_open(fb_str_from(f->url), 4, &f->clock.clock, &f->catalog, NULL));
    f->metrics = fb_metrics_new();
    f->views = origin_views_new(&(struct origin_views_options){
        .catalog = f->catalog,
        .clock = &f->clock.clock,
        .metrics = f->metrics,
        .token = FB_STR("0123456789abcdef"),
    });
}

static inline void close_views(struct fixture *f)
{
    origin_views_free(f->views);
    fb_metrics_free(f->metrics);
    origin_catalog_close(f->catalog);
}

static inline int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->folder = test_folder_new();
    f->clock = test_clock_at_start();
    test_clock_advance_ms(&f->clock, 12 * ORIGIN_MS_PER_HOUR); /* noon */
    (void)snprintf(f->url, sizeof(f->url), "sqlite:%s/origin.db", f->folder.path);
    open_views(f);
    must(origin_catalog_user_add(f->catalog, FB_STR("a@example.org"), FB_STR("hash"), &f->user));
    for (int i = 0; i < VIDEOS; i++) {
        f->videos[i] = add_video(f);
    }
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_arena_done(&f->arena);
    close_views(f);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

/* ---- a node ------------------------------------------------------------------------------- */

struct node {
    const char *name;
    const char *region;
    uint64_t epoch;
    uint64_t sequence; /* of the last report */
    uint8_t digest[FB_VIEW_DIGEST_SIZE];
    const struct fb_view_merged *merged;
    size_t n_merged;
};

static inline struct node node_new(const char *name, uint64_t epoch)
{
    return (struct node){.name = name, .region = "de-south", .epoch = epoch};
}

/* Counts `views` views of `video` so many minutes ago, by viewers that are hashed from `seed` on,
 * for the next report. */
static inline void count(struct fixture *f, struct fb_str video, int64_t ago_minutes,
                         uint64_t views, uint64_t seed)
{
    struct fb_view_entry *entry = &f->entries[f->n_entries++];

    assert_true(f->n_entries <= ENTRIES_MAX);
    *entry = (struct fb_view_entry){
        .video = video,
        .rendition = FB_STR("720p"),
        .minute = f->clock.wall_now_ms / 60000 - ago_minutes,
        .span = 1,
        .views = views,
        .capped = views,
        .sessions = views + 1,
        .watch_ms = views * 20000,
        .ends = views / 2,
        .bytes = views * 1000000,
        .bytes_missed = views * 1000,
        .startups = views,
        .viewers = fb_hyperloglog_new(FB_VIEW_VIEWERS_PRECISION),
    };
    entry->startup[2] = views;
    entry->sources[FB_VIEW_FEED] = views;
    entry->uncounted[FB_VIEW_TOO_SHORT] = 1;
    for (uint64_t i = 0; i < views; i++) {
        uint64_t hash = (seed + i) * UINT64_C(0x9e3779b97f4a7c15);
        fb_hyperloglog_add(entry->viewers, (hash ^ (hash >> 29)) * UINT64_C(0xbf58476d1ce4e5b9));
    }
}

/* Appends the next report to `body`. */
static inline void node_report(struct fixture *f, struct node *node, struct fb_buf *body)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    struct fb_view_report report = {
        .node = fb_str_from(node->name),
        .region = fb_str_from(node->region),
        .epoch = node->epoch,
        .sequence = ++node->sequence,
        .made_ms = f->clock.wall_now_ms,
        .totals = {.bytes_served = 1000, .plan_filled = 10},
        .merged = node->merged,
        .n_merged = node->n_merged,
        .entries = f->entries,
        .n_entries = f->n_entries,
    };
    memcpy(report.previous, node->digest, sizeof(report.previous));
    must(fb_view_report_encode(&report, &bytes));
    fb_view_report_digest(fb_buf_str(&bytes), node->digest);
    fb_view_batch_add(body, fb_buf_str(&bytes));
    for (size_t i = 0; i < f->n_entries; i++) {
        fb_view_entry_done(&f->entries[i]);
    }
    f->n_entries = 0;
}

struct told {
    int err;
    enum fb_view_verdict verdict;
    uint64_t acked;
    size_t n_repeated;
};

static inline struct told take(struct fixture *f, const struct fb_buf *body)
{
    struct origin_views_answer answer = {.acked = 0};
    int err = origin_views_take(f->views, fb_buf_str(body), &answer);
    fb_buf_done(&answer.node);
    return (struct told){err, answer.verdict, answer.acked, answer.n_repeated};
}

/* ---- what stands -------------------------------------------------------------------------- */

struct totals {
    size_t n_rows;
    struct origin_view_sums sums;
};

static inline int add_row(void *ctx, const struct origin_view_row *row)
{
    struct totals *totals = ctx;
    totals->n_rows++;
#define ADD(name) totals->sums.name += row->sums.name;
    ORIGIN_VIEW_SUMS(ADD)
#undef ADD
    return FB_OK;
}

static inline struct totals totals_of(struct fixture *f, const struct origin_id *video)
{
    struct totals totals = {0};
    must(origin_catalog_view_hours(f->catalog, seq_of(f, video), 0, INT64_MAX, add_row, &totals));
    return totals;
}
