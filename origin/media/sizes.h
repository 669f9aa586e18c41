/*
 * Sizes: one picture in the sizes of all renditions, each made once and cheaply.
 *
 *     1920×1080 ──► 1280×720 ─┬─► 854×480
 *                              └─► 640×360 ──► 426×240 ──► 256×144
 *
 * A scaler costs by what it reads. So a size is made from the smallest one that is at least
 * 1.4 times as wide and as high, and from the whole picture where there is none. What comes
 * out differs from what scaling at once gives by less than an encoder takes away: both stand
 * 50 dB and more from a sharper scaler's. Smaller steps would soften. Renditions of one size,
 * in several codecs, share it.
 *
 * Ownership  new → free. Pictures made are borrowed until the next are made; whoever wants
 *            one for longer references it.
 * Threads    One at a time; scales on the calling thread, while the picture is in its cache.
 * Limits     ORIGIN_SIZES_MAX sizes.
 * Failures   What FFmpeg says of a picture that cannot be scaled, with a sentence.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"

#include <stddef.h>

struct fb_diag;
struct origin_sizes;

enum { ORIGIN_SIZES_MAX = 16, ORIGIN_SIZES_WHOLE = ORIGIN_SIZES_MAX };

struct origin_size {
    unsigned width;
    unsigned height;
};

/* Which of `sizes` the one at `index` is made from: a larger one, or the first of its own size
 * if that is another; ORIGIN_SIZES_WHOLE: the picture itself. */
size_t origin_sizes_parent(const struct origin_size *sizes, size_t n, size_t index);

struct origin_sizes *origin_sizes_new(const struct origin_size *sizes, size_t n);
void origin_sizes_free(struct origin_sizes *sizes); /* accepts NULL */

/* Makes `whole` in all sizes. It is borrowed until the next is made: a size may refer to it. */
FB_MUST_CHECK int origin_sizes_make(struct origin_sizes *sizes, AVFrame *whole,
                                    struct fb_diag *diag);

/* The last picture in the size at `index`. */
const AVFrame *origin_sizes_get(const struct origin_sizes *sizes, size_t index);
