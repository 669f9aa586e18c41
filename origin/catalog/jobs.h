/*
 * The table of jobs: what is done with a video, from its upload to its publication.
 *
 *     active ──► done                    published in full
 *        │ ▲
 *        ▼ │ retry
 *      failed                            a dead letter: an operator reads it and decides
 *
 * Of one video at most one job is active. A job has tasks (tasks.h), and every change of either
 * moves the video along in the same transaction:
 *
 *     video      status                          stage
 *     no job     uploading                       none
 *     active     queued, processing              none
 *                ready                           early (the first pass is out) or full (made anew)
 *     done       ready                           full
 *     failed     failed, or ready as it was      as it was
 *
 * Publishing is one compare-and-set on the video's version and stage. Where it fails, since
 * somebody else has published meanwhile, the job ends as a dead letter and nothing is changed.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/model/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How much of a video is published. */
enum origin_stage {
    ORIGIN_STAGE_NONE,
    ORIGIN_STAGE_EARLY, /* early.m3u8 and early.mpd: the smallest rendition */
    ORIGIN_STAGE_FULL
};

/* Which job goes first: a task is due at the time its job was made, moved by the priority's
 * offset, and what is due first is taken first. So nobody waits for ever: what is made a day
 * later comes behind, whatever its priority. */
enum origin_priority {
    ORIGIN_PRIORITY_FIRST, /* an hour ahead */
    ORIGIN_PRIORITY_NORMAL,
    ORIGIN_PRIORITY_LATER, /* a day behind: what is there already is made anew */
    ORIGIN_N_PRIORITIES
};

/* "first", "normal", "later". */
const char *origin_priority_text(enum origin_priority priority);
FB_MUST_CHECK int origin_priority_parse(struct fb_str text, enum origin_priority *ret_priority);

enum origin_job_state {
    ORIGIN_JOB_ACTIVE,
    ORIGIN_JOB_DONE,
    ORIGIN_JOB_FAILED,
    ORIGIN_N_JOB_STATES
};

/* "active", "done", "failed". */
const char *origin_job_state_text(enum origin_job_state state);
FB_MUST_CHECK int origin_job_state_parse(struct fb_str text, enum origin_job_state *ret_state);

struct origin_job_new {
    struct origin_id video;
    struct fb_str source;  /* object key */
    struct fb_str request; /* JSON */
    enum origin_priority priority;
    bool is_again; /* of a video that is published or failed; else of one that is uploading */
};

/* Adds a job and its PREPARE. *ret_is_new is false, and nothing is changed, if the video is not
 * in the state that `is_again` says. FB_E_NOT_FOUND: no such video. FB_E_EXISTS: a job of it is
 * active. */
FB_MUST_CHECK int origin_catalog_job_add(struct origin_catalog *catalog,
                                         const struct origin_job_new *job, bool *ret_is_new);

/* The object key of what was uploaded of a video, as the last job had it. FB_E_NOT_FOUND. */
FB_MUST_CHECK int origin_catalog_job_source(struct origin_catalog *catalog,
                                            const struct origin_id *video,
                                            char ret_key[ORIGIN_KEY_MAX + 1]);

/* ---- for operators ------------------------------------------------------------ */

struct origin_job {
    struct origin_id id;
    struct origin_id video;
    enum origin_job_state state;
    enum origin_priority priority;
    struct fb_str source;
    struct fb_str request; /* JSON */
    struct fb_str version; /* ptr NULL: not prepared, as the next */
    struct fb_str toolchain;
    struct fb_str title; /* the video's */
    uint32_t permille;
    bool is_degraded;
    struct fb_str reason;   /* of a dead letter; else ptr NULL */
    struct fb_str sentence; /* likewise; as the creator reads it */
    int64_t created_ms;
    int64_t ended_ms; /* 0: active */
};

/* FB_E_NOT_FOUND. Strings in `arena`. */
FB_MUST_CHECK int origin_catalog_job_get(struct origin_catalog *catalog, struct fb_arena *arena,
                                         const struct origin_id *id, struct origin_job *ret_job);

struct origin_job_query {
    enum origin_job_state state;
    struct fb_str reason; /* of dead letters; ptr NULL: any */
    int64_t before_ms;    /* made before this one: 0: from the newest */
    struct origin_id before;
    size_t limit;
};

