/*
 * One volume on its disk: extents in zones, written by one loop, read by all.
 *
 *     write, purge, flush ── mail ──► writer ──► open zone ──► sealed ──► reclaimed
 *     (any loop)                        │ when written                       │
 *     find, read ◄───────────────────── index ◄── what is hot, again ────────┘
 *     (any loop, its own queue)
 *
 *     new ──► recover ──► ONLINE ──► drain ──► free
 *                           │ ▲
 *                   suspend ▼ │ resume, on the same disk or on another
 *                          CLOSED
 *
 * What is written is found once its blocks have reached the disk, and outlives a crash
 * once a sync came after that: within EDGE_VOLUME_SYNC_MS, or with the next flush.
 *
 * The disk is opened, and its superblock read, by whoever makes the volume (the set);
 * who also decides what an error means: the volume stops writing and tells.
 *
 * Ownership  The caller owns the volume, the disk, the owner's queue, and frees them after
 *            drain or suspend has finished.
 * Threads    One loop is the owner. Each call says where it may be made.
 * Limits     EDGE_VOLUME_QUEUE_BYTES wait to be written. Memory: the index, the queue, about
 *            20 MiB while writing, reclaiming and scrubbing, and 48 bytes an extent while it
 *            recovers or makes a checkpoint. Purges that cannot be written: the last few
 *            thousand wait, more are forgotten.
 * Failures   Negative errno from the disk; FB_E_UNAVAILABLE while not online.
 */
#pragma once

#include "base/core/attr.h"
#include "base/loop/loop.h"
#include "base/loop/op.h"
#include "edge/format/format.h"
#include "edge/volume/volumes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_volume;
struct fb_disk;
struct fb_disk_queue;

enum {
    EDGE_VOLUME_FLUSH_MS = 200, /* a buffer that does not fill is written after that */
    EDGE_VOLUME_SYNC_MS = 1000,
    EDGE_VOLUME_READ_ERRORS = 5 /* that many reads in a row failed: the volume has */
};

struct edge_volume_options {
    struct fb_loop *loop;                     /* the owner; its clock tells the day */
    struct fb_disk_queue *queue;              /* the owner's; borrowed */
    struct fb_disk *disk;                     /* borrowed until resume() names another */
    const struct edge_superblock *superblock; /* copied; what was read from the disk */
    uint64_t daily_bytes;                     /* 0: no limit */
    uint64_t scrub_rate;                      /* bytes per second; 0: never */

    /* May be NULL. On the owner's loop: the disk failed with `err`. Nothing is written any more
     * and new requests find the volume closed; suspend() is due. Once until the next resume(). */
    void (*failed)(void *ctx, int err);
    void *ctx;
};

/* Touches no disk. Owner. */
struct edge_volume *edge_volume_new(const struct edge_volume_options *options);

/* Requires drain(), or that no other thread ever knew of it and it is closed. Accepts NULL.
 * Owner. */
void edge_volume_free(struct edge_volume *volume);

/* ---- life: on the owner's loop, one of these at a time ------------------- */

/* Reads the index back and goes online. FB_OK also for a volume on which nothing was ever
 * written. On failure it stays closed: recover() or free. */
void edge_volume_recover(struct edge_volume *volume, struct fb_op *op);

/* Writes out what waits, makes a checkpoint, and closes; waits for reads on other loops too.
 * FB_OK, or the error that kept the last of it from the disk; closed in any case. At once if
 * closed. */
void edge_volume_drain(struct edge_volume *volume, struct fb_op *op);

/* Closes without writing: what waits is released, what is in the kernel is awaited. The index
 * stays in memory. Then the disk may be closed. */
void edge_volume_suspend(struct edge_volume *volume, struct fb_op *op);

/* After suspend(): online again on `disk` (borrowed), which the caller knows to bear the same
 * superblock. If its zones are as we left them the index is as it was, else it is
 * recovered. On failure it stays closed. */
void edge_volume_resume(struct edge_volume *volume, struct fb_disk *disk, struct fb_op *op);

/* ---- on any loop --------------------------------------------------------- */

/* ONLINE, and not failed. */
bool edge_volume_is_online(const struct edge_volume *volume);

/* As edge_volumes_find(); false while not online. */
bool edge_volume_find(const struct edge_volume *volume, const struct edge_extent_id *id, int chunk,
                      unsigned nth, struct edge_place *ret_place);

/* `hits` more for the newest entry of `id`. */
void edge_volume_touch(struct edge_volume *volume, const struct edge_extent_id *id, unsigned hits);

/* As edge_volumes_read_bytes(). */
size_t edge_volume_read_bytes(const struct edge_place *place);

/* As edge_volumes_read(), from read->place.place. `queue` is that of the asking loop. */
void edge_volume_read(struct edge_volume *volume, struct fb_disk_queue *queue,
                      struct edge_volume_read *read);

/* As edge_volumes_write(). */
FB_MUST_CHECK int edge_volume_write(struct edge_volume *volume,
                                    const struct edge_volume_write *write);

/* was_full and pressure; is_in_service as is_online(). */
struct edge_volume_room edge_volume_room(const struct edge_volume *volume);

/* A request that comes back to the loop that made it. */
struct edge_volume_request {
    struct fb_op op;
    uint64_t fingerprint; /* in, for a purge */
    size_t n_extents;     /* out, for a purge */

    /* Private to edge/volume. */
    struct edge_volume *volume;
    struct fb_post post;
    struct fb_list link;
    uint64_t ticket;
    int outcome;
    bool is_purge;
};

/* Forgets every extent of `fingerprint`, also those that wait to be written. Done when this
 * would outlive a crash. FB_E_UNAVAILABLE, or the disk's error: it is forgotten in
 * memory, and may come back after a crash. */
void edge_volume_purge(struct edge_volume *volume, struct edge_volume_request *request);

/* Done when all that this thread gave to write before is durable (or was refused). */
void edge_volume_flush(struct edge_volume *volume, struct edge_volume_request *request);

/* What became of things, since the volume was made. */
struct edge_volume_counts {
    uint64_t n_reads;        /* of chunks, by the store */
    uint64_t n_torn;         /* head or chunk as a crash left it: written just before one */
    uint64_t n_rotten_heads; /* of those that were read, by whomever */
    uint64_t n_rotten_chunks;
    uint64_t n_reclaimed; /* gone between look-up and read */
    uint64_t n_io_errors;
    uint64_t n_zones_reclaimed;
    uint64_t n_rewritten; /* extents */
    uint64_t n_dropped;   /* extents given to write that were not: budget, failure, purge */
    uint64_t n_checkpoints;
    uint64_t scrubbed_bytes;
    uint64_t queued_bytes; /* now */
};

void edge_volume_counts(const struct edge_volume *volume, struct edge_volume_counts *ret);

/* Fills in all but path, state and reason. */
void edge_volume_describe(const struct edge_volume *volume, struct edge_volume_status *ret);
