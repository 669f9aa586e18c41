/*
 * Segments: which of a video a session has had, so that each counts once.
 *
 * Numbers that lie together, as those of a video that is watched do, share a run of 64.
 *
 * Ownership  Zero → done.
 * Threads    One at a time.
 * Limits     EDGE_SEGMENTS_RUNS runs; a number beyond them is taken for one that was had.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EDGE_SEGMENTS_RUNS = 256 };

struct edge_segments {
    struct edge_segments_run *runs; /* owned; sorted */
    uint16_t n;
    uint16_t capacity;
};

/* True if `number` is new. */
bool edge_segments_add(struct edge_segments *segments, uint64_t number);

void edge_segments_done(struct edge_segments *segments);
