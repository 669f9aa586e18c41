/*
 * Workers: threads that take tasks from a source and transcode.
 *
 *     take ─► hash the source ─► transcode into scratch ─► objects ─► finish
 *       │                  └── renew, twice a second at most ──┘
 *       └── nothing to do: wait for a wake or `poll_ms`
 *
 * The version is a hash of the source's bytes and of everything that decides
 * what comes out, so doing a task twice writes the same objects. A worker that
 * loses its lease, or is told to stop, leaves nothing but objects that nobody
 * was told of.
 *
 * Ownership  start → stop (asks) → join (waits and frees).
 * Threads    One per worker, and what the codecs make; start, stop and join
 *            on the caller's thread, wake on any.
 * Limits     One task per worker at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "origin/model/whole_task.h"

#include <stdint.h>

struct fb_clock;
struct origin_objects;
struct origin_workers;

struct origin_workers_options {
    struct origin_whole_source source;
    struct origin_objects *objects; /* borrowed */
    const struct fb_clock *clock;   /* borrowed; the system's, or nothing waits */
    struct fb_str name;             /* copied; in whose name tasks are taken */
    struct fb_str scratch;          /* copied; a folder of its own, emptied at start */
    uint32_t n_workers;
    uint32_t n_threads; /* of each worker's codecs */
    uint32_t poll_ms;   /* 0: 1 s */
};

FB_MUST_CHECK int origin_workers_start(const struct origin_workers_options *options,
                                       struct origin_workers **ret_workers, struct fb_diag *diag);

/* There may be something to do. */
void origin_workers_wake(struct origin_workers *workers);

/* Asks all to give back what they have and to end; does not wait. */
void origin_workers_stop(struct origin_workers *workers);

/* Waits for the end and frees. Accepts NULL. */
void origin_workers_join(struct origin_workers *workers);

/* How many have a task now. */
uint32_t origin_workers_busy(struct origin_workers *workers);
