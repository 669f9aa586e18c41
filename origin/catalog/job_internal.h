/*
 * What the files of the tables of jobs share. All within the caller's transaction.
 */
#pragma once

#include "origin/catalog/catalog_internal.h"
#include "origin/catalog/sweeps.h"
#include "origin/catalog/tasks.h"

enum {
    ORIGIN_SHARES = 1000000,              /* of a job */
    ORIGIN_LATE_WRITE_MS = 10 * 60 * 1000 /* a worker that lost its lease has noticed by then */
};

/* A task with what is needed of its job. */
struct origin_held {
    struct origin_id task;
    struct origin_id job;
    struct origin_id video;
    enum origin_task_kind kind;
    enum origin_task_pass pass;
    uint32_t index;
    uint32_t attempts;
    int64_t era;
    int64_t share;
    int64_t leased_ms;
    char worker[ORIGIN_WORKER_NAME_MAX + 1];
    char version[ORIGIN_VERSION_LEN + 1]; /* empty: not prepared */
};

/* What a row of a query that begins so tells of a task; more columns may stand behind. */
#define ORIGIN_HELD_COLUMNS                                                                   \
    "t.id, t.job, j.video, t.kind, t.pass, t.place, t.attempts, t.era, t.share, t.leased_ms," \
    " t.lease_owner, j.version, t.state"
#define ORIGIN_HELD_TABLES " FROM tasks t JOIN jobs j ON j.id = t.job "
enum { ORIGIN_HELD_STATE = 12, ORIGIN_HELD_N_COLUMNS = 13 };
FB_MUST_CHECK int origin_catalog_held_of_row(const struct fb_db_query *q,
                                             struct origin_held *ret_held);

/* A column as a text with its end in `to`, cut if need be. */
void origin_catalog_column_copy(const struct fb_db_query *q, int column, char *to, size_t size);

/* Notes a failure, and queues the task again or ends the job. */
FB_MUST_CHECK int origin_catalog_attempt_end(struct fb_db *db, const struct origin_job_rules *rules,
                                             const struct origin_held *held,
                                             const struct origin_task_failure *failure,
                                             int64_t now_ms, bool *ret_is_over);

/* Makes a running task ready again, from then on. */
FB_MUST_CHECK int origin_catalog_task_requeue(struct fb_db *db, const struct origin_held *held,
                                              int64_t run_after_ms, uint32_t attempts);

/* Adds a task; state "ready" from now on, or "waiting". */
FB_MUST_CHECK int origin_catalog_task_add(struct fb_db *db, const struct origin_held *task,
                                          int64_t due_ms, bool is_ready, int64_t now_ms);

/* Adds those that follow PREPARE. */
FB_MUST_CHECK int origin_catalog_graph_add(struct fb_db *db, const struct origin_held *prepare,
                                           const struct origin_job_graph *graph, int64_t now_ms);

/* Makes FINISH tasks ready whose parts are done. */
FB_MUST_CHECK int origin_catalog_graph_advance(struct fb_db *db, const struct origin_id *job,
                                               int64_t now_ms);

/* Publishes; FB_E_CONFLICT, and nothing is changed, if the compare-and-set fails. */
FB_MUST_CHECK int origin_catalog_job_publish(struct fb_db *db, const struct origin_job_rules *rules,
                                             const struct origin_held *finish,
                                             const struct origin_result *result, int64_t now_ms);

/* Makes a dead letter of the job. */
FB_MUST_CHECK int origin_catalog_job_end(struct fb_db *db, const struct origin_held *task,
                                         const char *reason, struct fb_str sentence,
                                         int64_t now_ms);

/* The video of an active job: "processing" if a task runs, else "queued". One that is published
 * stays as it is. */
FB_MUST_CHECK int origin_catalog_job_move_video(struct fb_db *db, const struct origin_held *task);

/* Raises the video's progress to what the job has done. */
FB_MUST_CHECK int origin_catalog_job_raise_progress(struct fb_db *db,
                                                    const struct origin_held *task);

/* Notes a sweep; `version` may be NULL. An earlier note stands. */
FB_MUST_CHECK int origin_catalog_sweep_add(struct fb_db *db, enum origin_sweep_kind kind,
                                           const struct origin_id *video, const char *version,
                                           int64_t after_ms);

/* No sweep of this version, or of the source if it is empty: forgets what is noted; FB_E_BUSY if
 * one runs. */
FB_MUST_CHECK int origin_catalog_sweep_stop(struct fb_db *db, const struct origin_id *video,
                                            struct fb_str version);

/* When the tasks of a job that is made now are due. */
int64_t origin_catalog_due(enum origin_priority priority, int64_t now_ms);
