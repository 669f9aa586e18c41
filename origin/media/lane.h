/*
 * A lane: one thread that takes pictures from a short queue, so that the renditions
 * of a source chunk are made side by side.
 *
 *     new ──► push … ──► finish ──► free
 *
 * The queue keeps the order, so what comes out does not depend on threads. When it
 * is full, push waits.
 *
 * Ownership  new → free, which ends the thread at the next picture; what is pushed is
 *            referenced until taken.
 * Threads    All calls from one thread; `take` and `end` run on the lane's own.
 * Limits     ORIGIN_LANE_DEPTH pictures.
 * Failures   The first that `take` or `end` gave, with its sentence, from the next
 *            push or from finish; nothing is taken after it.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"

#include <stdint.h>

struct fb_diag;
struct origin_lane;

enum { ORIGIN_LANE_DEPTH = 4 };

struct origin_lane_work {
    void *ctx;
    /* `frame` may be changed but not kept; NULL: the one before once more. */
    int (*take)(void *ctx, AVFrame *frame, int64_t index, struct fb_diag *diag);
    int (*end)(void *ctx, struct fb_diag *diag);
};

FB_MUST_CHECK int origin_lane_new(const struct origin_lane_work *work,
                                  struct origin_lane **ret_lane, struct fb_diag *diag);
void origin_lane_free(struct origin_lane *lane); /* accepts NULL */

FB_MUST_CHECK int origin_lane_push(struct origin_lane *lane, const AVFrame *frame, int64_t index,
                                   struct fb_diag *diag);

/* Waits until all was taken and `end` has run. Nothing may be pushed after it. */
FB_MUST_CHECK int origin_lane_finish(struct origin_lane *lane, struct fb_diag *diag);
