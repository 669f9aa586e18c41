/*
 * HyperLogLog: how many different things were seen, in a few kilobytes at most.
 *
 * Whoever counts gives a 64-bit hash of each thing; the same thing must always have the same hash,
 * wherever sketches are merged. The estimate is Ertl's improved one ("New cardinality estimation
 * algorithms for HyperLogLog sketches", 2017), which needs no tables of bias:
 *
 *     standard error   1.04 / sqrt(2^precision): 1.6 % at 12, 6.5 % at 8; while sparse below 0.4 %
 *     memory           sparse 4 bytes a thing, at most 2^precision bytes
 *     encoded          sparse about 3 bytes a thing, else about 2^precision / 2 bytes
 *
 * A sketch is sparse while it holds at most 2^precision / 4 entries of a finer hash (8 bits more),
 * then dense. Which of the two it is depends on what was seen alone, never on the order of adding
 * and merging: equal sets have equal bytes. Hence merging is commutative, associative and
 * idempotent, to the bit.
 *
 * Ownership  new, copy, decode → free.
 * Threads    One at a time; reading by several.
 * Limits     Precision 4 to 16.
 * Failures   Decoding alone: FB_E_MALFORMED, FB_E_UNSUPPORTED (another precision or form).
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_hyperloglog;

enum { FB_HYPERLOGLOG_MIN_PRECISION = 4, FB_HYPERLOGLOG_MAX_PRECISION = 16 };

/* An empty one. */
struct fb_hyperloglog *fb_hyperloglog_new(unsigned precision);
void fb_hyperloglog_free(struct fb_hyperloglog *sketch);   /* accepts NULL */
void fb_hyperloglog_freep(struct fb_hyperloglog **sketch); /* for FB_AUTO */
struct fb_hyperloglog *fb_hyperloglog_copy(const struct fb_hyperloglog *sketch);

void fb_hyperloglog_add(struct fb_hyperloglog *sketch, uint64_t hash);

/* Afterwards `into` has seen what either saw. Requires the same precision; `from` may be NULL,
 * which is empty. */
void fb_hyperloglog_merge(struct fb_hyperloglog *into, const struct fb_hyperloglog *from);

/* How many were seen; NULL: 0. */
uint64_t fb_hyperloglog_estimate(const struct fb_hyperloglog *sketch);

unsigned fb_hyperloglog_precision(const struct fb_hyperloglog *sketch);
bool fb_hyperloglog_is_empty(const struct fb_hyperloglog *sketch); /* NULL: true */
size_t fb_hyperloglog_memory(const struct fb_hyperloglog *sketch); /* bytes, NULL: 0 */

/* Appends bytes that say their own end. */
void fb_hyperloglog_encode(const struct fb_hyperloglog *sketch, struct fb_buf *to);

/* Takes a sketch of this precision from the front of `*bytes`, and nothing on failure. */
FB_MUST_CHECK int fb_hyperloglog_decode(struct fb_str *bytes, unsigned precision,
                                        struct fb_hyperloglog **ret_sketch);
