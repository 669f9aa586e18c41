/*
 * How an attempt at a task ends when it does not end well.
 */
#include "base/sys/backoff.h"
#include "origin/catalog/job_internal.h"

static int attempt_add(struct fb_db *db, const struct origin_held *held,
                       const struct origin_task_failure *failure, int64_t now_ms)
{
    struct fb_str log = failure->log;

    if (log.len > ORIGIN_LOG_TAIL_MAX) {
        log = fb_str_skip(log, log.len - ORIGIN_LOG_TAIL_MAX);
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "INSERT INTO task_attempts (task, era, attempt, worker, reason, is_final, sentence,"
            " log, started_ms, ended_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    fb_db_bind_str(&q, 1, origin_id_str(&held->task));
    fb_db_bind_int(&q, 2, held->era);
    fb_db_bind_int(&q, 3, held->attempts);
    fb_db_bind_str(&q, 4, fb_str_from(held->worker));
    fb_db_bind_str(&q, 5, fb_str_from(origin_task_reason_text(failure->reason)));
    fb_db_bind_int(&q, 6, failure->is_final ? 1 : 0);
    fb_db_bind_str(&q, 7, fb_str_first(failure->sentence, ORIGIN_REASON_MAX));
    fb_db_bind_str(&q, 8, log.ptr != NULL ? log : FB_STR(""));
    fb_db_bind_int(&q, 9, held->leased_ms);
    fb_db_bind_int(&q, 10, now_ms);
    return fb_db_run(&q);
}

/* How often the task has failed in this era: for this reason, and for any. */
static int attempts_count(struct fb_db *db, const struct origin_held *held,
                          enum origin_task_reason reason, uint32_t *ret_same, uint32_t *ret_all)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT coalesce(sum(reason = ?3), 0), count(*)"
                                           " FROM task_attempts WHERE task = ?1 AND era = ?2");
    fb_db_bind_str(&q, 1, origin_id_str(&held->task));
    fb_db_bind_int(&q, 2, held->era);
    fb_db_bind_str(&q, 3, fb_str_from(origin_task_reason_text(reason)));
    int err = fb_db_step(&q);
    if (err == FB_OK) {
        *ret_same = (uint32_t)fb_db_column_int(&q, 0);
        *ret_all = (uint32_t)fb_db_column_int(&q, 1);
    }
    return err;
}

static int64_t backoff_of(const struct origin_job_rules *rules, uint32_t failures)
{
    const struct fb_backoff backoff = {rules->backoff_ms, rules->max_backoff_ms, rules->jitter};

    return (int64_t)fb_backoff_ms(&backoff, failures - 1);
}

int origin_catalog_task_requeue(struct fb_db *db, const struct origin_held *held,
                                int64_t run_after_ms, uint32_t attempts)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE tasks SET state = 'ready', run_after_ms = ?2, attempts = ?3,"
                        " progress = 0, lease = NULL, lease_expires_ms = NULL WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&held->task));
    fb_db_bind_int(&q, 2, run_after_ms);
    fb_db_bind_int(&q, 3, attempts);
    int err = origin_catalog_run_one(db, &q, FB_E_CONFLICT);
    return err < 0 ? err : origin_catalog_job_move_video(db, held);
}

int origin_catalog_attempt_end(struct fb_db *db, const struct origin_job_rules *rules,
                               const struct origin_held *held,
                               const struct origin_task_failure *failure, int64_t now_ms,
                               bool *ret_is_over)
{
    uint32_t same = 0;
    uint32_t all = 0;

    int err = attempt_add(db, held, failure, now_ms);
    if (err < 0 || (err = attempts_count(db, held, failure->reason, &same, &all)) < 0) {
        return err;
    }
    bool is_over = failure->is_final || failure->reason == ORIGIN_REASON_INPUT ||
                   same >= rules->attempts[failure->reason];
    err = is_over
              ? origin_catalog_job_end(db, held, origin_task_reason_text(failure->reason),
                                       fb_str_first(failure->sentence, ORIGIN_REASON_MAX), now_ms)
              : origin_catalog_task_requeue(db, held, now_ms + backoff_of(rules, all),
                                            held->attempts);
    if (err == FB_OK) {
        *ret_is_over = is_over;
    }
    return err;
}
