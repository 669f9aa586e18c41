/*
 * Lessons: what was shown waits for what became of it.
 *
 *     show ──► waits, with the features it had then ──┬─ watched ──► learned: so or not so
 *                                                     └─ ORIGIN_LESSONS_WAIT_MS later: not so
 *
 * Only what was shown teaches: whoever was not offered a video has not turned it down. Features are
 * kept as they were, since the video and the viewer have changed by the time the answer comes.
 *
 * Ownership  new → free.
 * Threads    One at a time.
 * Limits     ORIGIN_LESSONS_MAX wait; beyond, the oldest is forgotten untaught. Shown twice, it
 *            waits once, from the first time.
 */
#pragma once

#include "origin/feed/ranker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ORIGIN_LESSONS_MAX = 50000, ORIGIN_LESSONS_WAIT_MS = 30 * 60 * 1000 };

struct origin_lessons;

struct origin_lessons *origin_lessons_new(void);
void origin_lessons_free(struct origin_lessons *lessons);

/* `user`: a number that stands for somebody. `video`: its number in the catalog. */
void origin_lessons_show(struct origin_lessons *lessons, uint64_t user, int64_t video,
                         const struct origin_features *features, int64_t now_ms);

/* True if it was waiting: then `ranker` has learned it. */
bool origin_lessons_watched(struct origin_lessons *lessons, struct origin_ranker *ranker,
                            uint64_t user, int64_t video, bool through);

/* Has `ranker` learn what waited in vain; returns how many. */
size_t origin_lessons_expire(struct origin_lessons *lessons, struct origin_ranker *ranker,
                             int64_t now_ms);

size_t origin_lessons_waiting(const struct origin_lessons *lessons);
