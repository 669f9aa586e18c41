#include "origin/feed/feed.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/sys/random.h"
#include "origin/catalog/feed_models.h"
#include "origin/catalog/follows.h"
#include "origin/catalog/watch_events.h"
#include "origin/feed/feed_internal.h"

enum { EVENTS_AT_ONCE = 10000, KEPT_EVERY_MS = 10 * 60 * 1000 };

#define MODEL_NAME FB_STR("ranker")

/* ---- what was watched ------------------------------------------------------------- */

static uint64_t feed_user(const struct origin_feed *feed, const struct origin_id *user)
{
    return fb_str_hash(origin_id_str(user), feed->seed);
}

struct taking_in {
    struct origin_feed *feed;
    size_t n;
};

/* Half of a short video or half a minute of a long one is enough to say that it was wanted. */
static bool event_is_through(const struct origin_watch_event *event)
{
    return event->completed || event->watch_ms >= 30000;
}

static int feed_take_in(void *ctx, const struct origin_watch_event *event)
{
    struct taking_in *taking = ctx;
    struct origin_feed *feed = taking->feed;
    uint64_t user = feed_user(feed, &event->user);

    taking->n++;
    feed->last_event = event->seq;
    if (event_is_through(event)) {
        origin_watched_add(feed->watched, user, event->video);
    }
    (void)pthread_mutex_lock(&feed->lock);
    (void)origin_lessons_watched(feed->lessons, feed->ranker, user, event->video,
                                 event_is_through(event));
    (void)pthread_mutex_unlock(&feed->lock);
    return FB_OK;
}

static int feed_take_in_all(struct origin_feed *feed)
{
    struct taking_in taking = {.feed = feed};

    do {
        taking.n = 0;
        int err = origin_catalog_watch_after(feed->options.catalog, feed->last_event,
                                             EVENTS_AT_ONCE, feed_take_in, &taking);
        if (err < 0) {
            return err;
        }
    } while (taking.n == EVENTS_AT_ONCE);
    return FB_OK;
}

/* ---- what was learned -------------------------------------------------------------- */

static int feed_keep(struct origin_feed *feed)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

    origin_ranker_encode(feed->ranker, &bytes);
    int err = origin_catalog_feed_model_put(feed->options.catalog, MODEL_NAME, fb_buf_str(&bytes));
    if (err == FB_OK) {
        feed->kept_lessons = origin_ranker_lessons(feed->ranker);
        feed->kept_ms = fb_clock_mono_ms(feed->options.clock);
    }
    return err;
}

/* What another version has written is as good as nothing: it is learned anew. */
static struct origin_ranker *feed_recall(struct origin_catalog *catalog)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct origin_ranker *ranker = NULL;
    struct fb_str bytes;

    int err = origin_catalog_feed_model_get(catalog, &arena, MODEL_NAME, &bytes);
    if (err == FB_OK) {
        err = origin_ranker_decode(bytes, &ranker);
    }
    if (err < 0 && err != FB_E_NOT_FOUND) {
        FB_LOG(WARN, "feed", "cannot read what was learned, begins anew",
               FB_LOG_TEXT("cause", fb_err_text(err)));
    }
    return err == FB_OK ? ranker : origin_ranker_new();
}

/* ---- the room ------------------------------------------------------------------------ */

struct origin_feed *origin_feed_open(const struct origin_feed_options *options)
{
    struct origin_feed *feed = FB_NEW(struct origin_feed);

    feed->options = *options;
    if (feed->options.budget_ms == 0) {
        feed->options.budget_ms = ORIGIN_FEED_BUDGET_MS;
    }
    feed->seed = fb_random_u64();
    (void)pthread_mutex_init(&feed->lock, NULL);
    feed->watched = origin_watched_new();
    feed->lessons = origin_lessons_new();
    feed->lists = origin_lists_new();
    feed->ranker = feed_recall(options->catalog);
    feed->kept_lessons = origin_ranker_lessons(feed->ranker);
    feed->kept_ms = fb_clock_mono_ms(options->clock);
    origin_feed_metrics_init(feed);
    return feed;
}

void origin_feed_close(struct origin_feed *feed)
{
    if (feed == NULL) {
        return;
    }
    if (origin_ranker_lessons(feed->ranker) != feed->kept_lessons && feed_keep(feed) < 0) {
        FB_LOG(WARN, "feed", "what was learned lately is forgotten");
    }
    origin_feed_model_unref(feed->model);
    origin_lists_free(feed->lists);
    origin_lessons_free(feed->lessons);
    origin_watched_free(feed->watched);
    origin_ranker_free(feed->ranker);
    (void)pthread_mutex_destroy(&feed->lock);
    fb_free(feed);
}

int origin_feed_round(struct origin_feed *feed)
{
    int64_t now_ms = fb_clock_wall_ms(feed->options.clock);
    struct origin_feed_model *model = NULL;

    int err = feed_take_in_all(feed);
    if (err < 0) {
        return err;
    }
    (void)pthread_mutex_lock(&feed->lock);
    (void)origin_lessons_expire(feed->lessons, feed->ranker, now_ms);
    (void)pthread_mutex_unlock(&feed->lock);
    err = origin_feed_model_new(feed->options.catalog, now_ms, &feed->options.trends, feed->watched,
                                feed->ranker, &model);
    if (err < 0) {
        return err;
    }
    (void)pthread_mutex_lock(&feed->lock);
    struct origin_feed_model *old = feed->model;
    feed->model = model;
    (void)pthread_mutex_unlock(&feed->lock);
    origin_feed_model_unref(old);
    bool is_due = fb_clock_mono_ms(feed->options.clock) - feed->kept_ms >= KEPT_EVERY_MS;
    return is_due && origin_ranker_lessons(feed->ranker) != feed->kept_lessons ? feed_keep(feed)
                                                                               : FB_OK;
}

uint64_t origin_feed_lessons(const struct origin_feed *feed)
{
    return origin_ranker_lessons(feed->ranker);
}

struct origin_feed_model *origin_feed_current(struct origin_feed *feed)
{
    struct origin_feed_model *model = NULL;

    (void)pthread_mutex_lock(&feed->lock);
    if (feed->model != NULL) {
        model = origin_feed_model_ref(feed->model);
    }
    (void)pthread_mutex_unlock(&feed->lock);
    return model;
}

/* What was put on the page, with the features it had. Few enough to do under the lock. */
void origin_feed_shown(struct origin_feed *feed, const struct origin_id *user,
                       const int64_t *videos, const struct origin_features *features, size_t n)
{
    int64_t now_ms = fb_clock_wall_ms(feed->options.clock);
    uint64_t number = feed_user(feed, user);

    (void)pthread_mutex_lock(&feed->lock);
    for (size_t i = 0; i < n; i++) {
        origin_lessons_show(feed->lessons, number, videos[i], &features[i], now_ms);
    }
    (void)pthread_mutex_unlock(&feed->lock);
}
