/*
 * The rate cap: a token bucket that may go into debt.
 *
 * What is begun is begun whole, when nothing is owed, and is paid for at once: with its size.
 * So the mean is the rate, over any span longer than what one piece takes.
 *
 * Threads    One at a time.
 */
#pragma once

#include <stdint.h>

enum { EDGE_BUCKET_BURST_MS = 1000 };

struct edge_bucket {
    uint64_t rate; /* bytes a second; 0: no bound */

    /* Private. */
    int64_t credit; /* bytes; at most what comes in EDGE_BUCKET_BURST_MS */
    int64_t last_ms;
};

/* Milliseconds until the next piece may begin; 0: now. Monotonic time. */
uint64_t edge_bucket_wait_ms(struct edge_bucket *bucket, int64_t now_ms);

/* A piece of `n` bytes begins. */
void edge_bucket_take(struct edge_bucket *bucket, uint64_t n);

/* `n` bytes of what was taken did not come. */
void edge_bucket_give(struct edge_bucket *bucket, uint64_t n);
