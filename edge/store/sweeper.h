/*
 * Sweepers: take what is purged out of memory behind everybody's back.
 *
 * A purge needs none of this to be effective: what it took is not found. But what is never
 * asked for again would keep its memory until it is evicted. A sweep looks at all objects once,
 * a few at a time with a pause in between; a purge that comes meanwhile begins it anew.
 *
 * Ownership  new → free, before the store.
 * Threads    The loop's, one that serves nobody who is in a hurry.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct edge_store;
struct edge_sweeper;
struct fb_loop;

struct edge_sweeper *edge_sweeper_new(struct fb_loop *loop, struct edge_store *store);

/* Accepts NULL. */
void edge_sweeper_free(struct edge_sweeper *sweeper);

/* There was a purge. */
void edge_sweeper_wake(struct edge_sweeper *sweeper);

struct edge_sweeper_status {
    bool is_running;
    uint64_t epoch;   /* of the last sweep: all purges up to it are looked for */
    uint64_t n_freed; /* objects, since the start */
};

struct edge_sweeper_status edge_sweeper_status(const struct edge_sweeper *sweeper);
