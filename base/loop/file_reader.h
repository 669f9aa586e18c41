/*
 * Readers of files, off the loop.
 *
 * Reads ahead one piece at a time on a pool; the loop never blocks. While the
 * pool's queue is full the reader waits its turn rather than break.
 *
 * Ownership  The reader takes the descriptor over and closes it.
 * Threads    One loop's; reads run on the pool.
 * Failures   next() returns -EIO and the like; FB_E_CLOSED when the file is
 *            shorter than was asked for.
 */
#pragma once

#include "base/core/attr.h"
#include "base/loop/reader.h"

struct fb_loop;
struct fb_pool;

enum { FB_FILE_READER_PIECE = 256 * 1024 };

/* A reader of `length` bytes of `fd` from `offset`. */
struct fb_reader *fb_file_reader_open(struct fb_loop *loop, struct fb_pool *pool, int fd,
                                      uint64_t offset, uint64_t length);
