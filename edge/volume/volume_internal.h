/*
 * What the files of one volume share. Each part is a struct in the volume, with its
 * functions, and rests on those above it.
 *
 *     io_internal.h       transfers of the owner
 *     writing_internal.h  mailbox.c  what waits to be written
 *                         ledger.c   what may be written, and was
 *                         pieces.c   write buffers
 *                         writer.c   placing what waits in the open zone
 *                         entries.c  finding what was written
 *                         sync.c     making it durable
 *                         zone.c     opening and sealing zones
 *     upkeep_internal.h   fetch.c    a whole extent, for reclaim and scrub
 *                         reclaim.c, checkpointer.c, scrub.c
 *                         recovery*.c, which share recovery_internal.h
 *     volume_internal.h   volume.c   the volume and its states
 *                         reader.c   one chunk, on any thread
 *
 * Threads    The owner's loop, but for what is marked atomic.
 */
#pragma once

#include "base/core/machine.h"
#include "base/disk/disk.h"
#include "base/disk/queue.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "edge/format/format.h"
#include "edge/volume/index.h"
#include "edge/volume/upkeep_internal.h"
#include "edge/volume/volume.h"
#include "edge/volume/writing_internal.h"
#include "edge/volume/zones.h"

enum { VOLUME_HOUR_MS = 60 * 60 * 1000 };

enum volume_state {
    VOLUME_CLOSED,
    VOLUME_RECOVERING,
    VOLUME_ONLINE,
    VOLUME_FAILED,   /* nothing is started any more; suspend() is awaited */
    VOLUME_DRAINING, /* what waits is written */
    VOLUME_CLOSING   /* what is under way is awaited */
};

#define VOLUME_GATE_SHUT (UINT64_C(1) << 63)

/* Counters for all threads, atomic. */
struct volume_shared {
    uint64_t gate; /* reads inside, and VOLUME_GATE_SHUT */
    bool is_online;
    unsigned pressure;
    unsigned errors_in_row; /* of reads */
    bool is_fail_posted;
    int fail_err;
    uint64_t content_left;
    uint64_t queued_bytes;
    uint64_t written[VOLUME_METADATA + 1];
    uint64_t today;

    /* What a crash may have torn. */
    uint64_t suspect_generation;
    uint32_t suspect_end; /* block */

    struct edge_volume_counts counts; /* but queued_bytes */
};

struct edge_volume {
    struct fb_loop *loop; /* borrowed, as queue and disk */
    struct fb_disk_queue *queue;
    struct fb_disk *disk;
    struct edge_superblock superblock;
    uint32_t n_zone_blocks;
    uint64_t daily_bytes;
    uint64_t scrub_rate;
    void (*failed)(void *ctx, int err);
    void *ctx;

    struct edge_index *index; /* owned */
    struct edge_zones *zones; /* owned */
    struct volume_shared shared;
    struct volume_mailbox mailbox;

    struct fb_machine state;
    struct fb_op *life; /* recover, drain, suspend or resume under way */
    int life_result;
    size_t n_ios; /* in the kernel */
    bool is_settling;
    bool is_draining; /* for good */
    struct fb_timer tick;
    struct fb_post fail_post;

    struct volume_ledger ledger;
    struct volume_pieces pieces;
    struct volume_writer writer;
    struct volume_reclaim reclaim;
    struct volume_checkpoint checkpoint;
    struct volume_scrub scrub;
    struct volume_recovery *recovery; /* owned; while RECOVERING */
    bool was_recovered;               /* the index is that of the disk */
};

bool edge_volume_is(const struct edge_volume *volume, enum volume_state state);

/* True if content may be written: ONLINE or DRAINING. */
bool edge_volume_writes(const struct edge_volume *volume);

/* The disk failed: no more is started, all that waits is answered. */
void edge_volume_fail(struct edge_volume *volume, int err);

/* On any thread: a read ended so. Too many errors in a row, and the volume fails. */
void edge_volume_count_read(struct edge_volume *volume, int result);

/* On with closing; at the end of every event. */
void edge_volume_settle(struct edge_volume *volume);

int64_t edge_volume_wall_ms(const struct edge_volume *volume);
uint32_t edge_volume_hour(const struct edge_volume *volume);

/* Atomic `n` more. */
/* NOLINTNEXTLINE(readability-non-const-parameter): it does change */
static inline void volume_count(uint64_t *counter, uint64_t n)
{
    __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* Counts what is wrong with the bytes at `place` of `generation`: torn by a crash, or rotten. */
void edge_volume_count_bad(struct edge_volume *volume, const struct edge_place *place,
                           uint64_t generation, uint64_t *counter);
