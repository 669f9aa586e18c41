/*
 * Likes and shares. The catalog is asked for those since it was last asked, and now and then for
 * all of the day, so that what was taken back is forgotten. What is read twice does no harm: an
 * account counts once.
 */
#include "origin/catalog/events.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "origin/trending/trending_internal.h"

enum { EVENTS_MAX = 2 * 1000 * 1000, LEAST_ROOM = 64 };

static const int64_t hour_ms = 3600000;
static const int64_t day_ms = INT64_C(24) * 3600000;
static const int64_t full_every_ms = 600000;
static const int64_t overlap_ms = 30000; /* a transaction may commit after it was dated */

static void events_clear(struct trending_events *events, uint64_t seed)
{
    fb_map_free(events->numbers);
    events->numbers = fb_map_new(seed);
    events->n = 0;
    events->n_ids = 0;
}

void origin_trending_events_done(struct trending_events *events)
{
    if (events->numbers != NULL) {
        fb_map_free(events->numbers);
    }
    fb_free(events->items);
    fb_free(events->ids);
    *events = (struct trending_events){0};
}

/* Numbers count from 1 in the map. */
static uint32_t events_number(struct trending_events *events, const struct origin_id *id)
{
    const void *found = fb_map_find(events->numbers, origin_id_str(id));

    if (found != NULL) {
        return (uint32_t)((uintptr_t)found - 1);
    }
    if (events->n_ids == events->max_ids) {
        events->max_ids = FB_MAX(events->max_ids * 2, (size_t)LEAST_ROOM);
        events->ids = fb_realloc(events->ids, events->max_ids * sizeof(*events->ids));
    }
    events->ids[events->n_ids++] = *id;
    (void)fb_map_put(events->numbers, origin_id_str(id),
                     (void *)(uintptr_t)events->n_ids); /* NOLINT(performance-no-int-to-ptr) */
    return (uint32_t)(events->n_ids - 1);
}

/* Part of an id is as good as all of it: they are random. */
static uint64_t user_number(const struct origin_id *user, uint64_t seed)
{
    return fb_str_hash(origin_id_str(user), seed);
}

static int on_event(void *ctx, const struct origin_event *event)
{
    struct origin_trending *trending = ctx;
    struct trending_events *events = &trending->events;

    if (event->kind != ORIGIN_EVENT_LIKE && event->kind != ORIGIN_EVENT_SHARE) {
        return FB_OK;
    }
    if (events->n == EVENTS_MAX) {
        origin_trending_count(trending, METRIC_EVENTS_OVER, 1);
        return FB_OK;
    }
    if (events->n == events->max) {
        events->max = FB_MAX(events->max * 2, (size_t)LEAST_ROOM);
        events->items = fb_realloc(events->items, events->max * sizeof(*events->items));
    }
    events->items[events->n++] = (struct origin_caps_event){
        .video = events_number(events, &event->video),
        .kind = event->kind == ORIGIN_EVENT_LIKE ? ORIGIN_CAPS_LIKE : ORIGIN_CAPS_SHARE,
        .at_ms = event->at_ms,
        .account_ms = event->account_ms,
        .user = user_number(&event->user, trending->seed),
        .network = event->network,
    };
    origin_trending_count(trending, METRIC_EVENTS, 1);
    return FB_OK;
}

static int events_fetch(struct origin_trending *trending, int64_t since_ms)
{
    return origin_catalog_events(
        trending->options.catalog, since_ms,
        &(struct origin_event_visitor){.visit = on_event, .ctx = trending});
}

static void on_hour(void *ctx, const struct origin_caps_hour *hour)
{
    struct origin_trending *trending = ctx;
    struct origin_field_video *video =
        origin_field_enter(trending->field, &trending->events.ids[hour->video]);

    if (video != NULL) {
        origin_field_add_hour(video, &(struct origin_field_hour){.hour = hour->hour,
                                                                 .likes = (float)hour->likes,
                                                                 .shares = (float)hour->shares});
    }
}

/* The weights of all that was read, in place of those since `since_ms`. */
static void events_weigh(struct origin_trending *trending, int64_t since_ms)
{
    (void)pthread_mutex_lock(&trending->lock);
    origin_field_forget_hours(trending->field, (int32_t)(since_ms / hour_ms));
    origin_caps_fold(trending->events.items, trending->events.n, on_hour, trending);
    (void)pthread_mutex_unlock(&trending->lock);
}

int origin_trending_events_load(struct origin_trending *trending, int64_t since_ms)
{
    int64_t first_ms = since_ms - since_ms % day_ms;

    trending->events.full_ms = 0;
    events_clear(&trending->events, trending->seed);
    int err = events_fetch(trending, first_ms);
    if (err == FB_OK) {
        events_weigh(trending, first_ms);
    }
    events_clear(&trending->events, trending->seed);
    return err;
}

int origin_trending_events_read(struct origin_trending *trending)
{
    struct trending_events *events = &trending->events;
    int64_t now_ms = origin_trending_now(trending);
    /* Yesterday is not over before what is on its way has come. */
    int64_t day = (now_ms - full_every_ms) / day_ms;
    bool is_full = events->full_ms == 0 || day != events->day ||
                   now_ms - events->full_ms >= full_every_ms || now_ms < events->read_ms;
    int64_t since_ms = is_full ? day * day_ms : events->read_ms - overlap_ms;

    if (is_full) {
        events->full_ms = 0;
        events_clear(events, trending->seed);
    }
    int err = events_fetch(trending, FB_MAX(since_ms, day * day_ms));
    if (err < 0) {
        return err;
    }
    events->day = day;
    events->read_ms = now_ms;
    events->full_ms = is_full ? now_ms : events->full_ms;
    events_weigh(trending, day * day_ms);
    return FB_OK;
}
