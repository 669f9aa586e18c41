/*
 * Tables with a bound: zeroed values by key, of which the one that was used longest ago gives way.
 *
 * What counts as a use is the owner's to say: fb_lru_touch() is one, fb_lru_find() is none. A table
 * whose values are touched once, when they are made, forgets the oldest.
 *
 * Ownership  new → free. The table owns keys and values; `done` frees what a value holds.
 * Threads    One at a time.
 * Limits     `max` values, at least one.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

struct fb_lru;

struct fb_lru_options {
    size_t max;
    size_t value_bytes;
    uint64_t seed;             /* of the hash of keys: by chance where strangers choose them */
    void (*done)(void *value); /* before a value is freed; or NULL */
};

struct fb_lru *fb_lru_new(const struct fb_lru_options *options);
void fb_lru_free(struct fb_lru *lru); /* accepts NULL */

/* The value at `key`, now the one used last; made if there is none, for which the one used longest
 * ago goes if there is no room. It holds until it is removed or gives way. */
void *fb_lru_touch(struct fb_lru *lru, struct fb_str key);

/* The value at `key`, or NULL. */
void *fb_lru_find(const struct fb_lru *lru, struct fb_str key);

/* The value that was used longest ago, or NULL. */
void *fb_lru_oldest(const struct fb_lru *lru);

/* Takes `value`, which is in the table, out and frees it. */
void fb_lru_remove(struct fb_lru *lru, void *value);

size_t fb_lru_count(const struct fb_lru *lru);
