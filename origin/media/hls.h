/*
 * HLS playlists (RFC 8216) for a presentation of CMAF segments.
 *
 *     master.m3u8 ─┬► v/<rung>p/index.m3u8     one for each rendition of each codec
 *                  ├► v/<rung>p/iframes.m3u8   its first key pictures, by byte ranges
 *                  ├► a/<index>/index.m3u8     the group "audio"
 *                  └► t/<index>/index.m3u8     the group "text"
 *
 * Threads    Pure functions that append to a buffer.
 */
#pragma once

#include "base/core/buf.h"
#include "origin/media/presentation.h"

/* master.m3u8: every rendition with the measured rate of itself and the heaviest
 * tracks of sound and text. Key pictures are named where `has_trick_play` is set and
 * the places of all are known. */
void origin_hls_master(struct fb_buf *buf, const struct origin_presentation *presentation,
                       bool has_trick_play);

/* index.m3u8 of one track, beside its segments. */
void origin_hls_media(struct fb_buf *buf, const struct origin_presentation *presentation,
                      const struct origin_track *track);

/* True if the place of each segment's first key picture is known. */
bool origin_hls_has_iframes(const struct origin_track *video);

/* iframes.m3u8 of such a track (RFC 8216 section 4.3.3.6). */
void origin_hls_iframes(struct fb_buf *buf, const struct origin_presentation *presentation,
                        const struct origin_track *video);
