#include "origin/media/lane.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"

#include <pthread.h>
#include <stdbool.h>

struct lane_item {
    AVFrame *frame; /* owned; NULL: as before */
    int64_t index;
};

struct origin_lane {
    struct origin_lane_work work;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;

    /* Under the lock. */
    struct lane_item items[ORIGIN_LANE_DEPTH];
    unsigned first;
    unsigned n_items;
    bool is_ending;   /* no more will come */
    bool is_dropping; /* and what is there is not wanted */
    int err;          /* of the thread */
    struct fb_diag diag;

    bool is_joined;
};

/* Waits for the next item; false when there will be none. */
static bool lane_next(struct origin_lane *lane, struct lane_item *ret_item)
{
    (void)pthread_mutex_lock(&lane->lock);
    while (lane->n_items == 0 && !lane->is_ending) {
        (void)pthread_cond_wait(&lane->changed, &lane->lock);
    }
    bool has_item = lane->n_items > 0 && !lane->is_dropping;
    if (has_item) {
        *ret_item = lane->items[lane->first];
        lane->first = (lane->first + 1) % ORIGIN_LANE_DEPTH;
        lane->n_items--;
        (void)pthread_cond_signal(&lane->changed);
    }
    (void)pthread_mutex_unlock(&lane->lock);
    return has_item;
}

static void lane_set_result(struct origin_lane *lane, int err, const struct fb_diag *diag)
{
    (void)pthread_mutex_lock(&lane->lock);
    lane->err = err;
    lane->diag = *diag;
    (void)pthread_cond_signal(&lane->changed);
    (void)pthread_mutex_unlock(&lane->lock);
}

static void *lane_run(void *ctx)
{
    struct origin_lane *lane = ctx;
    struct lane_item item = {.frame = NULL};
    struct fb_diag diag = {.err = FB_OK};
    int err = FB_OK;

    while (err == FB_OK && lane_next(lane, &item)) {
        err = lane->work.take(lane->work.ctx, item.frame, item.index, &diag);
        av_frame_free(&item.frame);
    }
    (void)pthread_mutex_lock(&lane->lock);
    bool is_dropping = lane->is_dropping;
    (void)pthread_mutex_unlock(&lane->lock);
    if (err == FB_OK && !is_dropping) {
        err = lane->work.end(lane->work.ctx, &diag);
    }
    if (err < 0) {
        lane_set_result(lane, err, &diag);
    }
    return NULL;
}

int origin_lane_new(const struct origin_lane_work *work, struct origin_lane **ret_lane,
                    struct fb_diag *diag)
{
    struct origin_lane *lane = FB_NEW(struct origin_lane);
    lane->work = *work;
    (void)pthread_mutex_init(&lane->lock, NULL);
    (void)pthread_cond_init(&lane->changed, NULL);
    int number = pthread_create(&lane->thread, NULL, lane_run, lane);
    if (number != 0) {
        lane->is_joined = true;
        origin_lane_free(lane);
        return fb_diag_set(diag, -number, "start a thread: %s", fb_err_text(-number));
    }
    *ret_lane = lane;
    return FB_OK;
}

static void lane_join(struct origin_lane *lane, bool is_dropping)
{
    if (lane->is_joined) {
        return;
    }
    (void)pthread_mutex_lock(&lane->lock);
    lane->is_ending = true;
    lane->is_dropping = is_dropping;
    (void)pthread_cond_signal(&lane->changed);
    (void)pthread_mutex_unlock(&lane->lock);
    (void)pthread_join(lane->thread, NULL);
    lane->is_joined = true;
}

void origin_lane_free(struct origin_lane *lane)
{
    if (lane == NULL) {
        return;
    }
    lane_join(lane, true);
    for (; lane->n_items > 0; lane->n_items--) {
        av_frame_free(&lane->items[lane->first].frame);
        lane->first = (lane->first + 1) % ORIGIN_LANE_DEPTH;
    }
    (void)pthread_cond_destroy(&lane->changed);
    (void)pthread_mutex_destroy(&lane->lock);
    fb_free(lane);
}

static int lane_result(const struct origin_lane *lane, struct fb_diag *diag)
{
    if (lane->err < 0 && diag != NULL) {
        *diag = lane->diag;
    }
    return lane->err;
}

int origin_lane_push(struct origin_lane *lane, const AVFrame *frame, int64_t index,
                     struct fb_diag *diag)
{
    struct lane_item item = {.index = index};
    if (frame != NULL) {
        item.frame = av_frame_clone(frame);
        FB_REQUIRE(item.frame != NULL);
    }
    (void)pthread_mutex_lock(&lane->lock);
    FB_REQUIRE(!lane->is_ending);
    while (lane->n_items == ORIGIN_LANE_DEPTH && lane->err == FB_OK) {
        (void)pthread_cond_wait(&lane->changed, &lane->lock);
    }
    int err = lane_result(lane, diag);
    if (err == FB_OK) {
        lane->items[(lane->first + lane->n_items++) % ORIGIN_LANE_DEPTH] = item;
        (void)pthread_cond_signal(&lane->changed);
    }
    (void)pthread_mutex_unlock(&lane->lock);
    if (err < 0) {
        av_frame_free(&item.frame);
    }
    return err;
}

int origin_lane_finish(struct origin_lane *lane, struct fb_diag *diag)
{
    lane_join(lane, false);
    return lane_result(lane, diag);
}
