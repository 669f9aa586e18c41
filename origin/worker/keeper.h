/*
 * The keeper: renews the leases of tasks while others work on them.
 *
 *     worker: hold ─────────────────────────────► drop
 *     keeper:      renew … renew … (lost) …
 *
 * A thread of its own, so that a child that says nothing, or a store that takes its time, costs
 * no lease. A lease is lost when the source says so, or when none of its answers came for as long
 * as the lease lasts: a worker that was cut off stops then, and not when the network is back.
 *
 * Ownership  new → free, when nothing is held. A hold is the caller's from hold to drop, and its
 *            task is borrowed for as long.
 * Threads    Any. drop waits for a renewal of the same task that is under way.
 * Limits     One renewal at a time; each task's every third of its lease, every second at least.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/list.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fb_clock;
struct origin_keeper;
struct origin_task;
struct origin_task_source;

struct origin_hold {
    const struct origin_task *task; /* borrowed from hold to drop */
    _Atomic uint32_t permille;      /* in: progress, told with each renewal */

    /* Private to origin/worker/keeper.c. */
    struct origin_keeper *keeper;
    struct fb_list link;
    bool is_renewing; /* under the keeper's lock, as the rest but the atomics */
    uint64_t due_ms;
    _Atomic uint64_t renewed_ms;
    _Atomic bool is_refused;
};

/* `source` and `clock` are borrowed; the clock is the system's, or nothing is due. */
FB_MUST_CHECK int origin_keeper_new(const struct origin_task_source *source,
                                    const struct fb_clock *clock,
                                    struct origin_keeper **ret_keeper);
void origin_keeper_free(struct origin_keeper *keeper); /* accepts NULL */

/* Holds a task that was taken just now. */
void origin_keeper_hold(struct origin_keeper *keeper, const struct origin_task *task,
                        struct origin_hold *hold);
void origin_keeper_drop(struct origin_hold *hold);

/* Whether the task is somebody else's by now. */
bool origin_hold_is_lost(const struct origin_hold *hold);
