/*
 * Readers of opened objects, off the loop.
 *
 * What is a file here is read as any file; what is not is read ahead one piece at a time on a pool,
 * whose threads wait for the network.
 *
 * Ownership  The reader takes the object, or the source, over.
 * Threads    One loop's; reads run on the pool.
 * Limits     Two pieces of ORIGIN_OBJECT_READ bytes at a time.
 * Failures   next() returns what origin_object_read() does, or the source.
 */
#pragma once

#include "origin/objects/objects.h"

struct fb_loop;
struct fb_pool;
struct fb_reader;

/* A reader of `length` bytes from `offset`; `object` is zero afterwards. */
struct fb_reader *origin_object_reader_open(struct fb_loop *loop, struct fb_pool *pool,
                                            struct origin_object *object, uint64_t offset,
                                            uint64_t length);

/* What is read as an object is, and is none. */
struct origin_source_ops {
    /* All of `n` bytes from `offset`; one call at a time, on any thread. */
    int (*read)(void *source, uint64_t offset, void *buf, size_t n);
    void (*free)(void *source);
};

/* The same of `source`, which has at least these bytes. */
struct fb_reader *origin_source_reader_open(struct fb_loop *loop, struct fb_pool *pool,
                                            const struct origin_source_ops *ops, void *source,
                                            uint64_t offset, uint64_t length);
