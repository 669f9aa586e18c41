/*
 * Readers of files, and of whatever else is read by calls that block, off the loop.
 *
 * Reads ahead one piece at a time on a pool; the loop never blocks. While the
 * pool's queue is full the reader waits its turn rather than break.
 *
 * Ownership  The reader takes the descriptor, or the source's context, over.
 * Threads    One loop's; reads run on the pool.
 * Limits     Two pieces at a time.
 * Failures   next() returns what the source does; of files -EIO and the like, and FB_E_CLOSED when
 *            one is shorter than was asked for.
 */
#pragma once

#include "base/core/attr.h"
#include "base/loop/reader.h"

#include <stddef.h>
#include <stdint.h>

struct fb_loop;
struct fb_pool;

enum { FB_FILE_READER_PIECE = 256 * 1024 };

/* What is read by calls that block. */
struct fb_read_source {
    void *ctx; /* owned by the reader */

    /* All of `n` bytes from `offset`. On the pool, one call at a time. */
    int (*read)(void *ctx, uint64_t offset, char *to, size_t n);
    void (*done)(void *ctx); /* on the loop, once nothing is read any more */
    size_t piece_bytes;      /* read at once */
};

/* A reader of `length` bytes of `source`, which is copied, from `offset`. */
struct fb_reader *fb_read_ahead_open(struct fb_loop *loop, struct fb_pool *pool,
                                     const struct fb_read_source *source, uint64_t offset,
                                     uint64_t length);

/* A reader of `length` bytes of `fd` from `offset`. */
struct fb_reader *fb_file_reader_open(struct fb_loop *loop, struct fb_pool *pool, int fd,
                                      uint64_t offset, uint64_t length);
