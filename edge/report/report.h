/*
 * Reports: what a node counted, brought to whoever is above, and taken from whoever is below.
 *
 *     views ─ deliver ─►┌───────┐
 *     POST  ─ receive ─►│ spool │─► sender: GET who is there ─► seal ─► POST ─► acknowledged: gone
 *                       └───────┘                           ▲                 │
 *                                                           └── later, longer ┘
 *
 * The sender has a thread and a loop of its own, so that it may wait for the disk. Targets are
 * asked in their order; one that has failed EDGE_REPORT_PATIENCE times in a row is passed over, and
 * asked first again the next time. docs/view-reports.md is the protocol.
 *
 * Ownership  open → start → halt → close. What the options name is copied, but for what is said
 *            to be borrowed.
 * Threads    open, start, halt, close: the main one. deliver: one. take: any loop. The rest: any.
 * Limits     As the spool (spool.h); EDGE_REPORT_QUEUED_MAX requests wait to be taken in.
 * Failures   Opening gives a sentence. Later, what fails is tried again; what finds no room is
 *            counted and logged.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/wire/view_report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_report;
struct fb_clock;
struct fb_exchange;
struct fb_json;
struct fb_metrics;
struct fb_tls_party;

enum { EDGE_REPORT_PATIENCE = 3, EDGE_REPORT_QUEUED_MAX = 256, EDGE_REPORT_TARGETS_MAX = 8 };

struct edge_report_target {
    struct fb_str url;        /* of the server; reports have a path of their own */
    struct fb_tls_party *tls; /* borrowed; for https */
    struct fb_str tls_name;   /* that the certificate must be for; empty: the URL's host */
};

struct edge_report_options {
    struct fb_str folder; /* where the spool is; made if missing */
    struct fb_str node;
    struct fb_str region;
    uint64_t max_bytes;
    const struct edge_report_target *targets; /* none: what is counted waits in the spool */
    size_t n_targets;
    struct fb_str token; /* shown to targets; empty: none */
    uint32_t every_ms;   /* between two times that targets are asked */

    /* Of nodes below: who shows the token, or a certificate of one of the names, which is also the
     * only node that it may speak for. Neither: nobody. */
    struct fb_str accept_token;
    const struct fb_str *accept_names;
    size_t n_accept_names;

    const struct fb_clock *clock; /* borrowed */
    struct fb_metrics *metrics;   /* borrowed, may be NULL */

    /* Fills in what the node's numbers are since it was started: the report says what was added.
     * On the sender's thread, from the start until the halt has come there. May be NULL. */
    void (*totals)(void *ctx, struct fb_view_totals *totals);
    void *ctx;
};

FB_MUST_CHECK int edge_report_open(const struct edge_report_options *options,
                                   struct edge_report **ret_report, struct fb_diag *diag);

FB_MUST_CHECK int edge_report_start(struct edge_report *report, struct fb_diag *diag);

/* Sends nothing more. Accepts NULL, and one that was not started. */
void edge_report_halt(struct edge_report *report);

/* Nobody delivers, and no loop takes, any more. Waits for the sender to end. Accepts NULL. */
void edge_report_close(struct edge_report *report);

/* For edge_views_options.deliver, with the report as ctx. Waits for the disk. */
void edge_report_deliver(void *report, const struct fb_view_entry *entries, size_t n);

/* For edge_serve_options.take, with the report as ctx: answers the request if it is for the path of
 * reports, with 404 where none are taken. False: it is for another path. */
bool edge_report_take(void *report, struct fb_exchange *exchange);

/* Adds an object `reports`; nothing for NULL. */
void edge_report_status(struct edge_report *report, struct fb_json *status);
