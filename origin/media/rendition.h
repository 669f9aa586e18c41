/*
 * One rendition: pictures on the grid, scaled, encoded and cut into segments.
 *
 * Ownership  new → free. Track and output are borrowed until freed.
 * Threads    One at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/codec.h"
#include "origin/media/presentation.h"

struct fb_diag;
struct origin_output;
struct origin_rendition_maker;

/* `settings->like` is a picture as it will be pushed. Fills all of `track`. */
FB_MUST_CHECK int origin_rendition_new(struct origin_output *output,
                                       const struct origin_video_settings *settings,
                                       unsigned segment_ms, struct origin_track *track,
                                       struct origin_rendition_maker **ret_maker,
                                       struct fb_diag *diag);
void origin_rendition_free(struct origin_rendition_maker *maker);

/* The picture at place `index` of the grid, the next one each time: yuv420p, or
 * NULL for the one pushed before. */
FB_MUST_CHECK int origin_rendition_push(struct origin_rendition_maker *maker, AVFrame *frame,
                                        int64_t index, struct fb_diag *diag);

/* Encodes and writes what is held. */
FB_MUST_CHECK int origin_rendition_finish(struct origin_rendition_maker *maker,
                                          struct fb_diag *diag);
