#include "origin/media/boxes.h"

#include "base/core/err.h"

enum { HEAD = 8, HEAD_LARGE = 16, TYPE_AT = 4, SIZE_LARGE = 1, SIZE_TO_END = 0 };

int origin_box_next(struct fb_str *rest, struct origin_box *ret_box)
{
    size_t head = HEAD;

    if (rest->len < HEAD) {
        return FB_E_MALFORMED;
    }
    uint64_t size = origin_box_u32(*rest, 0);
    if (size == SIZE_LARGE) {
        if (rest->len < HEAD_LARGE) {
            return FB_E_MALFORMED;
        }
        head = HEAD_LARGE;
        size = (uint64_t)origin_box_u32(*rest, HEAD) << 32 | origin_box_u32(*rest, HEAD + 4);
    } else if (size == SIZE_TO_END) {
        size = rest->len;
    }
    if (size < head || size > rest->len) {
        return FB_E_MALFORMED;
    }
    memcpy(ret_box->type, rest->ptr + TYPE_AT, sizeof(ret_box->type));
    ret_box->whole = fb_str_first(*rest, (size_t)size);
    ret_box->body = fb_str_skip(ret_box->whole, head);
    *rest = fb_str_skip(*rest, (size_t)size);
    return FB_OK;
}

uint32_t origin_box_u32(struct fb_str bytes, size_t at)
{
    uint32_t value = 0;

    for (size_t i = at; i < at + 4; i++) {
        value = value << 8 | (i < bytes.len ? (uint8_t)bytes.ptr[i] : 0);
    }
    return value;
}

void origin_box_put_u16(struct fb_buf *buf, uint16_t value)
{
    fb_buf_append(buf, (struct fb_str){(const char[]){(char)(value >> 8), (char)value}, 2});
}

void origin_box_put_u32(struct fb_buf *buf, uint32_t value)
{
    origin_box_put_u16(buf, (uint16_t)(value >> 16));
    origin_box_put_u16(buf, (uint16_t)value);
}

void origin_box_set_u32(struct fb_buf *buf, size_t at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        buf->ptr[at + i] = (char)(value >> (24 - 8 * i));
    }
}

size_t origin_box_begin(struct fb_buf *buf, const char *type)
{
    size_t begin = buf->len;

    origin_box_put_u32(buf, 0);
    fb_buf_append(buf, (struct fb_str){type, 4});
    return begin;
}

size_t origin_box_begin_full(struct fb_buf *buf, const char *type, uint8_t version, uint32_t flags)
{
    size_t begin = origin_box_begin(buf, type);

    origin_box_put_u32(buf, (uint32_t)version << 24 | flags);
    return begin;
}

void origin_box_end(struct fb_buf *buf, size_t begin)
{
    origin_box_set_u32(buf, begin, (uint32_t)(buf->len - begin));
}
