#include "base/http/scan.h"

#include <string.h>

#define EVERY(byte) (UINT64_C(0x0101010101010101) * (unsigned char)(byte))

static bool is_plain(char c, char stop, char other)
{
    return c > ' ' && c < 0x7f && c != stop && c != other;
}

/* Not 0 if a byte of `word` is 0. */
static uint64_t has_zero(uint64_t word)
{
    return (word - EVERY(1)) & ~word & EVERY(0x80);
}

/* True if all eight bytes are: none has its high bit, is 127 or below 33, or one of the two. */
static bool all_are_plain(const char *at, char stop, char other)
{
    uint64_t word = 0;

    memcpy(&word, at, sizeof(word));
    uint64_t found = (word | (word + EVERY(1)) | (word - EVERY(' ' + 1))) & EVERY(0x80);
    return (found | has_zero(word ^ EVERY(stop)) | has_zero(word ^ EVERY(other))) == 0;
}

size_t fb_scan_plain(struct fb_str str, char stop, char other)
{
    const size_t n_word = sizeof(uint64_t);
    size_t at = 0;

    while (str.len - at >= n_word && all_are_plain(str.ptr + at, stop, other)) {
        at += n_word;
    }
    if (str.len - at < n_word && str.len >= n_word &&
        all_are_plain(str.ptr + str.len - n_word, stop, other)) {
        return str.len; /* some were looked at again */
    }
    while (at < str.len && is_plain(str.ptr[at], stop, other)) {
        at++;
    }
    return at;
}
