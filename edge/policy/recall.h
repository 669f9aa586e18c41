/*
 * Recall: which extents were asked for lately, how often, and how long ago.
 *
 * A table of fixed size, eight places to a set; in a full set the one that was asked for
 * longest ago makes way. Age is counted on a clock of the caller's, here in bytes
 * written to the volumes: what is as old as `window` would be reclaimed by now.
 * One in 2^32 is taken for another.
 *
 * Threads    One at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct edge_recall_place;

struct edge_recall {
    struct edge_recall_place *places; /* owned */
    size_t n_sets;                    /* a power of two */
    uint64_t tick;                    /* of the clock, the least that ages tell apart */
};

/* `window`: bytes. At least `n` extents, rounded up to a power of two. */
void edge_recall_init(struct edge_recall *recall, uint64_t window, size_t n);
void edge_recall_done(struct edge_recall *recall);

/* `id` is asked for. How often it was before, within the window: 0 to EDGE_RECALL_MAX; then
 * *ret_age is how much of the window lies between, 0 to 1. */
unsigned edge_recall_ask(struct edge_recall *recall, uint64_t id, uint64_t clock, double *ret_age);

enum { EDGE_RECALL_MAX = 15 };

size_t edge_recall_bytes(const struct edge_recall *recall);