/* The newest first, in `arena`. */
FB_MUST_CHECK int origin_catalog_job_list(struct origin_catalog *catalog, struct fb_arena *arena,
                                          const struct origin_job_query *query,
                                          struct origin_job **ret_jobs, size_t *ret_n);

/* A task that somebody does now. */
struct origin_task_running {
    struct origin_id video;
    enum origin_task_kind kind;
    enum origin_task_pass pass;
    uint32_t index;
    uint32_t permille;
    int64_t leased_ms;
    int64_t expires_ms; /* of the lease */
    char worker[ORIGIN_WORKER_NAME_MAX + 1];
};

/* At most `max`, by the names of workers. */
FB_MUST_CHECK int origin_catalog_tasks_running(struct origin_catalog *catalog,
                                               struct origin_task_running *items, size_t max,
                                               size_t *ret_n);

struct origin_job_task {
    struct origin_id id;
    enum origin_task_kind kind;
    enum origin_task_pass pass;
    uint32_t index;
    struct fb_str state; /* "waiting", "ready", "running", "parked", "dead", "done" */
    uint32_t permille;
    uint32_t attempts;
    struct fb_str worker; /* who has or had it; ptr NULL: nobody */
    int64_t run_after_ms;
};

struct origin_job_tasks {
    struct origin_job_task *items; /* in the arena: not done, the next due first */
    size_t n;                      /* of `items` */
    uint32_t total;                /* of the job, whether they are in `items` or not */
    uint32_t done;                 /* of `total` */
};

/* At most `limit` items. */
FB_MUST_CHECK int origin_catalog_job_tasks(struct origin_catalog *catalog, struct fb_arena *arena,
                                           const struct origin_id *job, size_t limit,
                                           struct origin_job_tasks *ret_tasks);

struct origin_job_attempt {
    struct origin_id task;
    enum origin_task_kind kind;
    enum origin_task_pass pass;
    uint32_t index;
    uint32_t attempt;
    struct fb_str worker;
    struct fb_str reason;
    bool is_final;
    struct fb_str sentence;
    struct fb_str log;
    int64_t started_ms;
    int64_t ended_ms;
};

/* What went wrong so far, the last first. */
FB_MUST_CHECK int origin_catalog_job_attempts(struct origin_catalog *catalog,
                                              struct fb_arena *arena, const struct origin_id *job,
                                              size_t limit,
                                              struct origin_job_attempt **ret_attempts,
                                              size_t *ret_n);

/* Lets a dead letter go on where it stopped, with all attempts anew. FB_E_NOT_FOUND;
 * FB_E_CONFLICT if it is none, or the video has got another job. */
FB_MUST_CHECK int origin_catalog_job_retry(struct origin_catalog *catalog,
                                           const struct origin_id *id);

/* All dead letters of a reason, those that can be; at most `limit`. */
FB_MUST_CHECK int origin_catalog_job_retry_all(struct origin_catalog *catalog,
                                               enum origin_task_reason reason, size_t limit,
                                               size_t *ret_n);

/* FB_E_NOT_FOUND unless it is active. */
FB_MUST_CHECK int origin_catalog_job_set_priority(struct origin_catalog *catalog,
                                                  const struct origin_id *id,
                                                  enum origin_priority priority);

/* ---- for rounds ----------------------------------------------------------------- */

struct origin_job_counts {
    uint64_t active;   /* jobs */
    uint64_t failed;   /* jobs */
    uint64_t ready;    /* tasks that could be taken now */
    uint64_t delayed;  /* tasks that wait for their next attempt */
    uint64_t running;  /* tasks */
    int64_t oldest_ms; /* since when the longest of the ready waits, those of ORIGIN_PRIORITY_LATER
                          left out; 0: none does */
};
FB_MUST_CHECK int origin_catalog_job_count(struct origin_catalog *catalog,
                                           struct origin_job_counts *ret_counts);

/* Lets active jobs that were prepared with a toolchain which is none of `toolchains` begin anew,
 * at most `limit`; none of their tasks runs. */
FB_MUST_CHECK int origin_catalog_job_reprepare(struct origin_catalog *catalog,
                                               const struct fb_str *toolchains, size_t n,
                                               size_t limit, size_t *ret_n);

/* Forgets, at most `limit` each: jobs that were done before `done_ms`, and dead letters from
 * before `failed_ms`, whose objects are swept. */
FB_MUST_CHECK int origin_catalog_job_prune(struct origin_catalog *catalog, int64_t done_ms,
                                           int64_t failed_ms, size_t limit);
