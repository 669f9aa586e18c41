/*
 * The DASH manifest (ISO/IEC 23009-1, live profile, static) for a presentation
 * of CMAF segments.
 *
 * Threads    A pure function that appends to a buffer.
 */
#pragma once

#include "base/core/buf.h"
#include "origin/media/presentation.h"

/* manifest.mpd: one adaptation set for video, one for each audio track. */
void origin_dash_manifest(struct fb_buf *buf, const struct origin_presentation *presentation);
