/*
 * Rounds: what the origin does every so often, whoever asks.
 *
 *     timer on the loop ──► run() on the pool ──► outcome on the loop ──► timer
 *            ▲                                                              │
 *            └──────────────────────────────────────────────────────────────┘
 *
 * The first run of each begins when the rounds start; the next begins a period after the last one
 * began, or when that has ended if it took longer. So no two runs of one are ever under way, while
 * different ones may run side by side. A run that fails is logged and counted, and tried again when
 * its time comes.
 *
 * Ownership  new → add … → start → stop → free. What `run` is given outlives the stop.
 * Threads    The loop's own; `run` on a pool thread.
 * Limits     ORIGIN_ROUNDS_MAX of them.
 * Failures   None of its own; a pool that is full counts as a run that failed.
 */
#pragma once

#include "base/loop/op.h"

#include <stdint.h>

struct fb_loop;
struct fb_metrics;
struct fb_pool;
struct origin_rounds;

enum { ORIGIN_ROUNDS_MAX = 16 };

struct origin_round {
    const char *name;      /* borrowed for ever; a label of metrics, such as "trending" */
    uint64_t period_ms;    /* at least 1 */
    int (*run)(void *ctx); /* FB_OK or why not; blocking, on the pool */
    void *ctx;             /* borrowed until the rounds have stopped */
};

struct origin_rounds_options {
    struct fb_loop *loop;       /* borrowed, as all of these */
    struct fb_pool *pool;       /* freed before the rounds, or after their stop */
    struct fb_metrics *metrics; /* may be NULL */
};

struct origin_rounds *origin_rounds_new(const struct origin_rounds_options *options);

/* Before the start. */
void origin_rounds_add(struct origin_rounds *rounds, const struct origin_round *round);

/* Begins the first run of each. */
void origin_rounds_start(struct origin_rounds *rounds);

/* No run begins any more; `op` finishes when none is under way. Also without a start. At most
 * once. */
void origin_rounds_stop(struct origin_rounds *rounds, struct fb_op *op);

/* Requires that they have stopped, or never started. Accepts NULL. */
void origin_rounds_free(struct origin_rounds *rounds);
