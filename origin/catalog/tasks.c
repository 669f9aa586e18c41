#include "origin/catalog/tasks.h"

#include "origin/catalog/job_internal.h"

#include <string.h>

/* ---- rows --------------------------------------------------------------- */

void origin_catalog_column_copy(const struct fb_db_query *q, int column, char *to, size_t size)
{
    struct fb_str text = fb_str_first(fb_db_column_str(q, column), size - 1);
    if (text.len > 0) {
        memcpy(to, text.ptr, text.len);
    }
    to[text.len] = '\0';
}

int origin_catalog_held_of_row(const struct fb_db_query *q, struct origin_held *ret_held)
{
    int64_t pass = fb_db_column_int(q, 4);
    struct origin_held held = {
        .task = origin_catalog_column_id(q, 0),
        .job = origin_catalog_column_id(q, 1),
        .video = origin_catalog_column_id(q, 2),
        .pass = (enum origin_task_pass)pass,
        .index = (uint32_t)fb_db_column_int(q, 5),
        .attempts = (uint32_t)fb_db_column_int(q, 6),
        .era = fb_db_column_int(q, 7),
        .share = fb_db_column_int(q, 8),
        .leased_ms = fb_db_column_int(q, 9),
    };
    if (origin_task_kind_parse(fb_db_column_str(q, 3), &held.kind) < 0) {
        return FB_E_CORRUPT;
    }
    origin_catalog_column_copy(q, 10, held.worker, sizeof(held.worker));
    origin_catalog_column_copy(q, 11, held.version, sizeof(held.version));
    *ret_held = held;
    return FB_OK;
}

/* ---- under a lease ----------------------------------------------------------------------- */

static int task_find(struct fb_db *db, const struct origin_id *task, const struct origin_id *lease,
                     struct origin_held *ret_held, bool *ret_is_done)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT " ORIGIN_HELD_COLUMNS ORIGIN_HELD_TABLES
                                           "WHERE t.id = ?1 AND t.lease = ?2"
                                           " AND t.state IN ('running','done')");
    fb_db_bind_str(&q, 1, origin_id_str(task));
    fb_db_bind_str(&q, 2, origin_id_str(lease));
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_CONFLICT : err;
    }
    err = origin_catalog_held_of_row(&q, ret_held);
    if (err == FB_OK) {
        *ret_is_done = fb_str_equal(fb_db_column_str(&q, ORIGIN_HELD_STATE), FB_STR("done"));
    }
    return err;
}

/* A transaction on the task that `task` holds. With `ret_is_done` NULL it must not be done. */
static int task_begin(struct fb_db_hold *hold, struct fb_db_tx *tx, struct origin_catalog *catalog,
                      const struct origin_task *task, struct origin_held *ret_held,
                      bool *ret_is_done)
{
    bool is_done = false;

    int err = fb_db_take(catalog->pool, hold);
    if (err < 0 || (err = fb_db_begin(hold->db, tx)) < 0 ||
        (err = task_find(hold->db, &task->task, &task->lease, ret_held, &is_done)) < 0) {
        return err;
    }
    if (ret_is_done != NULL) {
        *ret_is_done = is_done;
        return FB_OK;
    }
    return is_done ? FB_E_CONFLICT : FB_OK;
}

int origin_catalog_task_holder(struct origin_catalog *catalog, const struct origin_id *task,
                               const struct origin_id *lease, struct origin_task *ret_task)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT " ORIGIN_HELD_COLUMNS ", j.source" ORIGIN_HELD_TABLES
                             "WHERE t.id = ?1 AND t.lease = ?2 AND t.state IN ('running','done')");
    fb_db_bind_str(&q, 1, origin_id_str(task));
    fb_db_bind_str(&q, 2, origin_id_str(lease));
    struct origin_held held;
    err = fb_db_step(&q);
    if (err < 0 || (err = origin_catalog_held_of_row(&q, &held)) < 0) {
        return err == FB_E_END ? FB_E_CONFLICT : err;
    }
    if (fb_str_equal(fb_db_column_str(&q, ORIGIN_HELD_STATE), FB_STR("done"))) {
        return FB_E_EXISTS;
    }
    *ret_task = (struct origin_task){.job = held.job,
                                     .task = held.task,
                                     .lease = *lease,
                                     .video = held.video,
                                     .kind = held.kind,
                                     .pass = held.pass,
                                     .index = held.index,
                                     .attempt = held.attempts};
    origin_catalog_column_copy(&q, ORIGIN_HELD_N_COLUMNS, ret_task->source,
                               sizeof(ret_task->source));
    memcpy(ret_task->version, held.version, sizeof(ret_task->version));
    return FB_OK;
}

