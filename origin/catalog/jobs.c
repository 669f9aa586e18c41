#include "origin/catalog/jobs.h"

#include "origin/catalog/job_internal.h"

static const char *const priority_texts[ORIGIN_N_PRIORITIES] = {
    [ORIGIN_PRIORITY_FIRST] = "first",
    [ORIGIN_PRIORITY_NORMAL] = "normal",
    [ORIGIN_PRIORITY_LATER] = "later",
};
static const char *const state_texts[ORIGIN_N_JOB_STATES] = {
    [ORIGIN_JOB_ACTIVE] = "active",
    [ORIGIN_JOB_DONE] = "done",
    [ORIGIN_JOB_FAILED] = "failed",
};

const char *origin_priority_text(enum origin_priority priority)
{
    return priority_texts[priority];
}

int origin_priority_parse(struct fb_str text, enum origin_priority *ret_priority)
{
    for (size_t i = 0; i < ORIGIN_N_PRIORITIES; i++) {
        if (fb_str_equal(text, fb_str_from(priority_texts[i]))) {
            *ret_priority = (enum origin_priority)i;
            return FB_OK;
        }
    }
    return FB_E_MALFORMED;
}

const char *origin_job_state_text(enum origin_job_state state)
{
    return state_texts[state];
}

int origin_job_state_parse(struct fb_str text, enum origin_job_state *ret_state)
{
    for (size_t i = 0; i < ORIGIN_N_JOB_STATES; i++) {
        if (fb_str_equal(text, fb_str_from(state_texts[i]))) {
            *ret_state = (enum origin_job_state)i;
            return FB_OK;
        }
    }
    return FB_E_MALFORMED;
}

/* ---- adding --------------------------------------------------------------------- */

/* FB_E_NOT_FOUND without the video, FB_E_LATER if it is not in a state for such a job. */
static int video_check(struct fb_db *db, const struct origin_job_new *job)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "SELECT iif(?2, status IN ('ready','failed'), status = 'uploading') FROM videos"
            " WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&job->video));
    fb_db_bind_int(&q, 2, job->is_again ? 1 : 0);
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    return fb_db_column_int(&q, 0) != 0 ? FB_OK : FB_E_LATER;
}

static int job_insert(struct fb_db *db, const struct origin_job_new *job,
                      const struct origin_id *id, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "INSERT INTO jobs (id, video, source, request, base_version, base_stage, state,"
            " priority, due_ms, created_ms)"
            " SELECT ?1, id, ?3, ?4, version, stage, 'active', ?5, ?6, ?7 FROM videos"
            " WHERE id = ?2");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    fb_db_bind_str(&q, 2, origin_id_str(&job->video));
    fb_db_bind_str(&q, 3, job->source);
    fb_db_bind_str(&q, 4, job->request);
    fb_db_bind_int(&q, 5, job->priority);
    fb_db_bind_int(&q, 6, origin_catalog_due(job->priority, now_ms));
    fb_db_bind_int(&q, 7, now_ms);
    return origin_catalog_run_one(db, &q, FB_E_NOT_FOUND);
}

static int prepare_insert(struct fb_db *db, const struct origin_job_new *job,
                          const struct origin_id *id, int64_t now_ms)
{
    struct origin_held prepare = {
        .task = origin_id_new(), .job = *id, .kind = ORIGIN_TASK_PREPARE, .share = 30000};

    return origin_catalog_task_add(db, &prepare, origin_catalog_due(job->priority, now_ms), true,
                                   now_ms);
}

/* What is published stays so while it is made anew. */
static int video_set_queued(struct fb_db *db, const struct origin_job_new *job)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "UPDATE videos SET source = ?2, reason = NULL,"
            " status = iif(status IN ('uploading','failed'), 'queued', status) WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&job->video));
    fb_db_bind_str(&q, 2, job->source);
    return fb_db_run(&q);
}

int origin_catalog_job_add(struct origin_catalog *catalog, const struct origin_job_new *job,
                           bool *ret_is_new)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_id id = origin_id_new();
    int64_t now_ms = origin_catalog_now(catalog);

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    err = video_check(hold.db, job);
    if (err == FB_E_LATER) {
        *ret_is_new = false;
        return FB_OK;
    }
    if (err < 0 || (err = origin_catalog_sweep_stop(hold.db, &job->video, FB_STR(""))) < 0 ||
        (err = job_insert(hold.db, job, &id, now_ms)) < 0 ||
        (err = prepare_insert(hold.db, job, &id, now_ms)) < 0 ||
        (err = video_set_queued(hold.db, job)) < 0 || (err = fb_db_commit(&tx)) < 0) {
        return err;
    }
    *ret_is_new = true;
    return FB_OK;
}

int origin_catalog_job_source(struct origin_catalog *catalog, const struct origin_id *video,
                              char ret_key[ORIGIN_KEY_MAX + 1])
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT source FROM videos WHERE id = ?1 AND source <> ''");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    origin_catalog_column_copy(&q, 0, ret_key, ORIGIN_KEY_MAX + 1);
    return FB_OK;
}

/* ---- dead letters ------------------------------------------------------------------ */

