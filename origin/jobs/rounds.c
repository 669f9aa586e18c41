/*
 * What jobs need every so often.
 */
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "origin/catalog/sweeps.h"
#include "origin/jobs/jobs_internal.h"
#include "origin/objects/objects.h"

#include <stdio.h>
#include <string.h>

enum { PRUNE_MS = 10 * 60 * 1000, PRUNE_MAX = 100, SWEEPS_MAX = 100, REPREPARE_MAX = 100 };

#define KEEP_DONE_MS (7LL * 24 * 3600 * 1000) /* for who asks what was done */

/* ---- toolchains ------------------------------------------------------------------- */

/* A new one takes the place of the one that was not seen for longest. */
void origin_jobs_saw(struct origin_jobs *jobs, struct fb_str toolchain)
{
    uint64_t now_ms = fb_clock_mono_ms(jobs->options.clock);
    struct fb_str text = fb_str_first(toolchain, ORIGIN_TOOLCHAIN_MAX);
    size_t place = 0;

    (void)pthread_mutex_lock(&jobs->lock);
    for (size_t i = 0; i < jobs->n_toolchains; i++) {
        if (fb_str_equal(fb_str_from(jobs->toolchains[i].text), text)) {
            place = i;
            break;
        }
        if (jobs->toolchains[i].seen_ms < jobs->toolchains[place].seen_ms) {
            place = i;
        }
    }
    bool is_known =
        place < jobs->n_toolchains && fb_str_equal(fb_str_from(jobs->toolchains[place].text), text);
    if (!is_known && jobs->n_toolchains < ORIGIN_JOBS_TOOLCHAINS_MAX) {
        place = jobs->n_toolchains++;
    }
    struct origin_jobs_toolchain *one = &jobs->toolchains[place];
    (void)snprintf(one->text, sizeof(one->text), "%.*s", FB_STR_ARG(text));
    one->seen_ms = now_ms;
    (void)pthread_mutex_unlock(&jobs->lock);
}

/* Those that somebody has had lately; views into `copies`. */
static size_t toolchains_list(struct origin_jobs *jobs, uint64_t now_ms,
                              struct origin_jobs_toolchain *copies, struct fb_str *texts)
{
    size_t n = 0;

    (void)pthread_mutex_lock(&jobs->lock);
    for (size_t i = 0; i < jobs->n_toolchains; i++) {
        if (now_ms - jobs->toolchains[i].seen_ms < jobs->options.toolchain_wait_ms) {
            copies[n] = jobs->toolchains[i];
            texts[n] = fb_str_from(copies[n].text);
            n++;
        }
    }
    (void)pthread_mutex_unlock(&jobs->lock);
    return n;
}

static int toolchains_check(struct origin_jobs *jobs)
{
    struct origin_jobs_toolchain copies[ORIGIN_JOBS_TOOLCHAINS_MAX];
    struct fb_str texts[ORIGIN_JOBS_TOOLCHAINS_MAX];
    uint64_t now_ms = fb_clock_mono_ms(jobs->options.clock);
    size_t n_reset = 0;

    if (now_ms - jobs->started_ms < jobs->options.toolchain_wait_ms) {
        return FB_OK; /* not everybody has asked yet */
    }
    size_t n = toolchains_list(jobs, now_ms, copies, texts);
    if (n == 0) {
        return FB_OK; /* no worker at all: to prepare anew would help nobody */
    }
    int err =
        origin_catalog_job_reprepare(jobs->options.catalog, texts, n, REPREPARE_MAX, &n_reset);
    if (n_reset > 0) {
        FB_LOG(WARN, "jobs",
               "no worker has the tools that videos were prepared with, they begin "
               "anew",
               FB_LOG_INT("jobs", n_reset));
        origin_jobs_wake(jobs);
    }
    return err;
}

/* ---- counting --------------------------------------------------------------------------- */

static uint64_t oldest_age_ms(const struct origin_jobs *jobs,
                              const struct origin_job_counts *counts)
{
    int64_t now_ms = fb_clock_wall_ms(jobs->options.clock);
    return counts->oldest_ms > 0 && now_ms > counts->oldest_ms
               ? (uint64_t)(now_ms - counts->oldest_ms)
               : 0;
}

/* In at the configured age, out at half of it: a queue that hovers there does not flap. */
static void degraded_decide(struct origin_jobs *jobs, uint64_t age_ms)
{
    uint64_t limit_ms = jobs->options.degrade_after_ms;
    bool was = atomic_load(&jobs->is_degraded);
    bool is = limit_ms > 0 && age_ms >= (was ? limit_ms / 2 : limit_ms);

    atomic_store(&jobs->is_degraded, is);
    if (is != was) {
        FB_LOG(WARN, "jobs",
               is ? "too much waits, optional renditions are left out"
                  : "the backlog is worked off, optional renditions are made again",
               FB_LOG_INT("oldest_s", age_ms / 1000));
    }
}

