#include "base/crypto/base64.h"

#include "base/core/err.h"

#include <stdint.h>
#include <string.h>

static const char std_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static const char *base64_letters(enum fb_base64 form)
{
    return form == FB_BASE64_STD ? std_letters : url_letters;
}

static bool base64_is_padded(enum fb_base64 form)
{
    return form != FB_BASE64_URL;
}

void fb_base64_encode(struct fb_buf *buf, enum fb_base64 form, struct fb_str bytes)
{
    const char *letters = base64_letters(form);
    char *out = fb_buf_reserve(buf, (bytes.len + 2) / 3 * 4);
    size_t n = 0;

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n_in = FB_MIN(bytes.len - i, (size_t)3);
        uint32_t group = 0;
        for (size_t k = 0; k < 3; k++) {
            group = group << 8 | (k < n_in ? (uint8_t)bytes.ptr[i + k] : 0U);
        }
        for (size_t k = 0; k < 4; k++) {
            if (k <= n_in) {
                out[n++] = letters[group >> (18 - 6 * k) & 63];
            } else if (base64_is_padded(form)) {
                out[n++] = '=';
            }
        }
    }
    fb_buf_add(buf, n);
}

static int base64_value(char c, enum fb_base64 form)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    const char *letters = base64_letters(form);
    return c == letters[62] ? 62 : c == letters[63] ? 63 : -1;
}

/* Takes the padding off, which must be what the length asks for. */
static bool base64_strip(struct fb_str *text, enum fb_base64 form)
{
    if (!base64_is_padded(form)) {
        return text->len % 4 != 1;
    }
    if (text->len % 4 != 0) {
        return false;
    }
    for (int i = 0; i < 2 && text->len > 0 && text->ptr[text->len - 1] == '='; i++) {
        text->len--;
    }
    return true;
}

int fb_base64_decode(struct fb_buf *buf, enum fb_base64 form, struct fb_str text)
{
    size_t before = buf->len;
    uint32_t bits = 0;
    unsigned n_bits = 0;

    if (!base64_strip(&text, form)) {
        return FB_E_MALFORMED;
    }
    (void)fb_buf_reserve(buf, text.len / 4 * 3 + 3);
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.ptr[i], form);
        if (value < 0) {
            fb_buf_truncate(buf, before);
            return FB_E_MALFORMED;
        }
        bits = (bits << 6 | (uint32_t)value) & 0xffffU;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            fb_buf_append_byte(buf, (char)(uint8_t)(bits >> n_bits & 0xffU));
        }
    }
    if (n_bits >= 6 || (bits & ((1U << n_bits) - 1)) != 0) {
        fb_buf_truncate(buf, before);
        return FB_E_MALFORMED; /* a second spelling of the same bytes */
    }
    return FB_OK;
}
