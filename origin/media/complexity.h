/*
 * Complexity: how many bits the pictures of a video want, found out by encoding a
 * few seconds of it, and the ladder that suits them.
 *
 * Two seconds at each of three places are encoded at the request's quality, without
 * a bound, in two sizes: the top rung's and a small one. The two rates give a curve
 *
 *     need(pixels) = need(top) × (pixels / top's pixels) ^ e      0.3 ≤ e ≤ 1.1
 *
 * from which every rung's need is read. Then, from the top down,
 *
 *     - a rung stays if it needs two thirds or less of what the one above it needs:
 *       a lecture's slides look the same at twice the rate, and the step between is
 *       of no use to anybody. The first and the last always stay;
 *     - its greatest rate is one and a half times its need, between two fifths and
 *       one and a half times of what the fixed ladder gives it: simple pictures are
 *       offered to slower lines than the fixed ladder says, and confetti is not
 *       starved.
 *
 * Threads    origin_complexity_fit() is a pure function.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ladder.h"

#include <stdint.h>

struct fb_diag;
struct origin_source;

struct origin_complexity {
    double top_rate; /* bit/s at the top rung's size; 0: unknown */
    double exponent;
};

struct origin_complexity_options {
    const struct origin_rung *rungs; /* largest first */
    unsigned n_rungs;
    unsigned crf;
    const char *preset;
    unsigned n_threads;
};

/* Moves the source's reading position: open it for this alone. A source that gives no
 * pictures is of unknown complexity. FB_E_CANCELED, or what a codec gave. */
FB_MUST_CHECK int origin_complexity_measure(struct origin_source *source,
                                            const struct origin_complexity_options *options,
                                            struct origin_complexity *ret_complexity,
                                            struct fb_diag *diag);

/* Changes `rungs` as said above; returns how many there are now. Those of unknown
 * complexity stay as they are. */
unsigned origin_complexity_fit(const struct origin_complexity *complexity,
                               struct origin_rung *rungs, unsigned n_rungs);
