/*
 * Fragments as our muxer writes them, mended and read: styp, one moof, one mdat.
 *
 * The muxer of a source chunk believes that its first packet is the track's; here a
 * fragment gets its true number and time, as if it had been made in one run.
 *
 * Threads    Pure functions.
 * Failures   FB_E_MALFORMED if the bytes are not such a fragment; they are then as
 *            they were.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

#include <stdint.h>

/* Sets the sequence number and adds `ticks` to the base decode time. */
FB_MUST_CHECK int origin_fragment_place(struct fb_buf *fragment, uint32_t number, uint64_t ticks);

/* Where the first sample ends, counted from the fragment's beginning. */
FB_MUST_CHECK int origin_fragment_first_end(struct fb_str fragment, uint64_t *ret_end);
