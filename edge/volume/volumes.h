/*
 * Volumes: the drives of a node as one place for extents.
 *
 *     store ── find, read, write, purge ──► volumes ──► volume ──► zones on a drive
 *
 * Each extent belongs on the volume that ranks first for its fingerprint
 * (rendezvous hashing), so a volume that comes or goes moves only its share.
 * Reads look on all volumes in that order, so what lies elsewhere is found too.
 * A volume that fails leaves the others alone and comes back by itself: it is looked for
 * every second, less often if it keeps failing, and serves again what it holds. Volumes
 * get their share of extents by their size.
 *
 * Every volume has one owner among the attached loops, which alone writes to it;
 * reads run on the loop that asks, with that loop's own queue.
 *
 *     new ──► attach, once per loop ──► start ──► … ──► drain ──► free
 *
 * Ownership  The caller frees the volumes after the loops were drained.
 * Threads    read on any attached loop; purge and flush on any loop that runs until they are
 *            done; find, touch, write, room, count and status anywhere; the rest as each says.
 * Limits     EDGE_VOLUMES_MAX; bytes that wait to be written EDGE_VOLUME_QUEUE_BYTES a
 *            volume.
 * Failures   A volume that cannot be used is out of service, with its reason in the
 *            log and the status; new and start do not fail for it.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/loop/loop.h"
#include "base/loop/op.h"
#include "edge/format/extent.h"
#include "edge/volume/index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_volumes;
struct fb_clock;
struct fb_diag;
struct fb_disk;
struct fb_disk_options;
struct fb_metrics;

enum { EDGE_VOLUMES_MAX = 16, EDGE_VOLUME_QUEUE_BYTES = 64 * 1024 * 1024 };

struct edge_volume_spec {
    const char *path;     /* a block device, or a file that is made if missing */
    uint64_t size;        /* of a file to be made; 0: as it is */
    uint64_t daily_bytes; /* that may be written in a day; 0: no limit, but see below */
    uint32_t daily_share; /* the same in thousandths of its size; counts if not 0 */
    uint64_t scrub_rate;  /* bytes per second; 0: never */
};

struct edge_volumes_options {
    const struct edge_volume_spec *volumes; /* copied, with their paths */
    size_t n;
    struct fb_str node;           /* copied */
    const struct fb_clock *clock; /* borrowed */
    struct fb_metrics *metrics;   /* borrowed, may be NULL; not rendered after free */

    /* Purges: whether they are logged, and the epoch that all bears which is stored from now on,
     * if not a later one. A volume whose log is gone is in doubt: before it serves, `doubt` (may
     * be NULL) is told the epoch; what is older may have been purged. On any attached loop. */
    bool has_log;
    uint64_t epoch;
    void (*doubt)(void *ctx, uint64_t epoch);
    void *doubt_ctx;

    /* What opens a disk, on any thread. NULL: fb_disk_open(). */
    int (*open)(void *ctx, const char *path, const struct fb_disk_options *options,
                struct fb_disk **ret_disk, struct fb_diag *diag);
    void *open_ctx;
};

/* Touches no drive. */
struct edge_volumes *edge_volumes_new(const struct edge_volumes_options *options);

/* Requires that all attached loops were drained, or detached. Accepts NULL. */
void edge_volumes_free(struct edge_volumes *volumes);

/* Gives `loop` a queue of its own; on its thread or before that runs. Fails only
 * when the system gives no descriptors or threads. */
FB_MUST_CHECK int edge_volumes_attach(struct edge_volumes *volumes, struct fb_loop *loop);

/* Gives a loop's queue back without draining, when the volumes are not to be started after
 * all. Harmless if the loop was drained. Before the loop is freed. */
void edge_volumes_detach(struct edge_volumes *volumes, const struct fb_loop *loop);

/* Opens and recovers the volumes in the background; each serves when ready. Once,
 * after all attaching, on any thread. */
void edge_volumes_start(struct edge_volumes *volumes);

/* For an attached loop, on its thread: writes out, checkpoints and closes the volumes that
 * it owns, waits for its reads, and gives its queue back. No call on that loop afterwards. */
void edge_volumes_drain(struct edge_volumes *volumes, struct fb_loop *loop, struct fb_op *op);

/* ---- reading ------------------------------------------------------------- */

/* Where something lies: valid for a read, which finds out if it has gone. */
struct edge_volume_place {
    unsigned volume;
    struct edge_place place;
};

/* The newest extent of `id` (any version if that is 0) in service that has chunk
 * `chunk`, 0 to 3 (any if negative), or the `nth` after it. No I/O. */
bool edge_volumes_find(struct edge_volumes *volumes, const struct edge_extent_id *id, int chunk,
                       unsigned nth, struct edge_volume_place *ret_place);

/* Memory that a read of one chunk needs: aligned, for head and chunk together. */
size_t edge_volumes_read_bytes(const struct edge_volume_place *place);

