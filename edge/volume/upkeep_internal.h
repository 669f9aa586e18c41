/*
 * What keeps a volume in order while it serves, and brings it back: reclaim, checkpoints,
 * scrub and recovery.
 *
 *     reclaim ──► fetch (a whole extent) ◄── scrub
 *        └──────► writer
 *
 * Threads    The owner's loop.
 */
#pragma once

#include "base/core/buf.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "edge/format/format.h"
#include "edge/volume/index.h"
#include "edge/volume/io_internal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_volume;

enum {
    VOLUME_FREE_ZONES = 2,
    VOLUME_FETCHES = 2 /* extents that reclaim reads at a time */
};

/* ---- whole extents ------------------------------------------------------- */

struct volume_fetch {
    struct volume_io io;
    char *bytes; /* owned; room for the largest extent, while in use */
    struct edge_extent_id id;
    struct edge_place place;
    uint64_t generation;
    struct edge_record record; /* out; points into bytes */
    void (*done)(struct volume_fetch *fetch, int result);
    bool is_busy;
};

/* Reads and verifies the extent at fetch->place. What is rotten is counted and
 * forgotten: FB_E_CORRUPT. */
void edge_fetch_start(struct edge_volume *volume, struct volume_fetch *fetch);
void edge_fetch_done(struct volume_fetch *fetch);

/* Bytes of chunk `chunk` of a fetched extent. */
struct fb_str edge_fetch_chunk(const struct volume_fetch *fetch, unsigned chunk);

/* ---- reclaim ------------------------------------------------------------- */

struct volume_reclaim {
    bool is_active;
    bool is_hurried; /* rewrites nothing more */
    uint32_t zone;
    unsigned n_passed;    /* zones, since one was emptied */
    struct fb_buf wanted; /* of struct volume_wanted, in order of their blocks */
    size_t next;
    unsigned n_moving; /* fetched or waiting to be written */
    struct volume_fetch fetches[VOLUME_FETCHES];
};

/* Begins or goes on, if there is reason to. */
void edge_reclaim_poke(struct edge_volume *volume);

/* Room is needed at once: what was not placed is dropped. */
void edge_reclaim_hurry(struct edge_volume *volume);

/* A rewriting ended, placed and in the index, or dropped. */
void edge_reclaim_moved(struct edge_volume *volume);

/* Gives up between two steps; the zone stays. */
void edge_reclaim_abort(struct edge_volume *volume);
void edge_reclaim_done(struct edge_volume *volume);

/* ---- checkpoints --------------------------------------------------------- */

enum volume_checkpoint_step {
    VOLUME_CHECKPOINT_IDLE,
    VOLUME_CHECKPOINT_LISTING,
    VOLUME_CHECKPOINT_WRITING,
    VOLUME_CHECKPOINT_SYNCING
};

struct volume_checkpoint {
    enum volume_checkpoint_step step;
    bool is_last; /* at drain */
    bool was_tried;
    uint64_t sequence;  /* of the last one that was begun */
    uint64_t at_total;  /* bytes ever, when the last one was made */
    uint64_t n_headed;  /* headers and ledgers that were made durable */
    uint64_t at_headed; /* ... when its own count was made: is that still the latest? */
    uint64_t promise;
    struct edge_checkpoint_zone *zones; /* owned; as at its beginning */
    uint32_t *order;                    /* owned; of zones, oldest first */
    uint32_t n_order;
    uint32_t next; /* in order */
    uint32_t cursor;
    size_t n_listed;
    struct fb_buf bytes;
    size_t n_written;
    char *piece; /* owned */
    struct volume_io io;
    struct fb_post post;
    bool is_posted;
    uint64_t sync;
};

void edge_checkpointer_init(struct edge_volume *volume);

/* Begins one if enough was written since the last. */
void edge_checkpointer_poke(struct edge_volume *volume);

/* Begins the last one, at drain; at the end `step` is IDLE and `was_tried`. */
void edge_checkpointer_finish(struct edge_volume *volume);

/* A sync is over. */
void edge_checkpointer_on_sync(struct edge_volume *volume);
void edge_checkpointer_reset(struct edge_volume *volume);

/* What to promise for the next one. */
uint64_t edge_checkpointer_estimate(const struct edge_volume *volume);

/* ---- scrub --------------------------------------------------------------- */

struct volume_scrub {
    struct fb_timer timer;
    struct volume_fetch fetch;
    uint64_t began_ms; /* this round */
    uint32_t zone;
    uint32_t cursor;
};

void edge_scrub_init(struct edge_volume *volume);
void edge_scrub_start(struct edge_volume *volume);
void edge_scrub_stop(struct edge_volume *volume);
void edge_scrub_done(struct edge_volume *volume);

/* ---- recovery ------------------------------------------------------------ */

struct volume_recovery;

/* Begins; ends in edge_volume_recovered(). */
void edge_recovery_start(struct edge_volume *volume);

/* Compares what is on the disk with what is known; ends in edge_volume_recovered(), or as
 * edge_recovery_start() does. */
void edge_recovery_verify(struct edge_volume *volume);

/* True while it waits for its next turn. Accepts NULL. */
bool edge_recovery_is_posted(const struct volume_recovery *recovery);

/* Requires that nothing of it is under way. Accepts NULL. */
void edge_recovery_free(struct volume_recovery *recovery);

void edge_volume_recovered(struct edge_volume *volume, int result);
