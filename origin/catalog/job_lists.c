/*
 * What operators read of jobs.
 */
#include "origin/catalog/job_internal.h"

#define JOB_COLUMNS                                                                              \
    "j.id, j.video, j.state, j.priority, j.source, j.request, j.version, j.toolchain, v.title,"  \
    " iif(j.state = 'done', 1000, min(999, (j.done + coalesce((SELECT sum(t.share * t.progress)" \
    "  FROM tasks t WHERE t.job = j.id AND t.state = 'running'), 0) / 1000) / 1000)),"           \
    " j.is_degraded, j.reason, j.sentence, j.created_ms, coalesce(j.ended_ms, 0)"
#define JOB_TABLES " FROM jobs j JOIN videos v ON v.id = j.video "

static struct origin_job job_of_row(const struct fb_db_query *q, struct fb_arena *arena)
{
    int64_t priority = fb_db_column_int(q, 3);
    struct origin_job job = {
        .id = origin_catalog_column_id(q, 0),
        .video = origin_catalog_column_id(q, 1),
        .state = ORIGIN_JOB_FAILED,
        .priority = (enum origin_priority)priority,
        .source = origin_catalog_column_dup(q, arena, 4),
        .request = origin_catalog_column_dup(q, arena, 5),
        .version = origin_catalog_column_dup(q, arena, 6),
        .toolchain = origin_catalog_column_dup(q, arena, 7),
        .title = origin_catalog_column_dup(q, arena, 8),
        .permille = (uint32_t)fb_db_column_int(q, 9),
        .is_degraded = fb_db_column_int(q, 10) != 0,
        .reason = origin_catalog_column_dup(q, arena, 11),
        .sentence = origin_catalog_column_dup(q, arena, 12),
        .created_ms = fb_db_column_int(q, 13),
        .ended_ms = fb_db_column_int(q, 14),
    };
    FB_IGNORE(origin_job_state_parse(fb_db_column_str(q, 2), &job.state)); /* the table checks */
    return job;
}

int origin_catalog_job_get(struct origin_catalog *catalog, struct fb_arena *arena,
                           const struct origin_id *id, struct origin_job *ret_job)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(hold.db, "SELECT " JOB_COLUMNS JOB_TABLES "WHERE j.id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    *ret_job = job_of_row(&q, arena);
    return FB_OK;
}

int origin_catalog_job_list(struct origin_catalog *catalog, struct fb_arena *arena,
                            const struct origin_job_query *query, struct origin_job **ret_jobs,
                            size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT " JOB_COLUMNS JOB_TABLES
                             "WHERE j.state = ?1 AND (?2 IS NULL OR j.reason = ?2)"
                             " AND (j.created_ms, j.id) < (?3, ?4)"
                             " ORDER BY j.created_ms DESC, j.id DESC LIMIT ?5");
    fb_db_bind_str(&q, 1, fb_str_from(origin_job_state_text(query->state)));
    fb_db_bind_str(&q, 2, query->reason);
    fb_db_bind_int(&q, 3, query->before_ms > 0 ? query->before_ms : INT64_MAX);
    fb_db_bind_str(&q, 4, fb_str_from(query->before.text));
    fb_db_bind_int(&q, 5, (int64_t)query->limit);
    struct origin_job *jobs = fb_arena_alloc(arena, query->limit * sizeof(*jobs));
    size_t n = 0;
    while (n < query->limit && (err = fb_db_step(&q)) == FB_OK) {
        jobs[n++] = job_of_row(&q, arena);
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_jobs = jobs;
    *ret_n = n;
    return FB_OK;
}

/* ---- tasks and attempts of one job ------------------------------------------------- */

/* The same columns in both queries, from `at`. */
static void place_of_row(const struct fb_db_query *q, int at, enum origin_task_kind *kind,
                         enum origin_task_pass *pass, uint32_t *index)
{
    int64_t number = fb_db_column_int(q, at + 1);
    *pass = (enum origin_task_pass)number;
    *index = (uint32_t)fb_db_column_int(q, at + 2);
    FB_IGNORE(origin_task_kind_parse(fb_db_column_str(q, at), kind)); /* the table checks */
}

static int tasks_count(struct fb_db *db, const struct origin_id *job, uint32_t *ret_total,
                       uint32_t *ret_done)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT count(*), coalesce(sum(state = 'done'), 0)"
                                           " FROM tasks WHERE job = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(job));
    int err = fb_db_step(&q);
    if (err == FB_OK) {
        *ret_total = (uint32_t)fb_db_column_int(&q, 0);
        *ret_done = (uint32_t)fb_db_column_int(&q, 1);
    }
    return err;
}

