/*
 * Strings: a borrowed view of bytes, passed by value.
 *
 * A view has a pointer and a length, no terminator, and owns nothing. The
 * owner of bytes is struct fb_buf. These two are the only ways to pass bytes.
 * Comparisons ignoring case are ASCII only, as in HTTP (RFC 9110 section 5.1).
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fb_str {
    const char *ptr; /* borrowed; may be NULL only if len is 0 */
    size_t len;
};

/* A view of a literal or array; usable in static initialisers. */
#define FB_STR(literal) ((struct fb_str){(literal), sizeof(literal) - 1})
#define FB_STR_NONE     ((struct fb_str){NULL, 0})

/* For printf: "%.*s", FB_STR_ARG(str). */
#define FB_STR_ARG(str) ((int)(str).len), ((str).ptr != NULL ? (str).ptr : "")

/* A view of a C string; NULL gives an empty view. */
struct fb_str fb_str_from(const char *text);

static inline bool fb_str_equal(struct fb_str a, struct fb_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* For fb_str_equal_nocase(), of the same length. */
bool fb_str_equal_nocase_rest(struct fb_str a, struct fb_str b);

/* Most that are compared differ in their length or in their first byte. */
static inline bool fb_str_equal_nocase(struct fb_str a, struct fb_str b)
{
    if (a.len != b.len || a.len == 0) {
        return a.len == b.len;
    }
    return ((a.ptr[0] ^ b.ptr[0]) & ~0x20) == 0 && fb_str_equal_nocase_rest(a, b);
}

/* Writes its bytes to `to`, with capital letters as small ones. */
void fb_str_put_lower(char *to, struct fb_str str);

/* Orders by bytes, as memcmp; a prefix comes first. */
int fb_str_compare(struct fb_str a, struct fb_str b);

/* The first place of `byte`, or str.len if it is not there. */
static inline size_t fb_str_find(struct fb_str str, char byte)
{
    const char *at = str.len == 0 ? NULL : memchr(str.ptr, byte, str.len);
    return at == NULL ? str.len : (size_t)(at - str.ptr);
}

/* Without the first `n` bytes, or empty if there are fewer. */
static inline struct fb_str fb_str_skip(struct fb_str str, size_t n)
{
    size_t skipped = n < str.len ? n : str.len;
    return (struct fb_str){skipped == 0 ? str.ptr : str.ptr + skipped, str.len - skipped};
}

/* The first `n` bytes, or all if there are fewer. */
static inline struct fb_str fb_str_first(struct fb_str str, size_t n)
{
    return (struct fb_str){str.ptr, n < str.len ? n : str.len};
}

static inline bool fb_str_starts_with(struct fb_str str, struct fb_str prefix)
{
    return str.len >= prefix.len && fb_str_equal(fb_str_first(str, prefix.len), prefix);
}

static inline bool fb_str_ends_with(struct fb_str str, struct fb_str suffix)
{
    return str.len >= suffix.len && fb_str_equal(fb_str_skip(str, str.len - suffix.len), suffix);
}

/* The first place of a control byte (0 to 31, 127) that is no TAB, or str.len. */
size_t fb_str_find_control(struct fb_str str);

/* Without leading and trailing space and tab. */
struct fb_str fb_str_trim(struct fb_str str);

/* Cuts `*rest` at the first `separator`: returns what stands before it and
 * leaves in `*rest` what comes after. False when `*rest` was already used up,
 * so `while (fb_str_cut(&rest, ',', &part))` visits every part. */
bool fb_str_cut(struct fb_str *rest, char separator, struct fb_str *ret_part);

/* Decimal digits only, no sign, no space; FB_E_MALFORMED or -ERANGE else. */
FB_MUST_CHECK int fb_str_to_u64(struct fb_str str, uint64_t *ret_value);

/* A heap copy with a terminating NUL; free with fb_free(). */
char *fb_str_dup(struct fb_str str);

/* A 64-bit hash: XXH3_64bits_withSeed() to the bit, on every machine, so that it also
 * serves as a checksum on disk. The seed is drawn at start by whoever needs one that
 * a peer cannot guess. */
uint64_t fb_str_hash(struct fb_str str, uint64_t seed);
