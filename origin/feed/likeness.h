/*
 * Likeness: which videos are watched by the same people.
 *
 *                      sum, over those who watched both, of 1 / ln(1 + how many they watched)
 *     likeness(a, b) = ───────────────────────────────────────────────────────────────────────
 *                               sqrt( (viewers of a + 10) × (viewers of b + 10) )
 *
 * The cosine of two videos' viewers (Sarwar et al., "Item-Based Collaborative Filtering", WWW
 * 2001): somebody who watches everything tells less, and what two people by chance have in common
 * is held down by the 10. Of each video the most alike are kept.
 *
 *     new ──► add, a history for each person ──► finish ──► of …
 *
 * Videos are numbers here, from 0; who counts them knows what they stand for.
 *
 * Ownership  new → free.
 * Threads    One at a time until it is finished; then any.
 * Limits     ORIGIN_LIKENESS_PAIRS_MAX pairs: when the table is full, pairs not met before are left
 *            out. Of a history, its last ORIGIN_LIKENESS_HISTORY_MAX videos.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    ORIGIN_LIKENESS_KEPT = 32,
    ORIGIN_LIKENESS_HISTORY_MAX = 50,
    ORIGIN_LIKENESS_PAIRS_MAX = 1 << 22
};

struct origin_likeness;

struct origin_alike {
    uint32_t video;
    float likeness; /* above 0, at most 1.5 */
};

/* For videos 0 to `n_videos` - 1. */
struct origin_likeness *origin_likeness_new(uint32_t n_videos);
void origin_likeness_free(struct origin_likeness *likeness);

/* What one person watched, the oldest first; each video once. */
void origin_likeness_add(struct origin_likeness *likeness, const uint32_t *history, size_t n);

/* No more histories come. */
void origin_likeness_finish(struct origin_likeness *likeness);

/* The videos most like `video`, the likest first; borrowed. */
const struct origin_alike *origin_likeness_of(const struct origin_likeness *likeness,
                                              uint32_t video, size_t *ret_n);
