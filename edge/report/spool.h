/*
 * The spool: what was counted, kept until whoever is above has taken it.
 *
 *     add, receive ──► pending ── seal ──► sealed ── batch ──► … ──► acked: gone
 *                      entries, merged     reports, numbered    └──► refused: a new stream
 *                      by what they are of and chained
 *
 * Each arrow is one transaction, so a process may end anywhere between two, and two processes may
 * share the file for a while. Streams, numbers and refusals are as docs/view-reports.md has them.
 *
 * Ownership  open → close. The options' strings are copied.
 * Threads    Any; calls wait for each other and for the disk, so never on a loop.
 * Limits     EDGE_SPOOL_SEALED_MAX reports of a receiver are sealed at once. The database keeps
 * below `max_bytes`, by folding (fold.c): beyond them adding and receiving fail with FB_E_LIMIT.
 *            Streams of EDGE_SPOOL_PEERS_MAX are known; beyond them new ones wait (FB_E_LIMIT).
 * Failures   As base/db, none of which changes anything.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/wire/view_report.h"

#include <stddef.h>
#include <stdint.h>

struct edge_spool;
struct fb_clock;

enum {
    EDGE_SPOOL_SEALED_MAX = 8,
    EDGE_SPOOL_PEERS_MAX = 10000,
    EDGE_SPOOL_ENTRIES_MAX = 8192,          /* in a report that is sealed here */
    EDGE_SPOOL_MIN_BYTES = 16 * 1024 * 1024 /* what a program should allow it */
};

struct edge_spool_options {
    const char *path;     /* of the database */
    struct fb_str node;   /* that its reports name */
    struct fb_str region; /* of what is added here, and of what comes from nodes without one */
    uint64_t max_bytes;
    const struct fb_clock *clock; /* borrowed */
};

/* A database that is broken is put aside, with a line in the log, and another one begun. */
FB_MUST_CHECK int edge_spool_open(const struct edge_spool_options *options,
                                  struct edge_spool **ret_spool, struct fb_diag *diag);
void edge_spool_close(struct edge_spool *spool); /* accepts NULL */

/* Who this is as a receiver: FB_VIEW_RECEIVER_SIZE hex digits, as long as the spool. */
struct fb_str edge_spool_id(const struct edge_spool *spool);

/* Adds entries of this node; `totals` may be NULL. */
FB_MUST_CHECK int edge_spool_add(struct edge_spool *spool, const struct fb_view_entry *entries,
                                 size_t n, const struct fb_view_totals *totals);

/* ---- sending --------------------------------------------------------------- */

/* Makes one report for `receiver` of what is pending, the oldest first. FB_E_END: nothing is;
 * FB_E_BUSY: enough of its reports are not acknowledged yet. */
FB_MUST_CHECK int edge_spool_seal(struct edge_spool *spool, struct fb_str receiver);

/* Reports of one stream that are not acknowledged, from `first` to `last`. */
struct edge_spool_batch {
    uint64_t epoch;
    uint64_t first;
    uint64_t last;
    struct fb_buf body;
};

void edge_spool_batch_done(struct edge_spool_batch *batch);

/* What `receiver` is owed, up to a body's length; FB_E_END: nothing. */
FB_MUST_CHECK int edge_spool_batch(struct edge_spool *spool, struct fb_str receiver,
                                   struct edge_spool_batch *ret_batch);

/* `receiver` has applied all up to `sequence`. A number beyond those that were sealed tells that
 * this database was set back: what follows goes by a new stream. */
FB_MUST_CHECK int edge_spool_acked(struct edge_spool *spool, struct fb_str receiver, uint64_t epoch,
                                   uint64_t sequence);

/* `receiver` has applied all before `sequence`, and none from there on, and never will. */
FB_MUST_CHECK int edge_spool_refused(struct edge_spool *spool, struct fb_str receiver,
                                     uint64_t epoch, uint64_t sequence);

/* ---- receiving ------------------------------------------------------------- */

struct edge_spool_answer {
    enum fb_view_verdict verdict; /* APPLY, GAP or CHANGED, of the first that was refused */
    uint64_t acked;               /* where the stream stands now */
    uint64_t refused;             /* the number of that report */
    size_t n_applied;
    size_t n_repeated;
};

/* Merges the reports of `body` into what is pending, if they are of `node`; ptr NULL: of any.
 * FB_E_MALFORMED, FB_E_UNSUPPORTED: one of them cannot be read, or they are of several streams, or
 * too many. FB_E_DENIED: they are of another node. On failure nothing has changed. */
FB_MUST_CHECK int edge_spool_receive(struct edge_spool *spool, struct fb_str node,
                                     struct fb_str body, struct edge_spool_answer *ret_answer);

/* ---- keeping ---------------------------------------------------------------- */

/* Folds some of the oldest rows if the database is near its bound; FB_E_END: it is not, or nothing
 * can be folded. */
FB_MUST_CHECK int edge_spool_fold(struct edge_spool *spool);

struct edge_spool_state {
    uint64_t n_pending; /* rows */
    uint64_t n_sealed;  /* reports */
    uint64_t n_streams;
    uint64_t n_peers;      /* streams that are received */
    uint64_t n_bytes;      /* of the database in use */
    int64_t oldest_minute; /* of what is pending, -1: nothing is */
    int64_t oldest_ms;     /* when the oldest sealed report was made, -1: there is none */
};

FB_MUST_CHECK int edge_spool_state(struct edge_spool *spool, struct edge_spool_state *ret_state);

/* What happened since the spool was opened. */
struct edge_spool_counts {
    uint64_t added;  /* entries */
    uint64_t sealed; /* reports, as those that follow */
    uint64_t acked;
    uint64_t refused;
    uint64_t applied;
    uint64_t repeated;
    uint64_t gaps; /* refusals of what came */
    uint64_t changed;
    uint64_t folded; /* rows that lost detail */
};

struct edge_spool_counts edge_spool_counts(struct edge_spool *spool);
