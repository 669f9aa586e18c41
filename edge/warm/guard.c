#include "edge/warm/guard.h"

#include "base/core/attr.h"
#include "base/core/order.h"
#include "base/http/date.h"

#include <stdlib.h>
#include <string.h>

enum { SECOND_MS = 1000, PERCENT = 100, MONTH_AT = 8, MONTH_LEN = 8 };

/* So many milliseconds of a span may be used ahead. */
enum { GUARD_AHEAD_MS = 10000 };

/* "Sun, 06 Nov 1994 08:49:37 GMT": month and year are its own calendar. */
bool edge_guard_is_same_month(int64_t a_ms, int64_t b_ms)
{
    char a[FB_DATE_MAX];
    char b[FB_DATE_MAX];

    (void)fb_date_format(a_ms / SECOND_MS, a);
    (void)fb_date_format(b_ms / SECOND_MS, b);
    return memcmp(a + MONTH_AT, b + MONTH_AT, MONTH_LEN) == 0;
}

static void guard_add(struct edge_guard *guard, uint64_t bytes)
{
    if (guard->n < EDGE_GUARD_SAMPLES_MAX) {
        guard->samples[guard->n++] = bytes;
    }
    guard->is_leveled = false;
}

void edge_guard_restore(struct edge_guard *guard, int64_t begin_ms, uint64_t bytes, int64_t now_ms)
{
    if (begin_ms <= now_ms && edge_guard_is_same_month(begin_ms, now_ms)) {
        guard_add(guard, bytes);
    }
}

static void guard_begin(struct edge_guard *guard, int64_t now_ms)
{
    guard->span_begin_ms = now_ms - now_ms % EDGE_GUARD_SPAN_MS;
    guard->span_bytes = 0;
}

bool edge_guard_tell(struct edge_guard *guard, int64_t now_ms, uint64_t total,
                     int64_t *ret_begin_ms, uint64_t *ret_bytes)
{
    bool is_over = false;

    guard->span_bytes += total - guard->total;
    guard->total = total;
    if (guard->span_begin_ms == 0) {
        guard_begin(guard, now_ms);
        return false;
    }
    if (now_ms >= guard->span_begin_ms + EDGE_GUARD_SPAN_MS) {
        *ret_begin_ms = guard->span_begin_ms;
        *ret_bytes = guard->span_bytes;
        guard_add(guard, guard->span_bytes);
        is_over = true;
    }
    if (!edge_guard_is_same_month(guard->span_begin_ms, now_ms)) {
        guard->n = 0;
        guard->is_leveled = false;
    }
    if (is_over || now_ms < guard->span_begin_ms) { /* or the clock was set back */
        guard_begin(guard, now_ms);
    }
    return is_over;
}

static int guard_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return FB_ORDER(x, y);
}

/* Of n samples in order, the one at ceil(n x percentile / 100): the highest that is left. Their
 * own order means nothing, so they are put in order where they are. */
uint64_t edge_guard_level(struct edge_guard *guard)
{
    if (!guard->is_leveled) {
        uint64_t sample = 0;
        if (guard->n > 0) {
            qsort(guard->samples, guard->n, sizeof(guard->samples[0]), guard_compare);
            size_t rank = (guard->n * guard->percentile + PERCENT - 1) / PERCENT;
            sample = guard->samples[FB_MAX(rank, (size_t)1) - 1];
        }
        guard->level = FB_MAX(guard->commit, sample / (EDGE_GUARD_SPAN_MS / SECOND_MS));
        guard->is_leveled = true;
    }
    return guard->level;
}

bool edge_guard_allows(struct edge_guard *guard, int64_t now_ms, uint64_t n_coming)
{
    if (guard->percentile == 0) {
        return true;
    }
    int64_t elapsed_ms = FB_MIN(FB_MAX(now_ms - guard->span_begin_ms, (int64_t)0) + GUARD_AHEAD_MS,
                                (int64_t)EDGE_GUARD_SPAN_MS);

    return guard->span_bytes + n_coming <
           edge_guard_level(guard) * (uint64_t)elapsed_ms / SECOND_MS;
}
