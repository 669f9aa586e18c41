/*
 * Warming: a node fills itself by the plan of its region, before anybody asks.
 *
 *     every `pull_ms`   head of the plan ──► is it signed, ours, newer? ──► body ──► in force
 *                                            no: it is told why, and the plan stays as it was
 *
 *     every second      may it fill? ──► the next entries that no tier has ──► edge/fill
 *                           │
 *                           └─ no: outside of the window · clients want the line · the month's
 *                              percentile · the regional node is away · the yield is too low
 *
 * What is filled comes through edge/fill like what clients miss: who asks for it meanwhile joins.
 * It is asked of regional nodes alone, never of an origin; a node without any waits. A body that is
 * not what the plan says is dropped, counted, and not asked for again under this plan. What either
 * tier has is passed over, so that a node goes on where it was killed.
 *
 * The window, and what is a plan: edge/warm/windows.h, docs/plans.md. The bounds: bucket.h (rate),
 * guard.h (percentile), yield.h (worth). Entries marked `now` wait for no window if `fills_now`.
 *
 * Ownership  open → start → stop → close. What the options point at outlives it, but for what is
 *            taken over.
 * Threads    All but status() and close() on the thread of whoever opens; the work is done on
 *            `loop`, that of a crew's worker. Files are read and written on a thread of its own.
 * Limits     `parallel` objects at a time; memory of the plan: about 250 bytes for each entry.
 * Failures   Opening: those of the database, with a sentence.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "edge/upstream/fetch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_fill_table;
struct edge_sites;
struct edge_store;
struct edge_volumes;
struct edge_warm;
struct edge_windows;
struct fb_jose_key;
struct fb_json;
struct fb_loop;
struct fb_metrics;
struct fb_op;

enum { EDGE_WARM_KEYS_MAX = 8, EDGE_WARM_PARALLEL_MAX = 64 };

/* What an operator says; all of it is copied or taken over. */
struct edge_warm_settings {
    struct fb_str region;                         /* of the plan */
    struct fb_str host;                           /* of its paths */
    struct edge_windows *windows;                 /* taken over */
    struct fb_jose_key *keys[EDGE_WARM_KEYS_MAX]; /* taken over */
    size_t n_keys;
    bool fills_now;       /* entries marked so, outside of windows */
    uint64_t rate;        /* bytes a second; 0: no bound */
    unsigned parallel;    /* objects at a time */
    uint64_t storage;     /* the first so many bytes of the plan count */
    uint64_t demand;      /* bytes a second to clients from which on it pauses; 0: never */
    unsigned percentile;  /* see guard.h; 0: no guard */
    uint64_t commit;      /* bytes a second */
    unsigned least_yield; /* percent; 0: filling goes on whatever it is worth */
    int64_t yield_span_ms;
    uint64_t pull_ms; /* between looks at the plan */
};

/* Frees what is to be taken over, if nobody took it. */
void edge_warm_settings_done(struct edge_warm_settings *settings);

struct edge_warm_options {
    struct edge_warm_settings settings; /* moved out of here on success */
    const char *folder;                 /* for warm.db; NULL: nothing outlives the process */
    const struct edge_pool *pool;       /* regional nodes alone; NULL: there are none */
    struct edge_store *store;
    struct edge_volumes *volumes; /* NULL: memory alone */
    struct edge_fill_table *fills;
    struct fb_loop *loop; /* of a worker */
    edge_fetch_fn *fetch; /* called with `uplink` */
    void *uplink;         /* of `loop`; what the fills' fetches are called with, too */
    struct edge_sites *(*sites)(void *ctx); /* in force, borrowed for the call; on the loop */
    void *sites_ctx;
    struct fb_metrics *metrics; /* also read: what the node serves and fetches */
};

FB_MUST_CHECK int edge_warm_open(struct edge_warm_options *options, struct edge_warm **ret_warm,
                                 struct fb_diag *diag);

/* Begins, once the loop runs. Once. */
void edge_warm_start(struct edge_warm *warm);

/* Ends all that was begun; `op`, of the caller's loop, finishes when nothing is left on the
 * worker's. Once, after start. */
void edge_warm_stop(struct edge_warm *warm, struct fb_op *op);

/* Never started, or stopped; the loops are at rest. Accepts NULL. */
void edge_warm_close(struct edge_warm *warm);

/* Adds the member "warm". Any thread. */
void edge_warm_status(struct edge_warm *warm, struct fb_json *status);
