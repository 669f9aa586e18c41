/*
 * Subtitles: text tracks as WebVTT, in segments for HLS and whole for DASH.
 *
 *     embedded   packets ─► decoder ─► cues ─┐
 *     uploaded   SRT or WebVTT file ─► cues ─┴─► t/<index>/seg-NNNNN.vtt, whole.vtt
 *
 * Segments are aligned to the video's: one for each segment_ms, empty or not. A
 * source's text tracks that are pictures (DVD, Blu-ray, broadcast) are not read.
 *
 * Ownership  new → free; the caller owns tracks (origin_track_done()).
 * Threads    One at a time.
 * Limits     ORIGIN_MEDIA_MAX_TEXT tracks; those of cues.h for each.
 * Failures   An embedded track that cannot be read gives no track: it is no
 *            reason to refuse a video. Files: errno, with a sentence.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/cues/cues.h"
#include "origin/media/ffmpeg.h"
#include "origin/media/presentation.h"

#include <stdbool.h>

struct fb_diag;
struct origin_output;
struct origin_subtitles;

/* ---- embedded ---------------------------------------------------------- */

/* True for a stream of text that origin_subtitles_new() reads. */
bool origin_subtitles_is_readable(const AVStream *stream);

FB_MUST_CHECK int origin_subtitles_new(const AVStream *stream,
                                       struct origin_subtitles **ret_subtitles,
                                       struct fb_diag *diag);
void origin_subtitles_free(struct origin_subtitles *subtitles);

/* Times of `packet` are in the stream's time base, counted from the source's zero,
 * as for origin_sound_push(). Damage is passed over. */
void origin_subtitles_push(struct origin_subtitles *subtitles, const AVPacket *packet);

/* What was read, in order; none if there was nothing to show, or more than a list may
 * hold. Borrowed until freed. */
const struct origin_cues *origin_subtitles_cues(struct origin_subtitles *subtitles);

/* Fills name, languages and flags of the track made from a stream of text, not its
 * path. It is never the default: containers flag the first one whether or not anybody
 * asked for it. */
void origin_subtitles_describe(const AVStream *stream, struct origin_track *track);

/* ---- writing ----------------------------------------------------------- */

struct origin_subtitles_options {
    struct origin_output *output;
    unsigned segment_ms;
    uint64_t duration_ms; /* of the video; text beyond it is left out */
};

/* Writes the files of a track whose `path` is set, and fills codecs, timescale, head and
 * segments. */
FB_MUST_CHECK int origin_subtitles_write(const struct origin_subtitles_options *options,
                                         const struct origin_cues *cues, struct origin_track *track,
                                         struct fb_diag *diag);
