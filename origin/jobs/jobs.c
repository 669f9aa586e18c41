#include "origin/jobs/jobs.h"

#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/crypto/hash.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "origin/catalog/counters.h"
#include "origin/catalog/subtitles.h"
#include "origin/catalog/videos.h"
#include "origin/jobs/jobs_internal.h"
#include "origin/objects/objects.h"

#include <stdio.h>
#include <string.h>

enum {
    DEFAULT_LEASE_MS = 30000,
    DEFAULT_BACKOFF_MS = 5000,
    DEFAULT_MAX_BACKOFF_MS = 10 * 60 * 1000,
    DEFAULT_TOOLCHAIN_WAIT_MS = 10 * 60 * 1000,
    JITTER = 500 /* half of a pause is left to chance, so that what failed together does not come
                    back together */
};

#define DEFAULT_KEEP_FAILED_MS (14ULL * 24 * 3600 * 1000)

#define KIND(kind_, name_)                                                               \
    [ORIGIN_JOBS_METRIC_DONE + (kind_)] = {"origin_tasks_done_total", FB_METRIC_COUNTER, \
                                           "kind=\"" name_ "\"", "Tasks that were done."}
#define REASON(reason_, name_)                                                                  \
    [ORIGIN_JOBS_METRIC_FAILED + (reason_)] = {"origin_task_failures_total", FB_METRIC_COUNTER, \
                                               "reason=\"" name_ "\"",                          \
                                               "Attempts at tasks that ended badly."}
#define TASKS(row_, state_)                                                                        \
    [ORIGIN_JOBS_METRIC_##row_] = {"origin_tasks", FB_METRIC_GAUGE, "state=\"" state_ "\"",        \
                                   "Tasks that could be taken, that wait for their next attempt, " \
                                   "and that a worker has."}

static const struct fb_metric jobs_metrics[ORIGIN_JOBS_N_METRICS] = {
    KIND(ORIGIN_TASK_PREPARE, "prepare"),
    KIND(ORIGIN_TASK_CHUNK, "chunk"),
    KIND(ORIGIN_TASK_SOUND, "sound"),
    KIND(ORIGIN_TASK_FINISH, "finish"),
    REASON(ORIGIN_REASON_INPUT, "input"),
    REASON(ORIGIN_REASON_CODEC, "codec"),
    REASON(ORIGIN_REASON_CRASHED, "crashed"),
    REASON(ORIGIN_REASON_MEMORY, "memory"),
    REASON(ORIGIN_REASON_TIME, "time"),
    REASON(ORIGIN_REASON_OUTPUT, "output"),
    REASON(ORIGIN_REASON_STORE, "store"),
    REASON(ORIGIN_REASON_INTERNAL, "internal"),
    REASON(ORIGIN_REASON_LEASE_LOST, "lost"),
    REASON(ORIGIN_REASON_MISSING, "missing"),
    [ORIGIN_JOBS_METRIC_PUBLISHED] = {"origin_jobs_published_total", FB_METRIC_COUNTER, NULL,
                                      "Publications, an early pass counted by itself."},
    [ORIGIN_JOBS_METRIC_DEAD] = {"origin_jobs_failed_total", FB_METRIC_COUNTER, NULL,
                                 "Jobs that became dead letters."},
    [ORIGIN_JOBS_METRIC_SWEPT] = {"origin_sweeps_total", FB_METRIC_COUNTER, NULL,
                                  "Sets of objects that nobody needed any more and that were "
                                  "removed."},
    [ORIGIN_JOBS_METRIC_ACTIVE] = {"origin_jobs_active", FB_METRIC_GAUGE, NULL,
                                   "Jobs that are neither done nor dead letters."},
    [ORIGIN_JOBS_METRIC_LETTERS] = {"origin_jobs_dead_letters", FB_METRIC_GAUGE, NULL,
                                    "Dead letters that nobody has decided about."},
    TASKS(READY, "ready"),
    TASKS(DELAYED, "delayed"),
    TASKS(RUNNING, "running"),
    [ORIGIN_JOBS_METRIC_OLDEST] = {"origin_tasks_oldest_seconds", FB_METRIC_GAUGE, NULL,
                                   "For how long the task that has waited longest could have been "
                                   "taken; videos that are made anew do not count."},
    [ORIGIN_JOBS_METRIC_DEGRADED] = {"origin_jobs_degraded", FB_METRIC_GAUGE, NULL,
                                     "1 while so much waits that what is optional is left out."},
};

