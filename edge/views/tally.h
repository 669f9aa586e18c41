/*
 * The tally: numbers of the minute, by video and rendition.
 *
 * Ownership  new → free, which delivers nothing.
 * Threads    One at a time.
 * Limits     `max` entries; when there is no room, all are delivered at once. Entries add up, so
 *            the same video, rendition and minute may be delivered more than once.
 */
#pragma once

#include "base/core/str.h"
#include "base/wire/view_entry.h"

#include <stddef.h>
#include <stdint.h>

struct edge_tally;

struct edge_tally_options {
    size_t max;
    uint64_t seed;
    void (*deliver)(void *ctx, const struct fb_view_entry *entries, size_t n); /* may be NULL */
    void *ctx;
};

struct edge_tally *edge_tally_new(const struct edge_tally_options *options);
void edge_tally_free(struct edge_tally *tally); /* accepts NULL */

/* The entry of the minute that `wall_ms` is in; it holds until the next call. */
struct fb_view_entry *edge_tally_at(struct edge_tally *tally, int64_t wall_ms, struct fb_str video,
                                    struct fb_str rendition);

/* Delivers what is of other minutes than that of `wall_ms`. */
void edge_tally_flush(struct edge_tally *tally, int64_t wall_ms);

/* Delivers all. */
void edge_tally_finish(struct edge_tally *tally);

size_t edge_tally_count(const struct edge_tally *tally);

/* Entries that were delivered. */
uint64_t edge_tally_delivered(const struct edge_tally *tally);
