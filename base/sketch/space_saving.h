/*
 * Space-saving: the things seen most, with `size` counters however many things there are.
 *
 * Metwally, Agrawal and El Abbadi, 2005. Each counter states a count that is never below the truth
 * and an error: count - error is never above it. Nothing seen more than total / size times is
 * missing. While there are at most `size` different things, everything is exact.
 *
 * Merging (Agarwal et al., "Mergeable summaries", 2012) keeps these bounds for the sum of totals;
 * it is commutative to the bit. Groupings of the same merges may keep other things near the bound,
 * and state other counts within it.
 *
 * Ownership  new → free; keys are copied.
 * Threads    One at a time; reading by several.
 * Limits     1 to 2^20 counters; keys are the caller's to bound. Counts stop at 2^64 - 1.
 * Failures   None.
 */
#pragma once

#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

struct fb_space_saving;

struct fb_space_saving_item {
    struct fb_str key; /* borrowed until the sketch changes */
    uint64_t count;    /* at least how often it was seen */
    uint64_t error;    /* at most so much too high */
};

/* `seed` is for the table of keys, against peers that choose them. */
struct fb_space_saving *fb_space_saving_new(size_t size, uint64_t seed);
void fb_space_saving_free(struct fb_space_saving *sketch);   /* accepts NULL */
void fb_space_saving_freep(struct fb_space_saving **sketch); /* for FB_AUTO */

/* O(log size). */
void fb_space_saving_add(struct fb_space_saving *sketch, struct fb_str key, uint64_t n);

/* `into` keeps its own size. */
void fb_space_saving_merge(struct fb_space_saving *into, const struct fb_space_saving *from);

/* Writes at most `n` items, those with the highest counts first, equal ones by key, and returns
 * how many. */
size_t fb_space_saving_top(const struct fb_space_saving *sketch, struct fb_space_saving_item *items,
                           size_t n);

size_t fb_space_saving_count(const struct fb_space_saving *sketch);
uint64_t fb_space_saving_total(const struct fb_space_saving *sketch);
