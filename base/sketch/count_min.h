/*
 * Count-min: how often each of many things was seen, in memory that does not grow with them.
 *
 * Whoever counts gives a 64-bit hash of each thing. An estimate is never below the truth, and with
 * a table of `width` by `depth` above it by more than total * e / width with probability
 * e^-depth at most (Cormode and Muthukrishnan, 2005):
 *
 *     width 2^16, depth 4   4.1e-5 of the total, but for one thing in 54;   2 MiB
 *     width 2^20, depth 5   2.6e-6 of the total, but for one in 148;       40 MiB
 *
 * Merging adds the tables: commutative and associative.
 *
 * Ownership  new → free.
 * Threads    One at a time; reading by several.
 * Limits     Width a power of two from 16 to 2^24, depth 1 to 8. Counts stop at 2^64 - 1.
 * Failures   None.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct fb_count_min;

struct fb_count_min *fb_count_min_new(size_t width, unsigned depth);
void fb_count_min_free(struct fb_count_min *sketch);   /* accepts NULL */
void fb_count_min_freep(struct fb_count_min **sketch); /* for FB_AUTO */

void fb_count_min_add(struct fb_count_min *sketch, uint64_t hash, uint64_t n);
uint64_t fb_count_min_estimate(const struct fb_count_min *sketch, uint64_t hash);

/* All that was added. */
uint64_t fb_count_min_total(const struct fb_count_min *sketch);

/* Requires equal widths and depths. */
void fb_count_min_merge(struct fb_count_min *into, const struct fb_count_min *from);

/* Forgets everything. */
void fb_count_min_clear(struct fb_count_min *sketch);

size_t fb_count_min_memory(const struct fb_count_min *sketch);
