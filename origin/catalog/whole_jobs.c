#include "origin/catalog/whole_jobs.h"

#include "origin/catalog/catalog_internal.h"

#include <string.h>

/* A job as it is looked at inside a transaction. */
struct job {
    struct origin_id id;
    struct origin_id video;
    char source[ORIGIN_KEY_MAX + 1];
    uint32_t attempts;
};

/* ---- the video of a job -------------------------------------------------- */

static int video_set_status(struct fb_db *db, const struct origin_id *video, const char *status,
                            struct fb_str reason)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE videos SET status = ?2, reason = ?3 WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    fb_db_bind_str(&q, 2, fb_str_from(status));
    fb_db_bind_str(&q, 3, reason);
    return origin_catalog_run_one(db, &q, FB_E_CONFLICT);
}

static int video_raise_progress(struct fb_db *db, const struct origin_id *video, uint32_t permille)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE videos SET progress = ?2 WHERE id = ?1 AND progress < ?2");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    fb_db_bind_int(&q, 2, permille);
    return fb_db_run(&q);
}

/* ---- taking -------------------------------------------------------------- */

static int job_next(struct fb_db *db, int64_t now_ms, struct job *ret_job)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "SELECT id, video, source, attempts FROM whole_jobs"
            " WHERE (state = 'queued' AND run_after_ms <= ?1)"
            " OR (state = 'running' AND lease_expires_ms <= ?1) ORDER BY run_after_ms LIMIT 1");
    fb_db_bind_int(&q, 1, now_ms);
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_LATER : err;
    }
    struct job job = {
        .id = origin_catalog_column_id(&q, 0),
        .video = origin_catalog_column_id(&q, 1),
        .attempts = (uint32_t)fb_db_column_int(&q, 3),
    };
    struct fb_str source = fb_str_first(fb_db_column_str(&q, 2), ORIGIN_KEY_MAX);
    memcpy(job.source, source.ptr, source.len);
    *ret_job = job;
    return FB_OK;
}

static int job_lease(struct fb_db *db, const struct job *job, const struct origin_id *lease,
                     struct fb_str worker, int64_t expires_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE whole_jobs SET state = 'running', lease = ?2, lease_owner = ?3,"
                        " lease_expires_ms = ?4, attempts = attempts + 1 WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&job->id));
    fb_db_bind_str(&q, 2, origin_id_str(lease));
    fb_db_bind_str(&q, 3, worker);
    fb_db_bind_int(&q, 4, expires_ms);
    int err = origin_catalog_run_one(db, &q, FB_E_CONFLICT);
    return err < 0 ? err : video_set_status(db, &job->video, "processing", FB_STR_NONE);
}

static int job_end(struct fb_db *db, const struct job *job, struct fb_str reason)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE whole_jobs SET state = 'failed', reason = ?2, lease = NULL,"
                        " lease_owner = NULL, lease_expires_ms = NULL WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&job->id));
    fb_db_bind_str(&q, 2, reason);
    int err = origin_catalog_run_one(db, &q, FB_E_CONFLICT);
    return err < 0 ? err : video_set_status(db, &job->video, "failed", reason);
}

static int job_requeue(struct fb_db *db, const struct job *job, int64_t run_after_ms,
                       uint32_t attempts)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db,
        "UPDATE whole_jobs SET state = 'queued', run_after_ms = ?2, attempts = ?3, lease = NULL,"
        " lease_owner = NULL, lease_expires_ms = NULL WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&job->id));
    fb_db_bind_int(&q, 2, run_after_ms);
    fb_db_bind_int(&q, 3, attempts);
    int err = origin_catalog_run_one(db, &q, FB_E_CONFLICT);
    return err < 0 ? err : video_set_status(db, &job->video, "queued", FB_STR_NONE);
}

/* The next job that has attempts left; ends those that have none. */
static int job_next_with_attempts(struct fb_db *db, const struct origin_whole_job_rules *rules,
                                  int64_t now_ms, struct job *ret_job)
{
    for (;;) {
        struct job job;
        int err = job_next(db, now_ms, &job);
        if (err < 0) {
            return err;
        }
        if (job.attempts < rules->max_attempts) {
            *ret_job = job;
            return FB_OK;
        }
        err = job_end(db, &job, fb_str_from(rules->exhausted));
        if (err < 0) {
            return err;
        }
    }
}

