/*
 * Titles: of each, how often its requests found their object known.
 *
 * A moving average per title in a table of fixed size. A title that was not
 * asked for in a long time gives its place away.
 *
 * Threads    One at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_titles_entry {
    uint32_t title;
    uint32_t turn;  /* of the last request */
    float known;    /* 0..1 */
    uint32_t count; /* requests; 0: empty */
};

struct edge_titles {
    struct edge_titles_entry *entries; /* owned; a power of two */
    size_t n_entries;
    uint32_t turn;
};

/* `n` titles, rounded up to a power of two. */
void edge_titles_init(struct edge_titles *titles, size_t n);
void edge_titles_done(struct edge_titles *titles);

/* A request of `title` found its object known, or not. Returns the average before it. */
double edge_titles_add(struct edge_titles *titles, uint32_t title, bool known);
