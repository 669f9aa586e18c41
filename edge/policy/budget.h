/*
 * The daily write budget of a volume: how many bytes may still be written.
 *
 * A drive endures so many bytes in its life; spread over its years that is so
 * many a day. Every byte written to the volume is taken from the day's first,
 * and what is not granted is not written, so no UTC day sees more than its
 * bytes: not after a restart, and not when the clock is set back.
 *
 * Content (admission, rewriting) is granted along a line that rises through the
 * day, so a burst after midnight leaves something for the evening:
 *
 *     bytes ▲            ______ the day's bytes   upkeep may reach this
 *           │      __---       15/16 of them      content ends here
 *           │ _---
 *      1/4  │-
 *           └──────────────────► the day
 *
 * What is not used in the morning stays available in the evening. Upkeep (zone
 * headers, summaries, checkpoints) is small and has the rest for itself.
 *
 * Days are kept one by one, the last few of them: a clock that jumps ahead and
 * comes back finds its day as it left it. A day older than all that is known
 * counts as spent, since nobody knows what was written in it.
 *
 * Ownership  Plain data. `state` is what the volume persists.
 * Threads    One at a time.
 */
#pragma once

#include "base/core/attr.h"

#include <stdbool.h>
#include <stdint.h>

enum { EDGE_BUDGET_DAYS = 3 };

struct edge_budget_day {
    int64_t day; /* since 1970-01-01 UTC */
    uint64_t n_bytes;
};

/* All zero: nothing was ever written. */
struct edge_budget_state {
    uint64_t ever_bytes;                           /* written in the volume's whole life */
    int64_t first_day;                             /* earlier days are spent */
    struct edge_budget_day days[EDGE_BUDGET_DAYS]; /* latest first; no bytes: unused */
};

struct edge_budget {
    uint64_t day_bytes; /* 0: no limit */
    struct edge_budget_state state;
};

enum edge_budget_use { EDGE_BUDGET_CONTENT, EDGE_BUDGET_UPKEEP };

/* `state` NULL: a new volume. A state read from a disk may be anything; it is put in order. */
void edge_budget_init(struct edge_budget *budget, uint64_t day_bytes,
                      const struct edge_budget_state *state);

/* Counts `n` bytes that are written already, granted or not: what a crash left
 * in an open zone without a count of it. */
void edge_budget_charge(struct edge_budget *budget, uint64_t n, int64_t wall_ms);

/* Takes `n` bytes, or nothing and returns false when they are not granted now. */
FB_MUST_CHECK bool edge_budget_take(struct edge_budget *budget, enum edge_budget_use use,
                                    uint64_t n, int64_t wall_ms);

/* What would be granted now. UINT64_MAX without a limit. */
uint64_t edge_budget_left(const struct edge_budget *budget, enum edge_budget_use use,
                          int64_t wall_ms);

/* How near content is to its line: 0 nothing written today, 1 nothing left now. 0 without a
 * limit. For edge_admission_ask() and edge_rewriting_ask(). */
double edge_budget_pressure(const struct edge_budget *budget, int64_t wall_ms);

/* Bytes counted for the UTC day of `wall_ms`. For metrics. */
uint64_t edge_budget_today(const struct edge_budget *budget, int64_t wall_ms);