static int retry_rows(struct fb_db *db, const struct origin_id *job, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query tasks =
        fb_db_query(db, "UPDATE tasks SET state = 'ready', run_after_ms = ?2, attempts = 0,"
                        " era = era + 1 WHERE job = ?1 AND state IN ('dead','parked')");
    fb_db_bind_str(&tasks, 1, origin_id_str(job));
    fb_db_bind_int(&tasks, 2, now_ms);
    int err = fb_db_run(&tasks);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query video =
        fb_db_query(db, "UPDATE videos SET status = 'queued', reason = NULL"
                        " WHERE id = (SELECT video FROM jobs WHERE id = ?1) AND status = 'failed'");
    fb_db_bind_str(&video, 1, origin_id_str(job));
    return fb_db_run(&video);
}

/* FB_E_CONFLICT if it is no dead letter, or the video has an active job. */
static int retry_one(struct fb_db *db, const struct origin_id *job, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "UPDATE OR IGNORE jobs SET state = 'active', reason = NULL, sentence = NULL,"
            " ended_ms = NULL WHERE id = ?1 AND state = 'failed'");
    fb_db_bind_str(&q, 1, origin_id_str(job));
    int err = origin_catalog_run_one(db, &q, FB_E_CONFLICT);
    return err < 0 ? err : retry_rows(db, job, now_ms);
}

static int job_exists(struct fb_db *db, const struct origin_id *id)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT 1 FROM jobs WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    int err = fb_db_step(&q);
    return err == FB_E_END ? FB_E_NOT_FOUND : err;
}

int origin_catalog_job_retry(struct origin_catalog *catalog, const struct origin_id *id)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 || (err = job_exists(hold.db, id)) < 0 ||
        (err = retry_one(hold.db, id, origin_catalog_now(catalog))) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

static int retry_next(struct fb_db *db, enum origin_task_reason reason,
                      const struct origin_id *past, struct origin_id *ret_id)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "SELECT id FROM jobs WHERE state = 'failed' AND reason = ?1 AND id > ?2"
                        " ORDER BY id LIMIT 1");
    fb_db_bind_str(&q, 1, fb_str_from(origin_task_reason_text(reason)));
    fb_db_bind_str(&q, 2, fb_str_from(past->text));
    int err = fb_db_step(&q);
    if (err == FB_OK) {
        *ret_id = origin_catalog_column_id(&q, 0);
    }
    return err;
}

int origin_catalog_job_retry_all(struct origin_catalog *catalog, enum origin_task_reason reason,
                                 size_t limit, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_id id = {.text = ""};
    size_t n = 0;

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    while (n < limit && (err = retry_next(hold.db, reason, &id, &id)) == FB_OK) {
        err = retry_one(hold.db, &id, origin_catalog_now(catalog));
        if (err < 0 && err != FB_E_CONFLICT) {
            return err;
        }
        n += err == FB_OK;
    }
    if ((err < 0 && err != FB_E_END && err != FB_E_CONFLICT) || (err = fb_db_commit(&tx)) < 0) {
        return err;
    }
    *ret_n = n;
    return FB_OK;
}

int origin_catalog_job_set_priority(struct origin_catalog *catalog, const struct origin_id *id,
                                    enum origin_priority priority)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query tasks = fb_db_query(
        hold.db, "UPDATE tasks SET due_ms = due_ms + ?2 + (SELECT created_ms - due_ms FROM jobs"
                 " WHERE id = ?1) WHERE job = ?1 AND state <> 'done'");
    fb_db_bind_str(&tasks, 1, origin_id_str(id));
    fb_db_bind_int(&tasks, 2, origin_catalog_due(priority, 0));
    err = fb_db_run(&tasks);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query job =
        fb_db_query(hold.db, "UPDATE jobs SET priority = ?2, due_ms = created_ms + ?3"
                             " WHERE id = ?1 AND state = 'active'");
    fb_db_bind_str(&job, 1, origin_id_str(id));
    fb_db_bind_int(&job, 2, priority);
    fb_db_bind_int(&job, 3, origin_catalog_due(priority, 0));
    err = origin_catalog_run_one(hold.db, &job, FB_E_NOT_FOUND);
    return err < 0 ? err : fb_db_commit(&tx);
}

/* ---- for rounds ----------------------------------------------------------------------- */

int origin_catalog_job_count(struct origin_catalog *catalog, struct origin_job_counts *ret_counts)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT (SELECT count(*) FROM jobs WHERE state = 'active'),"
                             " (SELECT count(*) FROM jobs WHERE state = 'failed'),"
                             " count(*) FILTER (WHERE t.state = 'ready' AND t.run_after_ms <= ?1),"
                             " count(*) FILTER (WHERE t.state = 'ready' AND t.run_after_ms > ?1),"
                             " (SELECT count(*) FROM tasks WHERE state = 'running'),"
                             " coalesce(min(t.run_after_ms) FILTER (WHERE t.run_after_ms <= ?1"
                             "  AND j.priority <> ?2), 0)"
                             " FROM tasks t JOIN jobs j ON j.id = t.job WHERE t.state = 'ready'");
    fb_db_bind_int(&q, 1, origin_catalog_now(catalog));
    fb_db_bind_int(&q, 2, ORIGIN_PRIORITY_LATER);
    err = fb_db_step(&q);
    if (err < 0) {
        return err;
    }
    *ret_counts = (struct origin_job_counts){
        .active = (uint64_t)fb_db_column_int(&q, 0),
        .failed = (uint64_t)fb_db_column_int(&q, 1),
        .ready = (uint64_t)fb_db_column_int(&q, 2),
        .delayed = (uint64_t)fb_db_column_int(&q, 3),
        .running = (uint64_t)fb_db_column_int(&q, 4),
        .oldest_ms = fb_db_column_int(&q, 5),
    };
    return FB_OK;
}
