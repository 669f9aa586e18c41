/*
 * Workers: threads that take tasks from a source, and have each done by a confined child.
 *
 *     take ─► source ─► child: forebay-transcode ─► objects, the part last ─► finish
 *       │       └── renew, by a thread of its own ─────────────────────────┘
 *       └── nothing to do, or no room for it: wait for a wake or `poll_ms`
 *
 * What a task makes is decided by its recipe, so doing one twice writes the same objects. A worker
 * that loses its lease or is told to stop kills the child, and leaves nothing but objects
 * that nobody was told of. Threads of this process read no media: what a hostile file
 * breaks is one child.
 *
 * A task is not taken while the file system of `scratch` has less than `reserve_bytes` left, or,
 * unless no other worker here is busy, while less memory is left than a task has taken so far.
 *
 * Ownership  start → stop (asks) → join (waits and frees).
 * Threads    One per worker and one that renews; start, stop and join on the caller's thread, the
 *            rest on any.
 * Limits     One task per worker at a time; the task's own for its child.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "origin/model/task.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_clock;
struct origin_objects;
struct origin_workers;

struct origin_workers_options {
    struct origin_task_source source;
    struct origin_objects *objects; /* borrowed; NULL: each task's own, by open_objects */
    void *objects_ctx;
    /* What the holder of a task's lease may read and write; closed by the worker. */
    int (*open_objects)(void *ctx, const struct origin_task *task,
                        struct origin_objects **ret_objects);
    const struct fb_clock *clock; /* borrowed; the system's, or nothing waits */
    struct fb_str name;           /* copied; in whose name tasks are taken */
    struct fb_str scratch;        /* copied; a folder of its own, emptied at start */
    const char *program;          /* copied; of the children; NULL: forebay-transcode beside this */
    uint64_t cache_bytes;         /* of sources that are not local; 0: 8 GiB */
    uint64_t reserve_bytes;       /* 0: 256 MiB */
    uint32_t n_workers;
    uint32_t n_threads; /* of each encoder in what is prepared here; 0: the child's preset */
    uint32_t poll_ms;   /* 0: 1 s */
    bool is_background; /* children have the lowest priority */
};

/* Starts a child once to see that it can be done. */
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

/* The libraries that decide bytes, and what children are confined by, as texts. */
const char *origin_workers_toolchain(const struct origin_workers *workers);
const char *origin_workers_sandbox(const struct origin_workers *workers);
