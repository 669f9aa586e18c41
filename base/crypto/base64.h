/*
 * Base64 (RFC 4648 sections 4 and 5).
 *
 * Decoding is strict: one alphabet, the padding that the form asks for, no
 * white space, and no stray bits in the last letter, so that one value has one
 * spelling.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

enum fb_base64 {
    FB_BASE64_STD,       /* "+/", padded */
    FB_BASE64_URL,       /* "-_", without padding, as in JWT */
    FB_BASE64_URL_PADDED /* "-_", padded */
};

void fb_base64_encode(struct fb_buf *buf, enum fb_base64 form, struct fb_str bytes);

/* Appends the bytes; FB_E_MALFORMED with `buf` as it was. */
FB_MUST_CHECK int fb_base64_decode(struct fb_buf *buf, enum fb_base64 form, struct fb_str text);
