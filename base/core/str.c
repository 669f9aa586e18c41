#include "base/core/str.h"

#include "base/core/alloc.h"
#include "base/core/err.h"

#include <xxhash.h>

#include <errno.h>
#include <string.h>
#include <strings.h>

struct fb_str fb_str_from(const char *text)
{
    return (struct fb_str){text, text == NULL ? 0 : strlen(text)};
}

bool fb_str_equal(struct fb_str a, struct fb_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

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

bool fb_str_starts_with(struct fb_str str, struct fb_str prefix)
{
    return str.len >= prefix.len && fb_str_equal(fb_str_first(str, prefix.len), prefix);
}

bool fb_str_ends_with(struct fb_str str, struct fb_str suffix)
{
    return str.len >= suffix.len && fb_str_equal(fb_str_skip(str, str.len - suffix.len), suffix);
}

size_t fb_str_find(struct fb_str str, char byte)
{
    const char *at = str.len == 0 ? NULL : memchr(str.ptr, byte, str.len);
    return at == NULL ? str.len : (size_t)(at - str.ptr);
}

struct fb_str fb_str_skip(struct fb_str str, size_t n)
{
    size_t skipped = FB_MIN(n, str.len);
    return (struct fb_str){skipped == 0 ? str.ptr : str.ptr + skipped, str.len - skipped};
}

struct fb_str fb_str_first(struct fb_str str, size_t n)
{
    return (struct fb_str){str.ptr, FB_MIN(n, str.len)};
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
