/*
 * What the files of a queue share: the queue itself, and the two ways in which
 * a request is carried out.
 */
#pragma once

#include "base/core/list.h"
#include "base/disk/queue.h"

struct disk_ring;

struct fb_disk_queue {
    struct fb_loop *loop;
    struct disk_ring *ring; /* owned; NULL: the pool does it */
    struct fb_pool *pool;   /* owned; NULL: the ring does it */
    struct fb_list waiting; /* of struct fb_disk_io */
    unsigned n_in_flight;   /* handed to the ring or the pool */
    unsigned max_in_flight;
    struct fb_disk_queue_counts counts;
};

/* The request is over; called by either way once per request that it took. */
void fb_disk_io_finish(struct fb_disk_io *io, int result);

FB_MUST_CHECK int fb_disk_ring_new(struct fb_disk_queue *queue, struct disk_ring **ret_ring);
void fb_disk_ring_free(struct disk_ring *ring);
void fb_disk_ring_start(struct disk_ring *ring, struct fb_disk_io *io);
