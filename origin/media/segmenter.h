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
 * A track may be made in pieces, each by a segmenter of its own that begins where a
 * segment does. The muxer sees times from 0 in each, so that init.mp4 is the same;
 * the fragments then get the numbers and times of the whole track. With a key both
 * are encrypted on their way to the output (cenc.h).
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
struct origin_content_key;
struct origin_output;
struct origin_segmenter;

struct origin_segmenter_options {
    struct origin_output *output;
    struct origin_track *track;    /* its path and language are set; its timescale, head and
                                      segments are filled as they come to be */
    const AVCodecContext *encoder; /* open; needed for the call alone */
    unsigned segment_ms;
    uint32_t first_segment;               /* number of the first to come, from 1 */
    int64_t first_pts;                    /* its time, in the encoder's time base */
    const struct origin_content_key *key; /* NULL or of no scheme: in the clear */
    unsigned cenc_track;                  /* ORIGIN_CENC_TRACK_… + place; for `key` */
};

FB_MUST_CHECK int origin_segmenter_new(const struct origin_segmenter_options *options,
                                       struct origin_segmenter **ret_segmenter,
                                       struct fb_diag *diag);
void origin_segmenter_free(struct origin_segmenter *segmenter);

/* Takes the contents of `packet`, timed in the encoder's time base. */
FB_MUST_CHECK int origin_segmenter_write(struct origin_segmenter *segmenter, AVPacket *packet,
                                         struct fb_diag *diag);

/* Writes what is held. */
FB_MUST_CHECK int origin_segmenter_finish(struct origin_segmenter *segmenter, struct fb_diag *diag);
