/*
 * The DASH manifest (ISO/IEC 23009-1, live profile, static) for a presentation
 * of CMAF segments.
 *
 * One adaptation set for the picture in each codec, one for each track of sound and of
 * text (whole files), and one of images for the storyboard (DASH-IF IOP 6.2.6).
 *
 * Threads    A pure function that appends to a buffer.
 */
#pragma once

#include "base/core/buf.h"
#include "origin/media/presentation.h"

void origin_dash_manifest(struct fb_buf *buf, const struct origin_presentation *presentation);
