#include "base/core/text.h"

#include "base/core/err.h"

#include <string.h>

struct fb_str fb_text_number_at(char text[FB_TEXT_NUMBER_MAX], int64_t number)
{
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    size_t at = FB_TEXT_NUMBER_MAX;

    do {
        text[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) {
        text[--at] = '-';
    }
    return (struct fb_str){text + at, FB_TEXT_NUMBER_MAX - at};
}

void fb_text_number(struct fb_buf *buf, int64_t number)
{
    char text[FB_TEXT_NUMBER_MAX];

    fb_buf_append(buf, fb_text_number_at(text, number));
}

static const char hex_digits[] = "0123456789abcdef";

void fb_text_hex(struct fb_buf *buf, struct fb_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];
        fb_buf_append_byte(buf, hex_digits[byte >> 4]);
        fb_buf_append_byte(buf, hex_digits[byte & 15]);
    }
}

int fb_text_hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int fb_text_unhex(struct fb_str hex, void *bytes, size_t size)
{
    unsigned char *out = bytes;

    if (hex.len != size * 2) {
        return FB_E_MALFORMED;
    }
    for (size_t i = 0; i < hex.len; i++) {
        if (fb_text_hex_digit(hex.ptr[i]) < 0) {
            return FB_E_MALFORMED;
        }
    }
    for (size_t i = 0; i < size; i++) {
        out[i] = (unsigned char)(fb_text_hex_digit(hex.ptr[2 * i]) << 4 |
                                 fb_text_hex_digit(hex.ptr[2 * i + 1]));
    }
    return FB_OK;
}

static bool is_unreserved(char c)
{
    char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

void fb_text_percent_encode(struct fb_buf *buf, struct fb_str str, const char *keep)
{
    for (size_t i = 0; i < str.len; i++) {
        char c = str.ptr[i];
        if (is_unreserved(c) || (c != '\0' && strchr(keep, c) != NULL)) {
            fb_buf_append_byte(buf, c);
        } else {
            fb_buf_printf(buf, "%%%02X", (unsigned)(unsigned char)c);
        }
    }
}

int fb_text_percent_decode(struct fb_buf *buf, struct fb_str str)
{
    size_t before = buf->len;

    for (size_t i = 0; i < str.len; i++) {
        char byte = str.ptr[i];
        if (byte == '%') {
            if (str.len - i < 3 ||
                fb_text_unhex((struct fb_str){str.ptr + i + 1, 2}, &byte, 1) < 0) {
                fb_buf_truncate(buf, before);
                return FB_E_MALFORMED;
            }
            i += 2;
        }
        fb_buf_append_byte(buf, byte);
    }
    return FB_OK;
}

/* The length of the well-formed UTF-8 sequence at the start, or 0 (RFC 3629,
 * section 4: no overlong forms, no surrogates, nothing above U+10FFFF). */
static size_t utf8_sequence(struct fb_str str)
{
    const unsigned char *s = (const unsigned char *)str.ptr;
    if (s[0] < 0x80) {
        return 1;
    }
    size_t n = s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : s[0] >= 0xe0 && s[0] <= 0xef ? 3 : 4;
    if (s[0] < 0xc2 || s[0] > 0xf4 || str.len < n) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool is_bad = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
                  (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f);
    return is_bad ? 0 : n;
}

bool fb_text_is_utf8(struct fb_str str)
{
    while (str.len > 0) {
        size_t n = utf8_sequence(str);
        if (n == 0) {
            return false;
        }
        str = fb_str_skip(str, n);
    }
    return true;
}

static void json_escape(struct fb_buf *buf, char c)
{
    static const char short_from[] = "\"\\\b\f\n\r\t";
    static const char short_to[] = "\"\\bfnrt";
    const char *at = memchr(short_from, c, sizeof(short_from) - 1);

    if (at != NULL) {
        fb_buf_append_byte(buf, '\\');
        fb_buf_append_byte(buf, short_to[at - short_from]);
    } else if ((unsigned char)c < 0x20) {
        fb_buf_printf(buf, "\\u%04x", (unsigned)c);
    } else {
        fb_buf_append_byte(buf, c);
    }
}

void fb_text_json_string(struct fb_buf *buf, struct fb_str str)
{
    fb_buf_append_byte(buf, '"');
    while (str.len > 0) {
        size_t n = utf8_sequence(str);
        if (n == 1) {
            json_escape(buf, str.ptr[0]);
        } else if (n > 1) {
            fb_buf_append(buf, fb_str_first(str, n));
        } else {
            fb_buf_append(buf, FB_STR("\xef\xbf\xbd"));
            n = 1;
        }
        str = fb_str_skip(str, n);
    }
    fb_buf_append_byte(buf, '"');
}