int origin_catalog_whole_job_take(struct origin_catalog *catalog,
                                  const struct origin_whole_job_rules *rules, struct fb_str worker,
                                  struct origin_whole_task *ret_task)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    int64_t now_ms = origin_catalog_now(catalog);
    struct origin_id lease = origin_id_new();
    struct job job;

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    err = job_next_with_attempts(hold.db, rules, now_ms, &job);
    if (err == FB_E_LATER) {
        int committed = fb_db_commit(&tx); /* jobs may have ended */
        return committed < 0 ? committed : err;
    }
    if (err < 0 || (err = job_lease(hold.db, &job, &lease, worker, now_ms + rules->lease_ms)) < 0 ||
        (err = fb_db_commit(&tx)) < 0) {
        return err;
    }
    struct origin_whole_task task = {
        .job = job.id,
        .lease = lease,
        .video = job.video,
        .lease_ms = rules->lease_ms,
        .attempt = job.attempts + 1,
    };
    memcpy(task.source, job.source, sizeof(task.source));
    *ret_task = task;
    return FB_OK;
}

/* ---- under a lease -------------------------------------------------------- */

/* A transaction on the job that `task` holds. */
static int job_begin(struct fb_db_hold *hold, struct fb_db_tx *tx, struct origin_catalog *catalog,
                     const struct origin_whole_task *task, struct job *ret_job)
{
    int err = fb_db_take(catalog->pool, hold);
    if (err < 0 || (err = fb_db_begin(hold->db, tx)) < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold->db, "SELECT id, video, attempts FROM whole_jobs"
                              " WHERE id = ?1 AND lease = ?2 AND state = 'running'");
    fb_db_bind_str(&q, 1, origin_id_str(&task->job));
    fb_db_bind_str(&q, 2, origin_id_str(&task->lease));
    err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_CONFLICT : err;
    }
    *ret_job = (struct job){
        .id = origin_catalog_column_id(&q, 0),
        .video = origin_catalog_column_id(&q, 1),
        .attempts = (uint32_t)fb_db_column_int(&q, 2),
    };
    return FB_OK;
}

static int job_extend(struct fb_db *db, const struct job *job, int64_t expires_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE whole_jobs SET lease_expires_ms = ?2 WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&job->id));
    fb_db_bind_int(&q, 2, expires_ms);
    return origin_catalog_run_one(db, &q, FB_E_CONFLICT);
}

int origin_catalog_whole_job_renew(struct origin_catalog *catalog,
                                   const struct origin_whole_job_rules *rules,
                                   const struct origin_whole_task *task, uint32_t permille)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct job job;

    int err = job_begin(&hold, &tx, catalog, task, &job);
    if (err < 0 ||
        (err = job_extend(hold.db, &job, origin_catalog_now(catalog) + rules->lease_ms)) < 0 ||
        (err = video_raise_progress(hold.db, &job.video, FB_MIN(permille, 999U))) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

static int job_set_done(struct fb_db *db, const struct job *job)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE whole_jobs SET state = 'done', lease = NULL, lease_owner = NULL,"
                        " lease_expires_ms = NULL WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&job->id));
    return origin_catalog_run_one(db, &q, FB_E_CONFLICT);
}

static int video_publish(struct fb_db *db, const struct job *job,
                         const struct origin_result *result, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "UPDATE videos SET status = 'ready', progress = 1000, reason = NULL, version = ?3,"
            " duration_ms = ?4, width = ?5, height = ?6, has_audio = ?7, published_ms = ?8"
            " WHERE id = ?1 AND status = 'processing'"
            " AND version IS (SELECT base_version FROM whole_jobs WHERE id = ?2)");
    fb_db_bind_str(&q, 1, origin_id_str(&job->video));
    fb_db_bind_str(&q, 2, origin_id_str(&job->id));
    fb_db_bind_str(&q, 3, fb_str_from(result->version));
    fb_db_bind_int(&q, 4, (int64_t)result->duration_ms);
    fb_db_bind_int(&q, 5, result->width);
    fb_db_bind_int(&q, 6, result->height);
    fb_db_bind_int(&q, 7, result->has_audio ? 1 : 0);
    fb_db_bind_int(&q, 8, now_ms);
    return origin_catalog_run_one(db, &q, FB_E_CONFLICT);
}

