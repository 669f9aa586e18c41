/*
 * The ranker: how likely somebody is to watch a video through, learned as it happens.
 *
 *     chance = logistic( sum of the weights of the features that hold )
 *
 * Weights follow the regularised leader, each at a pace of its own (FTRL-Proximal; McMahan et al.,
 * "Ad Click Prediction: a View from the Trenches", KDD 2013, algorithm 1): what is seen often moves
 * little, and a weight that tells nothing is 0. Features are hashed into slots, so nothing needs to
 * be known beforehand of tags, creators or languages; features.h says which there are.
 *
 * Ownership  new → free.
 * Threads    One at a time.
 * Limits     ORIGIN_RANKER_SLOTS slots of 8 bytes.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ORIGIN_RANKER_BITS = 17,
    ORIGIN_RANKER_SLOTS = 1 << ORIGIN_RANKER_BITS,
    ORIGIN_FEATURES_MAX = 48
};

/* What holds of one viewer and one video: slots, each with the weight 1. */
struct origin_features {
    uint32_t slots[ORIGIN_FEATURES_MAX]; /* below ORIGIN_RANKER_SLOTS */
    size_t n;
};

struct origin_ranker;

/* Knows nothing yet: every chance is one half. */
struct origin_ranker *origin_ranker_new(void);
void origin_ranker_free(struct origin_ranker *ranker);

/* A copy, for others to ask while this one goes on learning. */
struct origin_ranker *origin_ranker_copy(const struct origin_ranker *ranker);

/* 0 to 1. */
double origin_ranker_chance(const struct origin_ranker *ranker,
                            const struct origin_features *features);

/* It was so, or not. */
void origin_ranker_learn(struct origin_ranker *ranker, const struct origin_features *features,
                         bool was_watched);

/* Lessons so far. */
uint64_t origin_ranker_lessons(const struct origin_ranker *ranker);

/* Appends what it knows: version, lessons, then each slot that was ever touched, little-endian. */
void origin_ranker_encode(const struct origin_ranker *ranker, struct fb_buf *buf);

/* FB_E_MALFORMED for what encode() of this version did not write. */
FB_MUST_CHECK int origin_ranker_decode(struct fb_str bytes, struct origin_ranker **ret_ranker);
