/*
 * Which task is next, and whose leases have expired.
 */
#include "base/core/alloc.h"
#include "origin/catalog/job_internal.h"

#include <string.h>

static int expired_next(struct fb_db *db, int64_t now_ms, struct origin_held *ret_held)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "SELECT " ORIGIN_HELD_COLUMNS ORIGIN_HELD_TABLES
                        "WHERE t.state = 'running' AND t.lease_expires_ms <= ?1 LIMIT 1");
    fb_db_bind_int(&q, 1, now_ms);
    int err = fb_db_step(&q);
    return err < 0 ? err : origin_catalog_held_of_row(&q, ret_held);
}

static int expire_all(struct fb_db *db, const struct origin_job_rules *rules, int64_t now_ms,
                      uint32_t *n_lost)
{
    struct origin_task_failure failure = {.reason = ORIGIN_REASON_LEASE_LOST,
                                          .sentence = fb_str_from(rules->lost)};
    struct origin_held held;
    bool is_over = false;
    int err = FB_OK;

    while ((err = expired_next(db, now_ms, &held)) == FB_OK &&
           (err = origin_catalog_attempt_end(db, rules, &held, &failure, now_ms, &is_over)) ==
               FB_OK) {
        *n_lost += 1;
    }
    return err == FB_E_END ? FB_OK : err;
}

/* What a worker is told beside the row. */
struct orders {
    char source[ORIGIN_KEY_MAX + 1];
    char *request; /* owned, as the next */
    char *recipe;
};

static void orders_done(struct orders *orders)
{
    fb_free(orders->request);
    fb_free(orders->recipe);
}

static int task_next(struct fb_db *db, const struct origin_task_ask *ask, int64_t now_ms,
                     struct origin_held *ret_held, struct orders *orders)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "SELECT " ORIGIN_HELD_COLUMNS
            ", j.source, j.request, coalesce(j.recipe, '')" ORIGIN_HELD_TABLES
            "WHERE t.state = 'ready' AND t.run_after_ms <= ?1"
            " AND (j.toolchain IS NULL OR j.toolchain = ?2) ORDER BY t.due_ms, t.place LIMIT 1");
    fb_db_bind_int(&q, 1, now_ms);
    fb_db_bind_str(&q, 2, ask->toolchain);
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_LATER : err;
    }
    err = origin_catalog_held_of_row(&q, ret_held);
    if (err == FB_OK) {
        origin_catalog_column_copy(&q, ORIGIN_HELD_N_COLUMNS, orders->source,
                                   sizeof(orders->source));
        orders->request = fb_str_dup(fb_db_column_str(&q, ORIGIN_HELD_N_COLUMNS + 1));
        orders->recipe = fb_str_dup(fb_db_column_str(&q, ORIGIN_HELD_N_COLUMNS + 2));
    }
    return err;
}

static int task_lease(struct fb_db *db, const struct origin_held *held, struct fb_str worker,
                      const struct origin_task *task, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "UPDATE tasks SET state = 'running', lease = ?2, lease_owner = ?3,"
            " lease_expires_ms = ?4, leased_ms = ?5, attempts = ?6, progress = 0 WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&held->task));
    fb_db_bind_str(&q, 2, origin_id_str(&task->lease));
    fb_db_bind_str(&q, 3, fb_str_first(worker, ORIGIN_WORKER_NAME_MAX));
    fb_db_bind_int(&q, 4, now_ms + task->lease_ms);
    fb_db_bind_int(&q, 5, now_ms);
    fb_db_bind_int(&q, 6, task->attempt);
    int err = origin_catalog_run_one(db, &q, FB_E_CONFLICT);
    return err < 0 ? err : origin_catalog_job_move_video(db, held);
}

/* The job learns whether it is prepared while too much waits. */
static int job_set_degraded(struct fb_db *db, const struct origin_held *held, bool is_degraded)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE jobs SET is_degraded = ?2 WHERE id = ?1 AND is_degraded <> ?2");
    fb_db_bind_str(&q, 1, origin_id_str(&held->job));
    fb_db_bind_int(&q, 2, is_degraded ? 1 : 0);
    return fb_db_run(&q);
}

/* In the transaction: leases what is next, and tells it in `task`, whose texts stay in `orders`. */
static int take_next(struct fb_db *db, const struct origin_job_rules *rules,
                     const struct origin_task_ask *ask, int64_t now_ms, struct orders *orders,
                     struct origin_task *task)
{
    struct origin_held held;

    int err = task_next(db, ask, now_ms, &held, orders);
    if (err < 0) {
        return err;
    }
    *task = (struct origin_task){
        .job = held.job,
        .task = held.task,
        .lease = origin_id_new(),
        .video = held.video,
        .kind = held.kind,
        .pass = held.pass,
        .index = held.index,
        .lease_ms = rules->lease_ms,
        .attempt = held.attempts + 1,
    };
    memcpy(task->source, orders->source, sizeof(task->source));
    memcpy(task->version, held.version, sizeof(task->version));
    err = task_lease(db, &held, ask->worker, task, now_ms);
    if (err == FB_OK && held.kind == ORIGIN_TASK_PREPARE) {
        err = job_set_degraded(db, &held, rules->is_degraded);
    }
    return err;
}

int origin_catalog_task_take(struct origin_catalog *catalog, const struct origin_job_rules *rules,
                             const struct origin_task_ask *ask, struct origin_task *ret_task,
                             uint32_t *ret_n_lost)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    FB_AUTO(orders_done) struct orders orders = {.source = ""};
    int64_t now_ms = origin_catalog_now(catalog);
    struct origin_task task;
    uint32_t n_lost = 0;

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    err = expire_all(hold.db, rules, now_ms, &n_lost);
    if (err == FB_OK) {
        err = take_next(hold.db, rules, ask, now_ms, &orders, &task);
    }
    if (err < 0 && err != FB_E_LATER) {
        return err;
    }
    int committed = fb_db_commit(&tx); /* leases may have expired */
    if (committed < 0) {
        return committed;
    }
    *ret_n_lost = n_lost;
    if (err < 0) {
        return err;
    }
    task.request = orders.request;
    task.recipe = orders.recipe;
    orders = (struct orders){.source = ""};
    *ret_task = task;
    return FB_OK;
}
