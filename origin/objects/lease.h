/*
 * The objects of one task, for a worker that holds no store: by way of its origin, and of the
 * task's lease.
 *
 *     worker thread ── post ──► loop: fetch ──► GET, HEAD, PUT /internal/v1/tasks/objects/<key>
 *           ▲                       │           Authorization: Bearer <worker token>
 *           └────── signal ─────────┘           Forebay-Lease: <task> <lease>
 *
 * What was uploaded of the video can be read, and what lies under media/<video>/<version>/ and
 * work/<video>/<version>/ read and written. Listing, removal and multiparts are FB_E_UNSUPPORTED.
 * What is put goes with its SHA-256 (RFC 9530), and is refused if it comes as something else.
 * Requests that break, and those that the origin cannot serve now, are made again.
 *
 * Ownership  open → origin_objects_close(), when no call is under way.
 * Threads    Calls: any but the loop's, several at once.
 * Limits     30 s of silence for each attempt, of which there are five.
 * Failures   FB_E_CONFLICT once the lease is lost; FB_E_DENIED for keys of others and a refused
 *            token; else as origin/objects/objects.h says.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/http/url.h"

struct fb_client;
struct fb_clock;
struct fb_loop;
struct fb_metrics;
struct fb_metrics_table;
struct fb_pool;
struct fb_tls_party;
struct origin_objects;

struct origin_lease_options {
    struct fb_loop *loop;            /* borrowed; runs on a thread of its own */
    struct fb_client *client;        /* borrowed; of that loop */
    struct fb_tls_party *tls;        /* borrowed; of https; else NULL */
    struct fb_pool *pool;            /* borrowed; reads the files that are sent */
    struct fb_url url;               /* borrowed; of the origin; its target is of no account */
    struct fb_str token;             /* copied, as the next two */
    struct fb_str task;              /* an id */
    struct fb_str lease;             /* an id */
    const char *spool;               /* copied; a folder for what is put in pieces; NULL: /tmp */
    const struct fb_clock *clock;    /* borrowed; NULL: the system's */
    struct fb_metrics_table *counts; /* of all such stores together; NULL: nothing is counted */
    uint32_t max_attempts;           /* 0: 5 */
};

/* Where the stores of all tasks are counted, made once. */
struct fb_metrics_table *origin_lease_counts(struct fb_metrics *metrics);

FB_MUST_CHECK int origin_lease_open(const struct origin_lease_options *options,
                                    struct origin_objects **ret_objects);