void origin_jobs_add(const struct origin_jobs *jobs, size_t row, uint64_t n)
{
    if (jobs->metrics != NULL) {
        fb_metrics_add(jobs->metrics, row, n);
    }
}

/* ---- the rules ------------------------------------------------------------------- */

uint32_t origin_jobs_attempts_preset(enum origin_task_reason reason)
{
    static const uint32_t presets[ORIGIN_N_REASONS] = {
        [ORIGIN_REASON_INPUT] = 1,   [ORIGIN_REASON_CODEC] = 2,    [ORIGIN_REASON_CRASHED] = 3,
        [ORIGIN_REASON_MEMORY] = 2,  [ORIGIN_REASON_TIME] = 2,     [ORIGIN_REASON_OUTPUT] = 1,
        [ORIGIN_REASON_STORE] = 8,   [ORIGIN_REASON_INTERNAL] = 5, [ORIGIN_REASON_LEASE_LOST] = 5,
        [ORIGIN_REASON_MISSING] = 3,
    };
    return presets[reason];
}

static uint32_t or_default(uint32_t value, uint32_t preset)
{
    return value != 0 ? value : preset;
}

static struct origin_job_rules rules_of(const struct origin_jobs_options *options)
{
    struct origin_job_rules rules = {
        .lease_ms = or_default(options->lease_ms, DEFAULT_LEASE_MS),
        .backoff_ms = or_default(options->backoff_ms, DEFAULT_BACKOFF_MS),
        .max_backoff_ms = or_default(options->max_backoff_ms, DEFAULT_MAX_BACKOFF_MS),
        .jitter = JITTER,
        .lost = origin_jobs_sentence(ORIGIN_REASON_LEASE_LOST),
        .keeps_original = !options->drops_original,
        .keep_replaced_ms = (int64_t)options->keep_replaced_ms,
    };
    for (size_t i = 0; i < ORIGIN_N_REASONS; i++) {
        rules.attempts[i] = or_default(options->attempts[i],
                                       origin_jobs_attempts_preset((enum origin_task_reason)i));
    }
    return rules;
}

struct origin_jobs *origin_jobs_new(const struct origin_jobs_options *options)
{
    struct origin_jobs *jobs = FB_NEW(struct origin_jobs);

    jobs->options = *options;
    if (options->keep_failed_ms == 0) {
        jobs->options.keep_failed_ms = DEFAULT_KEEP_FAILED_MS;
    }
    if (options->toolchain_wait_ms == 0) {
        jobs->options.toolchain_wait_ms = DEFAULT_TOOLCHAIN_WAIT_MS;
    }
    jobs->rules = rules_of(options);
    jobs->started_ms = fb_clock_mono_ms(options->clock);
    if (options->metrics != NULL) {
        jobs->metrics =
            fb_metrics_table_new(options->metrics, jobs_metrics, FB_ARRAY_LEN(jobs_metrics), NULL);
    }
    (void)pthread_mutex_init(&jobs->lock, NULL);
    return jobs;
}

void origin_jobs_free(struct origin_jobs *jobs)
{
    if (jobs != NULL) {
        (void)pthread_mutex_destroy(&jobs->lock);
        fb_free(jobs);
    }
}

void origin_jobs_on_queued(struct origin_jobs *jobs, void (*queued)(void *ctx), void *ctx)
{
    jobs->queued = queued;
    jobs->queued_ctx = ctx;
}

void origin_jobs_wake(struct origin_jobs *jobs)
{
    if (jobs->queued != NULL) {
        jobs->queued(jobs->queued_ctx);
    }
}

/* ---- what is asked for ------------------------------------------------------------- */

int origin_jobs_check_options(const struct origin_jobs *jobs, const struct fb_json *options,
                              struct fb_diag *diag)
{
    struct origin_request request = jobs->options.request;
    return origin_request_override(options, &request, diag);
}

