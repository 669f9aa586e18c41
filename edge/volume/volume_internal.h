/*
 * What the files of one volume share. Each part is a struct in the volume, with
 * its functions below, in the order in which the parts rest on each other.
 *
 *     mailbox ──► writer ──► pieces ──► disk
 *                   ▲  └──► ledger (what may be written, and was)
 *     reclaim ──────┘       fetch: a whole extent, for reclaim and scrub
 *
 * Threads    The owner's loop, but for what is marked atomic, and edge_mailbox_put().
 */
#pragma once

#include "base/core/buf.h"
#include "base/core/list.h"
#include "base/core/machine.h"
#include "base/disk/disk.h"
#include "base/disk/queue.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "edge/format/format.h"
#include "edge/policy/budget.h"
#include "edge/volume/index.h"
#include "edge/volume/volume.h"
#include "edge/volume/zones.h"

#include <pthread.h>

enum {
    VOLUME_PIECE_BYTES = 1024 * 1024,
    VOLUME_PIECES = 6, /* one is filled while the others are written */
    VOLUME_FREE_ZONES = 2,
    VOLUME_FETCHES = 2, /* extents that reclaim reads at a time */
    VOLUME_MAX_OWED = 4096,
    VOLUME_HOUR_MS = 60 * 60 * 1000
};

enum volume_state {
    VOLUME_CLOSED,
    VOLUME_RECOVERING,
    VOLUME_ONLINE,
    VOLUME_FAILED,   /* nothing is started any more; suspend() is awaited */
    VOLUME_DRAINING, /* what waits is written */
    VOLUME_CLOSING   /* what is under way is awaited */
};

/* ---- disk transfers of the owner ------------------------------------------- */

struct volume_io {
    struct fb_disk_io io;
    struct edge_volume *volume; /* set by edge_volume_io_start() */
    void (*done)(struct volume_io *io, int result);
};

/* Starts io->io, of which verb, offset, bytes and n are set, on the volume's disk. */
void edge_volume_io_start(struct edge_volume *volume, struct volume_io *io);

/* ---- jobs: what waits to be written ------------------------------------------ */

enum volume_job_kind { VOLUME_JOB_EXTENT, VOLUME_JOB_PURGE, VOLUME_JOB_FLUSH };

struct volume_job {
    struct fb_list link;
    enum volume_job_kind kind;
    uint64_t fingerprint;                /* of an extent or a purge */
    struct edge_volume_request *request; /* of a purge or flush; NULL: a purge that is owed */

    /* Of an extent. */
    struct edge_record record; /* with key, meta and chunk_bytes; strings: `strings` or `owner`'s */
    struct fb_str chunks[EDGE_EXTENT_CHUNKS];
    void (*release)(void *owner);
    void *owner;
    size_t n_queued;       /* of queued_bytes */
    struct edge_place old; /* of a rewriting: where it lay */
    char *strings;         /* owned */
};

/* Gives chunks back and frees; a request must have been answered. */
void edge_job_free(struct edge_volume *volume, struct volume_job *job);

/* Answers a request, on its own loop. */
void edge_request_answer(struct edge_volume_request *request, int result);

struct volume_mailbox {
    pthread_mutex_t lock;
    struct fb_list jobs; /* under lock, from here on */
    bool takes_extents;
    bool takes_requests;
    bool is_posted;
    struct fb_post post;
};

void edge_mailbox_init(struct edge_volume *volume);
void edge_mailbox_done(struct edge_volume *volume);
void edge_mailbox_open(struct edge_volume *volume, bool takes_extents, bool takes_requests);

/* True while mail is on its way. */
bool edge_mailbox_is_posted(struct edge_volume *volume);

/* ---- the ledger ------------------------------------------------------------- */

enum volume_use { VOLUME_ADMISSION, VOLUME_REWRITING, VOLUME_METADATA };

struct volume_ledger {
    struct edge_budget budget;
    uint64_t written[VOLUME_METADATA + 1]; /* bytes ever */
    uint64_t promised; /* metadata outside of zones that the durable count has room for */
};

/* Counts `n` bytes that are about to be written, or refuses. */
FB_MUST_CHECK bool edge_ledger_take(struct edge_volume *volume, enum volume_use use, uint64_t n);

/* What is to be made durable before up to `in_zone` more bytes go to the open zone, and
 * a checkpoint to its slot. */
