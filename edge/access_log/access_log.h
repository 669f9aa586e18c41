/*
 * The access log: a line for each request, or for each n-th, written by a thread of its own.
 *
 *     loop ──► line ──► its buffer ──┐
 *     loop ──► line ──► its buffer ──┼──► thread ──► file, or the program's log
 *     loop ──► line ──► its buffer ──┘
 *
 * A loop never waits for the disk, nor for another loop: it appends to a buffer that only
 * it and the thread know. When that is full the line is dropped and counted; what is
 * in the file is always whole lines. Lines come to the file within a quarter of a second.
 *
 * Ownership  open ──► a writer for each loop ──► close, which writes out what is there and frees
 *            the writers. What the options name is copied.
 * Threads    A writer is its loop's; reopen may be called on any thread.
 * Limits     EDGE_ACCESS_LOG_BUFFER bytes wait for each loop, and as many are being written.
 * Failures   Opening gives -ENOENT and the like with a sentence. Later, what cannot be
 *            written is lost and counted, and logged once until it goes again.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "edge/access_log/entry.h"

struct edge_access_log;
struct edge_access_writer;
struct fb_metrics;

enum { EDGE_ACCESS_LOG_BUFFER = 1024 * 1024 };

enum edge_access_format { EDGE_ACCESS_OFF, EDGE_ACCESS_JSON, EDGE_ACCESS_W3C };

struct edge_access_log_options {
    enum edge_access_format format;
    struct fb_str path; /* appended to; ptr NULL: the program's log */
    uint32_t sample;    /* one request in so many, by chance */
    enum edge_access_client client;
    bool has_cmcd;
    const struct fb_str *hidden;
    size_t n_hidden;
    struct fb_str node;
    uint64_t seed;              /* of the sampling */
    struct fb_metrics *metrics; /* borrowed, may be NULL */
};

/* *ret_log is NULL when the format is OFF. */
FB_MUST_CHECK int edge_access_log_open(const struct edge_access_log_options *options,
                                       struct edge_access_log **ret_log, struct fb_diag *diag);

/* Closes the file and opens what has its name now, so that it can be renamed; soon, on the
 * log's thread. If that fails the old file stays. Accepts NULL. */
void edge_access_log_reopen(struct edge_access_log *log);

/* Nobody uses a writer any more. Accepts NULL. */
void edge_access_log_close(struct edge_access_log *log);

/* For one loop; the log's own. NULL for a log of NULL. */
struct edge_access_writer *edge_access_writer_new(struct edge_access_log *log);

/* Logs a request, if it is one that is sampled. Accepts a writer of NULL. */
void edge_access_writer_add(struct edge_access_writer *writer,
                            const struct edge_access_entry *entry);
