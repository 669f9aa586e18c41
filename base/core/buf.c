#include "base/core/buf.h"

#include "base/core/alloc.h"
#include "base/core/check.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { BUF_FIRST_CAP = 128 };

void fb_buf_done(struct fb_buf *buf)
{
    if (buf->ptr != NULL) {
        fb_free(buf->ptr - buf->gap);
    }
    *buf = (struct fb_buf){0};
}

void fb_buf_clear(struct fb_buf *buf)
{
    if (buf->ptr == NULL) {
        return;
    }
    buf->ptr -= buf->gap;
    buf->cap += buf->gap;
    buf->gap = 0;
    buf->len = 0;
    buf->ptr[0] = '\0';
}

char *fb_buf_reserve(struct fb_buf *buf, size_t n)
{
    if (buf->ptr != NULL && buf->cap - buf->len >= n) {
        return buf->ptr + buf->len;
    }
    if (buf->ptr != NULL && buf->gap > 0) {
        memmove(buf->ptr - buf->gap, buf->ptr, buf->len);
        buf->ptr -= buf->gap;
        buf->cap += buf->gap;
        buf->gap = 0;
    }
    if (buf->ptr == NULL || buf->cap - buf->len < n) {
        FB_REQUIRE(n < SIZE_MAX / 4 && buf->len < SIZE_MAX / 4);
        size_t cap = FB_MAX(buf->cap * 2, (size_t)BUF_FIRST_CAP);
        cap = FB_MAX(cap, buf->len + n);
        buf->ptr = fb_realloc(buf->ptr, cap + 1);
        buf->cap = cap;
    }
    buf->ptr[buf->len] = '\0';
    return buf->ptr + buf->len;
}

void fb_buf_add(struct fb_buf *buf, size_t n)
{
    FB_REQUIRE(n <= buf->cap - buf->len);
    buf->len += n;
    if (buf->ptr != NULL) {
        buf->ptr[buf->len] = '\0';
    }
}

void fb_buf_append_grown(struct fb_buf *buf, struct fb_str bytes)
{
    if (bytes.len == 0) {
        return;
    }
    memcpy(fb_buf_reserve(buf, bytes.len), bytes.ptr, bytes.len);
    fb_buf_add(buf, bytes.len);
}

void fb_buf_append_byte(struct fb_buf *buf, char byte)
{
    fb_buf_append(buf, (struct fb_str){&byte, 1});
}

void fb_buf_printf(struct fb_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_list again;

    va_start(args, fmt);
    va_copy(again, args);
    char *end = fb_buf_reserve(buf, 64);
    size_t room = buf->cap - buf->len + 1;
    int n = vsnprintf(end, room, fmt, args);
    va_end(args);
    FB_REQUIRE(n >= 0);
    if ((size_t)n >= room) {
        end = fb_buf_reserve(buf, (size_t)n);
        (void)vsnprintf(end, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    fb_buf_add(buf, (size_t)n);
}

void fb_buf_consume(struct fb_buf *buf, size_t n)
{
    FB_REQUIRE(n <= buf->len);
    if (n == 0) {
        return;
    }
    if (n == buf->len) {
        fb_buf_clear(buf);
        return;
    }
    buf->ptr += n;
    buf->gap += n;
    buf->cap -= n;
    buf->len -= n;
}

void fb_buf_truncate(struct fb_buf *buf, size_t len)
{
    FB_REQUIRE(len <= buf->len);
    buf->len = len;
    if (buf->ptr != NULL) {
        buf->ptr[len] = '\0';
    }
}

struct fb_str fb_buf_str(const struct fb_buf *buf)
{
    return (struct fb_str){buf->ptr, buf->len};
}

struct fb_buf fb_buf_take(struct fb_buf *buf)
{
    struct fb_buf taken = *buf;
    *buf = (struct fb_buf){0};
    return taken;
}
