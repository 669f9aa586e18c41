/*
 * The table of tasks: rows with a lease.
 *
 *     waiting ──► ready ──take──► running ──finish──► done
 *                   ▲                │
 *                   ├── give_back ───┤
 *                   └── attempts are left ── fail, the lease expired ──► dead: the job fails
 *
 * Whoever names a task's present lease may change it; a lease that expired is good until somebody
 * takes the next task. Each reason of failure has a number of attempts of its own, and each failure
 * a row of task_attempts. When a job fails its other tasks are parked until it is let go on.
 */
#pragma once

#include "origin/catalog/catalog.h"
#include "origin/catalog/jobs.h"
#include "origin/model/task.h"

#include <stdbool.h>
#include <stdint.h>

struct origin_job_rules {
    uint32_t lease_ms;
    uint32_t attempts[ORIGIN_N_REASONS]; /* 1: the first failure is the last */
    uint32_t backoff_ms;                 /* before the second attempt; doubled for each next */
    uint32_t max_backoff_ms;
    uint32_t jitter;  /* how much of a pause is left to chance, in 1000 */
    const char *lost; /* the sentence when workers fell silent too often */
    bool is_degraded; /* what is prepared now leaves out options */
    bool keeps_original;
    int64_t keep_replaced_ms; /* for how long players may go on with a version that was replaced */
};

/* What is due first and may run now; its limits and its key are the caller's to fill in. FB_E_LATER
 * if there is none. Ends the attempts whose lease has expired: *ret_n_lost of them, in either case.
 */
FB_MUST_CHECK int origin_catalog_task_take(struct origin_catalog *catalog,
                                           const struct origin_job_rules *rules,
                                           const struct origin_task_ask *ask,
                                           struct origin_task *ret_task, uint32_t *ret_n_lost);

/* All that follows: FB_E_CONFLICT if the lease is not the task's (any more). Of `task` its own id
 * and the lease are heeded. */

FB_MUST_CHECK int origin_catalog_task_renew(struct origin_catalog *catalog,
                                            const struct origin_job_rules *rules,
                                            const struct origin_task *task, uint32_t permille);

/* What the holder of a lease may know: job, task, video, kind, pass, index, source, version.
 * FB_E_EXISTS if the task was finished under this lease. */
FB_MUST_CHECK int origin_catalog_task_holder(struct origin_catalog *catalog,
                                             const struct origin_id *task,
                                             const struct origin_id *lease,
                                             struct origin_task *ret_task);

/* What PREPARE has found out. */
struct origin_job_graph {
    struct fb_str recipe;    /* JSON */
    struct fb_str version;   /* that it makes */
    struct fb_str toolchain; /* that made it, and alone may go on with it */
    uint32_t n_chunks;
    bool has_sound;  /* there is a SOUND task */
    bool has_passes; /* an early and a late one */
};

/* Makes the other tasks. FB_E_BUSY while objects of that version are being swept. */
FB_MUST_CHECK int origin_catalog_task_finish_prepare(struct origin_catalog *catalog,
                                                     const struct origin_task *task,
                                                     const struct origin_job_graph *graph);

/* Of a CHUNK or a SOUND. FB_OK as well if it was finished under this lease before; so with all
 * three. */
FB_MUST_CHECK int origin_catalog_task_finish_part(struct origin_catalog *catalog,
                                                  const struct origin_task *task);

/* Of a FINISH: publishes. FB_E_MALFORMED if the result is not of the job's version. */
FB_MUST_CHECK int origin_catalog_task_finish_all(struct origin_catalog *catalog,
                                                 const struct origin_job_rules *rules,
                                                 const struct origin_task *task,
                                                 const struct origin_result *result);

/* *ret_is_over: there will be no further attempt, the job has failed. */
FB_MUST_CHECK int origin_catalog_task_fail(struct origin_catalog *catalog,
                                           const struct origin_job_rules *rules,
                                           const struct origin_task *task,
                                           const struct origin_task_failure *failure,
                                           bool *ret_is_over);

FB_MUST_CHECK int origin_catalog_task_give_back(struct origin_catalog *catalog,
                                                const struct origin_task *task);

/* Lets the leases expire that `worker` had when it ended without a word. */
FB_MUST_CHECK int origin_catalog_task_reclaim(struct origin_catalog *catalog, struct fb_str worker,
                                              uint32_t *ret_n);
