/*
 * The guard of the 95th percentile: filling must not make the month's transit dearer.
 *
 * Transit is billed by samples: the month is cut into spans of five minutes, the mean rate of each
 * is noted, the highest 5 % are forgotten, and the highest of what is left is paid for. What
 * stays below that costs nothing. So all that comes from upstreams, for clients or for a plan, is
 * counted in such spans, and filling goes on while the present span is below
 *
 *     the greater of  `commit`, which is paid for anyway,
 *                     and the percentile of the month so far
 *
 * at that moment of the span: a span's bytes are not spent at its beginning, so that what
 * clients fetch later in it still fits. Months are those of UTC; spans in which the node was off
 * count as none at all, which errs on the dear side by less than it was off.
 *
 * Threads    One at a time.
 * Limits     EDGE_GUARD_SAMPLES_MAX of one month.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EDGE_GUARD_SPAN_MS = 300000, EDGE_GUARD_SAMPLES_MAX = 31 * 24 * 12 };

struct edge_guard {
    unsigned percentile; /* 0: no guard */
    uint64_t commit;     /* bytes a second */

    /* Private. */
    uint64_t samples[EDGE_GUARD_SAMPLES_MAX]; /* bytes; of this month */
    size_t n;
    int64_t span_begin_ms; /* wall clock; 0: not begun */
    uint64_t span_bytes;   /* so far */
    uint64_t total;        /* that was told last */
    uint64_t level;        /* bytes a second */
    bool is_leveled;
};

/* A sample of an earlier run, which began at `begin_ms` and is of this month. */
void edge_guard_restore(struct edge_guard *guard, int64_t begin_ms, uint64_t bytes, int64_t now_ms);

/* `total` bytes have come from upstreams since the node began. If that ends a span, true is
 * returned, and its sample written; of spans that nobody looked at, the first. Wall clock. */
bool edge_guard_tell(struct edge_guard *guard, int64_t now_ms, uint64_t total,
                     int64_t *ret_begin_ms, uint64_t *ret_bytes);

/* True while filling costs nothing, with `n_coming` bytes on their way. */
bool edge_guard_allows(struct edge_guard *guard, int64_t now_ms, uint64_t n_coming);

/* Below how many bytes a second that is. */
uint64_t edge_guard_level(struct edge_guard *guard);

/* True if both moments are of one month of UTC. */
bool edge_guard_is_same_month(int64_t a_ms, int64_t b_ms);
