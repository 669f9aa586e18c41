/*
 * Jobs: leases, attempts, and what becomes of them.
 *
 * The rules over the catalog's table of jobs, as a source of tasks for the
 * workers of this process and, as routes, for workers elsewhere:
 *
 *     POST /internal/v1/tasks/take       {worker}              200 task | 204
 *     POST /internal/v1/tasks/renew      {job, lease, progress}        204 | 409
 *     POST /internal/v1/tasks/finish     {job, lease, video, result}   204 | 409
 *     POST /internal/v1/tasks/fail       {job, lease, reason, is_final} 204 | 409
 *     POST /internal/v1/tasks/give-back  {job, lease}                  204 | 409
 *
 * with `Authorization: Bearer <worker token>`; without a configured token there
 * are no such routes.
 *
 * An attempt that failed for a passing cause is made again after a growing
 * pause; after the last, or at once when the input is at fault, the video
 * fails with a reason that its creator can act on. Before publishing, every
 * file of the result is looked for among the objects.
 *
 * Ownership  new → free.
 * Threads    Blocking; any thread.
 * Failures   As struct origin_whole_source says; FB_E_CORRUPT for a result whose
 *            files are not there; else the catalog's.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "origin/model/whole_task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_route;
struct origin_catalog;
struct origin_jobs;
struct origin_objects;

struct origin_jobs_options {
    struct origin_catalog *catalog; /* borrowed */
    struct origin_objects *objects; /* borrowed */
    struct fb_str worker_token;     /* borrowed; empty: no workers elsewhere */
    uint32_t lease_ms;              /* 0: 30 s */
    uint32_t max_attempts;          /* 0: 5 */
    uint32_t backoff_ms;            /* 0: 5 s */
};

struct origin_jobs *origin_jobs_new(const struct origin_jobs_options *options);
void origin_jobs_free(struct origin_jobs *jobs);

/* `queued` runs (on any thread) whenever there is a new job. */
void origin_jobs_on_queued(struct origin_jobs *jobs, void (*queued)(void *ctx), void *ctx);

/* The jobs as a source of tasks; good as long as they are. */
struct origin_whole_source origin_jobs_source(struct origin_jobs *jobs);

/* Ends the upload of a video and queues its job. *ret_is_new is false if that
 * had happened before. */
FB_MUST_CHECK int origin_jobs_queue(struct origin_jobs *jobs, const struct origin_id *video,
                                    struct fb_str source, bool *ret_is_new);

/* Queues again what `worker` held when its process ended without a word. */
FB_MUST_CHECK int origin_jobs_reclaim(struct origin_jobs *jobs, struct fb_str worker,
                                      uint32_t *ret_n);

/* The internal routes, for a router with the jobs as ctx; none without a token. */
const struct fb_route *origin_jobs_routes(const struct origin_jobs *jobs, size_t *ret_n);