/* One chunk of an extent, and what stands beside it. The chunk is verified. Counts as a hit
 * for the extent's heat. Not cancelable: the memory is the kernel's until done.
 *
 * FB_E_NOT_FOUND: it has gone, or is another key's. FB_E_CORRUPT: rotten, counted and
 * forgotten. FB_E_UNAVAILABLE, -EIO …: the volume failed. All are misses. */
struct edge_volume_read {
    struct fb_op op;

    /* In; borrowed until done. */
    struct edge_volume_place place;
    struct edge_extent_id id;
    struct fb_str key; /* must be the record's */
    int chunk;         /* 0 to 3; negative: the first there is */

    /* May be NULL. True if nobody will ever want the record with this head: it is forgotten, until
     * a crash perhaps, and the read finishes with FB_E_NOT_FOUND. On the reader's loop. */
    bool (*is_unwanted)(void *ctx, const struct edge_extent_head *head);
    void *ctx;

    char *memory; /* edge_volumes_read_bytes() of it, aligned to FB_DISK_BLOCK */

    /* Out; `head` and `bytes` point into `memory`. */
    struct edge_extent_head head;
    struct fb_str bytes;  /* of the chunk */
    unsigned found_chunk; /* which one */

    /* Private to edge/volume. */
    void *internal;
    struct edge_volumes_loop *user;
    struct edge_slot *slot;
    fb_op_done_fn *done; /* the caller's own, while the set's stands in op.done */
};

void edge_volumes_read(struct edge_volumes *volumes, struct edge_volume_read *read);

/* `hits` that the extent had elsewhere (in RAM). */
void edge_volumes_touch(struct edge_volumes *volumes, const struct edge_extent_id *id,
                        unsigned hits);

/* True if the volume that an extent of this fingerprint would have been given to, of all that
 * served since the start, does not serve now. */
bool edge_volumes_have_lost(struct edge_volumes *volumes, uint64_t fingerprint);

/* ---- writing ------------------------------------------------------------- */

/* An extent to be written: chunks are kept alive by whoever gives them until release(),
 * which is called once, on any thread, also when the write fails. */
struct edge_volume_write {
    struct edge_extent_head head;             /* strings and all are copied */
    struct fb_str chunks[EDGE_EXTENT_CHUNKS]; /* those of head.mask */
    void (*release)(void *owner);
    void *owner;
};

/* Queues the extent for its volume. FB_E_BUSY: too much waits; FB_E_LIMIT: today's budget
 * is spent, or the head is too long; FB_E_UNAVAILABLE: no volume in service. On failure
 * nothing was released. */
FB_MUST_CHECK int edge_volumes_write(struct edge_volumes *volumes,
                                     const struct edge_volume_write *write);

/* How the volume that would get this fingerprint stands, for admission. */
struct edge_volume_room {
    bool is_in_service;
    bool was_full;     /* a zone was ever reclaimed */
    unsigned pressure; /* of the budget, 0 to 1000 */
};

struct edge_volume_room edge_volumes_room(struct edge_volumes *volumes, uint64_t fingerprint);

/* Forgets every extent of the key on all volumes, at once; `op` finishes when it would be
 * forgotten after a crash too. FB_E_UNAVAILABLE: a volume is out of service; it forgets before
 * it serves again, if that is in this process' life. */
struct edge_volumes_purge {
    struct fb_op op;
    uint64_t fingerprint;
    size_t n_extents; /* out, whatever the result: how many there were */
};

void edge_volumes_purge(struct edge_volumes *volumes, struct edge_volumes_purge *purge);

/* Finishes when everything that this thread gave to write before is durable, or lost with its
 * volume: then with the error. */
void edge_volumes_flush(struct edge_volumes *volumes, struct fb_op *op);

/* ---- looking ------------------------------------------------------------- */

enum edge_volume_state {
    EDGE_VOLUME_STARTING, /* opening, recovering */
    EDGE_VOLUME_ONLINE,
    EDGE_VOLUME_OFFLINE, /* failed or gone; looked for every second */
    EDGE_VOLUME_REFUSED  /* another's, or of another format: never touched */
};

struct edge_volume_status {
    const char *path; /* lives as long as the volumes */
    enum edge_volume_state state;
    char reason[160]; /* why it is not online; else empty */
    uint64_t size;
    uint32_t n_zones;
    uint32_t n_zones_free;
    uint64_t n_extents;
    uint64_t index_bytes;       /* of memory */
    uint64_t written_admission; /* bytes ever, over restarts */
    uint64_t written_rewriting;
    uint64_t written_metadata;
    uint64_t written_today;
    uint64_t daily_bytes; /* 0: no limit */
    uint64_t n_corrupt;   /* chunks and heads that did not fit their checksums */
    uint64_t n_io_errors;
    uint64_t queued_bytes; /* given to be written, and not written yet */
};

size_t edge_volumes_count(const struct edge_volumes *volumes);
void edge_volumes_status(struct edge_volumes *volumes, size_t i, struct edge_volume_status *ret);

/* True once no volume is STARTING. */
bool edge_volumes_are_started(struct edge_volumes *volumes);