int origin_catalog_whole_job_finish(struct origin_catalog *catalog,
                                    const struct origin_whole_task *task,
                                    const struct origin_result *result)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct job job;

    int err = job_begin(&hold, &tx, catalog, task, &job);
    if (err < 0 || (err = video_publish(hold.db, &job, result, origin_catalog_now(catalog))) < 0 ||
        (err = origin_catalog_renditions_put(hold.db, &job.video, result)) < 0 ||
        (err = origin_catalog_files_put(hold.db, &job.video, result)) < 0 ||
        (err = origin_catalog_search_refresh(hold.db, &job.video)) < 0 ||
        (err = job_set_done(hold.db, &job)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

static uint32_t backoff_of(const struct origin_whole_job_rules *rules, uint32_t attempts)
{
    uint64_t backoff_ms = (uint64_t)rules->backoff_ms << FB_MIN(attempts - 1, 20U);
    return (uint32_t)FB_MIN(backoff_ms, (uint64_t)rules->max_backoff_ms);
}

int origin_catalog_whole_job_fail(struct origin_catalog *catalog,
                                  const struct origin_whole_job_rules *rules,
                                  const struct origin_whole_task *task, struct fb_str reason,
                                  bool is_final, bool *ret_is_over)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct job job;

    int err = job_begin(&hold, &tx, catalog, task, &job);
    if (err < 0) {
        return err;
    }
    bool is_over = is_final || job.attempts >= rules->max_attempts;
    int64_t run_after_ms = origin_catalog_now(catalog) + backoff_of(rules, job.attempts);
    err = is_over ? job_end(hold.db, &job, reason)
                  : job_requeue(hold.db, &job, run_after_ms, job.attempts);
    if (err < 0 || (err = fb_db_commit(&tx)) < 0) {
        return err;
    }
    *ret_is_over = is_over;
    return FB_OK;
}

int origin_catalog_whole_job_give_back(struct origin_catalog *catalog,
                                       const struct origin_whole_task *task)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct job job;

    int err = job_begin(&hold, &tx, catalog, task, &job);
    if (err < 0 || (err = job_requeue(hold.db, &job, origin_catalog_now(catalog),
                                      job.attempts > 0 ? job.attempts - 1 : 0)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

/* ---- all jobs ------------------------------------------------------------- */

int origin_catalog_whole_job_reclaim(struct origin_catalog *catalog, struct fb_str worker,
                                     uint32_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "UPDATE whole_jobs SET lease_expires_ms = 0 WHERE state = 'running'"
                             " AND lease_owner = ?1");
    fb_db_bind_str(&q, 1, worker);
    err = fb_db_run(&q);
    if (err < 0) {
        return err;
    }
    *ret_n = (uint32_t)fb_db_changes(hold.db);
    return FB_OK;
}

int origin_catalog_whole_job_count(struct origin_catalog *catalog,
                                   struct origin_whole_job_counts *ret_counts)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT (SELECT count(*) FROM whole_jobs WHERE state = 'queued'),"
                             " (SELECT count(*) FROM whole_jobs WHERE state = 'running'),"
                             " (SELECT count(*) FROM whole_jobs WHERE state = 'failed')");
    err = fb_db_step(&q);
    if (err < 0) {
        return err;
    }
    *ret_counts = (struct origin_whole_job_counts){
        .queued = (uint64_t)fb_db_column_int(&q, 0),
        .running = (uint64_t)fb_db_column_int(&q, 1),
        .failed = (uint64_t)fb_db_column_int(&q, 2),
    };
    return FB_OK;
}
