#include "edge/views/segments.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"

#include <string.h>

enum { RUN_BITS = 64, RUNS_FIRST = 4 };

struct edge_segments_run {
    uint64_t index; /* of the run: its first number by 64 */
    uint64_t had;
};

/* Where the run is, or would be; most of the time it is the last. */
static size_t segments_place(const struct edge_segments *segments, uint64_t index)
{
    size_t i = segments->n;

    while (i > 0 && segments->runs[i - 1].index >= index) {
        i--;
    }
    return i;
}

bool edge_segments_add(struct edge_segments *segments, uint64_t number)
{
    uint64_t index = number / RUN_BITS;
    uint64_t bit = UINT64_C(1) << (number % RUN_BITS);
    size_t i = segments_place(segments, index);

    if (i < segments->n && segments->runs[i].index == index) {
        bool is_new = (segments->runs[i].had & bit) == 0;
        segments->runs[i].had |= bit;
        return is_new;
    }
    if (segments->n == EDGE_SEGMENTS_RUNS) {
        return false;
    }
    if (segments->n == segments->capacity) {
        segments->capacity = (uint16_t)FB_MAX(RUNS_FIRST, 2 * segments->capacity);
        segments->runs =
            fb_realloc(segments->runs, segments->capacity * sizeof(struct edge_segments_run));
    }
    memmove(&segments->runs[i + 1], &segments->runs[i],
            (segments->n - i) * sizeof(struct edge_segments_run));
    segments->runs[i] = (struct edge_segments_run){index, bit};
    segments->n++;
    return true;
}

void edge_segments_done(struct edge_segments *segments)
{
    fb_free(segments->runs);
    *segments = (struct edge_segments){0};
}
