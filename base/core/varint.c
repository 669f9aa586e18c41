#include "base/core/varint.h"

#include "base/core/err.h"

void fb_varint_append(struct fb_buf *buf, uint64_t number)
{
    char bytes[FB_VARINT_MAX];
    size_t len = 0;

    while (number >= 0x80) {
        bytes[len++] = (char)(unsigned char)(0x80 | (number & 0x7f));
        number >>= 7;
    }
    bytes[len++] = (char)number;
    fb_buf_append(buf, (struct fb_str){bytes, len});
}

int fb_varint_take(struct fb_str *bytes, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (size_t i = 0; i < bytes->len && i < FB_VARINT_MAX; i++) {
        unsigned char byte = (unsigned char)bytes->ptr[i];

        /* the tenth byte holds the 64th bit alone */
        if ((i > 0 && byte == 0) || (i == FB_VARINT_MAX - 1 && byte > 1)) {
            return FB_E_MALFORMED;
        }
        number |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *bytes = fb_str_skip(*bytes, i + 1);
            *ret_number = number;
            return FB_OK;
        }
    }
    return FB_E_MALFORMED;
}