static int task_extend(struct fb_db *db, const struct origin_held *held, int64_t expires_ms,
                       uint32_t permille)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE tasks SET lease_expires_ms = ?2, progress = max(progress, ?3)"
                        " WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&held->task));
    fb_db_bind_int(&q, 2, expires_ms);
    fb_db_bind_int(&q, 3, FB_MIN(permille, 1000U));
    return origin_catalog_run_one(db, &q, FB_E_CONFLICT);
}

int origin_catalog_task_renew(struct origin_catalog *catalog, const struct origin_job_rules *rules,
                              const struct origin_task *task, uint32_t permille)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_held held;

    int err = task_begin(&hold, &tx, catalog, task, &held, NULL);
    if (err < 0 ||
        (err = task_extend(hold.db, &held, origin_catalog_now(catalog) + rules->lease_ms,
                           permille)) < 0 ||
        (err = origin_catalog_job_raise_progress(hold.db, &held)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

int origin_catalog_task_fail(struct origin_catalog *catalog, const struct origin_job_rules *rules,
                             const struct origin_task *task,
                             const struct origin_task_failure *failure, bool *ret_is_over)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_held held;
    bool is_over = false;

    int err = task_begin(&hold, &tx, catalog, task, &held, NULL);
    if (err < 0 ||
        (err = origin_catalog_attempt_end(hold.db, rules, &held, failure,
                                          origin_catalog_now(catalog), &is_over)) < 0 ||
        (err = fb_db_commit(&tx)) < 0) {
        return err;
    }
    *ret_is_over = is_over;
    return FB_OK;
}

int origin_catalog_task_give_back(struct origin_catalog *catalog, const struct origin_task *task)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_held held;

    int err = task_begin(&hold, &tx, catalog, task, &held, NULL);
    if (err < 0 ||
        (err = origin_catalog_task_requeue(hold.db, &held, origin_catalog_now(catalog),
                                           held.attempts > 0 ? held.attempts - 1 : 0)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

int origin_catalog_task_reclaim(struct origin_catalog *catalog, struct fb_str worker,
                                uint32_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(hold.db, "UPDATE tasks SET lease_expires_ms = 0"
                                                " WHERE state = 'running' AND lease_owner = ?1");
    fb_db_bind_str(&q, 1, fb_str_first(worker, ORIGIN_WORKER_NAME_MAX));
    err = fb_db_run(&q);
    if (err < 0) {
        return err;
    }
    *ret_n = (uint32_t)fb_db_changes(hold.db);
    return FB_OK;
}

/* ---- finishing ------------------------------------------------------------------------------ */

static int task_set_done(struct fb_db *db, const struct origin_held *held)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE tasks SET state = 'done', progress = 1000,"
                        " lease_expires_ms = NULL WHERE id = ?1 AND state = 'running'");
    fb_db_bind_str(&q, 1, origin_id_str(&held->task));
    int err = origin_catalog_run_one(db, &q, FB_E_CONFLICT);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query sum = fb_db_query(db, "UPDATE jobs SET done = done + ?2 WHERE id = ?1");
    fb_db_bind_str(&sum, 1, origin_id_str(&held->job));
    fb_db_bind_int(&sum, 2, held->share);
    err = origin_catalog_run_one(db, &sum, FB_E_CONFLICT);
    return err < 0 ? err : origin_catalog_job_raise_progress(db, held);
}

static int job_set_recipe(struct fb_db *db, const struct origin_held *held,
                          const struct origin_job_graph *graph)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE jobs SET recipe = ?2, version = ?3, toolchain = ?4 WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&held->job));
    fb_db_bind_str(&q, 2, graph->recipe);
    fb_db_bind_str(&q, 3, graph->version);
    fb_db_bind_str(&q, 4, graph->toolchain);
    return origin_catalog_run_one(db, &q, FB_E_CONFLICT);
}

