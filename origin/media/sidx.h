/*
 * The index of a track that is read as one file: a `sidx` box (ISO/IEC 14496-12, 8.16.3), which
 * tells how long each segment is, in bytes and in time. As delivery joins them:
 *
 *     init.mp4 │ index.sidx │ seg-00001.m4s │ seg-00002.m4s │ …
 *
 * Every segment begins with a key picture, and the track is shown from 0. The box counts to 65535:
 * a longer track has several segments to each reference.
 *
 * Threads    Pure functions.
 * Failures   FB_E_LIMIT for segments of 2 GiB, which the box cannot tell of.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "origin/media/presentation.h"

#include <stddef.h>

/* Bytes of the box. */
size_t origin_sidx_size(const struct origin_track *track);

/* Appends it. */
FB_MUST_CHECK int origin_sidx_write(struct fb_buf *buf, const struct origin_track *track);
