/*
 * What the files of edge/fill share.
 *
 *     table.c   which fills run, joining and leaving, what is not shareable
 *     fill.c    one fill, from the request to the last byte
 *
 * A joiner belongs to its own loop, except while it is POSTED: then the fill
 * writes its outputs and sends it home.
 *
 *              join              the fill's answer           mail
 *     IDLE ──────────► WAITING ────────────────────► POSTED ───────► IDLE, done
 *       ▲                 │ cancel                      │ wrong variant
 *       └─────────────────┘                             └──► WAITING elsewhere
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/list.h"
#include "base/core/machine.h"
#include "edge/fill/fill.h"

#include <pthread.h>

struct fb_map;
struct fb_metrics_table;

enum join_phase { JOIN_IDLE, JOIN_WAITING, JOIN_POSTED };

enum fill_metric { FILL_STARTED, FILL_FAILED, FILL_BUSY, FILL_BYTES, FILL_READERS };

/* One key whose response cannot be shared, until then. */
struct fill_memory {
    uint64_t hash;
    int64_t until_ms;
};

struct edge_fill_table {
    struct edge_fill_options options;
    struct fb_metrics_table *metrics; /* borrowed, may be NULL */

    pthread_mutex_t lock;
    struct fb_map *by_key; /* owned; of struct edge_fill that may be joined */
    struct fb_list fills;  /* all that run */
    struct fb_list drains; /* of struct fill_drain, for the table's life */
    unsigned n_fills;
    struct fill_memory memory[EDGE_FILL_MEMORY];
};

struct edge_fill {
    struct edge_fill_table *table;
    struct fb_loop *loop; /* borrowed */
    struct fb_machine machine;
    struct fb_list link;    /* in table->fills, under its lock */
    struct fb_list joiners; /* under the table's lock */
    bool is_joinable;       /* in table->by_key, under its lock */
    bool is_canceled;

    struct fb_arena arena;          /* the request */
    struct fb_str key;              /* in the table: the object's, perhaps with its variant */
    struct edge_fill_ask ask;       /* copies in the arena; `stale` counted */
    struct fb_request_head client;  /* what ask.request points at */
    struct fb_request_head request; /* what is sent */
    struct edge_moment requested;

    struct edge_fetch fetch;
    struct edge_pass *answer;   /* owned: the response, with the memory of its head */
    struct fb_op wait;          /* for more of its body, or for its readers */
    struct edge_writer *writer; /* owned; into what fills */
};

/* What a fill tells its joiners. */
struct fill_answer {
    int result;
    enum edge_fill_outcome outcome;
    struct edge_object *object; /* borrowed; each joiner gets a reference */
    struct edge_pass *pass;     /* for the joiner that began; taken over or freed */
    int rest;                   /* result of the others, when there is a pass */
    bool is_personal;           /* owed to who asked: the others join again */
    bool was_validated;
    bool is_stand_in;
    unsigned status;
};

/* A fill of `key`, running nothing yet. */
struct edge_fill *edge_fill_new(struct edge_fill_table *table, struct fb_loop *loop,
                                struct fb_str key, const struct edge_fill_ask *ask);

/* Sends the request; on the fill's loop. The fill frees itself at its end. */
void edge_fill_begin(struct edge_fill *fill);

/* Makes it end soon; on the fill's loop. */
void edge_fill_cancel(struct edge_fill *fill);

/* Takes `fill` off the keys and answers all joiners. */
void edge_fill_answer(struct edge_fill *fill, const struct fill_answer *answer);

/* The key gave what cannot be shared. */
void edge_fill_remember(struct edge_fill_table *table, struct fb_str key, int64_t mono_ms);

/* Takes `fill` out of the table; the last on its loop finishes a drain. */
void edge_fill_leave(struct edge_fill *fill);

void edge_fill_metric(struct edge_fill_table *table, enum fill_metric metric, int64_t n);
