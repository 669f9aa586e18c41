/*
 * Titles: what the requests of each title tell about its extents.
 *
 * Moving averages per title, in a table of fixed size. A title that was not asked
 * for in a long time gives its place away.
 *
 * Threads    One at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_titles_entry;

struct edge_titles {
    struct edge_titles_entry *entries; /* owned */
    size_t n_entries;                  /* a power of two */
};

/* What is known of a title before a request. */
struct edge_titles_view {
    bool is_known;    /* false: all else is nothing */
    double share;     /* of its requests, those whose extent was known; 0 to 1 */
    double per_hour;  /* requests per extent, fading over an hour */
    double per_shift; /* the same, fading over eight */
};

/* `n` titles, rounded up to a power of two. */
void edge_titles_init(struct edge_titles *titles, size_t n);
void edge_titles_done(struct edge_titles *titles);

/* A request of `title`, whose extent was known or not. Gives what was known before it. */
struct edge_titles_view edge_titles_ask(struct edge_titles *titles, uint32_t title,
                                        bool is_extent_known, int64_t now_ms);

size_t edge_titles_bytes(const struct edge_titles *titles);