void edge_ledger_promise(struct edge_volume *volume, uint64_t in_zone, uint64_t checkpoint,
                         struct edge_written *ret_written);

/* `written`: the latest one that was found; NULL: none. */
void edge_ledger_restore(struct edge_volume *volume, const struct edge_written *written);

/* For all threads: pressure, what is left. */
void edge_ledger_publish(struct edge_volume *volume);

/* All bytes ever, to tell which of two is later. */
uint64_t edge_written_total(const struct edge_written *written);

/* ---- pieces: write buffers --------------------------------------------------- */

struct volume_piece {
    struct volume_io io;
    char *bytes; /* VOLUME_PIECE_BYTES of the memory of all */
    size_t n;
    uint64_t end; /* position after it */
    bool is_written;
    struct fb_list link;
};

/* Positions count all blocks that were ever put, whatever their zone. */
struct volume_pieces {
    struct volume_piece pieces[VOLUME_PIECES];
    char *memory; /* owned; taken for the first write */
    struct fb_list free;
    struct fb_list flying; /* in order */
    struct volume_piece *current;
    uint64_t offset;  /* on the disk, of the current piece */
    uint64_t sent;    /* position after what was submitted */
    uint64_t written; /* ... after what is on the disk without a gap */
};

void edge_pieces_init(struct edge_volume *volume);
void edge_pieces_done(struct edge_volume *volume);

/* After all that was put. Requires whole blocks. */
uint64_t edge_pieces_position(const struct edge_volume *volume);

/* Copies up to `n` bytes; returns how many there was room for. */
size_t edge_pieces_put(struct edge_volume *volume, const char *bytes, size_t n);

/* As many zeros. */
size_t edge_pieces_pad(struct edge_volume *volume, size_t n);

/* Sends the current piece off; it is whole blocks. */
void edge_pieces_submit(struct edge_volume *volume);

/* From here on bytes go to `offset`. Requires that nothing is unwritten. */
void edge_pieces_seek(struct edge_volume *volume, uint64_t offset);

/* Forgets what is not on the disk. Requires that nothing is in the kernel. */
void edge_pieces_reset(struct edge_volume *volume);

/* ---- the writer ----------------------------------------------------------------- */

enum volume_zone_step {
    VOLUME_ZONE_NONE,
    VOLUME_ZONE_FOUND,   /* by recovery: to be continued */
    VOLUME_ZONE_SYNCING, /* what came before, ahead of a header or ledger */
    VOLUME_ZONE_HEADING, /* header or ledger is written */
    VOLUME_ZONE_HEADED,  /* ... and synced */
    VOLUME_ZONE_OPEN,
    VOLUME_ZONE_DRAINING, /* full: the last pieces are written */
    VOLUME_ZONE_SUMMING   /* the summary is written */
};

struct volume_zone {
    enum volume_zone_step step;
    uint32_t number;
    uint64_t generation;
    bool is_continued;      /* a ledger is due, not a header */
    bool is_over;           /* to be sealed as soon as possible */
    uint32_t n_blocks;      /* placed */
    uint64_t sum;           /* of the last record placed */
    uint64_t ledger_sum;    /* of the one that is written */
    uint32_t written;       /* blocks on the disk without a gap, whole records */
    struct fb_buf listings; /* of struct edge_listing, of what was placed */
    uint64_t sync;          /* the one that is awaited */
    uint64_t promise;       /* of a checkpoint, in its header or ledger ... */
    uint64_t at_sequence;   /* ... unless one was begun since */
    struct volume_io io;    /* header, ledger, summary */
    char *bytes;            /* owned; what io writes */
};

struct volume_placing {
    struct volume_job *job; /* owned; NULL: none */
    char *head;             /* owned; EDGE_FORMAT_MAX_HEAD_BLOCKS */
    unsigned part;          /* 0: head; 1 + i: chunk i */
    size_t at;              /* in the part, padding included */
};

/* Placed, but not yet in the index. */
struct volume_entry {
    struct fb_list link;
    struct edge_listing listing;
    uint64_t end; /* position after it */
    bool is_dead; /* purged meanwhile */
    bool is_rewritten;
    struct edge_place old;
};

