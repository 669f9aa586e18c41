/*
 * What the files of the keeper share.
 *
 * trending.c   life, rounds, the swap
 * events.c     the day's likes and shares
 * networks.c   how many networks a video was watched from
 * sources.c    views and videos, from the catalog
 */
#pragma once

#include "origin/trending/caps.h"
#include "origin/trending/crowd.h"
#include "origin/trending/snapshot_internal.h"
#include "origin/trending/trending.h"

#include <pthread.h>

struct fb_metrics_table;
struct origin_view_row;

enum trending_metric {
    METRIC_VIDEOS,
    METRIC_ROWS,
    METRIC_CROWDED,
    METRIC_ADMITTED,
    METRIC_EVENTS,
    METRIC_EVENTS_OVER,
    METRIC_READS_FAILED,
    N_METRICS
};

/* The events of the day, as they were read. */
struct trending_events {
    struct origin_caps_event *items; /* owned */
    size_t n;
    size_t max;
    struct fb_map *numbers; /* owned; of videos */
    struct origin_id *ids;  /* owned; by number */
    size_t n_ids;
    size_t max_ids;
    int64_t day;     /* since 1970 */
    int64_t full_ms; /* when all of the day was read; 0: never */
    int64_t read_ms; /* when the last was read */
};

struct origin_trending {
    struct origin_trending_options options;
    struct origin_score_rules rules;
    struct fb_metrics_table *metrics; /* borrowed, or NULL */
    uint64_t seed;
    void (*changed)(void *ctx);
    void *changed_ctx;

    atomic_bool is_stale; /* what is known is not all */
    pthread_mutex_t run;  /* one round at a time */
    uint64_t round;       /* under run, as the next */
    struct trending_events events;

    pthread_mutex_t lock; /* of the field and the crowd, but for what is the rounds' own */
    struct origin_field *field;
    struct origin_crowd *crowd;

    pthread_mutex_t swap;             /* of the pointer, for no longer than it takes to read it */
    struct origin_snapshot *snapshot; /* a reference */
};

int64_t origin_trending_now(const struct origin_trending *trending);
void origin_trending_count(const struct origin_trending *trending, enum trending_metric row,
                           uint64_t n);

/* ---- events.c, under run ------------------------------------------------------------ */

void origin_trending_events_done(struct trending_events *events);

/* Reads the events of `since_day` and all days since, and weighs them. */
FB_MUST_CHECK int origin_trending_events_load(struct origin_trending *trending, int64_t since_ms);

/* Reads what is new of the day, and weighs the day anew. */
FB_MUST_CHECK int origin_trending_events_read(struct origin_trending *trending);

/* ---- sources.c ---------------------------------------------------------------------- */

/* For origin_views_on_changed(). */
void origin_trending_rows(void *ctx, const struct origin_view_row *rows, size_t n);

/* Under run: all views that are kept, into the field; the networks of all videos. */
FB_MUST_CHECK int origin_trending_views_load(struct origin_trending *trending);

/* networks.c, under run: the networks of videos whose views have changed. */
FB_MUST_CHECK int origin_trending_networks_read(struct origin_trending *trending);

/* Under run: gives those of the crowd a place that have more views than the least of the field. */
void origin_trending_admit(struct origin_trending *trending);

/* Under run; as struct origin_rank_options says. */
void origin_trending_read_video(void *ctx, struct origin_field_video *video, struct fb_buf *json);
