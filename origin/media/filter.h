/*
 * Filters: one stream of frames through a chain of FFmpeg's, such as
 * "scale=640:360,setsar=1".
 *
 *     push(frame) ──► pull, pull … until FB_E_LATER ──► push(NULL) ──► pull … until FB_E_END
 *
 * A filter is made for frames of one kind; ask origin_filter_fits() before each
 * push, and end the filter and make another when the answer is no.
 *
 * Ownership  new → free. Frames pushed are referenced, not taken.
 * Threads    One at a time; filters run threads of their own.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"

#include <stdbool.h>

struct fb_diag;
struct origin_filter;

struct origin_filter_options {
    const AVFrame *like;  /* the kind of frames to come */
    AVRational time_base; /* of their pts */
    const char *chain;
    unsigned n_threads;
    unsigned frame_size; /* audio: samples in each frame out; 0: any */
};

FB_MUST_CHECK int origin_filter_new(const struct origin_filter_options *options,
                                    struct origin_filter **ret_filter, struct fb_diag *diag);
void origin_filter_free(struct origin_filter *filter);

bool origin_filter_fits(const struct origin_filter *filter, const AVFrame *frame);

/* NULL ends the stream. */
FB_MUST_CHECK int origin_filter_push(struct origin_filter *filter, AVFrame *frame);

/* Into an empty `frame`; FB_E_LATER wants another push, FB_E_END says that
 * all was given. */
FB_MUST_CHECK int origin_filter_pull(struct origin_filter *filter, AVFrame *frame);

/* Of the pts of frames pulled. */
AVRational origin_filter_time_base(const struct origin_filter *filter);
