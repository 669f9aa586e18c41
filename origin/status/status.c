#include "origin/status/status.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "base/sys/random.h"
#include "origin/access/access.h"
#include "origin/catalog/videos.h"
#include "origin/push/push.h"

#include <pthread.h>

struct origin_status {
    struct origin_status_options options;
    pthread_mutex_t lock;
    struct fb_map *watched; /* owned, as what is in it: by who watches what; under the lock */
};

/* Who watches which video; also the key in the map. */
struct who {
    struct origin_id video;
    struct origin_id user; /* empty: nobody that is known */
};

/* One video, for one user. */
struct watched {
    struct who who;
    size_t n_watchers;
    struct fb_buf text; /* owned; empty: not read yet */
    bool is_over;       /* there will be no other text */
};

/* One subscriber. */
struct watcher {
    struct origin_push_topic topic;
    struct origin_status *status;
    struct watched *video;
    struct fb_buf told; /* owned */
};

static void status_lock(struct origin_status *status)
{
    (void)pthread_mutex_lock(&status->lock); /* fails for mutexes of another kind alone */
}

static void status_unlock(struct origin_status *status)
{
    (void)pthread_mutex_unlock(&status->lock); /* as above */
}

/* ---- life ---------------------------------------------------------------------------- */

struct origin_status *origin_status_new(const struct origin_status_options *options)
{
    struct origin_status *status = FB_NEW(struct origin_status);

    status->options = *options;
    status->watched = fb_map_new(fb_random_u64());
    (void)pthread_mutex_init(&status->lock, NULL); /* never fails with the preset attributes */
    return status;
}

void origin_status_free(struct origin_status *status)
{
    if (status == NULL) {
        return;
    }
    fb_map_free(status->watched);
    (void)pthread_mutex_destroy(&status->lock); /* fails for what is held alone */
    fb_free(status);
}

/* ---- who watches --------------------------------------------------------------------- */

/* Ids are of one length, and what is behind a shorter one is zero. */
static struct fb_str who_key(const struct who *who)
{
    return (struct fb_str){(const char *)who, sizeof(*who)};
}

static struct watched *watched_join(struct origin_status *status, const struct who *who)
{
    struct watched *video = fb_map_find(status->watched, who_key(who));

    if (video == NULL) {
        video = FB_NEW(struct watched);
        video->who = *who;
        (void)fb_map_put(status->watched, who_key(&video->who), video); /* it was not there */
    }
    video->n_watchers++;
    return video;
}

static void watched_leave(struct origin_status *status, struct watched *video)
{
    if (--video->n_watchers > 0) {
        return;
    }
    (void)fb_map_remove(status->watched, who_key(&video->who)); /* it is `video` */
    fb_buf_done(&video->text);
    fb_free(video);
}

static enum origin_push_news watcher_news(struct origin_push_topic *topic, struct fb_buf *json)
{
    struct watcher *watcher = FB_CONTAINER_OF(topic, struct watcher, topic);
    enum origin_push_news news = ORIGIN_PUSH_NOTHING;

    status_lock(watcher->status);
    struct fb_str text = fb_buf_str(&watcher->video->text);
    if (!fb_str_equal(text, fb_buf_str(&watcher->told))) {
        fb_buf_clear(&watcher->told);
        fb_buf_append(&watcher->told, text);
        fb_buf_append(json, text);
        news = watcher->video->is_over ? ORIGIN_PUSH_LAST : ORIGIN_PUSH_NEWS;
    }
    status_unlock(watcher->status);
    return news;
}

static void watcher_free(struct origin_push_topic *topic)
{
    struct watcher *watcher = FB_CONTAINER_OF(topic, struct watcher, topic);

    status_lock(watcher->status);
    watched_leave(watcher->status, watcher->video);
    status_unlock(watcher->status);
    fb_buf_done(&watcher->told);
    fb_free(watcher);
}

static const struct origin_push_topic_ops watcher_ops = {.event = "status",
                                                         .news = watcher_news,
                                                         .free = watcher_free};

void origin_status_stream(struct origin_status *status, struct fb_exchange *exchange,
                          const struct origin_id *video, const struct origin_id *user)
{
    struct watcher *watcher = FB_NEW(struct watcher);
    struct who who = {.video = *video, .user = *user};

    watcher->topic.ops = &watcher_ops;
    watcher->status = status;
    status_lock(status);
    watcher->video = watched_join(status, &who);
    status_unlock(status);
    origin_push_stream(status->options.push, exchange, &watcher->topic);
}

/* ---- what is told -------------------------------------------------------------------- */

/* What is to be said of a video now. FB_E_END: and never anything else. */
static int text_read(const struct origin_status *status, const struct who *who, struct fb_buf *text)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct origin_view view = {.may_follow = false};
    struct origin_video video;

    int err = origin_catalog_video_get(status->options.catalog, &arena, &who->video, &video);
    if (err == FB_OK) {
        err = origin_access_look_as(status->options.access, &who->user, &video, &view);
    }
    bool is_hidden = err == FB_OK && (video.deactivated_ms != 0 || !view.may_follow);
    if (err == FB_E_NOT_FOUND || is_hidden) {
        fb_buf_append(text, FB_STR("null"));
        return FB_E_END;
    }
    if (err < 0) {
        return err;
    }
    status->options.describe(status->options.ctx, &video, text);
    bool is_whole = video.status == ORIGIN_VIDEO_READY && video.stage != ORIGIN_STAGE_EARLY;
    return is_whole || video.status == ORIGIN_VIDEO_FAILED ? FB_E_END : FB_OK;
}

/* Nobody may watch any more. */
static bool text_keep(struct origin_status *status, const struct who *who, struct fb_buf *text,
                      bool is_over)
{
    bool is_new = false;

    status_lock(status);
    struct watched *video = fb_map_find(status->watched, who_key(who));
    if (video != NULL && !fb_str_equal(fb_buf_str(text), fb_buf_str(&video->text))) {
        fb_buf_done(&video->text);
        video->text = fb_buf_take(text);
        video->is_over = is_over;
        is_new = true;
    }
    status_unlock(status);
    return is_new;
}

static struct who *who_copy(struct origin_status *status, size_t *ret_n)
{
    struct fb_str key;
    void *video = NULL;
    size_t cursor = 0;
    size_t n = 0;

    status_lock(status);
    struct who *all = fb_alloc_array(fb_map_count(status->watched), sizeof(*all));
    while (fb_map_next(status->watched, &cursor, &key, &video)) {
        all[n++] = ((const struct watched *)video)->who;
    }
    status_unlock(status);
    *ret_n = n;
    return all;
}

int origin_status_run(void *ctx)
{
    struct origin_status *status = ctx;
    size_t n = 0;
    struct who *all = who_copy(status, &n);
    bool has_news = false;

    for (size_t i = 0; i < n; i++) {
        FB_AUTO(fb_buf_done) struct fb_buf text = {0};
        int err = text_read(status, &all[i], &text);
        if (err == FB_OK || err == FB_E_END) {
            has_news = text_keep(status, &all[i], &text, err == FB_E_END) || has_news;
        }
    }
    if (has_news) {
        origin_push_changed(status->options.push);
    }
    fb_free(all);
    return FB_OK;
}
