/*
 * The segmenter: packets of one track become init.mp4 and seg-NNNNN.m4s.
 *
 *     new ──► write … ──► finish
 *               └─ a segment is written whole when the next one begins, the first
 *                  one behind init.mp4
 *
 * A segment begins at the first key packet at or after each multiple of
 * segment_ms. What is left at the end is its own segment only if it lasts half
 * a second; less is kept with the segment before. Each segment is one CMAF
 * fragment behind a styp box. Every track is shown from 0: where pictures are
 * reordered, an edit list in init.mp4 takes their delay back, which browsers and
 * FFmpeg both follow (negative composition offsets FFmpeg reads as late).
 *
 * Ownership  new → free. The track and the output are borrowed until freed.
 * Threads    One at a time.
 * Limits     Holds one segment and half a second.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"
#include "origin/media/presentation.h"

struct fb_diag;
struct origin_output;
struct origin_segmenter;

/* `track` has its path and language set; its timescale and segments are filled
 * as they come to be. `encoder` is open. */
FB_MUST_CHECK int origin_segmenter_new(struct origin_output *output, struct origin_track *track,
                                       const AVCodecContext *encoder, unsigned segment_ms,
                                       struct origin_segmenter **ret_segmenter,
                                       struct fb_diag *diag);
void origin_segmenter_free(struct origin_segmenter *segmenter);

/* Takes the contents of `packet`, timed in the encoder's time base. */
FB_MUST_CHECK int origin_segmenter_write(struct origin_segmenter *segmenter, AVPacket *packet,
                                         struct fb_diag *diag);

/* Writes what is held. */
FB_MUST_CHECK int origin_segmenter_finish(struct origin_segmenter *segmenter, struct fb_diag *diag);
