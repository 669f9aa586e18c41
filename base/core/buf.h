/*
 * Buffers: owned bytes that grow at the end and are consumed from the front.
 *
 * The contents stand at buf.ptr[0 .. buf.len); a NUL follows them whenever ptr
 * is not NULL, as a courtesy to printf. Growth aborts when memory is out, so
 * whoever fills a buffer from a peer checks its own limit first.
 *
 * Ownership  The struct's holder owns the bytes: init (or zero) → done.
 * Threads    One at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stddef.h>
#include <string.h>

struct fb_buf {
    char *ptr; /* owned, or NULL while nothing was ever stored */
    size_t len;

    /* Private to buf.c. */
    size_t cap; /* bytes usable at ptr, the NUL not counted */
    size_t gap; /* bytes already consumed before ptr */
};

/* Frees the bytes and leaves the struct zero; safe on zero. */
void fb_buf_done(struct fb_buf *buf);

/* Empties, keeping the memory. */
void fb_buf_clear(struct fb_buf *buf);

/* Room for `n` more bytes at the end; returns where they go. They count only
 * after fb_buf_add(). */
char *fb_buf_reserve(struct fb_buf *buf, size_t n);
void fb_buf_add(struct fb_buf *buf, size_t n);

/* What fb_buf_append() does where there is no room. */
void fb_buf_append_grown(struct fb_buf *buf, struct fb_str bytes);

static inline void fb_buf_append(struct fb_buf *buf, struct fb_str bytes)
{
    if (buf->ptr == NULL || buf->cap - buf->len < bytes.len) {
        fb_buf_append_grown(buf, bytes);
    } else if (bytes.len > 0) {
        memcpy(buf->ptr + buf->len, bytes.ptr, bytes.len);
        buf->len += bytes.len;
        buf->ptr[buf->len] = '\0';
    }
}

void fb_buf_append_byte(struct fb_buf *buf, char byte);
void fb_buf_printf(struct fb_buf *buf, const char *fmt, ...) FB_PRINTF(2, 3);

/* Drops the first `n` bytes; n ≤ len. Amortised constant time. */
void fb_buf_consume(struct fb_buf *buf, size_t n);

/* Drops all but the first `len` bytes, which are there. */
void fb_buf_truncate(struct fb_buf *buf, size_t len);

/* The contents, borrowed until the buffer changes. */
struct fb_str fb_buf_str(const struct fb_buf *buf);

/* Moves the contents out; `buf` is left zero. */
struct fb_buf fb_buf_take(struct fb_buf *buf);
