#include "base/core/str.h"

#include "base/core/alloc.h"
#include "base/core/err.h"

#include <xxhash.h>

#include <errno.h>
#include <string.h>

struct fb_str fb_str_from(const char *text)
{
    return (struct fb_str){text, text == NULL ? 0 : strlen(text)};
}

/* ---- eight bytes at a time ---------------------------------------------- */

#define EVERY(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not 0 if a byte of `word` is 0. */
static uint64_t has_zero(uint64_t word)
{
    return (word - EVERY(1)) & ~word & EVERY(0x80);
}

/* Not 0 if a byte of `word` is below 32, or 127. */
static uint64_t has_control(uint64_t word)
{
    return ((word - EVERY(0x20)) & ~word & EVERY(0x80)) | has_zero(word ^ EVERY(0x7f));
}

static bool is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

size_t fb_str_find_control(struct fb_str str)
{
    size_t at = 0;

    while (at < str.len) {
        uint64_t word = 0;
        size_t n = FB_MIN(str.len - at, sizeof(word));
        if (n == sizeof(word)) {
            memcpy(&word, str.ptr + at, sizeof(word));
            if (has_control(word) == 0) {
                at += sizeof(word);
                continue;
            }
        }
        for (size_t end = at + n; at < end; at++) {
            if (is_control(str.ptr[at])) {
                return at;
            }
        }
    }
    return str.len;
}

/* ---- comparing ----------------------------------------------------------- */

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool fb_str_equal_nocase(struct fb_str a, struct fb_str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

int fb_str_compare(struct fb_str a, struct fb_str b)
{
    size_t shorter = FB_MIN(a.len, b.len);
    int order = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, shorter);
    if (order != 0) {
        return order;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct fb_str fb_str_trim(struct fb_str str)
{
    while (str.len > 0 && is_blank(str.ptr[0])) {
        str = fb_str_skip(str, 1);
    }
    while (str.len > 0 && is_blank(str.ptr[str.len - 1])) {
        str.len--;
    }
    return str;
}

bool fb_str_cut(struct fb_str *rest, char separator, struct fb_str *ret_part)
{
    if (rest->ptr == NULL) {
        return false;
    }
    size_t at = fb_str_find(*rest, separator);
    *ret_part = fb_str_first(*rest, at);
    *rest = at == rest->len ? FB_STR_NONE : fb_str_skip(*rest, at + 1);
    return true;
}

int fb_str_to_u64(struct fb_str str, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (str.len == 0) {
        return FB_E_MALFORMED;
    }
    for (size_t i = 0; i < str.len; i++) {
        if (str.ptr[i] < '0' || str.ptr[i] > '9') {
            return FB_E_MALFORMED;
        }
        if (__builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (uint64_t)(str.ptr[i] - '0'), &value)) {
            return -ERANGE;
        }
    }
    *ret_value = value;
    return FB_OK;
}

char *fb_str_dup(struct fb_str str)
{
    return fb_memdup0(str.ptr, str.len);
}

uint64_t fb_str_hash(struct fb_str str, uint64_t seed)
{
    return XXH3_64bits_withSeed(str.len == 0 ? "" : str.ptr, str.len, seed);
}
