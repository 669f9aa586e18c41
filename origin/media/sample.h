/*
 * Samples: a few pictures from places spread over a source.
 *
 * Threads    Blocking; one source at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"

#include <stdbool.h>

struct fb_diag;
struct origin_source;

struct origin_sample {
    unsigned max_spots;  /* one where the source is short or does not tell its length */
    unsigned max_frames; /* at each of them */
    unsigned n_threads;  /* of the decoder */
    bool is_rough;       /* pictures need not be exact: what smooths their blocks is left out */
    void *ctx;
    /* Each picture, in the order of showing; it may be changed. FB_E_END: no more of this
     * spot. */
    int (*take)(void *ctx, AVFrame *frame, struct fb_diag *diag);
    /* After the last picture of a spot. */
    int (*end_spot)(void *ctx, struct fb_diag *diag);
};

/* Each spot begins at a key picture. Moves the source's reading position: open it
 * for this alone. What cannot be read is passed over. FB_E_CANCELED, or what a
 * callback gave. */
FB_MUST_CHECK int origin_sample(struct origin_source *source, const struct origin_sample *sample,
                                struct fb_diag *diag);
