/*
 * Compression: Zstandard (RFC 8878), whole buffers at once.
 *
 * Nothing outside this folder sees zstd.h.
 *
 * Threads    Any; each call has contexts of its own.
 * Limits     The caller's bound on what comes out, which is checked before memory is taken for it:
 *            a frame that does not state its length, or a greater one, is refused.
 * Failures   FB_E_LIMIT (too long), FB_E_MALFORMED (no whole frame), -ENOMEM.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

/* Appends one frame with its length and a checksum. */
FB_MUST_CHECK int fb_compress(struct fb_str bytes, struct fb_buf *to);

/* Appends what the frame holds that is all of `frame`: at most `max` bytes. */
FB_MUST_CHECK int fb_decompress(struct fb_str frame, size_t max, struct fb_buf *to);