struct volume_writer {
    struct fb_list jobs;     /* of struct volume_job, in order of arrival */
    struct fb_list again;    /* rewriting */
    struct fb_list entries;  /* of struct volume_entry */
    struct fb_list awaiting; /* of struct edge_volume_request, placed, not durable */
    struct fb_list owed;     /* purges that could not be written; of struct volume_job */
    size_t n_owed;
    size_t n_entries;
    struct volume_placing placing;
    struct volume_zone zone;

    struct volume_io sync;
    bool is_syncing;
    bool wants_sync;
    uint64_t n_syncs;  /* begun */
    uint64_t n_synced; /* finished */
    uint64_t covers;   /* position that the sync under way makes durable */
    uint64_t durable;  /* position */
    struct fb_timer flush_timer;
    struct fb_timer sync_timer;
    bool is_pumping;
};

void edge_writer_init(struct edge_volume *volume);
void edge_writer_done(struct edge_volume *volume);

/* Takes a job over. */
void edge_writer_add(struct edge_volume *volume, struct volume_job *job);

/* Places what can be placed. Call it whenever that may have changed. */
void edge_writer_pump(struct edge_volume *volume);

/* Forgets a key: in the index, in the queue, on the way. Returns how many extents. */
size_t edge_writer_forget(struct edge_volume *volume, uint64_t fingerprint);

/* Everything that waits is released and answered with `err`. */
void edge_writer_refuse(struct edge_volume *volume, int err);

/* Drops rewriting that was not placed yet. */
void edge_writer_drop_again(struct edge_volume *volume);

/* Sends everything on its way, and tells when it has arrived: nothing waits, all is
 * synced. Call it again until then. */
bool edge_writer_drain(struct edge_volume *volume);

/* Tries purges again that could not be written. */
void edge_writer_retry(struct edge_volume *volume);

/* After recovery or resume: what was asked for meanwhile is done. */
void edge_writer_start(struct edge_volume *volume);

/* After closing: what was placed and is not on the disk never was. */
void edge_writer_reset(struct edge_volume *volume);

/* For pieces: more is on the disk. */
void edge_writer_on_written(struct edge_volume *volume);

/* ---- entries: what is written can be found ----------------------------------------- */

void edge_entry_publish(struct edge_volume *volume, const struct volume_entry *entry);

/* The volume holds all these chunks already: they left memory before they could be found here,
 * and came again. */
bool edge_extent_is_known(const struct edge_volume *volume, const struct edge_extent_head *head);

/* ---- syncs ---------------------------------------------------------------------------- */

void edge_sync_init(struct edge_volume *volume);

/* The number of a sync that begins from now on; `n_synced` tells when it is over. */
uint64_t edge_sync_ask(struct edge_volume *volume);

/* The request is answered when all that was placed so far is durable. */
void edge_sync_await(struct edge_volume *volume, struct edge_volume_request *request);

/* Answers what is durable; asks for a sync if one would make more so. */
void edge_sync_answer(struct edge_volume *volume);

/* ---- zones: opening and sealing ----------------------------------------------------- */

/* FB_OK: a record of `n_blocks` can be placed now. FB_E_LATER: soon, it was seen to.
 * FB_E_LIMIT: today's budget does not even allow for a zone. */
FB_MUST_CHECK int edge_zone_prepare(struct edge_volume *volume, uint32_t n_blocks);

/* On with whatever step waits. */
void edge_zone_step(struct edge_volume *volume);

/* A record was placed, or found by recovery. */
void edge_zone_list(struct edge_volume *volume, const struct edge_listing *listing);

/* After closing: what may be half written is not gone on with. */
void edge_zone_reset(struct edge_volume *volume);

/* Forgets the zone that is written, all of it. */
void edge_zone_clear(struct edge_volume *volume);
void edge_zone_done(struct edge_volume *volume);

uint64_t edge_zone_offset(const struct edge_volume *volume, uint32_t zone, uint32_t block);

/* ---- whole extents --------------------------------------------------------------------- */

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

/* ---- reclaim ------------------------------------------------------------------------------ */

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

/* ---- checkpoints ----------------------------------------------------------------------------- */

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

/* ---- scrub
 * --------------------------------------------------------------------------------------- */

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

/* ---- recovery
 * ----------------------------------------------------------------------------------------- */

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

/* ---- the volume
 * ------------------------------------------------------------------------------------------ */

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
