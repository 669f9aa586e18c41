#include "origin/worker/worker.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/loop/thread.h"
#include "base/sys/file.h"
#include "origin/worker/worker_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
    DEFAULT_POLL_MS = 1000,
    NO_ROOM_PAUSE_MS = 10000,
    MAX_PATH = 512,
    MODE_FOLDER = 0700,
    ABOUT_S = 60,
    MEMINFO_MAX = 4096
};

#define DEFAULT_CACHE_BYTES   (8ULL << 30)
#define DEFAULT_RESERVE_BYTES (256ULL << 20)
#define LEAST_MEMORY          (256ULL << 20)

struct worker {
    struct origin_workers *all;
    struct fb_thread *thread; /* owned; NULL until started */
    char scratch[MAX_PATH];
};

struct origin_workers {
    struct origin_workers_options options;
    char *name; /* owned, as what follows */
    char *scratch;
    struct fb_buf program;
    struct fb_buf toolchain;
    struct fb_buf sandbox;
    struct origin_keeper *keeper;
    struct origin_sources *sources;
    struct worker *items;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t n_wakes;    /* under lock, as what follows */
    uint64_t peak_bytes; /* the most that a child took */
    uint32_t n_busy;
    bool is_stopping;
};

/* ---- waiting -------------------------------------------------------------------------- */

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

static void workers_pause(void *ctx, uint32_t ms)
{
    workers_wait(ctx, NULL, ms);
}

static uint64_t workers_wakes(struct origin_workers *workers)
{
    (void)pthread_mutex_lock(&workers->lock);
    uint64_t n_wakes = workers->n_wakes;
    (void)pthread_mutex_unlock(&workers->lock);
    return n_wakes;
}

/* ---- room ------------------------------------------------------------------------------- */

/* Memory that the system could give; UINT64_MAX where it does not tell. */
static uint64_t memory_left(void)
{
    static const char name[] = "MemAvailable:";
    FB_AUTO(fb_fd_done) int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    char text[MEMINFO_MAX];
    uint64_t kib = 0;

    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0) {
        return UINT64_MAX;
    }
    text[n] = '\0';
    const char *at = strstr(text, name);
    if (at == NULL) {
        return UINT64_MAX;
    }
    for (at += sizeof(name) - 1; *at == ' '; at++) {
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        kib = kib * 10 + (uint64_t)(*at - '0');
    }
    return kib * 1024;
}

/* What keeps a task from being taken now, or NULL. */
static const char *workers_lack(struct origin_workers *workers)
{
    struct statvfs disk;

    (void)pthread_mutex_lock(&workers->lock);
    bool is_alone = workers->n_busy == 0;
    uint64_t need = FB_MAX(workers->peak_bytes, LEAST_MEMORY);
    (void)pthread_mutex_unlock(&workers->lock);
    if (statvfs(workers->scratch, &disk) == 0 &&
        (uint64_t)disk.f_bavail * disk.f_frsize < workers->options.reserve_bytes) {
        return "the disk of the scratch folder";
    }
    return !is_alone && memory_left() < need ? "memory" : NULL;
}

/* ---- a worker's life ----------------------------------------------------------------------- */

static void worker_do(struct worker *worker, const struct origin_task *task)
{
    struct origin_workers *workers = worker->all;
    struct origin_attempt_end end = {.has_room = true};
    const struct origin_attempt_options attempt = {
        .workers = &workers->options,
        .keeper = workers->keeper,
        .sources = workers->sources,
        .program = workers->program.ptr,
        .scratch = worker->scratch,
        .ctx = workers,
        .is_stopping = workers_are_stopping,
        .pause = workers_pause,
    };

    origin_attempt_run(&attempt, task, &end);
    (void)pthread_mutex_lock(&workers->lock);
    workers->n_busy--;
    workers->peak_bytes = FB_MAX(workers->peak_bytes, end.peak_bytes);
    (void)pthread_mutex_unlock(&workers->lock);
    if (!end.has_room) {
        workers_wait(workers, NULL, NO_ROOM_PAUSE_MS);
    }
}

