/*
 * Jobs: what is done with a video between its upload and its publication (docs/ingest.md).
 *
 * The rules over the catalog's tables of jobs and tasks, as a source of tasks for the workers of
 * this process and, as routes, for workers elsewhere:
 *
 *     POST /internal/v1/tasks/take       {worker, toolchain}                 200 task | 204
 *     POST /internal/v1/tasks/renew      {task, lease, video, progress}      204 | 409
 *     POST /internal/v1/tasks/finish     {task, lease, video, result}        204 | 409 | 422
 *     POST /internal/v1/tasks/fail       {task, lease, video, reason, is_final, sentence, log}
 *                                                                            204 | 409
 *     POST /internal/v1/tasks/give-back  {task, lease, video}                204 | 409
 *
 * with `Authorization: Bearer <worker token>`; without a configured token there are no such
 * routes. A task is as origin_task_store() writes it, progress in 1000, a result as
 * origin/model/task.h says. 409: the lease is lost. 422: what the result names is not there, or it
 * is no result.
 *
 * An attempt that failed for a cause that may pass is made again after a growing pause, as often as
 * its reason allows; then the job is a dead letter and the video fails with a reason that its
 * creator can act on. Before a task counts as done, what it says it made is looked for among the
 * objects. While too much waits for too long, what is prepared leaves out what is optional.
 *
 * Ownership  new → free.
 * Threads    Blocking; any thread. A round never runs beside itself.
 * Failures   As struct origin_task_source says; else the catalog's and the objects'.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "origin/model/request.h"
#include "origin/model/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_clock;
struct fb_json;
struct fb_metrics;
struct fb_route;
struct origin_catalog;
struct origin_jobs;
struct origin_objects;

/* Where content keys come from (origin/keys); as origin_keys_of_job(). */
typedef int origin_jobs_key_fn(void *ctx, const struct origin_id *video,
                               const struct origin_id *job, enum origin_scheme scheme,
                               struct origin_content_key *ret_key);

struct origin_jobs_options {
    struct origin_catalog *catalog; /* borrowed, as all of these */
    struct origin_objects *objects;
    const struct fb_clock *clock;
    struct fb_metrics *metrics;    /* may be NULL */
    struct fb_str worker_token;    /* empty: no workers elsewhere */
    struct origin_request request; /* the site's */
    struct origin_task_limits limits;
    uint32_t lease_ms;                   /* 0: 30 s */
    uint32_t attempts[ORIGIN_N_REASONS]; /* 0: origin_jobs_attempts_preset() */
    uint32_t backoff_ms;                 /* 0: 5 s */
    uint32_t max_backoff_ms;             /* 0: 10 min */
    uint64_t degrade_after_ms;  /* optional renditions are left out when something has waited for
                                   so long, until it is half of it again; 0: never */
    int64_t first_from;         /* followers of a creator whose videos go ahead; 0: of nobody */
    bool drops_original;        /* once the video is published */
    uint64_t keep_replaced_ms;  /* a version that was replaced */
    uint64_t keep_failed_ms;    /* a dead letter; 0: 14 days */
    uint64_t toolchain_wait_ms; /* for a worker that can go on with what was prepared; 0: 10 min */
    origin_jobs_key_fn *content_key; /* NULL: nothing is encrypted */
    void *content_key_ctx;
};

struct origin_jobs *origin_jobs_new(const struct origin_jobs_options *options);
void origin_jobs_free(struct origin_jobs *jobs);

/* How often a task may fail for a reason where the configuration says nothing. */
uint32_t origin_jobs_attempts_preset(enum origin_task_reason reason);

/* `queued` runs (on any thread) whenever there is something new to do. */
void origin_jobs_on_queued(struct origin_jobs *jobs, void (*queued)(void *ctx), void *ctx);

/* The jobs as a source of tasks; good as long as they are. */
struct origin_task_source origin_jobs_source(struct origin_jobs *jobs);

/* Ends the upload of a video and queues its job. *ret_is_new is false if that
 * had happened before. */
FB_MUST_CHECK int origin_jobs_queue(struct origin_jobs *jobs, const struct origin_id *video,
                                    struct fb_str source, bool *ret_is_new);

/* Makes a video anew, as the site wishes now, behind all that is new. FB_E_NOT_FOUND: there is no
 * such video, or its source is gone; FB_E_EXISTS: it is being made; FB_E_CONFLICT: it is still
 * being uploaded. */
FB_MUST_CHECK int origin_jobs_remake(struct origin_jobs *jobs, const struct origin_id *video);

/* What creators may choose (origin_request_override) on top of what the site wishes: checks it. */
FB_MUST_CHECK int origin_jobs_check_options(const struct origin_jobs *jobs,
                                            const struct fb_json *options, struct fb_diag *diag);

/* Lets go on what an operator has let go on (origin/catalog/jobs.h): tells the workers. */
void origin_jobs_wake(struct origin_jobs *jobs);

/* Queues again what `worker` held when its process ended without a word. */
FB_MUST_CHECK int origin_jobs_reclaim(struct origin_jobs *jobs, struct fb_str worker,
                                      uint32_t *ret_n);

/* A round of every few seconds: counts what waits and decides what is left out. */
FB_MUST_CHECK int origin_jobs_count_round(void *jobs);

/* A round of every minute: removes objects that nobody needs any more, forgets jobs that are over,
 * lets begin anew what no worker can go on with. */
FB_MUST_CHECK int origin_jobs_sweep_round(void *jobs);

/* Members of /status, as the last round found them. */
void origin_jobs_status(const struct origin_jobs *jobs, struct fb_json *status);

/* ---- routes ---------------------------------------------------------------------- */

/* The internal routes, for a router with the jobs as ctx; none without a token. */
const struct fb_route *origin_jobs_routes(const struct origin_jobs *jobs, size_t *ret_n);

/* Whether this `Authorization` is a worker's. */
bool origin_jobs_is_worker(const struct origin_jobs *jobs, struct fb_str authorization);
