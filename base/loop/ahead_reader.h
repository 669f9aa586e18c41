/*
 * Readers of what is read by calls that block, off the loop.
 *
 *     source.read() on the pool ──► one piece waits ──► next()
 *
 * Reads ahead one piece at a time on a pool; the loop never blocks. While the
 * pool's queue is full the reader waits its turn rather than break.
 *
 * Ownership  The reader takes the source's context over.
 * Threads    One loop's; reads run on the pool.
 * Limits     Two pieces at a time.
 * Failures   next() returns what the source does, and -ENOMEM.
 */
#pragma once

#include "base/loop/reader.h"

#include <stddef.h>
#include <stdint.h>

struct fb_loop;
struct fb_pool;

/* What is read by calls that block. */
struct fb_ahead_source {
    void *ctx; /* owned by the reader */

    /* All of `n` bytes from `offset`. On the pool, one call at a time. */
    int (*read)(void *ctx, uint64_t offset, char *to, size_t n);
    void (*done)(void *ctx); /* on the loop, once nothing is read any more */
    size_t piece_bytes;      /* read at once */
};

/* A reader of `length` bytes of `source`, which is copied, from `offset`. */
struct fb_reader *fb_ahead_reader_open(struct fb_loop *loop, struct fb_pool *pool,
                                       const struct fb_ahead_source *source, uint64_t offset,
                                       uint64_t length);
