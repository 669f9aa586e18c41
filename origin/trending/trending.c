#include "origin/trending/trending.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/metrics/metrics.h"
#include "base/sys/random.h"
#include "origin/trending/trending_internal.h"
#include "origin/views/views.h"

enum { PRESET_VIDEOS = 100000, PRESET_LIST = 500 };

static const int64_t preset_half_life_ms = INT64_C(6) * 3600000;

static const struct fb_metric rows[] = {
    [METRIC_VIDEOS] = {"origin_trending_videos", FB_METRIC_GAUGE, NULL,
                       "Videos that are looked at closely."},
    [METRIC_ROWS] = {"origin_trending_rows_total", FB_METRIC_COUNTER, NULL,
                     "Rows of views that were taken in."},
    [METRIC_CROWDED] = {"origin_trending_crowded_rows_total", FB_METRIC_COUNTER, NULL,
                        "Rows of videos that there was no place for: they are counted alone."},
    [METRIC_ADMITTED] = {"origin_trending_admitted_total", FB_METRIC_COUNTER, NULL,
                         "Videos that took the place of one with less."},
    [METRIC_EVENTS] = {"origin_trending_events_total", FB_METRIC_COUNTER, NULL,
                       "Likes and shares that were read, some again."},
    [METRIC_EVENTS_OVER] = {"origin_trending_events_over_total", FB_METRIC_COUNTER, NULL,
                            "Likes and shares beyond what is held of a day."},
    [METRIC_READS_FAILED] = {"origin_trending_reads_failed_total", FB_METRIC_COUNTER, NULL,
                             "Reads of single videos that failed; they are tried again."},
};

int64_t origin_trending_now(const struct origin_trending *trending)
{
    return fb_clock_wall_ms(trending->options.clock);
}

void origin_trending_count(const struct origin_trending *trending, enum trending_metric row,
                           uint64_t n)
{
    if (trending->metrics != NULL) {
        fb_metrics_add(trending->metrics, row, n);
    }
}

/* ---- life -------------------------------------------------------------------------- */

struct origin_trending *origin_trending_new(const struct origin_trending_options *options)
{
    struct origin_trending *trending = FB_NEW(struct origin_trending);

    trending->options = *options;
    if (options->half_life_ms == 0) {
        trending->options.half_life_ms = preset_half_life_ms;
    }
    trending->options.max_videos = options->max_videos != 0 ? options->max_videos : PRESET_VIDEOS;
    trending->options.max_list = options->max_list != 0 ? options->max_list : PRESET_LIST;
    trending->rules = origin_score_rules(trending->options.half_life_ms);
    fb_random_bytes(&trending->seed, sizeof(trending->seed));
    if (options->metrics != NULL) {
        trending->metrics = fb_metrics_table_new(options->metrics, rows, FB_ARRAY_LEN(rows), NULL);
    }
    (void)pthread_mutex_init(&trending->run, NULL);
    (void)pthread_mutex_init(&trending->lock, NULL);
    (void)pthread_mutex_init(&trending->swap, NULL);
    trending->field = origin_field_new(trending->options.max_videos, trending->seed);
    trending->crowd = origin_crowd_new(trending->seed);
    trending->snapshot = origin_snapshot_new(origin_trending_now(trending));
    if (options->views != NULL) {
        origin_views_on_changed(options->views, origin_trending_rows, trending);
    }
    return trending;
}

void origin_trending_free(struct origin_trending *trending)
{
    if (trending == NULL) {
        return;
    }
    origin_snapshot_unref(trending->snapshot);
    origin_trending_events_done(&trending->events);
    origin_crowd_free(trending->crowd);
    origin_field_free(trending->field);
    (void)pthread_mutex_destroy(&trending->run);
    (void)pthread_mutex_destroy(&trending->lock);
    (void)pthread_mutex_destroy(&trending->swap);
    fb_free(trending);
}

void origin_trending_on_changed(struct origin_trending *trending, void (*changed)(void *ctx),
                                void *ctx)
{
    trending->changed = changed;
    trending->changed_ctx = ctx;
}

struct origin_snapshot *origin_trending_hold(struct origin_trending *trending)
{
    (void)pthread_mutex_lock(&trending->swap);
    struct origin_snapshot *snapshot = origin_snapshot_ref(trending->snapshot);
    (void)pthread_mutex_unlock(&trending->swap);
    return snapshot;
}

/* ---- rounds ------------------------------------------------------------------------ */

static void swap(struct origin_trending *trending, struct origin_snapshot *snapshot)
{
    (void)pthread_mutex_lock(&trending->swap);
    struct origin_snapshot *old = trending->snapshot;
    trending->snapshot = snapshot;
    (void)pthread_mutex_unlock(&trending->swap);
    origin_snapshot_unref(old);
    if (trending->changed != NULL) {
        trending->changed(trending->changed_ctx);
    }
}

/* From what is known, under run. */
static void publish(struct origin_trending *trending)
{
    struct origin_ranking ranking;
    struct origin_rank_options options = {
        .now_ms = origin_trending_now(trending),
        .max_list = trending->options.max_list,
        .round = trending->round,
        .categories = &trending->field->categories,
        .read = origin_trending_read_video,
        .ctx = trending,
    };

    (void)pthread_mutex_lock(&trending->lock);
    origin_field_age(trending->field, options.now_ms);
    origin_field_score(trending->field, &trending->rules, options.now_ms);
    origin_ranking_take(trending->field, &ranking);
    (void)pthread_mutex_unlock(&trending->lock);
    if (trending->metrics != NULL) {
        fb_metrics_set(trending->metrics, METRIC_VIDEOS, ranking.n_videos);
    }
    swap(trending, origin_rank(&ranking, &options));
    origin_ranking_done(&ranking);
}

static int round_run(struct origin_trending *trending)
{
    trending->round++;
    int err = origin_trending_events_read(trending);
    if (err == FB_OK) {
        origin_trending_admit(trending);
        err = origin_trending_networks_read(trending);
    }
    if (err == FB_OK) {
        publish(trending);
    }
    return err;
}

/* What is told while the tables are read is taken in too, and may count twice, once. */
static void start_anew(struct origin_trending *trending)
{
    (void)pthread_mutex_lock(&trending->lock);
    origin_field_free(trending->field);
    origin_crowd_free(trending->crowd);
    trending->field = origin_field_new(trending->options.max_videos, trending->seed);
    trending->crowd = origin_crowd_new(trending->seed);
    (void)pthread_mutex_unlock(&trending->lock);
}

static int round_load(struct origin_trending *trending)
{
    int64_t since_ms = origin_trending_now(trending) - ORIGIN_TRENDING_KEPT_MS;

    start_anew(trending);
    int err = origin_trending_views_load(trending);
    if (err == FB_OK) {
        err = origin_trending_events_load(trending, since_ms);
    }
    return err;
}

int origin_trending_run(void *ctx)
{
    struct origin_trending *trending = ctx;
    int err = FB_OK;

    (void)pthread_mutex_lock(&trending->run);
    if (atomic_exchange(&trending->is_stale, false)) {
        err = round_load(trending);
    }
    if (err == FB_OK) {
        err = round_run(trending);
    } else {
        origin_trending_forget(trending);
    }
    (void)pthread_mutex_unlock(&trending->run);
    return err;
}

void origin_trending_forget(struct origin_trending *trending)
{
    atomic_store(&trending->is_stale, true);
}

int origin_trending_load(struct origin_trending *trending)
{
    origin_trending_forget(trending);
    return origin_trending_run(trending);
}
