#include "origin/search/typo.h"

#include "base/core/attr.h"

#include <stdint.h>
#include <string.h>

enum { CHARACTERS_MAX = 40, SHORT_MAX = 3, MIDDLING_MAX = 6 };

struct word {
    uint32_t at[CHARACTERS_MAX];
    size_t n;
};

/* The bytes of each character as one number: all that is asked is whether two are the same. */
static bool read_word(struct fb_str text, struct word *word)
{
    word->n = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = (uint8_t)text.ptr[i];
        if ((byte & 0xc0U) == 0x80U && word->n > 0) {
            word->at[word->n - 1] = word->at[word->n - 1] << 8 | byte;
            continue;
        }
        if (word->n == CHARACTERS_MAX) {
            return false;
        }
        word->at[word->n++] = byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
    }
    return true;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    return FB_MIN(FB_MIN(a, b), c);
}

unsigned origin_typo_distance(struct fb_str a, struct fb_str b, unsigned most)
{
    unsigned rows[3][CHARACTERS_MAX + 1]; /* the one before last, the last, this one */
    struct word from;
    struct word to;

    if (!read_word(a, &from) || !read_word(b, &to) || from.n > to.n + most ||
        to.n > from.n + most) {
        return most + 1;
    }
    for (size_t j = 0; j <= to.n; j++) {
        rows[1][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= from.n; i++) {
        rows[2][0] = (unsigned)i;
        for (size_t j = 1; j <= to.n; j++) {
            unsigned other = from.at[i - 1] != to.at[j - 1] ? 1 : 0;
            rows[2][j] = least(rows[1][j] + 1, rows[2][j - 1] + 1, rows[1][j - 1] + other);
            if (i > 1 && j > 1 && from.at[i - 1] == to.at[j - 2] &&
                from.at[i - 2] == to.at[j - 1]) {
                rows[2][j] = FB_MIN(rows[2][j], rows[0][j - 2] + 1);
            }
        }
        memcpy(rows[0], rows[1], sizeof(rows[0]));
        memcpy(rows[1], rows[2], sizeof(rows[1]));
    }
    return FB_MIN(rows[1][to.n], most + 1);
}

unsigned origin_typo_most(struct fb_str word)
{
    struct word read;

    if (!read_word(word, &read) || read.n <= SHORT_MAX) {
        return 0;
    }
    return read.n <= MIDDLING_MAX ? 1 : 2;
}
