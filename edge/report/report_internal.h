/*
 * What the files of edge/report share beside the spool.
 */
#pragma once

#include "base/client/client.h"
#include "base/core/buf.h"
#include "base/loop/timer.h"
#include "edge/report/report.h"
#include "edge/report/spool.h"

#include <pthread.h>

struct edge_sender;
struct fb_metrics_table;
struct fb_pool;
struct fb_router;

enum report_metric {
    REPORT_PENDING,
    REPORT_OLDEST,
    REPORT_SEALED,
    REPORT_SPOOL_BYTES,
    REPORT_ENTRIES,
    REPORT_DROPPED,
    REPORT_FOLDED,
    REPORT_SENT,
    REPORT_ACKED,
    REPORT_REFUSED,
    REPORT_FAILURES,
    REPORT_APPLIED,
    REPORT_REPEATED,
    REPORT_GAPS,
    REPORT_CHANGED,
    REPORT_DENIED,
    REPORT_N_METRICS
};

struct edge_report {
    struct edge_spool *spool;
    struct fb_metrics_table *metrics; /* the registry's; NULL: none */
    struct edge_sender *sender;       /* NULL: there is nobody to send to */
    pthread_mutex_t lock; /* of what follows: how the spool was, for who asks on a loop */
    struct edge_spool_state state;
    struct edge_spool_counts counts;
    uint64_t looked_ms; /* monotonic; 0: never */
    const struct fb_clock *clock;
    struct fb_pool *pool; /* takes reports in; NULL, as what follows: none are taken */
    struct fb_router *router;
    char *accept_token; /* owned; NULL: none */
    char **names;       /* owned */
    size_t n_names;
};

void edge_report_count(struct edge_report *report, enum report_metric row, uint64_t n);

/* Looks how the spool is, at most once in a second unless `now`. Waits for the disk. */
void edge_report_look(struct edge_report *report, bool now);

/* ---- one request ------------------------------------------------------------- */

/* A request to a target and all of its answer, at most ASK_ANSWER_MAX bytes. Its op finishes with
 * FB_OK whatever the status is. */
enum { ASK_ANSWER_MAX = 16 * 1024, ASK_HEADERS_MAX = 4 };

struct report_ask {
    struct fb_op op;

    /* In. */
    const struct edge_report_target *target; /* borrowed until done */
    enum fb_method method;
    struct fb_header headers[ASK_HEADERS_MAX];
    size_t n_headers;
    struct fb_buf content; /* taken over */

    /* Out. */
    unsigned status;
    struct fb_buf answer;

    /* Private. */
    struct fb_fetch io;
    struct fb_arena arena;
    struct fb_op wait; /* for more of the answer */
    bool is_reading;
    bool is_canceled;
};

/* Starts `ask`, whose op was set up with fb_op_init(). Cancelable. */
void edge_report_ask(struct fb_client *client, struct report_ask *ask);
void edge_report_ask_done(struct report_ask *ask);

/* ---- the sender ---------------------------------------------------------------- */

/* Copies what it needs of the options. */
FB_MUST_CHECK int edge_sender_new(struct edge_report *report,
                                  const struct edge_report_options *options,
                                  struct edge_sender **ret_sender, struct fb_diag *diag);
FB_MUST_CHECK int edge_sender_start(struct edge_sender *sender);
void edge_sender_halt(struct edge_sender *sender);
void edge_sender_free(struct edge_sender *sender); /* accepts NULL */
void edge_sender_status(struct edge_sender *sender, struct fb_json *json);

/* ---- the receiver -------------------------------------------------------------- */

FB_MUST_CHECK int edge_receiver_open(struct edge_report *report,
                                     const struct edge_report_options *options,
                                     struct fb_diag *diag);
void edge_receiver_close(struct edge_report *report);
