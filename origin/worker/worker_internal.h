/*
 * What the files of origin/worker share.
 */
#pragma once

#include "origin/confine/confine.h"
#include "origin/model/order.h"
#include "origin/model/result.h"
#include "origin/worker/keeper.h"
#include "origin/worker/sources.h"
#include "origin/worker/worker.h"

#include <stdbool.h>

/* ---- trouble: why an attempt ended badly ---------------------------------------- */

struct origin_trouble {
    bool is_passing; /* this machine's, and no attempt of the video's: give the task back */
    bool is_final;
    enum origin_task_reason reason;
    char sentence[ORIGIN_REASON_MAX + 1]; /* for the creator */
    size_t log_len;
    char log[ORIGIN_LOG_TAIL_MAX + 1]; /* for the operator */
};

/* Of a task's own failure, by the word of its child. */
void origin_trouble_of_word(enum origin_task_kind kind, const struct origin_word *word,
                            struct origin_trouble *trouble);

/* Of a child that ended without a word, or was ended; with its log in any case. */
void origin_trouble_of_end(const struct origin_confine_end *end, struct origin_trouble *trouble);

/* Of what the worker itself could not do: `reason` is STORE or INTERNAL. */
void origin_trouble_of_worker(enum origin_task_reason reason, int err, const char *what,
                              struct origin_trouble *trouble);

/* ---- children --------------------------------------------------------------------- */

struct origin_child_options {
    const char *program;
    const struct fb_clock *clock;
    const struct origin_order *order; /* its output is a folder of its own */
    struct origin_task_limits limits;
    bool is_background;
    void *ctx;
    void (*progress)(void *ctx, uint32_t permille); /* may be NULL */
    bool (*is_canceled)(void *ctx);                 /* may be NULL */
};

/* FB_OK: the task is done, what it tells is in its output. FB_E_CANCELED. Else `trouble` says. */
FB_MUST_CHECK int origin_child_run(const struct origin_child_options *options,
                                   struct origin_confine_end *ret_end,
                                   struct origin_trouble *trouble);

/* The program of children that stands beside this one: "<folder>/forebay-transcode". */
void origin_child_program(struct fb_buf *path);

/* ---- attempts ----------------------------------------------------------------------- */

/* One worker, as a task on it sees it. */
struct origin_attempt_options {
    const struct origin_workers_options *workers;
    struct origin_keeper *keeper;
    struct origin_sources *sources;
    const char *program;
    const char *scratch; /* a folder for this worker alone */
    void *ctx;
    bool (*is_stopping)(void *ctx);
    void (*pause)(void *ctx, uint32_t ms); /* shorter when it stops */
};

struct origin_attempt_end {
    bool has_room;       /* false: this machine should let some time pass */
    uint64_t peak_bytes; /* of the child's memory */
};

/* Takes `task` to its end: finished, failed, given back, or lost. */
void origin_attempt_run(const struct origin_attempt_options *options,
                        const struct origin_task *task, struct origin_attempt_end *ret_end);

struct origin_store_options {
    struct origin_objects *objects;
    const char *folder; /* what the child made */
    const char *prefix; /* of the keys */
    void *ctx;
    bool (*is_canceled)(void *ctx); /* asked before each file; on any thread */
};

/* Puts every file below the folder, a few at once where objects are far. What was put is told with
 * size and digest; types say nothing. */
FB_MUST_CHECK int origin_attempt_store(const struct origin_store_options *options,
                                       struct origin_result *ret_files);
