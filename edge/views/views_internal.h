/*
 * What the thread of the views and the writers of the loops share.
 *
 *     views.c    the thread, its sessions and numbers
 *     writer.c   what a loop does
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/core/list.h"
#include "edge/cmcd/cmcd.h"
#include "edge/views/note.h"
#include "edge/views/pacer.h"
#include "edge/views/sessions.h"
#include "edge/views/views.h"

#include <pthread.h>
#include <stdatomic.h>

struct fb_metrics_table;
struct fb_regex;
struct fb_thread;

/* Rows of the metrics table. */
enum {
    VIEWS_ROW_REQUESTS,
    VIEWS_ROW_BEACONS,
    VIEWS_ROW_REFUSED,
    VIEWS_ROW_DROPPED,
    VIEWS_ROW_OPEN,
    VIEWS_ROW_BEGUN,
    VIEWS_ROW_VIEWS,
    VIEWS_ROW_CAPPED,
    VIEWS_ROW_EVICTED,
    VIEWS_ROW_ENTRIES,
    VIEWS_ROW_WAITING,
    VIEWS_ROW_UNCOUNTED, /* as many as there are reasons */
    VIEWS_N_ROWS = VIEWS_ROW_UNCOUNTED + FB_VIEW_REASONS_N
};

struct edge_views_writer {
    struct edge_views *views;         /* borrowed */
    struct fb_metrics_table *metrics; /* borrowed, or NULL */
    struct edge_pacer *pacer;         /* owned; the loop's alone */
    struct fb_list link;              /* in views->writers, for good */
    struct fb_buf going;              /* the thread's alone, as what follows */
    struct fb_str rest;               /* of it, that is still to be read */
    uint64_t next_ms;                 /* when the first of the rest was */
    struct fb_list busy;              /* in views->busy while there is a rest */

    pthread_mutex_t lock; /* of what follows */
    struct fb_buf waiting;
};

struct edge_views {
    struct edge_views_options options; /* its lists and texts are in the arena */
    struct fb_arena arena;
    struct edge_note_paths paths;
    struct fb_str prefix;             /* that all paths of interest have */
    struct fb_regex **bots;           /* owned; options.n_bots */
    struct fb_metrics_table *metrics; /* borrowed, or NULL; the thread's rows */
    struct fb_thread *thread;
    atomic_uint_fast64_t n_dropped;

    /* The thread's. */
    struct fb_list busy; /* writers of which something was taken */
    struct edge_sessions *sessions;
    struct edge_cmcd cmcd;
    struct fb_arena matching;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t news;
    struct fb_list writers;
    bool has_news; /* a buffer is half full */
    bool is_closing;
};

struct fb_metrics_table *edge_views_table(struct fb_metrics *metrics); /* of NULL: NULL */
void edge_views_count(struct fb_metrics_table *table, size_t row, uint64_t n);

/* Wakes the thread by one of its flags. */
void edge_views_tell(struct edge_views *views, bool *flag);

void edge_views_writer_free(struct edge_views_writer *writer);
