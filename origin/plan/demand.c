#include "origin/plan/demand.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "origin/catalog/videos.h"
#include "origin/plan/plan.h"
#include "origin/views/views.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A day weighs half of the next. */
#define DAY_DECAY 0.5

/* What is watched now will not go on all day: of the day's worth of the last hours, half. */
#define RECENT_DECAY 0.5

/* One of ten followers watches a new video in its first day, as long as nothing is known of it. */
#define FOLLOWERS_SHARE 0.1

/* What somebody asked for is worth being there, whoever follows. */
#define REQUESTED_VIEWS 10.0

/* Not all that trends elsewhere will here. */
#define ELSEWHERE 0.5

#define AVERAGE_S 30.0 /* of a video of which nothing is known */
#define SEGMENT_S 4.0  /* origin/media's */

struct gathering {
    const struct origin_demand_query *query;
    struct fb_arena *arena;
    struct fb_map *by_seq; /* owned; values are the arena's */
    double share;          /* of the region in all views */
};

static struct origin_demand_video *video_at(struct gathering *gathering, int64_t seq)
{
    struct fb_str key = {(const char *)&seq, sizeof(seq)};
    struct origin_demand_video *video = fb_map_find(gathering->by_seq, key);

    if (video == NULL) {
        video = fb_arena_alloc(gathering->arena, sizeof(*video));
        video->seq = seq;
        video->video.reason = "demand";
        (void)fb_map_put(gathering->by_seq, key, video);
    }
    return video;
}

/* ---- the last days -------------------------------------------------------------------- */

static void rendition_add(struct origin_demand_video *video, struct fb_str rendition, double bytes)
{
    struct origin_plan_video *into = &video->video;
    size_t i = 0;

    if (rendition.len == 0 || rendition.len >= sizeof(video->shares[0].rendition)) {
        return;
    }
    while (i < into->n_shares &&
           !fb_str_equal(fb_str_from(video->shares[i].rendition), rendition)) {
        i++;
    }
    if (i == ORIGIN_PLAN_RENDITIONS_MAX) {
        return;
    }
    if (i == into->n_shares) {
        memcpy(video->shares[i].rendition, rendition.ptr, rendition.len);
        into->n_shares++;
    }
    video->shares[i].share += bytes;
    video->bytes += bytes;
}

static int gather_day(void *ctx, const struct origin_view_row *row)
{
    struct gathering *gathering = ctx;
    struct origin_demand_video *video = video_at(gathering, row->seq);
    int64_t age_days = (gathering->query->now_ms - row->start_ms) / ORIGIN_MS_PER_DAY;
    double weight = pow(DAY_DECAY, (double)FB_MAX(age_days, (int64_t)0));

    /* The weights of all days make one: a day's worth of views. */
    video->video.views += (double)row->sums.views * weight * (1 - DAY_DECAY);
    video->watch_ms += (double)row->sums.watch_ms;
    video->counted += (double)row->sums.views;
    rendition_add(video, row->rendition, (double)row->sums.bytes * weight);
    return FB_OK;
}

/* ---- the last hours --------------------------------------------------------------------- */

static int gather_slot(void *ctx, const struct origin_view_row *row)
{
    struct gathering *gathering = ctx;

    if (fb_str_equal(row->region, gathering->query->region)) {
        video_at(gathering, row->seq)->recent += (double)row->sums.views;
    }
    return FB_OK;
}

/* ---- what trends ------------------------------------------------------------------------ */

struct trends {
    struct gathering *gathering;
    double weight; /* views that a score is worth */
    size_t n;
    int err;
};

static void gather_trend(void *ctx, const struct origin_id *id, double score)
{
    struct trends *trends = ctx;
    struct origin_video found;
    double views = score * trends->weight;

    if (trends->err < 0 || trends->n >= ORIGIN_DEMAND_TRENDS_MAX || views <= 0) {
        return;
    }
    trends->n++;
    int err = origin_catalog_video_get(trends->gathering->query->catalog, trends->gathering->arena,
                                       id, &found);
    if (err < 0) {
        trends->err = err == FB_E_NOT_FOUND ? FB_OK : err; /* it went meanwhile */
        return;
    }
    struct origin_demand_video *video = video_at(trends->gathering, found.seq);
    video->trend = fmax(video->trend, exp2(floor(log2(views))));
}

static int gather_trends(struct gathering *gathering)
{
    const struct origin_plan_trends *from = gathering->query->trends;
    struct trends here = {.gathering = gathering, .weight = 1};
    struct trends elsewhere = {.gathering = gathering, .weight = gathering->share * ELSEWHERE};

    if (from == NULL || from->visit == NULL) {
        return FB_OK;
    }
    from->visit(from->ctx, gathering->query->region, gather_trend, &here);
    from->visit(from->ctx, FB_STR_NONE, gather_trend, &elsewhere);
    return here.err < 0 ? here.err : elsewhere.err;
}

/* ---- new uploads ---------------------------------------------------------------------------- */

