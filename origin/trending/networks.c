/* How many networks a video was watched from, each day in each region. */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sketch/hyperloglog.h"
#include "origin/catalog/view_days.h"
#include "origin/trending/trending_internal.h"

/* A video whose networks are to be read. */
struct changed {
    struct origin_id id;
    int64_t seq;
    struct origin_trending *trending;
};

static int on_day(void *ctx, const struct origin_view_day *day, struct fb_str region)
{
    const struct changed *changed = ctx;
    struct origin_trending *trending = changed->trending;
    uint64_t networks = fb_hyperloglog_estimate(day->networks);

    (void)pthread_mutex_lock(&trending->lock);
    struct origin_field_video *video = origin_field_find(trending->field, &changed->id);
    if (video != NULL) {
        origin_series_networks(origin_field_series(trending->field, video, region),
                               origin_trending_now(trending), (int32_t)day->day,
                               (uint32_t)FB_MIN(networks, (uint64_t)UINT32_MAX));
    }
    (void)pthread_mutex_unlock(&trending->lock);
    return FB_OK;
}

static struct changed *take_changed(struct origin_trending *trending, size_t *ret_n)
{
    size_t n = 0;

    (void)pthread_mutex_lock(&trending->lock);
    struct changed *all = fb_alloc_array(trending->field->n, sizeof(*all));
    for (size_t i = 0; i < trending->field->n; i++) {
        struct origin_field_video *video = trending->field->videos[i];
        if (video->is_changed) {
            video->is_changed = false;
            all[n++] = (struct changed){.id = video->id, .seq = video->seq, .trending = trending};
        }
    }
    (void)pthread_mutex_unlock(&trending->lock);
    *ret_n = n;
    return all;
}

/* Late rows may be of any day. */
int origin_trending_networks_read(struct origin_trending *trending)
{
    int64_t now_ms = origin_trending_now(trending);
    size_t n = 0;
    FB_AUTO(fb_freep) struct changed *all = take_changed(trending, &n);

    for (size_t i = 0; i < n; i++) {
        struct origin_view_scope scope = {
            .seq = all[i].seq,
            .since_day = (now_ms - ORIGIN_TRENDING_KEPT_MS) / ORIGIN_MS_PER_DAY,
            .until_day = now_ms / ORIGIN_MS_PER_DAY,
        };
        int err = origin_catalog_view_days(trending->options.catalog, &scope, on_day, &all[i]);
        if (err < 0) {
            return err;
        }
    }
    return FB_OK;
}
