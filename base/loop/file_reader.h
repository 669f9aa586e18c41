/*
 * Readers of files, which read ahead off the loop (base/loop/ahead_reader.h).
 *
 * Ownership  The reader takes the descriptor over.
 * Threads    One loop's; reads run on the pool.
 * Limits     Two pieces of FB_FILE_READER_PIECE bytes at a time.
 * Failures   next() returns -EIO and the like, and FB_E_CLOSED when the file is shorter than was
 *            asked for.
 */
#pragma once

#include "base/loop/reader.h"

#include <stdint.h>

struct fb_loop;
struct fb_pool;

enum { FB_FILE_READER_PIECE = 256 * 1024 };

/* A reader of `length` bytes of `fd` from `offset`. */
struct fb_reader *fb_file_reader_open(struct fb_loop *loop, struct fb_pool *pool, int fd,
                                      uint64_t offset, uint64_t length);