int origin_jobs_count_round(void *ctx)
{
    struct origin_jobs *jobs = ctx;
    struct origin_job_counts counts;

    int err = origin_catalog_job_count(jobs->options.catalog, &counts);
    if (err < 0 || (err = origin_jobs_look_at_workers(jobs)) < 0) {
        return err;
    }
    uint64_t age_ms = oldest_age_ms(jobs, &counts);
    degraded_decide(jobs, age_ms);
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->counts = counts;
    (void)pthread_mutex_unlock(&jobs->lock);
    if (jobs->metrics != NULL) {
        fb_metrics_set(jobs->metrics, ORIGIN_JOBS_METRIC_ACTIVE, counts.active);
        fb_metrics_set(jobs->metrics, ORIGIN_JOBS_METRIC_LETTERS, counts.failed);
        fb_metrics_set(jobs->metrics, ORIGIN_JOBS_METRIC_READY, counts.ready);
        fb_metrics_set(jobs->metrics, ORIGIN_JOBS_METRIC_DELAYED, counts.delayed);
        fb_metrics_set(jobs->metrics, ORIGIN_JOBS_METRIC_RUNNING, counts.running);
        fb_metrics_set(jobs->metrics, ORIGIN_JOBS_METRIC_OLDEST, age_ms / 1000);
        fb_metrics_set(jobs->metrics, ORIGIN_JOBS_METRIC_DEGRADED,
                       atomic_load(&jobs->is_degraded) ? 1 : 0);
    }
    return FB_OK;
}

void origin_jobs_status(const struct origin_jobs *jobs, struct fb_json *status)
{
    struct origin_jobs *locked = (struct origin_jobs *)(uintptr_t)jobs;

    (void)pthread_mutex_lock(&locked->lock);
    struct origin_job_counts counts = jobs->counts;
    struct fb_json *root = fb_json_set_object(status, "jobs");
    origin_jobs_store_workers(jobs, root);
    (void)pthread_mutex_unlock(&locked->lock);
    fb_json_set_int(root, "active", (int64_t)counts.active);
    fb_json_set_int(root, "dead_letters", (int64_t)counts.failed);
    fb_json_set_int(root, "oldest_seconds", (int64_t)(oldest_age_ms(jobs, &counts) / 1000));
    fb_json_set_bool(root, "degraded", atomic_load(&jobs->is_degraded));
    struct fb_json *tasks = fb_json_set_object(root, "tasks");
    fb_json_set_int(tasks, "ready", (int64_t)counts.ready);
    fb_json_set_int(tasks, "delayed", (int64_t)counts.delayed);
    fb_json_set_int(tasks, "running", (int64_t)counts.running);
}

/* ---- sweeping ----------------------------------------------------------------------------- */

static int sweep_prefix(struct origin_jobs *jobs, const struct origin_sweep *sweep,
                        const char *folder)
{
    char prefix[ORIGIN_KEY_MAX + 1];
    bool has_version = sweep->version[0] != '\0';

    (void)snprintf(prefix, sizeof(prefix), "%s/%s%s%s", folder, sweep->video.text,
                   has_version ? "/" : "", sweep->version);
    return origin_objects_remove_prefix(jobs->options.objects, fb_str_from(prefix));
}

static int sweep_run(struct origin_jobs *jobs, const struct origin_sweep *sweep)
{
    int err = FB_OK;

    switch (sweep->kind) {
    case ORIGIN_SWEEP_VERSION:
        return sweep_prefix(jobs, sweep, "media");
    case ORIGIN_SWEEP_WORK:
        return sweep_prefix(jobs, sweep, "work");
    case ORIGIN_SWEEP_SOURCE:
        return sweep_prefix(jobs, sweep, "uploads");
    default:
        if ((err = sweep_prefix(jobs, sweep, "media")) < 0 ||
            (err = sweep_prefix(jobs, sweep, "work")) < 0) {
            return err;
        }
        return sweep_prefix(jobs, sweep, "uploads");
    }
}

static int sweep_all(struct origin_jobs *jobs)
{
    struct origin_sweep sweep;
    int err = FB_OK;

    for (int i = 0; i < SWEEPS_MAX && err == FB_OK; i++) {
        err = origin_catalog_sweep_begin(jobs->options.catalog, &sweep);
        if (err == FB_OK && (err = sweep_run(jobs, &sweep)) == FB_OK) {
            err = origin_catalog_sweep_end(jobs->options.catalog, &sweep);
            origin_jobs_add(jobs, ORIGIN_JOBS_METRIC_SWEPT, err == FB_OK ? 1 : 0);
        }
    }
    return err == FB_E_LATER ? FB_OK : err;
}

static int prune_now_and_then(struct origin_jobs *jobs)
{
    uint64_t mono_ms = fb_clock_mono_ms(jobs->options.clock);
    int64_t now_ms = fb_clock_wall_ms(jobs->options.clock);

    if (jobs->pruned_ms != 0 && mono_ms - jobs->pruned_ms < PRUNE_MS) {
        return FB_OK;
    }
    jobs->pruned_ms = mono_ms;
    return origin_catalog_job_prune(jobs->options.catalog, now_ms - KEEP_DONE_MS,
                                    now_ms - (int64_t)jobs->options.keep_failed_ms, PRUNE_MAX);
}

int origin_jobs_sweep_round(void *ctx)
{
    struct origin_jobs *jobs = ctx;

    int err = prune_now_and_then(jobs);
    int checked = toolchains_check(jobs);
    int swept = sweep_all(jobs);
    if (err == FB_OK) {
        err = checked;
    }
    return err == FB_OK ? swept : err;
}
