/*
 * Variable-length numbers: seven bits a byte, lowest first, the high bit says that more follow
 * (LEB128). Each number has one form: a last byte of zero is refused unless it is the only one.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

#include <stdint.h>

enum { FB_VARINT_MAX = 10 }; /* bytes of the longest */

void fb_varint_append(struct fb_buf *buf, uint64_t number);

/* Takes a number from the front of `*bytes`, and nothing on failure: FB_E_MALFORMED. */
FB_MUST_CHECK int fb_varint_take(struct fb_str *bytes, uint64_t *ret_number);

/* Small numbers of either sign as small numbers without one: 0, -1, 1, -2, … */
static inline uint64_t fb_varint_fold(int64_t number)
{
    return ((uint64_t)number << 1) ^ (number < 0 ? UINT64_MAX : 0);
}

static inline int64_t fb_varint_unfold(uint64_t number)
{
    return (int64_t)((number >> 1) ^ ((number & 1) != 0 ? UINT64_MAX : 0));
}
