/*
 * The yield: bytes served of what was filled, against bytes filled.
 *
 * Both are kept over a sliding span, `span_ms`, in EDGE_YIELD_PARTS parts. Filling that does not
 * pay is stopped:
 *
 *     FILLING ── a whole span has passed since the first fill, and over the last span
 *        ▲       served / filled < least percent ──► STOPPED
 *        └── a whole span has passed since then ───────┘
 *
 * So a node that is new, or tries again, has a whole span to prove what it is worth: of that the
 * last nights' fills have had little time, but those before them all of it.
 *
 * Threads    One at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EDGE_YIELD_PARTS = 168 }; /* of a week: hours */

struct edge_yield_part {
    int64_t begin_ms; /* wall clock; 0: none */
    uint64_t filled;
    uint64_t served;
};

struct edge_yield {
    int64_t span_ms;
    unsigned least; /* percent; 0: filling is never stopped */

    /* Private but to edge/warm/state.c, which keeps them. */
    struct edge_yield_part parts[EDGE_YIELD_PARTS];
    int64_t first_ms;   /* of the first fill that is judged; 0: none yet */
    int64_t stopped_ms; /* 0: not stopped */
};

/* Adds bytes; returns the part that they count in, borrowed. */
const struct edge_yield_part *edge_yield_add(struct edge_yield *yield, int64_t now_ms,
                                             uint64_t filled, uint64_t served);

/* The sums of the last span. */
struct edge_yield_part edge_yield_sum(const struct edge_yield *yield, int64_t now_ms);

/* Percent, of the last span; -1 if nothing was filled in it. */
int64_t edge_yield_percent(const struct edge_yield *yield, int64_t now_ms);

/* Looks whether filling is to be stopped, or begins again: true if that changed. */
bool edge_yield_judge(struct edge_yield *yield, int64_t now_ms);

bool edge_yield_is_stopped(const struct edge_yield *yield);
