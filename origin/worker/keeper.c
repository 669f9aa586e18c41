#include "origin/worker/keeper.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/thread.h"
#include "origin/model/task.h"

#include <pthread.h>
#include <time.h>

enum { RENEWALS = 3, EVERY_MAX_MS = 1000, EVERY_MIN_MS = 20, IDLE_MS = 60000 };

struct origin_keeper {
    const struct origin_task_source *source;
    const struct fb_clock *clock;
    struct fb_thread *thread; /* owned */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fb_list holds; /* under lock */
    bool is_ending;       /* under lock */
};

static uint64_t keeper_now(const struct origin_keeper *keeper)
{
    return fb_clock_steady_ns(keeper->clock) / FB_NS_PER_MS;
}

static uint64_t hold_every(const struct origin_hold *hold)
{
    uint64_t share = hold->task->lease_ms / RENEWALS;
    return FB_MAX(FB_MIN(share, EVERY_MAX_MS), EVERY_MIN_MS);
}

/* The one that is due first. Under lock. */
static struct origin_hold *keeper_next(struct origin_keeper *keeper)
{
    struct origin_hold *next = NULL;

    FB_LIST_EACH(node, &keeper->holds) {
        struct origin_hold *hold = FB_CONTAINER_OF(node, struct origin_hold, link);
        if (next == NULL || hold->due_ms < next->due_ms) {
            next = hold;
        }
    }
    return next;
}

/* Under lock, which it leaves while it asks. */
static void keeper_renew(struct origin_keeper *keeper, struct origin_hold *hold)
{
    hold->is_renewing = true;
    (void)pthread_mutex_unlock(&keeper->lock);
    uint64_t asked_ms = keeper_now(keeper);
    int err = keeper->source->renew(keeper->source->ctx, hold->task, hold->permille);
    if (err == FB_OK) {
        hold->renewed_ms = asked_ms;
    } else if (err == FB_E_CONFLICT) {
        hold->is_refused = true;
    }
    (void)pthread_mutex_lock(&keeper->lock);
    hold->due_ms = keeper_now(keeper) + hold_every(hold);
    hold->is_renewing = false;
    (void)pthread_cond_broadcast(&keeper->changed);
}

static void keeper_wait(struct origin_keeper *keeper, uint64_t until_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * FB_NS_PER_MS};
    (void)pthread_cond_timedwait(&keeper->changed, &keeper->lock, &until);
}

static void keeper_body(void *ctx)
{
    struct origin_keeper *keeper = ctx;

    (void)pthread_mutex_lock(&keeper->lock);
    while (!keeper->is_ending) {
        struct origin_hold *hold = keeper_next(keeper);
        uint64_t now_ms = keeper_now(keeper);
        if (hold != NULL && hold->due_ms <= now_ms) {
            keeper_renew(keeper, hold);
        } else {
            keeper_wait(keeper, hold != NULL ? hold->due_ms : now_ms + IDLE_MS);
        }
    }
    (void)pthread_mutex_unlock(&keeper->lock);
}

int origin_keeper_new(const struct origin_task_source *source, const struct fb_clock *clock,
                      struct origin_keeper **ret_keeper)
{
    struct origin_keeper *keeper = FB_NEW(struct origin_keeper);
    pthread_condattr_t monotonic;

    keeper->source = source;
    keeper->clock = clock;
    fb_list_init(&keeper->holds);
    (void)pthread_mutex_init(&keeper->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&keeper->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    int err = fb_thread_start_body("keeper", keeper_body, keeper, &keeper->thread);
    if (err < 0) {
        origin_keeper_free(keeper);
        return err;
    }
    *ret_keeper = keeper;
    return FB_OK;
}

void origin_keeper_free(struct origin_keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    FB_REQUIRE(fb_list_empty(&keeper->holds));
    if (keeper->thread != NULL) {
        (void)pthread_mutex_lock(&keeper->lock);
        keeper->is_ending = true;
        (void)pthread_cond_broadcast(&keeper->changed);
        (void)pthread_mutex_unlock(&keeper->lock);
        fb_thread_join(keeper->thread);
    }
    (void)pthread_cond_destroy(&keeper->changed);
    (void)pthread_mutex_destroy(&keeper->lock);
    fb_free(keeper);
}

void origin_keeper_hold(struct origin_keeper *keeper, const struct origin_task *task,
                        struct origin_hold *hold)
{
    uint64_t now_ms = keeper_now(keeper);

    hold->task = task;
    hold->keeper = keeper;
    hold->permille = 0;
    hold->is_renewing = false;
    hold->is_refused = false;
    hold->renewed_ms = now_ms;
    hold->due_ms = now_ms + hold_every(hold);
    (void)pthread_mutex_lock(&keeper->lock);
    fb_list_append(&keeper->holds, &hold->link);
    (void)pthread_cond_broadcast(&keeper->changed);
    (void)pthread_mutex_unlock(&keeper->lock);
}

void origin_keeper_drop(struct origin_hold *hold)
{
    struct origin_keeper *keeper = hold->keeper;

    (void)pthread_mutex_lock(&keeper->lock);
    while (hold->is_renewing) {
        (void)pthread_cond_wait(&keeper->changed, &keeper->lock);
    }
    fb_list_remove(&hold->link);
    (void)pthread_mutex_unlock(&keeper->lock);
}

bool origin_hold_is_lost(const struct origin_hold *hold)
{
    uint64_t renewed_ms = hold->renewed_ms;

    return hold->is_refused || keeper_now(hold->keeper) >= renewed_ms + hold->task->lease_ms;
}
