/*
 * The DASH manifests (ISO/IEC 23009-1, static) for a presentation of CMAF segments: of the live
 * profile, which names the segments, and of the on-demand profile, which names one file for
 * each representation (docs/packaging.md) and where its index (sidx.h) lies.
 *
 * One adaptation set for the picture in each codec, one for each track of sound and of
 * text (whole files), and one of images for the storyboard (DASH-IF IOP 6.2.6).
 *
 * Threads    A pure function that appends to a buffer.
 */
#pragma once

#include "base/core/buf.h"
#include "origin/media/presentation.h"

void origin_dash_manifest(struct fb_buf *buf, const struct origin_presentation *presentation,
                          bool is_on_demand);