static int worker_take(struct origin_workers *workers, struct origin_task *ret_task)
{
    const struct origin_task_ask ask = {.worker = workers->options.name,
                                        .toolchain = fb_buf_str(&workers->toolchain)};

    int err = workers->options.source.take(workers->options.source.ctx, &ask, ret_task);
    if (err == FB_OK) {
        (void)pthread_mutex_lock(&workers->lock);
        workers->n_busy++;
        (void)pthread_mutex_unlock(&workers->lock);
    }
    return err;
}

/* What a worker has said last of why it has nothing to do. */
struct worker_excuse {
    const char *lack;
    int err;
};

/* Whether there is room; says so once if not. */
static bool worker_has_room(struct origin_workers *workers, struct worker_excuse *excuse)
{
    const char *lack = workers_lack(workers);

    if (lack != NULL && lack != excuse->lack) {
        FB_LOG(WARN, "worker", "takes no tasks until there is more room",
               FB_LOG_TEXT("lack", lack));
    }
    excuse->lack = lack;
    return lack == NULL;
}

/* A source that cannot be reached is asked again at the pace of an idle one, and said so once. */
static int worker_turn(struct worker *worker, struct worker_excuse *excuse)
{
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    int err = worker_take(worker->all, &task);
    if (err == FB_OK) {
        worker_do(worker, &task);
    } else if (err != FB_E_LATER && err != excuse->err) {
        FB_LOG(WARN, "worker", "could not take a task and will go on asking",
               FB_LOG_TEXT("cause", fb_err_text(err)));
    }
    excuse->err = err;
    return err;
}

static void worker_body(void *ctx)
{
    struct worker *worker = ctx;
    struct origin_workers *workers = worker->all;
    struct worker_excuse excuse = {.err = FB_E_LATER};

    while (!workers_are_stopping(workers)) {
        uint64_t n_seen = workers_wakes(workers);
        if (!worker_has_room(workers, &excuse)) {
            workers_wait(workers, NULL, workers->options.poll_ms);
        } else if (worker_turn(worker, &excuse) < 0) {
            workers_wait(workers, &n_seen, workers->options.poll_ms);
        }
    }
}

/* ---- start ------------------------------------------------------------------------------------
 */