static int gather_release(void *ctx, const struct origin_plan_release *release)
{
    struct gathering *gathering = ctx;
    double views = (double)release->followers * FOLLOWERS_SHARE * gathering->share;
    bool is_large = release->followers >= gathering->query->large &&
                    release->published_ms > gathering->query->now_ms - ORIGIN_MS_PER_DAY;

    if (release->is_requested) {
        views = fmax(views, REQUESTED_VIEWS);
    }
    if (views <= 0) {
        return FB_OK;
    }
    struct origin_demand_video *video = video_at(gathering, release->video);
    video->video.is_now = release->is_requested || is_large;
    if (video->video.is_now) {
        video->video.reason = "release";
    } else if (views > video->video.views) {
        video->video.reason = "followers";
    }
    video->video.views = fmax(video->video.views, views);
    return FB_OK;
}

static int gather_share(struct gathering *gathering)
{
    const struct origin_demand_query *query = gathering->query;
    uint64_t views = 0;
    uint64_t all = 0;

    int err = origin_catalog_plan_share(query->catalog, query->region,
                                        query->now_ms - ORIGIN_DEMAND_DAYS * ORIGIN_MS_PER_DAY,
                                        &views, &all);
    gathering->share = all > 0 ? (double)views / (double)all : 1;
    return err;
}

/* ---- all of it ----------------------------------------------------------------------------------
 */

/* Sums become shares, averages and the greatest of the expectations. */
static void video_finish(struct origin_demand_video *video)
{
    double recent = video->recent * RECENT_DECAY * (double)ORIGIN_MS_PER_DAY / ORIGIN_SLOTS_KEPT_MS;

    if (recent > video->video.views && !video->video.is_now) {
        video->video.reason = recent > 2 * video->video.views ? "trending" : video->video.reason;
    }
    video->video.views = fmax(video->video.views, recent);
    if (video->trend > video->video.views && !video->video.is_now) {
        video->video.reason = "trending";
    }
    video->video.views = fmax(video->video.views, video->trend);
    video->video.average_s = video->counted > 0 && video->watch_ms > 0
                                 ? video->watch_ms / video->counted / 1000
                                 : AVERAGE_S;
    video->video.segment_s = SEGMENT_S;
    video->video.shares = video->shares;
    for (size_t i = 0; i < video->video.n_shares && video->bytes > 0; i++) {
        video->shares[i].share /= video->bytes;
    }
    if (video->bytes <= 0) {
        video->video.n_shares = 0;
    }
}

static int compare(const void *left, const void *right)
{
    const struct origin_demand_video *a = *(struct origin_demand_video *const *)left;
    const struct origin_demand_video *b = *(struct origin_demand_video *const *)right;

    if (a->video.is_now != b->video.is_now) {
        return a->video.is_now ? -1 : 1;
    }
    if (a->video.views > b->video.views || a->video.views < b->video.views) {
        return a->video.views > b->video.views ? -1 : 1;
    }
    return (a->seq > b->seq) - (a->seq < b->seq);
}

static struct origin_demand_video **videos_of(struct gathering *gathering, size_t *ret_n)
{
    size_t n = fb_map_count(gathering->by_seq);
    const size_t size = sizeof(struct origin_demand_video *); /* NOLINT(bugprone-sizeof-*) */
    struct origin_demand_video **videos = fb_arena_alloc(gathering->arena, FB_MAX(n, 1U) * size);
    size_t cursor = 0;
    struct fb_str key;
    void *value = NULL;

    for (n = 0; fb_map_next(gathering->by_seq, &cursor, &key, &value); n++) {
        videos[n] = value;
        video_finish(videos[n]);
    }
    qsort(videos, n, size, compare);
    *ret_n = FB_MIN(n, (size_t)ORIGIN_DEMAND_VIDEOS_MAX);
    return videos;
}

int origin_demand_of(const struct origin_demand_query *query, struct fb_arena *arena,
                     struct origin_demand_video ***ret_videos, size_t *ret_n)
{
    struct gathering gathering = {.query = query, .arena = arena, .by_seq = fb_map_new(0)};

    int err = origin_views_demand(query->views, query->region, ORIGIN_DEMAND_DAYS, gather_day,
                                  &gathering);
    if (err == FB_OK) {
        err = origin_catalog_view_slots(query->catalog, query->now_ms - ORIGIN_SLOTS_KEPT_MS,
                                        gather_slot, &gathering);
    }
    if (err == FB_OK) {
        err = gather_share(&gathering);
    }
    if (err == FB_OK) {
        err = gather_trends(&gathering);
    }
    if (err == FB_OK) {
        err = origin_catalog_plan_releases(query->catalog, query->region,
                                           query->now_ms - ORIGIN_MS_PER_DAY, gather_release,
                                           &gathering);
    }
    if (err == FB_OK) {
        *ret_videos = videos_of(&gathering, ret_n);
    }
    fb_map_free(gathering.by_seq);
    return err;
}
