/*
 * Remote: an origin in another process as a source of tasks, over HTTPS or HTTP (the
 * routes of origin/jobs).
 *
 * A loop of its own does the talking; a call posts its request there and waits
 * for the answer, so workers stay plain blocking code.
 *
 *     worker thread ── post ──► loop: fetch, read the answer ── signal ──► worker thread
 *
 * Ownership  open → close, when no call is under way.
 * Threads    Calls: any, several at once.
 * Limits     Answers of 64 KiB, tasks of ORIGIN_TASK_MAX; 10 s for each call, 60 s for a finish.
 * Failures   FB_E_DENIED when the token is refused; FB_E_UNAVAILABLE when the
 *            origin answers 5xx; what base/client gives, handshakes' failures among it.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "origin/model/task.h"

struct fb_clock;
struct fb_metrics;
struct origin_objects;
struct origin_remote;

struct origin_remote_options {
    const struct fb_clock *clock; /* borrowed */
    struct fb_metrics *metrics;   /* borrowed */
    struct fb_str origin;         /* copied; such as "https://origin.example" */
    struct fb_str token;          /* copied */
    /* Of https: a PEM file of those who may have signed the origin's certificate; NULL: whom the
     * system trusts. */
    const char *authorities;
    struct fb_str spool; /* copied; a folder for objects that are put in pieces */
};

FB_MUST_CHECK int origin_remote_open(const struct origin_remote_options *options,
                                     struct origin_remote **ret_remote, struct fb_diag *diag);
void origin_remote_close(struct origin_remote *remote);

struct origin_task_source origin_remote_source(struct origin_remote *remote);

/* The objects of a task by way of its lease; member open_objects of origin_workers_options, with
 * the remote as `ctx`. Good as long as the remote is. */
FB_MUST_CHECK int origin_remote_open_objects(void *ctx, const struct origin_task *task,
                                             struct origin_objects **ret_objects);
