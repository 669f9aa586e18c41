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

/* Not 0 if a byte of `word` is below 32, or 127; the lowest bit stands in the first of these. */
static uint64_t has_control(uint64_t word)
{
    return ((word - EVERY(0x20)) & ~word & EVERY(0x80)) | has_zero(word ^ EVERY(0x7f));
}

static bool is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

static uint64_t word_at(const char *at)
{
    uint64_t word = 0;

    memcpy(&word, at, sizeof(word));
    return word;
}

size_t fb_str_find_control(struct fb_str str)
{
    const size_t n_word = sizeof(uint64_t);
    size_t at = 0;

    while (str.len - at >= n_word) {
        uint64_t found = has_control(word_at(str.ptr + at));
        if (found == 0) {
            at += n_word;
            continue;
        }
        at += (size_t)__builtin_ctzll(found) / 8; /* the first that was found is one, or a tab */
        if (is_control(str.ptr[at])) {
            return at;
        }
        at++;
    }
    if (str.len >= n_word && has_control(word_at(str.ptr + str.len - n_word)) == 0) {
        return str.len; /* some were looked at again */
    }
    while (at < str.len && !is_control(str.ptr[at])) {
        at++;
    }
    return at;
}

/* With 32 more in each byte that is a capital letter. */
static uint64_t word_lower(uint64_t word)
{
    uint64_t low = word & EVERY(0x7f);
    uint64_t from_a = low + EVERY(0x80 - 'A');
    uint64_t past_z = low + EVERY(0x7f - 'Z');

    return word | ((from_a & ~past_z & ~word & EVERY(0x80)) >> 2);
}

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static void put_word_lower(char *to, const char *from)
{
    uint64_t word = word_lower(word_at(from));
    memcpy(to, &word, sizeof(word));
}

void fb_str_put_lower(char *to, struct fb_str str)
{
    const size_t n_word = sizeof(uint64_t);

    if (str.len < n_word) {
        for (size_t i = 0; i < str.len; i++) {
            to[i] = ascii_lower(str.ptr[i]);
        }
        return;
    }
    for (size_t at = 0; at + n_word < str.len; at += n_word) {
        put_word_lower(to + at, str.ptr + at);
    }
    put_word_lower(to + str.len - n_word, str.ptr + str.len - n_word); /* some of it again */
}

/* ---- comparing ----------------------------------------------------------- */

/* All bytes of fewer than eight, some of them twice. */
static uint64_t short_word(const char *at, size_t len)
{
    uint32_t first = 0;
    uint32_t last = 0;

    if (len >= sizeof(first)) {
        memcpy(&first, at, sizeof(first));
        memcpy(&last, at + len - sizeof(last), sizeof(last));
        return (uint64_t)last << 32 | first;
    }
    return (uint64_t)(unsigned char)at[len / 2] << 16 | (uint64_t)(unsigned char)at[len - 1] << 8 |
           (unsigned char)at[0];
}

static bool words_are_alike(const char *a, const char *b)
{
    return word_lower(word_at(a)) == word_lower(word_at(b));
}

bool fb_str_equal_nocase_rest(struct fb_str a, struct fb_str b)
{
    const size_t n_word = sizeof(uint64_t);

    if (a.len < n_word) {
        return word_lower(short_word(a.ptr, a.len)) == word_lower(short_word(b.ptr, b.len));
    }
    for (size_t at = 0; at + n_word < a.len; at += n_word) {
        if (!words_are_alike(a.ptr + at, b.ptr + at)) {
            return false;
        }
    }
    return words_are_alike(a.ptr + a.len - n_word, b.ptr + a.len - n_word);
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
