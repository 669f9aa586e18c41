/*
 * How a volume comes to hold what it is given: jobs wait in the mailbox and the writer, which
 * places them one after the other in the open zone, as far as the ledger allows, and in pieces
 * that go to the disk. What is written can be found, and what is synced is answered for.
 *
 *     mailbox ──► writer ──► pieces ──► disk
 *                   ▲  └──► ledger (what may be written, and was)
 *     reclaim ──────┘
 *
 * Threads    The owner's loop, but for the mailbox, which has a lock.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/list.h"
#include "base/core/str.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "edge/format/format.h"
#include "edge/policy/budget.h"
#include "edge/volume/index.h"
#include "edge/volume/io_internal.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_volume;
struct edge_volume_request;

enum {
    VOLUME_PIECE_BYTES = 1024 * 1024,
    VOLUME_PIECES = 6, /* one is filled while the others are written */
    VOLUME_MAX_OWED = 4096
};

/* ---- jobs: what waits to be written -------------------------------------- */

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

/* ---- the ledger ---------------------------------------------------------- */

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

/* ---- pieces: write buffers ----------------------------------------------- */

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

/* ---- the writer ---------------------------------------------------------- */

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

/* ---- entries: what is written can be found ------------------------------- */

void edge_entry_publish(struct edge_volume *volume, const struct volume_entry *entry);

/* The volume holds all these chunks already: they left memory before they could be found here,
 * and came again. */
bool edge_extent_is_known(const struct edge_volume *volume, const struct edge_extent_head *head);

/* ---- syncs --------------------------------------------------------------- */

void edge_sync_init(struct edge_volume *volume);

/* The number of a sync that begins from now on; `n_synced` tells when it is over. */
uint64_t edge_sync_ask(struct edge_volume *volume);

/* The request is answered when all that was placed so far is durable. */
void edge_sync_await(struct edge_volume *volume, struct edge_volume_request *request);

/* Answers what is durable; asks for a sync if one would make more so. */
void edge_sync_answer(struct edge_volume *volume);

/* ---- zones: opening and sealing ------------------------------------------ */

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
