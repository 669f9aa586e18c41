/*
 * HLS playlists (RFC 8216) for a presentation of CMAF segments.
 *
 * Threads    Pure functions that append to a buffer.
 */
#pragma once

#include "base/core/buf.h"
#include "origin/media/presentation.h"

/* master.m3u8: every rendition with the measured rate of itself and the
 * heaviest audio track; audio tracks as one group. */
void origin_hls_master(struct fb_buf *buf, const struct origin_presentation *presentation);

/* index.m3u8 of one track, beside its init.mp4 and seg-NNNNN.m4s. */
void origin_hls_media(struct fb_buf *buf, const struct origin_track *track);
