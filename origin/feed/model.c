#include "origin/feed/model.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "base/json/json.h"
#include "base/sys/random.h"
#include "origin/catalog/video_facts.h"
#include "origin/catalog/view_hours.h"

enum { TAGS_TEXT_MAX = 16 * 1024 };

/* What is known beside the facts, by number and by id, until the shelf is made. */
struct making {
    struct origin_shelf *shelf;
    struct fb_map *views;  /* of the last day, by seq: numbers as pointers */
    struct fb_map *trends; /* of double, owned, by id */
};

static int making_count(void *ctx, const struct origin_view_row *row)
{
    struct making *making = ctx;
    struct fb_str key = {(const char *)&row->seq, sizeof(row->seq)};
    const void *so_far = fb_map_find(making->views, key);

    if (row->sums.capped > 0) {
        (void)fb_map_put(making->views, key,
                         (void *)((uintptr_t)so_far + (uintptr_t)row->sums.capped));
    }
    return FB_OK;
}

static void making_trend(void *to, const struct origin_id *video, double score)
{
    struct making *making = to;
    double *kept = FB_NEW(double);

    *kept = score;
    fb_free(fb_map_put(making->trends, origin_id_str(video), kept));
}

static void trends_free(struct fb_map *trends)
{
    struct fb_str key;
    size_t cursor = 0;
    void *value = NULL;

    while (fb_map_next(trends, &cursor, &key, &value)) {
        fb_free(value);
    }
    fb_map_free(trends);
}

static void video_add_tag(struct origin_shelf_video *video, struct fb_str tag)
{
    if (video->n_tags < ORIGIN_SHELF_TAGS_MAX) {
        video->tags[video->n_tags++] = origin_shelf_hash(tag);
    }
}

/* The sound is told apart from a tag of that name. */
static void video_add_tags(struct origin_shelf_video *video, const struct origin_video_facts *facts)
{
    FB_AUTO(fb_json_freep) struct fb_json *tags = NULL;
    FB_AUTO(fb_buf_done) struct fb_buf sound = {0};

    if (facts->sound.len > 0) {
        fb_buf_printf(&sound, "sound:%.*s", FB_STR_ARG(facts->sound));
        video_add_tag(video, fb_buf_str(&sound));
    }
    if (fb_json_parse(facts->tags, TAGS_TEXT_MAX, &tags, NULL) == FB_OK) {
        for (size_t i = 0; i < fb_json_count(tags); i++) {
            video_add_tag(video, fb_json_str(fb_json_at(tags, i)));
        }
    }
}

/* A session may watch a video more than once. */
static double completion_of(const struct origin_video_facts *facts)
{
    double whole = (double)facts->counters.views * (double)facts->duration_ms;

    return whole <= 0 ? -1 : FB_MIN((double)facts->counters.watch_ms / whole, 1.0);
}

static int making_put(void *ctx, const struct origin_video_facts *facts)
{
    struct making *making = ctx;
    struct fb_str key = {(const char *)&facts->seq, sizeof(facts->seq)};
    const double *trend = fb_map_find(making->trends, origin_id_str(&facts->id));
    const void *views_today = fb_map_find(making->views, key);
    struct origin_shelf_video video = {
        .seq = facts->seq,
        .id = facts->id,
        .owner = facts->owner,
        .category = facts->category.len == 0 ? 0 : origin_shelf_hash(facts->category),
        .published_ms = facts->published_ms,
        .duration_ms = facts->duration_ms,
        .views = (uint64_t)facts->counters.views,
        .views_today = (uintptr_t)views_today,
        .likes = (uint64_t)facts->counters.likes,
        .shares = (uint64_t)facts->counters.shares,
        .completion = completion_of(facts),
        .trend = trend == NULL ? 0 : *trend,
    };

    video_add_tags(&video, facts);
    (void)origin_shelf_add(making->shelf, &video); /* a full shelf has the newest */
    return FB_OK;
}

static int shelf_make(struct origin_catalog *catalog, int64_t now_ms,
                      const struct origin_feed_trends *trends, struct origin_shelf *shelf)
{
    struct making making = {
        .shelf = shelf,
        .views = fb_map_new(fb_random_u64()),
        .trends = fb_map_new(fb_random_u64()),
    };

    int err = origin_catalog_view_hours(catalog, 0, now_ms - ORIGIN_MS_PER_DAY, INT64_MAX,
                                        making_count, &making);
    if (err == FB_OK) {
        if (trends->visit != NULL) {
            trends->visit(trends->ctx, making_trend, &making);
        }
        err = origin_catalog_video_facts(catalog, ORIGIN_SHELF_MAX, making_put, &making);
    }
    fb_map_free(making.views);
    trends_free(making.trends);
    return err;
}

int origin_feed_model_new(struct origin_catalog *catalog, int64_t now_ms,
                          const struct origin_feed_trends *trends,
                          const struct origin_watched *watched, const struct origin_ranker *ranker,
                          struct origin_feed_model **ret_model)
{
    struct origin_shelf *shelf = origin_shelf_new(now_ms);
    int err = shelf_make(catalog, now_ms, trends, shelf);

    if (err < 0) {
        origin_shelf_free(shelf);
        return err;
    }
    origin_shelf_seal(shelf);
    struct origin_feed_model *model = FB_NEW(struct origin_feed_model);
    model->shelf = shelf;
    model->likeness = origin_watched_likeness(watched, shelf);
    model->ranker = origin_ranker_copy(ranker);
    atomic_init(&model->n_refs, 1);
    *ret_model = model;
    return FB_OK;
}

struct origin_feed_model *origin_feed_model_ref(struct origin_feed_model *model)
{
    atomic_fetch_add_explicit(&model->n_refs, 1, memory_order_relaxed);
    return model;
}

void origin_feed_model_unref(struct origin_feed_model *model)
{
    if (model != NULL && atomic_fetch_sub_explicit(&model->n_refs, 1, memory_order_acq_rel) == 1) {
        origin_ranker_free(model->ranker);
        origin_likeness_free(model->likeness);
        origin_shelf_free(model->shelf);
        fb_free(model);
    }
}

void origin_feed_modelp(struct origin_feed_model **model)
{
    origin_feed_model_unref(*model);
}
