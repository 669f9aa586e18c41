#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/order.h"
#include "origin/catalog/videos.h"
#include "origin/catalog/view_hours.h"
#include "origin/trending/trending_internal.h"
#include "origin/views/views.h"

#include <stdlib.h>

enum { ADMIT_MAX = 1000 };

/* ---- views ------------------------------------------------------------------------- */

/* Under lock. */
static void field_add(struct origin_trending *trending, const struct origin_view_row *row,
                      struct origin_field_video *video, int64_t now_ms)
{
    struct origin_series *series = origin_field_series(trending->field, video, row->region);

    video->seq = row->seq;
    video->is_changed = true;
    origin_series_add(series, now_ms, row->start_ms, row->span_ms, (double)row->sums.capped,
                      (double)row->sums.ends);
}

/* Under lock. */
static void row_add(struct origin_trending *trending, const struct origin_view_row *row,
                    int64_t now_ms)
{
    if (row->sums.capped == 0 || now_ms - row->start_ms >= ORIGIN_TRENDING_KEPT_MS) {
        return;
    }
    struct origin_field_video *video = origin_field_enter(trending->field, &row->video);
    if (video == NULL) {
        origin_crowd_add(trending->crowd, now_ms, &row->video, row->sums.capped);
        origin_trending_count(trending, METRIC_CROWDED, 1);
        return;
    }
    field_add(trending, row, video, now_ms);
    origin_trending_count(trending, METRIC_ROWS, 1);
}

void origin_trending_rows(void *ctx, const struct origin_view_row *rows, size_t n)
{
    struct origin_trending *trending = ctx;
    int64_t now_ms = origin_trending_now(trending);

    (void)pthread_mutex_lock(&trending->lock);
    for (size_t i = 0; i < n; i++) {
        row_add(trending, &rows[i], now_ms);
    }
    (void)pthread_mutex_unlock(&trending->lock);
}

static int on_row(void *ctx, const struct origin_view_row *row)
{
    origin_trending_rows(ctx, row, 1);
    return FB_OK;
}

int origin_trending_views_load(struct origin_trending *trending)
{
    int64_t since_ms = origin_trending_now(trending) - ORIGIN_TRENDING_KEPT_MS;

    if (trending->options.views == NULL) {
        return FB_OK;
    }
    return origin_views_recent(trending->options.views, since_ms, on_row, trending);
}

/* ---- videos ------------------------------------------------------------------------ */

void origin_trending_read_video(void *ctx, struct origin_field_video *video, struct fb_buf *json)
{
    struct origin_trending *trending = ctx;
    struct origin_video found;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    int err = origin_catalog_video_get(trending->options.catalog, &arena, &video->id, &found);
    if (err < 0 && err != FB_E_NOT_FOUND) {
        origin_trending_count(trending, METRIC_READS_FAILED, 1);
        return;
    }
    video->read_round = trending->round;
    video->is_shown = err == FB_OK && origin_video_is_public(&found);
    if (!video->is_shown) {
        return;
    }
    video->seq = found.seq;
    video->owner = found.owner;
    video->category = origin_names_number(&trending->field->categories, found.category);
    if (json != NULL && trending->options.describe != NULL) {
        trending->options.describe(trending->options.ctx, &found, json);
    }
}

/* ---- the crowd --------------------------------------------------------------------- */

static int compare_weeks(const void *left, const void *right)
{
    const struct origin_field_video *const *a = left;
    const struct origin_field_video *const *b = right;
    double of_a = (*a)->scores[ORIGIN_TRENDING_WEEK].total;
    double of_b = (*b)->scores[ORIGIN_TRENDING_WEEK].total;

    return FB_ORDER(of_a, of_b);
}

/* What was seen of a video that has a place now. */
struct admitted {
    struct origin_trending *trending;
    struct origin_id id;
};

static int on_hour_of(void *ctx, const struct origin_view_row *row)
{
    struct admitted *admitted = ctx;
    struct origin_trending *trending = admitted->trending;

    (void)pthread_mutex_lock(&trending->lock);
    struct origin_field_video *video = origin_field_find(trending->field, &admitted->id);
    if (video != NULL) {
        field_add(trending, row, video, origin_trending_now(trending));
    }
    (void)pthread_mutex_unlock(&trending->lock);
    return FB_OK;
}

/* Its hours; what is told meanwhile may count twice, once. */
static void admit_one(struct origin_trending *trending, const struct origin_id *id)
{
    int64_t now_ms = origin_trending_now(trending);
    struct admitted admitted = {.trending = trending, .id = *id};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct origin_video video;

    int err = origin_catalog_video_get(trending->options.catalog, &arena, id, &video);
    if (err == FB_OK) {
        err = origin_catalog_view_hours(trending->options.catalog, video.seq,
                                        now_ms - ORIGIN_TRENDING_KEPT_MS, INT64_MAX, on_hour_of,
                                        &admitted);
    }
    origin_trending_count(trending, err < 0 ? METRIC_READS_FAILED : METRIC_ADMITTED, 1);
}

void origin_trending_admit(struct origin_trending *trending)
{
    struct origin_field *field = trending->field;
    FB_AUTO(fb_freep) struct origin_crowd_item *items = fb_alloc_array(ADMIT_MAX, sizeof(*items));
    size_t n_admitted = 0;
    size_t n_removed = 0;

    (void)pthread_mutex_lock(&trending->lock);
    size_t n = origin_crowd_top(trending->crowd, origin_trending_now(trending), items, ADMIT_MAX);
    FB_AUTO(fb_freep)
    struct origin_field_video **least =
        fb_alloc_array(field->n, sizeof(struct origin_field_video *));
    for (size_t i = 0; i < field->n; i++) {
        least[i] = field->videos[i];
    }
    size_t n_least = n > 0 ? field->n : 0;
    if (n_least > 1) {
        qsort(least, n_least, sizeof(struct origin_field_video *), compare_weeks);
    }
    for (size_t i = 0; i < n; i++) {
        if (origin_field_find(field, &items[i].id) != NULL) {
            continue;
        }
        if (field->n == field->max_videos) {
            if (n_removed == n_least ||
                least[n_removed]->scores[ORIGIN_TRENDING_WEEK].total >= items[i].views) {
                break;
            }
            origin_field_remove(field, least[n_removed++]);
        }
        (void)origin_field_enter(field, &items[i].id);
        items[n_admitted++].id = items[i].id;
    }
    (void)pthread_mutex_unlock(&trending->lock);
    for (size_t i = 0; i < n_admitted; i++) {
        admit_one(trending, &items[i].id);
    }
}
