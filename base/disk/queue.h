/*
 * Disk queues: reads and writes that do not block a loop.
 *
 * Each loop has one. It is an io_uring whose completions wake the loop; what is
 * started in one turn goes to the kernel in one call. Where io_uring is denied
 * a pool of threads does the same with pread(2) and pwrite(2).
 *
 *     fb_disk_start ──► waiting (FIFO) ──► in the kernel, ≤ max_in_flight ──► done
 *
 * Requests are independent of each other: they run and finish in any order. A
 * SYNC makes durable what was done (not merely started) before it started.
 *
 * Ownership  The queue borrows the loop. A struct fb_disk_io, its disk and its
 *            memory stay valid until `done` is entered: the kernel may write
 *            there until then, so a request cannot be canceled.
 * Threads    The loop's own.
 * Limits     `max_in_flight` in the kernel; more wait here, without a limit:
 *            who starts them has one.
 * Failures   See disk.h; a short transfer is continued, so FB_OK is all bytes.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/list.h"
#include "base/disk/disk.h"
#include "base/loop/op.h"
#include "base/loop/work.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_disk_queue;
struct fb_loop;

struct fb_disk_io {
    struct fb_op op; /* set up with fb_op_init() on the queue's loop */

    /* In: all multiples of FB_DISK_BLOCK; a SYNC needs none of the three. */
    struct fb_disk *disk;
    enum fb_disk_verb verb;
    uint64_t offset;
    void *bytes; /* only read from by a WRITE */
    size_t n;

    /* Private to base/disk. */
    struct fb_disk_queue *queue;
    size_t n_moved;
    struct fb_list link;
    struct fb_work work;
};

struct fb_disk_queue_options {
    bool without_ring;      /* a pool of threads in any case */
    unsigned max_in_flight; /* 0: 256 */
};

struct fb_disk_queue_counts {
    uint64_t n_reads;
    uint64_t n_writes;
    uint64_t n_syncs;
    uint64_t read_bytes;
    uint64_t written_bytes;
    uint64_t n_failed;
    uint64_t n_enters; /* system calls that handed requests over */
    size_t n_unfinished;
};

/* `options` may be NULL. */
FB_MUST_CHECK int fb_disk_queue_new(struct fb_loop *loop,
                                    const struct fb_disk_queue_options *options,
                                    struct fb_disk_queue **ret_queue);

/* Requires that every request is done. Accepts NULL. */
void fb_disk_queue_free(struct fb_disk_queue *queue);

/* Starts `io`, which is idle. */
void fb_disk_start(struct fb_disk_queue *queue, struct fb_disk_io *io);

/* False when threads do the work. */
bool fb_disk_queue_has_ring(const struct fb_disk_queue *queue);

struct fb_disk_queue_counts fb_disk_queue_counts(const struct fb_disk_queue *queue);

/* For a struct fb_disk_ops: performs what its `hold` kept back. On the loop of
 * the request. */
void fb_disk_resume(struct fb_disk_io *io);
