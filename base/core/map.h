/*
 * Tables: a hash map from byte strings to pointers.
 *
 * Keys are copied; values are the caller's. Open addressing with linear probes
 * and backward-shift deletion; grows at 7/8 full and never shrinks. Hashes are
 * seeded, so a peer cannot aim for one chain.
 *
 * Ownership  The map owns its keys and nothing else.
 * Threads    One at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>

struct fb_map;

struct fb_map *fb_map_new(uint64_t seed);
void fb_map_free(struct fb_map *map);

/* The value at `key`, or NULL. */
void *fb_map_find(const struct fb_map *map, struct fb_str key);

/* Sets `key` to `value`, which is not NULL. Returns the old value or NULL. */
void *fb_map_put(struct fb_map *map, struct fb_str key, void *value);

/* Takes `key` out. Returns its value or NULL. */
void *fb_map_remove(struct fb_map *map, struct fb_str key);

size_t fb_map_count(const struct fb_map *map);

/* Visits all entries in no order: start with *cursor = 0; false at the end.
 * The map must not change meanwhile. */
bool fb_map_next(const struct fb_map *map, size_t *cursor, struct fb_str *ret_key,
                 void **ret_value);
