/*
 * Purges: rules that say which stored responses are no longer right.
 *
 * A purge is a rule with an epoch, a number that grows with each call. Nothing is looked
 * for when it is made: each stored response bears its birth, the epoch at which its request
 * was sent upstream, and is judged by the rules that are newer. An object remembers up
 * to which epoch it was judged, so a hit costs one comparison with edge_purges_epoch().
 *
 *     add ──► log, on disk ──► rules in memory ──► epoch ──► done: the receipt
 *
 * Rules stay: what was stored before a purge is judged by it whenever it turns up,
 * be it that a fill ended late or that a drive was put back. So that they do not grow
 * for ever, the oldest are folded into a floor once there are too many: whatever is
 * older than the floor has to be validated. The same holds for all that is older
 * than the log itself, should that get lost.
 *
 * Epochs are milliseconds of wall time, or one more than the last if that is greater.
 *
 * Ownership  open → close, after everything that asks.
 * Threads    open and close: one, and they block. add: on any loop. The rest anywhere.
 * Limits     EDGE_PURGES_MAX_RULES rules, EDGE_PURGES_MAX_CALL in one call, texts of
 *            EDGE_PURGE_TEXT_MAX bytes; EDGE_PURGES_MAX_QUEUED calls wait.
 * Failures   A purge that could not be made durable has no effect: -ENOSPC, -EIO …
 *            FB_E_BUSY: too many wait. FB_E_UNAVAILABLE: another process takes them now.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/loop/work.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_purges;
struct fb_clock;
struct fb_metrics;

enum {
    EDGE_PURGES_MAX_RULES = 128 * 1024,
    EDGE_PURGES_MAX_CALL = 256,
    EDGE_PURGES_MAX_QUEUED = 64,
    EDGE_PURGES_N_RECENT = 100,
    EDGE_PURGE_TEXT_MAX = 16 * 1024
};

enum edge_purge_kind {
    EDGE_PURGE_URL,    /* of this very key */
    EDGE_PURGE_PREFIX, /* of keys that begin so */
    EDGE_PURGE_TAG,    /* of responses that bear it */
    EDGE_PURGE_N_KINDS
};

/* "url", "prefix" or "tag". */
const char *edge_purge_kind_name(enum edge_purge_kind kind);

struct edge_purge {
    enum edge_purge_kind kind;
    bool is_soft;       /* stale, to be validated; else as if it had never been */
    struct fb_str text; /* a key, its beginning, or a tag */
};

struct edge_purges_options {
    const char *folder;           /* where the log is; NULL: nothing is durable */
    const struct fb_clock *clock; /* borrowed */
    struct fb_metrics *metrics;   /* borrowed, may be NULL */
    uint64_t seed;                /* of hashes; drawn by the program */
    size_t max_rules;             /* 0: EDGE_PURGES_MAX_RULES */
};

/* Reads the log, or begins one. One that is broken is put aside, with a line in the program's log,
 * and counts as lost. */
FB_MUST_CHECK int edge_purges_open(const struct edge_purges_options *options,
                                   struct edge_purges **ret_purges, struct fb_diag *diag);

/* Requires that no call is under way. Accepts NULL. */
void edge_purges_close(struct edge_purges *purges);

/* What is older than `epoch`, or than an epoch that this was called with before, may have been
 * purged without these rules: it has to be validated. On any thread. */
void edge_purges_doubt(struct edge_purges *purges, uint64_t epoch);

/* True if purges outlive the process. */
bool edge_purges_are_durable(const struct edge_purges *purges);

/* One call: all of it or nothing. When `op` is done with FB_OK the purges are durable (if there is
 * a folder) and count on every loop. */
struct edge_purges_add {
    struct fb_op op;

    /* In; borrowed until done, with the texts. */
    const struct edge_purge *purges;
    size_t n; /* 1 to EDGE_PURGES_MAX_CALL */

    /* Out: the receipt. */
    uint64_t epoch;

    /* Private to edge/purge. */
    struct fb_work work;
    struct edge_purges *owner;
};

void edge_purges_add(struct edge_purges *purges, struct edge_purges_add *add);

/* ---- giving the log to another process ------------------------------------ */

/* When `op` is done with FB_OK, the calls made before it are through, and each that is made after
 * it finishes with FB_E_UNAVAILABLE, until edge_purges_release(). FB_E_BUSY: too many wait. */
struct edge_purges_hold {
    struct fb_op op;

    /* Private to edge/purge. */
    struct fb_work work;
    struct edge_purges *owner;
};

void edge_purges_hold(struct edge_purges *purges, struct edge_purges_hold *hold);
void edge_purges_release(struct edge_purges *purges);

/* Reads what another process has put into the log since it was opened here. Blocks; before the
 * first call and while nothing is judged. */
FB_MUST_CHECK int edge_purges_catch_up(struct edge_purges *purges, struct fb_diag *diag);

/* ---- judging ------------------------------------------------------------- */

/* The epoch of the last purge; what is stored from now on is judged by later ones. 0 for NULL. */
uint64_t edge_purges_epoch(const struct edge_purges *purges);

enum edge_purge_verdict {
    EDGE_PURGE_KEEP,
    EDGE_PURGE_SOFT, /* stale: validate before use */
    EDGE_PURGE_GONE
};

/* What is judged. A birth in the future, which a clock that was set back may cause, counts as
 * none. */
struct edge_purge_subject {
    struct fb_str key;
    struct fb_str tags; /* value of Cache-Tag, or empty */
    uint64_t birth;
};

/* By the rules that are newer than its birth. `ret_epoch` (may be NULL): of the rule
 * that decided, 0 if none did. KEEP for NULL. */
enum edge_purge_verdict edge_purges_judge(struct edge_purges *purges,
                                          const struct edge_purge_subject *subject,
                                          uint64_t *ret_epoch);

/* ---- looking ------------------------------------------------------------- */

struct edge_purges_status {
    uint64_t epoch;
    uint64_t floor; /* what is older has to be validated; 0: nothing */
    size_t n_rules;
};

struct edge_purges_status edge_purges_status(struct edge_purges *purges);

/* Gives the last purges, newest first, at most EDGE_PURGES_N_RECENT. `visit` must not call
 * back; what it is given stands for the call. */
void edge_purges_recent(struct edge_purges *purges, void *ctx,
                        void (*visit)(void *ctx, const struct edge_purge *purge, uint64_t epoch));
