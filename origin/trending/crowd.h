/*
 * The crowd: videos for which the field has no room, of which only counts are kept.
 *
 * Space-saving keeps those seen most by name, count-min bounds what each was seen; who has more
 * views of the last two hours than the least of the field deserves a place there. Memory stays the
 * same however many videos there are: docs/trending.md tells how much and how exact.
 *
 * Ownership  new → free.
 * Threads    One at a time.
 */
#pragma once

#include "origin/model/id.h"

#include <stddef.h>
#include <stdint.h>

struct origin_crowd;

struct origin_crowd_item {
    struct origin_id id;
    double views; /* at most so many, of this hour and the last */
};

struct origin_crowd *origin_crowd_new(uint64_t seed);
void origin_crowd_free(struct origin_crowd *crowd);

/* Views that were seen at `now_ms`. */
void origin_crowd_add(struct origin_crowd *crowd, int64_t now_ms, const struct origin_id *id,
                      uint64_t views);

/* Writes those seen most, at most `max`, the highest first; returns how many. */
size_t origin_crowd_top(struct origin_crowd *crowd, int64_t now_ms, struct origin_crowd_item *items,
                        size_t max);
