#include "origin/worker/worker.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/loop/thread.h"
#include "base/sys/file.h"
#include "origin/worker/worker_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { DEFAULT_POLL_MS = 1000, NO_ROOM_PAUSE_MS = 10000, MAX_PATH = 512, MODE_FOLDER = 0700 };

struct worker {
    struct origin_workers *all;
    struct fb_thread *thread; /* owned; NULL until started */
    char scratch[MAX_PATH];
};

struct origin_workers {
    struct origin_workers_options options;
    char *name;    /* owned */
    char *scratch; /* owned */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t n_wakes;     /* under lock */
    uint32_t n_busy;      /* under lock */
    bool is_stopping;     /* under lock */
    struct worker *items; /* owned */
};

static bool workers_are_stopping(void *ctx)
{
    struct origin_workers *workers = ctx;

    (void)pthread_mutex_lock(&workers->lock);
    bool is_stopping = workers->is_stopping;
    (void)pthread_mutex_unlock(&workers->lock);
    return is_stopping;
}

/* Waits for a wake after the `n_seen`-th, for `ms`, or for the end. NULL heeds no
 * wakes. */
static void workers_wait(struct origin_workers *workers, const uint64_t *n_seen, uint32_t ms)
{
    uint64_t until_ns = fb_clock_steady_ns(workers->options.clock) + (uint64_t)ms * FB_NS_PER_MS;
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000U),
                             .tv_nsec = (long)(until_ns % 1000000000U)};
    int err = 0;

    (void)pthread_mutex_lock(&workers->lock);
    while (!workers->is_stopping && (n_seen == NULL || workers->n_wakes == *n_seen) &&
           err != ETIMEDOUT) {
        err = pthread_cond_timedwait(&workers->changed, &workers->lock, &until);
    }
    (void)pthread_mutex_unlock(&workers->lock);
}

static void workers_count(struct origin_workers *workers, bool is_busy)
{
    (void)pthread_mutex_lock(&workers->lock);
    workers->n_busy = is_busy ? workers->n_busy + 1 : workers->n_busy - 1;
    (void)pthread_mutex_unlock(&workers->lock);
}

static uint64_t workers_wakes(struct origin_workers *workers)
{
    (void)pthread_mutex_lock(&workers->lock);
    uint64_t n_wakes = workers->n_wakes;
    (void)pthread_mutex_unlock(&workers->lock);
    return n_wakes;
}

/* A worker's life. A source that cannot be reached is asked again at the pace
 * of an idle one, and said so once. */
static void worker_body(void *ctx)
{
    struct worker *worker = ctx;
    struct origin_workers *workers = worker->all;
    struct origin_attempt_options attempt = {
        .source = &workers->options.source,
        .objects = workers->options.objects,
        .clock = workers->options.clock,
        .scratch = worker->scratch,
        .n_threads = workers->options.n_threads,
        .ctx = workers,
        .is_stopping = workers_are_stopping,
    };
    int last_err = FB_E_LATER;

    while (!workers_are_stopping(workers)) {
        uint64_t n_seen = workers_wakes(workers);
        struct origin_whole_task task;
        int err =
            workers->options.source.take(workers->options.source.ctx, workers->options.name, &task);
        if (err == FB_OK) {
            workers_count(workers, true);
            bool has_room = origin_attempt_run(&attempt, &task);
            workers_count(workers, false);
            if (!has_room) {
                workers_wait(workers, NULL, NO_ROOM_PAUSE_MS);
            }
            continue;
        }
        if (err != FB_E_LATER && err != last_err) {
            FB_LOG(WARN, "worker", "could not take a task and will go on asking",
                   FB_LOG_TEXT("cause", fb_err_text(err)));
        }
        last_err = err;
        workers_wait(workers, &n_seen, workers->options.poll_ms);
    }
}

static int workers_launch(struct origin_workers *workers, struct fb_diag *diag)
{
    const struct origin_workers_options *options = &workers->options;

    for (uint32_t i = 0; i < options->n_workers; i++) {
        struct worker *worker = &workers->items[i];
        char thread_name[16];
        worker->all = workers;
        (void)snprintf(worker->scratch, sizeof(worker->scratch), "%s/%u", workers->scratch, i);
        (void)snprintf(thread_name, sizeof(thread_name), "worker-%u", i % 1000);
        int err = fb_dir_make(AT_FDCWD, worker->scratch, MODE_FOLDER);
        if (err == FB_OK) {
            err = fb_thread_start_body(thread_name, worker_body, worker, &worker->thread);
        }
        if (err < 0) {
            return fb_diag_set(diag, err, "start a worker in '%s': %s", worker->scratch,
                               fb_err_text(err));
        }
    }
    return FB_OK;
}

int origin_workers_start(const struct origin_workers_options *options,
                         struct origin_workers **ret_workers, struct fb_diag *diag)
{
    FB_AUTO(fb_freep) char *scratch = fb_str_dup(options->scratch);
    pthread_condattr_t monotonic;

    int err =
        options->scratch.len + 16 < MAX_PATH ? fb_dir_remove(AT_FDCWD, scratch) : -ENAMETOOLONG;
    if (err < 0) {
        return fb_diag_set(diag, err, "empty the scratch folder '%s': %s", scratch,
                           fb_err_text(err));
    }
    struct origin_workers *workers = FB_NEW(struct origin_workers);
    workers->options = *options;
    workers->options.poll_ms = options->poll_ms != 0 ? options->poll_ms : DEFAULT_POLL_MS;
    workers->name = fb_str_dup(options->name);
    workers->options.name = fb_str_from(workers->name);
    workers->scratch = fb_str_dup(options->scratch);
    workers->items = fb_alloc_array(options->n_workers, sizeof(*workers->items));
    (void)pthread_mutex_init(&workers->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&workers->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    err = workers_launch(workers, diag);
    if (err < 0) {
        origin_workers_stop(workers);
        origin_workers_join(workers);
        return err;
    }
    *ret_workers = workers;
    return FB_OK;
}

void origin_workers_wake(struct origin_workers *workers)
{
    (void)pthread_mutex_lock(&workers->lock);
    workers->n_wakes++;
    (void)pthread_cond_broadcast(&workers->changed);
    (void)pthread_mutex_unlock(&workers->lock);
}

void origin_workers_stop(struct origin_workers *workers)
{
    (void)pthread_mutex_lock(&workers->lock);
    workers->is_stopping = true;
    (void)pthread_cond_broadcast(&workers->changed);
    (void)pthread_mutex_unlock(&workers->lock);
}

void origin_workers_join(struct origin_workers *workers)
{
    if (workers == NULL) {
        return;
    }
    for (uint32_t i = 0; i < workers->options.n_workers; i++) {
        if (workers->items[i].thread != NULL) {
            fb_thread_join(workers->items[i].thread);
        }
    }
    (void)pthread_cond_destroy(&workers->changed);
    (void)pthread_mutex_destroy(&workers->lock);
    fb_free(workers->items);
    fb_free(workers->scratch);
    fb_free(workers->name);
    fb_free(workers);
}

uint32_t origin_workers_busy(struct origin_workers *workers)
{
    (void)pthread_mutex_lock(&workers->lock);
    uint32_t n_busy = workers->n_busy;
    (void)pthread_mutex_unlock(&workers->lock);
    return n_busy;
}
