/*
 * What the files of edge/warm share.
 *
 *     warm.c     its life, the second's round, and what it says of itself
 *     get.c      one document from a regional node
 *     pull.c     the plan: head, judgement, body
 *     filler.c   entries that no tier has, some at a time
 *     state.c    what outlives the process
 *     status.c   what /status tells
 *     windows.c, bucket.c, guard.c, yield.c   when, how fast, at what price, to what end
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/http/head.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "base/loop/work.h"
#include "base/wire/plan.h"
#include "edge/fill/ahead.h"
#include "edge/warm/bucket.h"
#include "edge/warm/guard.h"
#include "edge/warm/state.h"
#include "edge/warm/warm.h"
#include "edge/warm/windows.h"
#include "edge/warm/yield.h"

#include <pthread.h>

struct fb_metrics_table;

/* Why it fills or does not; in the order in which it is asked. */
enum warm_phase {
    WARM_NO_PLAN,
    WARM_STARTING, /* volumes are being read */
    WARM_EXPIRED,
    WARM_DONE, /* all of the plan was looked at */
    WARM_STOPPED,
    WARM_AWAY, /* the regional node */
    WARM_WINDOW,
    WARM_DEMAND,
    WARM_GUARD,
    WARM_FILLING,
    WARM_N_PHASES
};

enum warm_row {
    WARM_ROW_FILLED,
    WARM_ROW_FILLED_BYTES,
    WARM_ROW_JOINED,
    WARM_ROW_WRONG,
    WARM_ROW_REFUSED,
    WARM_ROW_FAILED,
    WARM_ROW_PLANS,
    WARM_ROW_PLANS_REFUSED,
    WARM_ROW_SERIAL,
    WARM_ROW_ENTRIES,
    WARM_ROW_YIELD,
    WARM_ROW_STOPPED,
    WARM_ROW_FILLS,
    WARM_N_ROWS
};

/* One document. */
struct warm_get {
    struct fb_op op; /* FB_E_NOT_FOUND for a 404, FB_E_UNAVAILABLE for any other answer than 200 */

    /* In; borrowed until done. */
    struct edge_warm *warm;
    struct fb_str target;
    int (*take)(struct warm_get *get, struct fb_str bytes); /* what it fails with ends it */

    /* Private to get.c. */
    struct fb_arena arena;
    struct fb_request_head request;
    struct edge_fetch fetch;
    struct fb_reader *body;
    struct fb_op wait;
    struct fb_timer pause;
};

void edge_warm_get(struct warm_get *get);

/* The plan on its way. */
struct warm_pull {
    struct warm_get get;
    struct fb_timer timer;
    struct fb_buf target;
    struct fb_buf token;
    struct fb_plan_head head;
    struct fb_plan_reader *reader; /* owned; while the body comes */
    uint64_t told;                 /* hash of the head that was refused last, or of nothing */
};

/* An object on its way. */
struct warm_slot {
    struct edge_warm *warm;
    struct edge_fill_ahead ahead;
    struct fb_arena arena;
    struct fb_request_head request;
    struct edge_sites *sites; /* a reference while busy */
    size_t index;             /* of its entry in the plan with `serial` */
    uint64_t serial;
    uint8_t sha256[FB_SHA256_SIZE];
    uint64_t size;
    bool is_busy;
};

struct warm_filler {
    struct warm_slot *slots; /* owned; settings.parallel */
    unsigned n_busy;
    struct fb_timer timer;
    size_t at_now;     /* entries marked `now`, before it, were looked at */
    size_t at_all;     /* entries before it were looked at in this window */
    size_t n_entries;  /* of the plan, that fit in `storage` */
    uint64_t n_bytes;  /* of those */
    uint64_t n_coming; /* bytes of what is on its way */
    bool *is_wrong;    /* owned; by entry */
    unsigned n_failed; /* one after another */
    int64_t away_ms;   /* monotonic: nothing is asked for until then */
    int64_t again_ms;  /* monotonic: what failed is tried again then; 0: nothing did */
    bool was_open;     /* the window */
};

/* For edge_warm_status(). */
struct warm_report {
    enum warm_phase phase;
    struct fb_plan_head head; /* serial 0: none */
    uint64_t n_fitting;
    uint64_t n_looked;
    uint64_t plan_bytes;
    uint64_t demand;
    uint64_t level;
    int64_t yield_percent;
    struct edge_yield_part yield;
    int64_t stopped_ms;
};

struct edge_warm {
    struct edge_warm_options options;
    struct fb_buf region; /* settings.region, and .host */
    struct fb_buf host;
    struct fb_metrics_table *metrics;
    struct fb_pool *pool;          /* owned; for the state */
    struct edge_warm_state *state; /* owned; on the pool's thread, but for opening and closing */
    struct fb_loop *home;          /* of whoever opened it */

    /* On the worker's loop. */
    struct fb_plan *plan; /* owned; NULL: none */
    struct fb_plan *news; /* owned; becomes the plan when the state knows of it */
    struct edge_warm_taken taken;
    struct warm_pull pull;
    struct warm_filler filler;
    struct edge_bucket bucket;
    struct edge_guard guard;
    struct edge_yield yield;
    struct fb_timer tick;
    int64_t tick_ms; /* monotonic */
    uint64_t served; /* totals when that was */
    uint64_t planned;
    uint64_t demand; /* bytes a second, of the last seconds */
    bool is_crowded; /* by it */
    enum warm_phase phase;
    struct fb_work save;
    struct edge_warm_change change; /* being saved */
    struct edge_warm_change next;   /* to be saved */
    bool is_dirty;
    int64_t saved_ms;
    bool is_stopping;

    struct fb_post begin;
    struct fb_post end;
    struct fb_post ended;
    struct fb_op *stopped; /* borrowed until finished */
    bool is_started;

    pthread_mutex_t lock; /* of the report */
    struct warm_report report;
};

/* "filling", "window", … */
const char *edge_warm_phase_name(enum warm_phase phase);

void edge_warm_count(struct edge_warm *warm, enum warm_row row, uint64_t n);

int64_t edge_warm_mono_ms(const struct edge_warm *warm);
int64_t edge_warm_wall_ms(const struct edge_warm *warm);

/* A plan that was read and judged: it is in force once the state knows of it. Takes it over. */
void edge_warm_take_plan(struct edge_warm *warm, struct fb_plan *plan);

/* Something of what stop waits for has ended. */
void edge_warm_settle(struct edge_warm *warm);

/* Counts what has come from upstreams. */
void edge_warm_tell_guard(struct edge_warm *warm);

/* What keeps it from filling now, if anything does. */
enum warm_phase edge_warm_look(struct edge_warm *warm);

/* ---- pull.c ---------------------------------------------------------------- */

void edge_pull_begin(struct edge_warm *warm);
void edge_pull_cancel(struct edge_warm *warm);
bool edge_pull_is_idle(const struct edge_warm *warm);
void edge_pull_done(struct edge_warm *warm);

/* ---- filler.c -------------------------------------------------------------- */

void edge_filler_init(struct edge_warm *warm);

/* A plan has come into force. */
void edge_filler_restart(struct edge_warm *warm);

/* True if entries are left that may be filled now, as far as the window is concerned. */
bool edge_filler_has_work(const struct edge_warm *warm);

/* Begins as much as may be begun. */
void edge_filler_step(struct edge_warm *warm);
void edge_filler_cancel(struct edge_warm *warm);
void edge_filler_done(struct edge_warm *warm);
