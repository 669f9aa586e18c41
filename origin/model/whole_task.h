/*
 * Tasks: what a worker is told, and what it tells in return.
 *
 * A task is one video to transcode, under a lease: whoever holds the lease may
 * renew, finish, fail or return the task, and nobody else. A worker takes
 * tasks from a source, which is the catalog of the same process or an origin
 * over HTTP; it cannot tell which.
 *
 *     take ──► renew … renew ──► finish | fail | give_back
 *                 └── FB_E_CONFLICT: the lease is lost; drop the work
 *
 * Threads    The functions of a source block; any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "origin/model/result.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_json;

struct origin_whole_task {
    struct origin_id job;
    struct origin_id lease; /* proves the right to the job */
    struct origin_id video;
    char source[ORIGIN_KEY_MAX + 1]; /* object key of what was uploaded */
    uint32_t lease_ms;               /* renew well before so long has passed */
    uint32_t attempt;                /* 1 for the first */
};

/* Where tasks come from. Every pointer is required. */
struct origin_whole_source {
    void *ctx;

    /* FB_E_LATER when there is nothing to do. */
    int (*take)(void *ctx, struct fb_str worker, struct origin_whole_task *ret_task);

    /* Holds the lease for another `lease_ms` and reports progress. */
    int (*renew)(void *ctx, const struct origin_whole_task *task, uint32_t permille);

    /* Publishes. FB_E_CONFLICT when the lease was lost meanwhile. */
    int (*finish)(void *ctx, const struct origin_whole_task *task,
                  const struct origin_result *result);

    /* Ends this attempt. `reason` is a sentence for the creator; `is_final`:
     * trying again cannot help. */
    int (*fail)(void *ctx, const struct origin_whole_task *task, struct fb_str reason,
                bool is_final);

    /* Returns the task as if this attempt had never been: the worker stops. */
    int (*give_back)(void *ctx, const struct origin_whole_task *task);
};

/* As JSON objects, between an origin and its workers: what is stored sets the
 * members of `object`, what is loaded checks every one, so that it may be stored
 * and served. */
void origin_whole_task_store(struct fb_json *object, const struct origin_whole_task *task);
FB_MUST_CHECK int origin_whole_task_load(const struct fb_json *object,
                                         struct origin_whole_task *ret_task, struct fb_diag *diag);
