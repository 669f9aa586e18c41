/*
 * What the files of origin/jobs share.
 */
#pragma once

#include "base/metrics/metrics.h"
#include "origin/catalog/jobs.h"
#include "origin/catalog/tasks.h"
#include "origin/jobs/jobs.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    ORIGIN_JOBS_TOOLCHAINS_MAX = 16,
    ORIGIN_JOBS_WORKERS_MAX = 256, /* that /status lists; of as many tasks */

    /* Rows of metrics: one for each kind of task and each reason, then the others. */
    ORIGIN_JOBS_METRIC_DONE = 0,
    ORIGIN_JOBS_METRIC_FAILED = ORIGIN_JOBS_METRIC_DONE + ORIGIN_TASK_N_KINDS,
    ORIGIN_JOBS_METRIC_PUBLISHED = ORIGIN_JOBS_METRIC_FAILED + ORIGIN_N_REASONS,
    ORIGIN_JOBS_METRIC_DEAD,
    ORIGIN_JOBS_METRIC_SWEPT,
    ORIGIN_JOBS_METRIC_ACTIVE,
    ORIGIN_JOBS_METRIC_LETTERS,
    ORIGIN_JOBS_METRIC_READY,
    ORIGIN_JOBS_METRIC_DELAYED,
    ORIGIN_JOBS_METRIC_RUNNING,
    ORIGIN_JOBS_METRIC_OLDEST,
    ORIGIN_JOBS_METRIC_DEGRADED,
    ORIGIN_JOBS_N_METRICS
};

/* A toolchain that some worker has, and when it last said so. */
struct origin_jobs_toolchain {
    char text[ORIGIN_TOOLCHAIN_MAX + 1];
    uint64_t seen_ms;
};

/* One that has asked for tasks. */
struct origin_jobs_worker {
    char name[ORIGIN_WORKER_NAME_MAX + 1];
    int64_t seen_ms; /* Unix time */
};

struct origin_jobs {
    struct origin_jobs_options options;
    struct origin_job_rules rules;    /* is_degraded is not heeded here */
    struct fb_metrics_table *metrics; /* the registry's; NULL: nobody counts */
    void (*queued)(void *ctx);
    void *queued_ctx;
    uint64_t started_ms;
    _Atomic(bool) is_degraded;

    pthread_mutex_t lock;
    struct origin_jobs_toolchain toolchains[ORIGIN_JOBS_TOOLCHAINS_MAX]; /* under lock */
    size_t n_toolchains;                                                 /* under lock */
    struct origin_jobs_worker workers[ORIGIN_JOBS_WORKERS_MAX];          /* under lock */
    size_t n_workers;                                                    /* under lock */
    struct origin_job_counts counts;                                     /* under lock */
    struct origin_task_running running[ORIGIN_JOBS_WORKERS_MAX];         /* under lock */
    size_t n_running;                                                    /* under lock */
    uint64_t pruned_ms; /* of the sweeping round alone */
};

/* Adds to a row of metrics, a member of the enum above. */
void origin_jobs_add(const struct origin_jobs *jobs, size_t row, uint64_t n);

/* Remembers that a worker has these tools. */
void origin_jobs_saw(struct origin_jobs *jobs, struct fb_str toolchain);

/* ---- seen.c: who has asked for tasks, and what they do ------------------------- */

void origin_jobs_saw_worker(struct origin_jobs *jobs, struct fb_str name);

/* Reads anew what they do. */
int origin_jobs_look_at_workers(struct origin_jobs *jobs);

/* The array "workers". The lock is held. */
void origin_jobs_store_workers(const struct origin_jobs *jobs, struct fb_json *root);

/* ---- */

/* What a creator reads of a reason that nobody has better words for. */
const char *origin_jobs_sentence(enum origin_task_reason reason);

/* As struct origin_task_source says; `ctx` is the jobs. */
int origin_jobs_finish(void *ctx, const struct origin_task *told, struct fb_str text);

/* Removes what a worker has stored for a video that is gone. */
void origin_jobs_sweep_gone(struct origin_jobs *jobs, const struct origin_id *video);
