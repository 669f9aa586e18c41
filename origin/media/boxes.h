/*
 * Boxes of MP4 (ISO/IEC 14496-12, 4.2): walked in memory, and written with sizes that are filled
 * in at the end.
 *
 * Ownership  Views.
 * Threads    Pure functions, any thread.
 * Limits     What is written is below 4 GiB; what is read may have a 64-bit size.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct origin_box {
    char type[4];
    struct fb_str whole;
    struct fb_str body; /* without size and type */
};

/* A four-character code. */
static inline bool origin_box_is(const struct origin_box *box, const char *type)
{
    return memcmp(box->type, type, sizeof(box->type)) == 0;
}

/* Takes the next box off `*rest`, which is not empty. FB_E_MALFORMED if it is not whole. */
FB_MUST_CHECK int origin_box_next(struct fb_str *rest, struct origin_box *ret_box);

/* Big-endian numbers in `bytes`; 0 beyond its end, which callers have ruled out. */
uint32_t origin_box_u32(struct fb_str bytes, size_t at);
void origin_box_put_u16(struct fb_buf *buf, uint16_t value);
void origin_box_put_u32(struct fb_buf *buf, uint32_t value);

/* Writes over four bytes that are there. */
void origin_box_set_u32(struct fb_buf *buf, size_t at, uint32_t value);

/* begin … end: what is appended between stands in the box. `type` has four characters. */
size_t origin_box_begin(struct fb_buf *buf, const char *type);
size_t origin_box_begin_full(struct fb_buf *buf, const char *type, uint8_t version, uint32_t flags);
void origin_box_end(struct fb_buf *buf, size_t begin);
