#include "base/conf/conf_internal.h"

#include <string.h>

enum { NEAREST_MAX = 48 };

/* The number of letters to insert, drop, change or swap with a neighbour
 * (optimal string alignment), for short words. */
static size_t word_distance(struct fb_str a, struct fb_str b)
{
    uint8_t rows[3][NEAREST_MAX + 1];

    for (size_t j = 0; j <= b.len; j++) {
        rows[0][j] = (uint8_t)j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        const uint8_t *above = rows[(i - 1) % 3];
        const uint8_t *above_that = rows[(i + 1) % 3]; /* i - 2 */
        uint8_t *row = rows[i % 3];
        row[0] = (uint8_t)i;
        for (size_t j = 1; j <= b.len; j++) {
            int change = a.ptr[i - 1] != b.ptr[j - 1];
            int best = FB_MIN(FB_MIN(above[j] + 1, row[j - 1] + 1), above[j - 1] + change);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1]) {
                best = FB_MIN(best, above_that[j - 2] + 1);
            }
            row[j] = (uint8_t)best;
        }
    }
    return rows[a.len % 3][b.len];
}

const char *fb_conf_nearest(const struct fb_conf_section *section, struct fb_str key)
{
    const char *nearest = NULL;
    size_t least = FB_MAX(key.len / 3, (size_t)1) + 1;

    if (key.len > NEAREST_MAX) {
        return NULL;
    }
    for (const struct fb_conf_item *item = section->items; item->key != NULL; item++) {
        struct fb_str known = fb_str_from(item->key);
        size_t distance = known.len <= NEAREST_MAX ? word_distance(key, known) : NEAREST_MAX;
        if (distance < least) {
            least = distance;
            nearest = item->key;
        }
    }
    return nearest;
}