int origin_catalog_job_tasks(struct origin_catalog *catalog, struct fb_arena *arena,
                             const struct origin_id *job, size_t limit,
                             struct origin_job_tasks *ret_tasks)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT id, kind, pass, place, state, progress, attempts, lease_owner,"
                 " run_after_ms FROM tasks WHERE job = ?1 AND state <> 'done'"
                 " ORDER BY state <> 'dead', state <> 'running', due_ms, place LIMIT ?2");
    fb_db_bind_str(&q, 1, origin_id_str(job));
    fb_db_bind_int(&q, 2, (int64_t)limit);
    struct origin_job_tasks tasks = {.items = fb_arena_alloc(arena, limit * sizeof(*tasks.items))};
    while (tasks.n < limit && (err = fb_db_step(&q)) == FB_OK) {
        struct origin_job_task task = {.id = origin_catalog_column_id(&q, 0),
                                       .state = origin_catalog_column_dup(&q, arena, 4),
                                       .permille = (uint32_t)fb_db_column_int(&q, 5),
                                       .attempts = (uint32_t)fb_db_column_int(&q, 6),
                                       .worker = origin_catalog_column_dup(&q, arena, 7),
                                       .run_after_ms = fb_db_column_int(&q, 8)};
        place_of_row(&q, 1, &task.kind, &task.pass, &task.index);
        tasks.items[tasks.n++] = task;
    }
    if ((err < 0 && err != FB_E_END) ||
        (err = tasks_count(hold.db, job, &tasks.total, &tasks.done)) < 0) {
        return err;
    }
    *ret_tasks = tasks;
    return FB_OK;
}

int origin_catalog_job_attempts(struct origin_catalog *catalog, struct fb_arena *arena,
                                const struct origin_id *job, size_t limit,
                                struct origin_job_attempt **ret_attempts, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT a.task, t.kind, t.pass, t.place, a.attempt, a.worker, a.reason,"
                 " a.is_final, a.sentence, a.log, a.started_ms, a.ended_ms"
                 " FROM task_attempts a JOIN tasks t ON t.id = a.task WHERE t.job = ?1"
                 " ORDER BY a.seq DESC LIMIT ?2");
    fb_db_bind_str(&q, 1, origin_id_str(job));
    fb_db_bind_int(&q, 2, (int64_t)limit);
    struct origin_job_attempt *attempts = fb_arena_alloc(arena, limit * sizeof(*attempts));
    size_t n = 0;
    while (n < limit && (err = fb_db_step(&q)) == FB_OK) {
        struct origin_job_attempt attempt = {.task = origin_catalog_column_id(&q, 0),
                                             .attempt = (uint32_t)fb_db_column_int(&q, 4),
                                             .worker = origin_catalog_column_dup(&q, arena, 5),
                                             .reason = origin_catalog_column_dup(&q, arena, 6),
                                             .is_final = fb_db_column_int(&q, 7) != 0,
                                             .sentence = origin_catalog_column_dup(&q, arena, 8),
                                             .log = origin_catalog_column_dup(&q, arena, 9),
                                             .started_ms = fb_db_column_int(&q, 10),
                                             .ended_ms = fb_db_column_int(&q, 11)};
        place_of_row(&q, 1, &attempt.kind, &attempt.pass, &attempt.index);
        attempts[n++] = attempt;
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_attempts = attempts;
    *ret_n = n;
    return FB_OK;
}

int origin_catalog_tasks_running(struct origin_catalog *catalog, struct origin_task_running *items,
                                 size_t max, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT j.video, t.kind, t.pass, t.place, t.progress, t.leased_ms,"
                 " t.lease_expires_ms, t.lease_owner" ORIGIN_HELD_TABLES
                 "WHERE t.state = 'running' ORDER BY t.lease_owner, t.leased_ms LIMIT ?1");
    fb_db_bind_int(&q, 1, (int64_t)max);
    size_t n = 0;
    while (n < max && (err = fb_db_step(&q)) == FB_OK) {
        struct origin_task_running *item = &items[n++];
        *item = (struct origin_task_running){.video = origin_catalog_column_id(&q, 0),
                                             .permille = (uint32_t)fb_db_column_int(&q, 4),
                                             .leased_ms = fb_db_column_int(&q, 5),
                                             .expires_ms = fb_db_column_int(&q, 6)};
        place_of_row(&q, 1, &item->kind, &item->pass, &item->index);
        origin_catalog_column_copy(&q, 7, item->worker, sizeof(item->worker));
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_n = n;
    return FB_OK;
}