/* What children of this machine make, and that there can be any. */
static int workers_ask_child(struct origin_workers *workers, struct fb_diag *diag)
{
    char output[MAX_PATH + 16];
    struct origin_confine_end end;
    struct origin_trouble trouble;
    struct origin_order about = {.is_about = true, .output = {output, 0}};

    int n = snprintf(output, sizeof(output), "%s/about", workers->scratch);
    int err = fb_dir_make(AT_FDCWD, output, MODE_FOLDER);
    if (err < 0) {
        return fb_diag_set(diag, err, "make '%s': %s", output, fb_err_text(err));
    }
    about.output.len = (size_t)n;
    err = origin_child_run(
        &(struct origin_child_options){
            .program = workers->program.ptr,
            .clock = workers->options.clock,
            .order = &about,
            .limits = {.seconds = ABOUT_S},
        },
        &end, &trouble);
    if (err < 0) {
        return fb_diag_set(diag, err, "try '%s': %s", workers->program.ptr, trouble.log);
    }
    FB_AUTO(fb_fd_done) int fd = open(output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    err = fd < 0 ? -errno
                 : fb_file_read(fd, ORIGIN_ORDER_TOLD, ORIGIN_TOOLCHAIN_MAX, &workers->toolchain,
                                diag);
    (void)fb_dir_remove(AT_FDCWD, output);
    return err;
}

static int workers_prepare(struct origin_workers *workers, struct fb_diag *diag)
{
    const struct origin_workers_options *options = &workers->options;
    char sources[MAX_PATH + 16];

    (void)snprintf(sources, sizeof(sources), "%s/sources", workers->scratch);
    int err = fb_dir_make(AT_FDCWD, sources, MODE_FOLDER);
    if (err == FB_OK) {
        err = origin_keeper_new(&options->source, options->clock, &workers->keeper);
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "start workers in '%s': %s", workers->scratch,
                           fb_err_text(err));
    }
    workers->sources = origin_sources_new(
        &(struct origin_sources_options){.folder = sources,
                                         .max_bytes = options->cache_bytes,
                                         .reserve_bytes = options->reserve_bytes});
    origin_confine_describe(origin_confine_rings(), &workers->sandbox);
    return workers_ask_child(workers, diag);
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

static struct origin_workers *workers_new(const struct origin_workers_options *options,
                                          const char *scratch)
{
    struct origin_workers *workers = FB_NEW(struct origin_workers);
    pthread_condattr_t monotonic;

    workers->options = *options;
    workers->options.poll_ms = options->poll_ms != 0 ? options->poll_ms : DEFAULT_POLL_MS;
    workers->options.cache_bytes =
        options->cache_bytes != 0 ? options->cache_bytes : DEFAULT_CACHE_BYTES;
    workers->options.reserve_bytes =
        options->reserve_bytes != 0 ? options->reserve_bytes : DEFAULT_RESERVE_BYTES;
    workers->name = fb_str_dup(options->name);
    workers->options.name = fb_str_from(workers->name);
    workers->scratch = fb_str_dup(fb_str_from(scratch));
    if (options->program != NULL) {
        fb_buf_append(&workers->program, fb_str_from(options->program));
    } else {
        origin_child_program(&workers->program);
    }
    workers->items = fb_alloc_array(options->n_workers, sizeof(*workers->items));
    (void)pthread_mutex_init(&workers->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&workers->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return workers;
}

/* The folder as children are told it: absolute. Made, and emptied. */
static int make_scratch(struct fb_str path, char ret_path[MAX_PATH], struct fb_diag *diag)
{
    FB_AUTO(fb_freep) char *given = fb_str_dup(path);
    char resolved[PATH_MAX];

    int err = fb_dir_remove(AT_FDCWD, given);
    if (err == FB_OK) {
        err = fb_dir_make(AT_FDCWD, given, MODE_FOLDER);
    }
    if (err == FB_OK && realpath(given, resolved) == NULL) {
        err = -errno;
    }
    if (err == FB_OK && snprintf(ret_path, MAX_PATH, "%s", resolved) + 16 >= MAX_PATH) {
        err = -ENAMETOOLONG;
    }
    return err < 0 ? fb_diag_set(diag, err, "empty the scratch folder '%s': %s", given,
                                 fb_err_text(err))
                   : FB_OK;
}

int origin_workers_start(const struct origin_workers_options *options,
                         struct origin_workers **ret_workers, struct fb_diag *diag)
{
    char scratch[MAX_PATH];

    int err = make_scratch(options->scratch, scratch, diag);
    if (err < 0) {
        return err;
    }
    struct origin_workers *workers = workers_new(options, scratch);
    err = workers_prepare(workers, diag);
    if (err == FB_OK) {
        err = workers_launch(workers, diag);
    }
    if (err < 0) {
        origin_workers_stop(workers);
        origin_workers_join(workers);
        return err;
    }
    FB_LOG(INFO, "worker", "children are confined", FB_LOG_TEXT("by", workers->sandbox.ptr),
           FB_LOG_TEXT("toolchain", workers->toolchain.ptr));
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
    origin_keeper_free(workers->keeper);
    origin_sources_free(workers->sources);
    (void)pthread_cond_destroy(&workers->changed);
    (void)pthread_mutex_destroy(&workers->lock);
    fb_buf_done(&workers->program);
    fb_buf_done(&workers->toolchain);
    fb_buf_done(&workers->sandbox);
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

const char *origin_workers_toolchain(const struct origin_workers *workers)
{
    return workers->toolchain.ptr;
}

const char *origin_workers_sandbox(const struct origin_workers *workers)
{
    return workers->sandbox.ptr;
}
