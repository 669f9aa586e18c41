/*
 * What the files of recovery share.
 *
 *     recovery.c         the rules, the order of its steps, the checkpoint and its listings
 *     recovery_survey.c  which zones are in use
 *     recovery_zone.c    what the newer ones hold, zone by zone
 */
#pragma once

#include "edge/volume/volume_internal.h"

/* What is found of one zone. */
struct recovery_zone {
    uint64_t generation;               /* 0: free */
    struct edge_checkpoint_zone known; /* by the checkpoint, if of the same generation; else zero */
    struct edge_summary summary;       /* its footer's; generation 0: none of this life */
    bool has_header;
};

enum { RECOVERY_READS = 16, RECOVERY_MAX_ERRORS = 4 };

/* Reads one block of a zone: its header or its footer. */
struct recovery_probe {
    struct volume_io io;
    struct volume_recovery *recovery;
    char *block; /* owned */
    uint32_t zone;
    bool is_footer;
    bool was_retried;
    bool is_busy;
};

/* A walk over the records of one zone. */
struct recovery_walk {
    uint32_t zone;
    uint32_t block;    /* next */
    uint64_t sum;      /* of the record before */
    uint32_t window;   /* first block in `bytes` */
    uint32_t n_window; /* blocks in it */
    bool is_newest;    /* it may be continued ... */
    uint32_t sealed;   /* ... unless its summary tells up to here: then only ledgers count */

    /* Bytes of the records that came after the latest count of written bytes. */
    uint64_t since[VOLUME_METADATA + 1];
};

struct volume_recovery {
    struct edge_volume *volume;
    struct recovery_zone *zones; /* owned */
    uint32_t *order;             /* owned; zones in use, oldest first */
    uint32_t n_order;
    uint32_t next;
    uint64_t floor;    /* generations below are free */
    unsigned n_errors; /* of reads, even when tried again */
    bool is_ended;

    struct edge_checkpoint heads[2]; /* of the slots; sequence 0: none */
    int slot;                        /* the one that is used; -1: none */
    char *bytes;                     /* owned; checkpoint, summary or window */
    uint64_t next_listing;

    struct recovery_probe probes[RECOVERY_READS];
    uint32_t next_probe; /* 2 * zone, and 1 more for the footer */
    unsigned n_probing;

    struct recovery_walk walk;
    bool has_written;
    struct edge_written written; /* the latest */

    struct volume_io io;
    bool was_retried;
    void (*then)(struct volume_recovery *recovery, int result); /* of io */
    void (*slice)(struct volume_recovery *recovery);
    struct fb_post post;
    bool is_posted;
};

/* Reads into recovery->bytes (made anew), then calls `then`. Errors are tried once more. */
void edge_recovery_read(struct volume_recovery *recovery, uint64_t offset, size_t n,
                        void (*then)(struct volume_recovery *recovery, int result));

/* True if a read that ended so is to be tried again. Counts errors: all reads of recovery ask. */
bool edge_recovery_tries_again(struct volume_recovery *recovery, int result, bool *was_retried);

/* Calls `slice` in the next turn. */
void edge_recovery_later(struct volume_recovery *recovery,
                         void (*slice)(struct volume_recovery *recovery));

void edge_recovery_end(struct volume_recovery *recovery, int result);

/* A count of written bytes was found: the latest one is kept. True if it is this. */
bool edge_recovery_saw_written(struct volume_recovery *recovery,
                               const struct edge_written *written);

/* One record of a zone, in order: into the index, or out of it. */
void edge_recovery_apply(struct volume_recovery *recovery, const struct edge_listing *listing);

/* Reads header and footer of every zone and decides which are in use: `order`. Begins what can
 * be begun now; ends in edge_recovery_list(). */
void edge_recovery_survey(struct volume_recovery *recovery);

/* What the checkpoint lists of them, if there is one; ends in edge_recovery_replay(). */
void edge_recovery_list(struct volume_recovery *recovery);

/* The zones that are in use, one after the other, after all else is known: ends in
 * edge_recovery_end(). */
void edge_recovery_replay(struct volume_recovery *recovery);
