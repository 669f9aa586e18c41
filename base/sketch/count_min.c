#include "base/sketch/count_min.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/mix.h"

#include <string.h>

enum { MIN_WIDTH = 16, MAX_WIDTH = 1 << 24, MAX_DEPTH = 8 };

struct fb_count_min {
    uint64_t total;
    size_t width; /* a power of two */
    unsigned depth;
    uint64_t cells[]; /* row by row */
};

struct fb_count_min *fb_count_min_new(size_t width, unsigned depth)
{
    FB_REQUIRE(width >= MIN_WIDTH && width <= MAX_WIDTH && (width & (width - 1)) == 0);
    FB_REQUIRE(depth >= 1 && depth <= MAX_DEPTH);
    struct fb_count_min *sketch =
        fb_alloc(sizeof(struct fb_count_min) + width * depth * sizeof(uint64_t));
    sketch->width = width;
    sketch->depth = depth;
    return sketch;
}

void fb_count_min_free(struct fb_count_min *sketch)
{
    fb_free(sketch);
}

void fb_count_min_freep(struct fb_count_min **sketch)
{
    fb_count_min_free(*sketch);
}

static uint64_t count_sum(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* Each row hashes anew what the caller hashed. */
static size_t count_cell(const struct fb_count_min *sketch, unsigned row, uint64_t hash)
{
    uint64_t x = fb_mix(hash + (row + 1) * 0x9e3779b97f4a7c15);
    return row * sketch->width + (size_t)(x & (sketch->width - 1));
}

void fb_count_min_add(struct fb_count_min *sketch, uint64_t hash, uint64_t n)
{
    for (unsigned row = 0; row < sketch->depth; row++) {
        uint64_t *cell = &sketch->cells[count_cell(sketch, row, hash)];
        *cell = count_sum(*cell, n);
    }
    sketch->total = count_sum(sketch->total, n);
}

uint64_t fb_count_min_estimate(const struct fb_count_min *sketch, uint64_t hash)
{
    uint64_t least = UINT64_MAX;

    for (unsigned row = 0; row < sketch->depth; row++) {
        least = FB_MIN(least, sketch->cells[count_cell(sketch, row, hash)]);
    }
    return least;
}

uint64_t fb_count_min_total(const struct fb_count_min *sketch)
{
    return sketch->total;
}

void fb_count_min_merge(struct fb_count_min *into, const struct fb_count_min *from)
{
    FB_REQUIRE(into->width == from->width && into->depth == from->depth);
    for (size_t i = 0; i < into->width * into->depth; i++) {
        into->cells[i] = count_sum(into->cells[i], from->cells[i]);
    }
    into->total = count_sum(into->total, from->total);
}

void fb_count_min_clear(struct fb_count_min *sketch)
{
    memset(sketch->cells, 0, sketch->width * sketch->depth * sizeof(uint64_t));
    sketch->total = 0;
}

size_t fb_count_min_memory(const struct fb_count_min *sketch)
{
    return sizeof(*sketch) + sketch->width * sketch->depth * sizeof(uint64_t);
}
