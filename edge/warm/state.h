/*
 * What outlives the process: warm.db (SQLite) in the node's folder of state.
 *
 *     plan     the serial and digest of the last plan that was taken, by region
 *     samples  of the guard, this month's
 *     parts    of the yield, and since when it is judged or stopped
 *
 * Without a folder nothing does: a plan may go back after a restart, and guard and yield begin
 * anew.
 *
 * Ownership  open → close.
 * Threads    One at a time; calls block.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/wire/plan.h"
#include "edge/warm/guard.h"
#include "edge/warm/yield.h"

struct edge_warm_state;

/* Of the last plan that was taken. */
struct edge_warm_taken {
    char region[FB_PLAN_REGION_MAX + 1];
    uint64_t serial; /* 0: none yet */
    uint8_t digest[FB_SHA256_SIZE];
};

/* `folder` NULL gives a state that keeps nothing. A file that is damaged is put aside. */
FB_MUST_CHECK int edge_warm_state_open(const char *folder, struct edge_warm_state **ret_state,
                                       struct fb_diag *diag);
void edge_warm_state_close(struct edge_warm_state *state);

/* Reads all of it; `taken->region` says of which region. */
FB_MUST_CHECK int edge_warm_state_load(struct edge_warm_state *state, int64_t now_ms,
                                       struct edge_warm_taken *taken, struct edge_guard *guard,
                                       struct edge_yield *yield);

/* What changed. */
struct edge_warm_change {
    struct edge_warm_taken taken; /* serial 0: as before */
    bool has_sample;
    int64_t sample_begin_ms;
    uint64_t sample_bytes;
    struct edge_yield_part part; /* the present one */
    int64_t first_ms;            /* of the yield */
    int64_t stopped_ms;
    int64_t forget_ms; /* parts and samples that began before are of no more use */
};

FB_MUST_CHECK int edge_warm_state_store(struct edge_warm_state *state,
                                        const struct edge_warm_change *change);
