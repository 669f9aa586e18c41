/*
 * Readers of opened objects, off the loop.
 *
 * What is a file here is read as any file; what is not is read ahead one piece at a time on a pool,
 * whose threads wait for the network.
 *
 * Ownership  The reader takes the object over.
 * Threads    One loop's; reads run on the pool.
 * Limits     Two pieces of ORIGIN_OBJECT_READ bytes at a time.
 * Failures   next() returns what origin_object_read() does.
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
