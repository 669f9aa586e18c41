/*
 * What the files of the set share: a slot for each configured volume, whatever
 * stands behind its path at the moment.
 *
 *     IDLE ──► OPENING ──► RECOVERING ──► CATCHING_UP ──► ONLINE ◄──► CHECKING
 *                ▲  │ fails     │ fails        │             │ failed    │ gone
 *                │  ▼           ▼              └─► SUSPENDING ◄──────────┘
 *              WAITING ◄───── CLOSING ◄───────────────┘
 *
 *     drain: ──► DRAINING ──► CLOSING ──► CLOSED, when the call under way is over
 *
 * Each state but ONLINE, IDLE and CLOSED waits for one thing: a call on the pool,
 * an operation of the volume, or a timer.
 *
 * Threads    A slot's machine runs on its owner's loop. What is below "shared" is read and
 *            written under the set's lock; `volume` is called by any loop under it.
 */
#pragma once

#include "base/core/diag.h"
#include "base/core/machine.h"
#include "base/loop/timer.h"
#include "base/loop/work.h"
#include "edge/volume/opening.h"
#include "edge/volume/volume.h"
#include "edge/volume/volumes.h"

#include <pthread.h>

struct fb_metrics_table;

enum { EDGE_SLOT_CATCH_UP = 64 }; /* missed purges that are made up for at a time */

/* One attached loop. */
struct edge_volumes_loop {
    struct edge_volumes *set;
    struct fb_loop *loop;
    struct fb_disk_queue *queue; /* owned, until drained */

    /* Of the loop's thread. */
    size_t n_ops;        /* reads, purges and flushes under way */
    struct fb_op *drain; /* the caller's */
};

enum edge_slot_state {
    EDGE_SLOT_IDLE,
    EDGE_SLOT_OPENING,
    EDGE_SLOT_RECOVERING,
    EDGE_SLOT_CATCHING_UP,
    EDGE_SLOT_ONLINE,
    EDGE_SLOT_CHECKING,
    EDGE_SLOT_SUSPENDING,
    EDGE_SLOT_DRAINING,
    EDGE_SLOT_CLOSING,
    EDGE_SLOT_WAITING,
    EDGE_SLOT_CLOSED
};

/* Purges that a volume out of service has yet to hear of. */
struct edge_missed {
    uint64_t *fingerprints; /* owned */
    size_t n;
    size_t capacity;
    bool is_over; /* more than can be kept: the volume is emptied instead */
};

/* One of them being made up for. */
struct edge_catch_up {
    struct edge_volume_request request;
    struct edge_slot *slot;
};

struct edge_slot {
    struct edge_volumes *set;
    char *path; /* owned */
    struct edge_volume_spec spec;
    struct edge_volumes_loop *owner;

    /* Shared. */
    struct edge_volume *volume; /* owned; NULL until it was opened for the first time */
    bool is_serving;            /* look-ups and requests go to it */
    uint64_t seed;              /* of its rank, from its uuid */
    double weight;              /* of its rank: its size */
    enum edge_volume_state state;
    char reason[sizeof(((struct edge_volume_status *)NULL)->reason)];
    struct edge_missed missed;
    size_t n_requests; /* atomic; calls on `volume` that have yet to finish */

    /* The owner's. */
    struct fb_machine machine;
    struct fb_post start;
    struct fb_timer timer;
    struct fb_op op;     /* of the volume: recover, resume, suspend, drain */
    struct fb_work work; /* on the pool: open, check, close */
    struct edge_opening opening;
    struct edge_superblock superblock; /* of `volume` */
    struct fb_disk *disk;              /* owned; open from OPENING to CLOSING */
    struct fb_diag diag;               /* of the work */
    bool is_present;                   /* what the check found */
    int failure;                       /* why it has to be suspended; FB_OK: it need not be */
    bool was_opened;                   /* a file is not made a second time */
    unsigned n_busy;                   /* how often it was in use before that */
    bool is_draining;
    bool was_drained;
    uint64_t began_ms;  /* to open, or to serve */
    uint64_t pause_ms;  /* before the next look */
    uint64_t repeat_ms; /* the pause of one that keeps failing */
    struct edge_catch_up catch_up[EDGE_SLOT_CATCH_UP];
    size_t n_catching_up;
    size_t n_caught_up; /* of those: answered */
    int catch_up_result;

    struct fb_metrics_table *metrics; /* of the set's registry */
};

struct edge_volumes {
    pthread_rwlock_t lock; /* the shared part of all slots */
    struct fb_pool *pool;  /* owned; a thread for each volume, for a drive can hang */
    char *node;            /* owned */
    struct edge_volumes_options options;

    struct edge_volumes_loop **loops; /* all owned; fixed by start() */
    size_t n_loops;
    bool is_started;

    size_t n;
    struct edge_slot slots[];
};

/* ---- volumes.c ------------------------------------------------------------- */

/* NULL for a loop that was not attached. */
struct edge_volumes_loop *edge_volumes_loop_of(struct edge_volumes *volumes,
                                               const struct fb_loop *loop);

/* One call of the loop's is over, or one of its slots closed: ends its drain if that was
 * the last thing. Accepts NULL. */
void edge_volumes_loop_check(struct edge_volumes_loop *user);

/* Under the lock: a call on the slot's volume begins. Any thread: it is over. */
void edge_slot_enter(struct edge_slot *slot);
void edge_slot_leave(struct edge_slot *slot);

/* ---- slot.c: on the owner's loop --------------------------------------------- */

/* The set's lock, for writing. */
void edge_slot_lock(struct edge_slot *slot);
void edge_slot_unlock(struct edge_slot *slot);

/* Takes the slot out of service, says why, and logs the change; that one which is out of
 * service is so for another reason by now can be seen in the status. */
void edge_slot_tell(struct edge_slot *slot, enum edge_volume_state state, const char *reason);
void edge_slot_tell_failure(struct edge_slot *slot, const char *what, int err);

/* Log what was opened, or that it serves. */
void edge_slot_tell_opened(const struct edge_slot *slot);
void edge_slot_tell_online(struct edge_slot *slot);

/* True if what was opened is the volume that stood here before. */
bool edge_slot_is_same_volume(const struct edge_slot *slot);

/* Makes the volume for what was opened. */
void edge_slot_make_volume(struct edge_slot *slot, void (*failed)(void *ctx, int err));

/* Gives up the volume that stood here, for another one does. False while somebody still waits
 * for an answer from it. */
bool edge_slot_forget_volume(struct edge_slot *slot);

/* ---- health.c -------------------------------------------------------------- */

/* Posts the first step to the owner's loop. */
void edge_slot_start(struct edge_slot *slot);

/* On the owner's loop; edge_volumes_loop_check() is told when it is CLOSED. */
void edge_slot_drain(struct edge_slot *slot);

/* ---- volumes_missed.c ------------------------------------------------------- */

/* Under the lock for writing: a purge to be made up for before the volume serves again. */
void edge_missed_add(struct edge_missed *missed, uint64_t fingerprint);

/* Drops the first `n`. */
void edge_missed_drop(struct edge_missed *missed, size_t n);

/* ---- volumes_status.c -------------------------------------------------------- */

void edge_volumes_make_metrics(struct edge_volumes *volumes, struct fb_metrics *metrics);