int origin_catalog_task_finish_prepare(struct origin_catalog *catalog,
                                       const struct origin_task *task,
                                       const struct origin_job_graph *graph)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_held held;
    bool is_done = false;

    int err = task_begin(&hold, &tx, catalog, task, &held, &is_done);
    if (err < 0 || is_done) {
        return err;
    }
    if (held.kind != ORIGIN_TASK_PREPARE) {
        return FB_E_MALFORMED;
    }
    if ((err = origin_catalog_sweep_stop(hold.db, &held.video, graph->version)) < 0 ||
        (err = job_set_recipe(hold.db, &held, graph)) < 0 ||
        (err = origin_catalog_graph_add(hold.db, &held, graph, origin_catalog_now(catalog))) < 0 ||
        (err = task_set_done(hold.db, &held)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

int origin_catalog_task_finish_part(struct origin_catalog *catalog, const struct origin_task *task)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_held held;
    bool is_done = false;

    int err = task_begin(&hold, &tx, catalog, task, &held, &is_done);
    if (err < 0 || is_done) {
        return err;
    }
    if (held.kind != ORIGIN_TASK_CHUNK && held.kind != ORIGIN_TASK_SOUND) {
        return FB_E_MALFORMED;
    }
    if ((err = task_set_done(hold.db, &held)) < 0 ||
        (err = origin_catalog_graph_advance(hold.db, &held.job, origin_catalog_now(catalog))) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

static int finish_publish(struct fb_db *db, const struct origin_job_rules *rules,
                          const struct origin_held *held, const struct origin_result *result,
                          int64_t now_ms)
{
    int err = task_set_done(db, held);
    if (err == FB_OK) {
        err = origin_catalog_job_publish(db, rules, held, result, now_ms);
    }
    return err < 0 ? err : origin_catalog_graph_advance(db, &held->job, now_ms);
}

/* Somebody else published: the job can go no further. */
static int finish_give_up(struct origin_catalog *catalog, const struct origin_task *task)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_held held;

    int err = task_begin(&hold, &tx, catalog, task, &held, NULL);
    if (err < 0 || (err = origin_catalog_job_end(hold.db, &held, "superseded",
                                                 FB_STR("Another version of this video was "
                                                        "published while this one was made."),
                                                 origin_catalog_now(catalog))) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

static int finish_all(struct origin_catalog *catalog, const struct origin_job_rules *rules,
                      const struct origin_task *task, const struct origin_result *result,
                      bool *ret_is_superseded)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_held held;
    bool is_done = false;

    int err = task_begin(&hold, &tx, catalog, task, &held, &is_done);
    if (err < 0 || is_done) {
        return err;
    }
    if (held.kind != ORIGIN_TASK_FINISH || strcmp(held.version, result->version) != 0) {
        return FB_E_MALFORMED;
    }
    err = finish_publish(hold.db, rules, &held, result, origin_catalog_now(catalog));
    *ret_is_superseded = err == FB_E_CONFLICT;
    return err < 0 ? err : fb_db_commit(&tx);
}

int origin_catalog_task_finish_all(struct origin_catalog *catalog,
                                   const struct origin_job_rules *rules,
                                   const struct origin_task *task,
                                   const struct origin_result *result)
{
    bool is_superseded = false;

    int err = finish_all(catalog, rules, task, result, &is_superseded);
    if (is_superseded) {
        int ended = finish_give_up(catalog, task);
        return ended < 0 ? ended : FB_E_CONFLICT;
    }
    return err;
}
