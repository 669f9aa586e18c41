/*
 * The tasks that follow PREPARE: how much of the work each is, and in which order they are due.
 */
#include "origin/catalog/job_internal.h"

enum {
    SHARE_PREPARE = 30000, /* in ORIGIN_SHARES, as all of these */
    SHARE_SOUND = 40000,
    SHARE_FINISH = 10000,
    SHARE_EARLY = 120000, /* of all pictures of the early pass */

    /* A long video yields to those that come while it is worked on: each of its source chunks
     * counts as asked for so long after the one before. */
    STAGGER_MS = 15000,
    EARLY_MS = 10 * 60 * 1000, /* so much ahead is what somebody waits to see */
    LAST_MS = 60 * 60 * 1000   /* and what needs but an instant to be published */
};

int64_t origin_catalog_due(enum origin_priority priority, int64_t now_ms)
{
    static const int64_t offsets_ms[ORIGIN_N_PRIORITIES] = {
        [ORIGIN_PRIORITY_FIRST] = -3600000,
        [ORIGIN_PRIORITY_NORMAL] = 0,
        [ORIGIN_PRIORITY_LATER] = 86400000,
    };
    return now_ms + offsets_ms[priority];
}

int origin_catalog_task_add(struct fb_db *db, const struct origin_held *task, int64_t due_ms,
                            bool is_ready, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "INSERT INTO tasks (id, job, kind, pass, place, state, due_ms, run_after_ms, share)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    fb_db_bind_str(&q, 1, origin_id_str(&task->task));
    fb_db_bind_str(&q, 2, origin_id_str(&task->job));
    fb_db_bind_str(&q, 3, fb_str_from(origin_task_kind_text(task->kind)));
    fb_db_bind_int(&q, 4, task->pass);
    fb_db_bind_int(&q, 5, task->index);
    fb_db_bind_str(&q, 6, is_ready ? FB_STR("ready") : FB_STR("waiting"));
    fb_db_bind_int(&q, 7, due_ms);
    fb_db_bind_int(&q, 8, now_ms);
    fb_db_bind_int(&q, 9, task->share);
    return fb_db_run(&q);
}

static int job_due(struct fb_db *db, const struct origin_id *job, int64_t *ret_due_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT due_ms FROM jobs WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(job));
    int err = fb_db_step(&q);
    if (err == FB_OK) {
        *ret_due_ms = fb_db_column_int(&q, 0);
    }
    return err == FB_E_END ? FB_E_CONFLICT : err;
}

/* What is added, piece by piece. */
struct maker {
    struct fb_db *db;
    struct origin_id job;
    int64_t due_ms;
    int64_t now_ms;
    int64_t left; /* of the shares */
};

static int maker_add(struct maker *maker, enum origin_task_kind kind, enum origin_task_pass pass,
                     uint32_t index, int64_t share)
{
    struct origin_held task = {.task = origin_id_new(),
                               .job = maker->job,
                               .kind = kind,
                               .pass = pass,
                               .index = index,
                               .share = FB_MIN(share, maker->left)};
    int64_t due_ms = maker->due_ms + (int64_t)index * STAGGER_MS;

    due_ms -= pass == ORIGIN_PASS_EARLY ? EARLY_MS : 0;
    due_ms -= kind == ORIGIN_TASK_FINISH ? LAST_MS : 0;
    maker->left -= task.share;
    return origin_catalog_task_add(maker->db, &task, due_ms, kind != ORIGIN_TASK_FINISH,
                                   maker->now_ms);
}

/* The pictures of a pass: `share` over all its source chunks, without a remainder. */
static int maker_add_chunks(struct maker *maker, enum origin_task_pass pass, uint32_t n,
                            int64_t share)
{
    int err = FB_OK;

    for (uint32_t i = 0; i < n && err == FB_OK; i++) {
        int64_t piece = share / (n - i);
        err = maker_add(maker, ORIGIN_TASK_CHUNK, pass, i, piece);
        share -= piece;
    }
    return err;
}

int origin_catalog_graph_add(struct fb_db *db, const struct origin_held *prepare,
                             const struct origin_job_graph *graph, int64_t now_ms)
{
    struct maker maker = {
        .db = db, .job = prepare->job, .now_ms = now_ms, .left = ORIGIN_SHARES - SHARE_PREPARE};
    enum origin_task_pass first = graph->has_passes ? ORIGIN_PASS_EARLY : ORIGIN_PASS_ALL;

    int err = job_due(db, &prepare->job, &maker.due_ms);
    if (err == FB_OK && graph->has_sound) {
        err = maker_add(&maker, ORIGIN_TASK_SOUND, first, 0, SHARE_SOUND);
    }
    if (err == FB_OK && graph->has_passes) {
        err = maker_add_chunks(&maker, first, graph->n_chunks, SHARE_EARLY);
        if (err == FB_OK) {
            err = maker_add(&maker, ORIGIN_TASK_FINISH, first, 0, SHARE_FINISH);
        }
        first = ORIGIN_PASS_LATE;
    }
    if (err == FB_OK) {
        err = maker_add_chunks(&maker, first, graph->n_chunks, maker.left - SHARE_FINISH);
    }
    return err < 0 ? err : maker_add(&maker, ORIGIN_TASK_FINISH, first, 0, maker.left);
}

int origin_catalog_graph_advance(struct fb_db *db, const struct origin_id *job, int64_t now_ms)
{
    /* A FINISH follows all of its own pass; that of the late pass all others. */
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "UPDATE tasks SET state = 'ready', run_after_ms = ?2"
            " WHERE job = ?1 AND state = 'waiting' AND NOT EXISTS (SELECT 1 FROM tasks t"
            "  WHERE t.job = tasks.job AND t.state <> 'done' AND t.id <> tasks.id"
            "  AND (t.pass = tasks.pass OR tasks.pass = 2))");
    fb_db_bind_str(&q, 1, origin_id_str(job));
    fb_db_bind_int(&q, 2, now_ms);
    return fb_db_run(&q);
}
