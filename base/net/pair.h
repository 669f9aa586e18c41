/*
 * A pair of streams in memory: what one end writes the other reads.
 *
 * For tests, and for anything that speaks a protocol inside one process. Each
 * direction holds at most `capacity` bytes; a write finishes when its last
 * byte was taken over.
 *
 * Threads    One loop's.
 */
#pragma once

#include <stddef.h>

struct fb_loop;
struct fb_stream;

void fb_stream_pair(struct fb_loop *loop, size_t capacity, struct fb_stream **ret_a,
                    struct fb_stream **ret_b);