/* The site's request with what the creator chose, JSON; "" has chosen nothing. */
static struct origin_request request_of(const struct origin_jobs *jobs, struct fb_str options)
{
    struct origin_request request = jobs->options.request;
    FB_AUTO(fb_json_freep) struct fb_json *chosen = NULL;

    /* They were checked when the video was made; what the site has forbidden since is not done. */
    if (options.len > 0 && fb_json_parse(options, ORIGIN_REQUEST_MAX, &chosen, NULL) == FB_OK) {
        FB_IGNORE(origin_request_override(chosen, &request, NULL));
    }
    return request;
}

/* Adds to `request` which subtitles there are. */
static int job_add(struct origin_jobs *jobs, struct origin_job_new *job,
                   struct origin_request *request, bool *ret_is_new)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    int err = origin_catalog_subtitle_ask(jobs->options.catalog, &job->video, request);
    if (err < 0) {
        return err;
    }
    origin_request_store(root, request);
    fb_json_dump(root, &text);
    job->request = fb_buf_str(&text);
    err = origin_catalog_job_add(jobs->options.catalog, job, ret_is_new);
    if (err == FB_OK && *ret_is_new) {
        origin_jobs_wake(jobs);
    }
    return err;
}

/* Many wait for what such a creator publishes. */
static enum origin_priority priority_of(const struct origin_jobs *jobs,
                                        const struct origin_id *owner)
{
    struct origin_user_counters counters;

    if (jobs->options.first_from <= 0 ||
        origin_catalog_user_counters(jobs->options.catalog, owner, &counters) < 0) {
        return ORIGIN_PRIORITY_NORMAL;
    }
    return counters.followers >= jobs->options.first_from ? ORIGIN_PRIORITY_FIRST
                                                          : ORIGIN_PRIORITY_NORMAL;
}

int origin_jobs_queue(struct origin_jobs *jobs, const struct origin_id *video, struct fb_str source,
                      bool *ret_is_new)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct origin_video about;

    int err = origin_catalog_video_get(jobs->options.catalog, &arena, video, &about);
    if (err < 0) {
        return err;
    }
    struct origin_request request = request_of(jobs, about.options);
    struct origin_job_new job = {
        .video = *video, .source = source, .priority = priority_of(jobs, &about.owner)};
    return job_add(jobs, &job, &request, ret_is_new);
}

int origin_jobs_remake(struct origin_jobs *jobs, const struct origin_id *video)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct origin_video about;
    struct origin_object object;
    char source[ORIGIN_KEY_MAX + 1];
    bool is_new = false;

    int err = origin_catalog_video_get(jobs->options.catalog, &arena, video, &about);
    if (err < 0 || (err = origin_catalog_job_source(jobs->options.catalog, video, source)) < 0 ||
        (err = origin_objects_stat(jobs->options.objects, fb_str_from(source), &object)) < 0) {
        return err;
    }
    struct origin_request request = request_of(jobs, about.options);
    /* What is there in full is not replaced by less of it. */
    request.early_ready = request.early_ready && about.version.ptr == NULL;
    struct origin_job_new job = {.video = *video,
                                 .source = fb_str_from(source),
                                 .priority = ORIGIN_PRIORITY_LATER,
                                 .is_again = true};
    err = job_add(jobs, &job, &request, &is_new);
    return err == FB_OK && !is_new ? FB_E_CONFLICT : err;
}

int origin_jobs_reclaim(struct origin_jobs *jobs, struct fb_str worker, uint32_t *ret_n)
{
    return origin_catalog_task_reclaim(jobs->options.catalog, worker, ret_n);
}

/* ---- who may ------------------------------------------------------------------------- */

bool origin_jobs_is_worker(const struct origin_jobs *jobs, struct fb_str authorization)
{
    struct fb_str scheme = FB_STR("Bearer ");

    return jobs->options.worker_token.len > 0 &&
           fb_str_equal_nocase(fb_str_first(authorization, scheme.len), scheme) &&
           fb_crypto_equal(fb_str_skip(authorization, scheme.len), jobs->options.worker_token);
}
