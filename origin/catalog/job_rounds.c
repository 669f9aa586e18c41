/*
 * What is done with jobs every so often: those that nobody can go on with begin anew, and those
 * that are over are forgotten.
 */
#include "base/core/buf.h"
#include "base/json/json.h"
#include "origin/catalog/job_internal.h"

#include <string.h>

/* A job with the version that it was making. */
struct old_job {
    struct origin_held held; /* job, video, version */
    bool is_published;       /* that version, at least its early pass */
};

static int old_of_row(const struct fb_db_query *q, struct old_job *ret_old)
{
    struct old_job old = {
        .held = {.job = origin_catalog_column_id(q, 0), .video = origin_catalog_column_id(q, 1)},
        .is_published = fb_db_column_int(q, 3) != 0};

    origin_catalog_column_copy(q, 2, old.held.version, sizeof(old.held.version));
    *ret_old = old;
    return FB_OK;
}

/* What was made so far is of no use; nobody writes to it any more after a while. */
static int old_sweep(struct fb_db *db, const struct old_job *old, int64_t now_ms)
{
    int64_t after_ms = now_ms + ORIGIN_LATE_WRITE_MS;

    if (old->held.version[0] == '\0') {
        return FB_OK;
    }
    int err = origin_catalog_sweep_add(db, ORIGIN_SWEEP_WORK, &old->held.video, old->held.version,
                                       after_ms);
    if (err == FB_OK && !old->is_published) {
        err = origin_catalog_sweep_add(db, ORIGIN_SWEEP_VERSION, &old->held.video,
                                       old->held.version, after_ms);
    }
    return err;
}

/* ---- beginning anew ---------------------------------------------------------------- */

static int stuck_next(struct fb_db *db, struct fb_str toolchains, struct old_job *ret_old)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "SELECT j.id, j.video, coalesce(j.version, ''), v.version IS j.version"
            " FROM jobs j JOIN videos v ON v.id = j.video"
            " WHERE j.state = 'active' AND j.toolchain IS NOT NULL"
            " AND j.toolchain NOT IN (SELECT value FROM json_each(?1))"
            " AND NOT EXISTS (SELECT 1 FROM tasks WHERE job = j.id AND state = 'running')"
            " LIMIT 1");
    fb_db_bind_str(&q, 1, toolchains);
    int err = fb_db_step(&q);
    return err < 0 ? err : old_of_row(&q, ret_old);
}

static int stuck_reset(struct fb_db *db, const struct old_job *old, int64_t now_ms)
{
    static const char *const texts[] = {
        "DELETE FROM tasks WHERE job = ?1 AND kind <> 'prepare' AND ?2 <> 0",
        "UPDATE tasks SET state = 'ready', run_after_ms = ?2, attempts = 0, progress = 0,"
        " lease = NULL WHERE job = ?1",
        "UPDATE jobs SET recipe = NULL, version = NULL, toolchain = NULL, done = 0"
        " WHERE id = ?1 AND ?2 <> 0",
    };
    int err = FB_OK;

    for (size_t i = 0; i < FB_ARRAY_LEN(texts) && err == FB_OK; i++) {
        FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(db, texts[i]);
        fb_db_bind_str(&q, 1, origin_id_str(&old->held.job));
        fb_db_bind_int(&q, 2, now_ms);
        err = fb_db_run(&q);
    }
    return err < 0 ? err : old_sweep(db, old, now_ms);
}

int origin_catalog_job_reprepare(struct origin_catalog *catalog, const struct fb_str *toolchains,
                                 size_t n, size_t limit, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    FB_AUTO(fb_json_freep) struct fb_json *known = fb_json_new_array();
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct old_job old;
    size_t n_reset = 0;

    for (size_t i = 0; i < n; i++) {
        fb_json_add_str(known, toolchains[i]);
    }
    fb_json_dump(known, &text);
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    while (n_reset < limit && (err = stuck_next(hold.db, fb_buf_str(&text), &old)) == FB_OK &&
           (err = stuck_reset(hold.db, &old, origin_catalog_now(catalog))) == FB_OK) {
        n_reset++;
    }
    if ((err < 0 && err != FB_E_END) || (err = fb_db_commit(&tx)) < 0) {
        return err;
    }
    *ret_n = n_reset;
    return FB_OK;
}

/* ---- forgetting ---------------------------------------------------------------------- */

static int ended_next(struct fb_db *db, const char *state, int64_t before_ms,
                      struct old_job *ret_old)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "SELECT j.id, j.video, coalesce(j.version, ''), v.version IS j.version"
                        " FROM jobs j JOIN videos v ON v.id = j.video"
                        " WHERE j.state = ?1 AND j.ended_ms < ?2 LIMIT 1");
    fb_db_bind_str(&q, 1, fb_str_from(state));
    fb_db_bind_int(&q, 2, before_ms);
    int err = fb_db_step(&q);
    return err < 0 ? err : old_of_row(&q, ret_old);
}

static int job_forget(struct fb_db *db, const struct origin_id *id)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "DELETE FROM jobs WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    return fb_db_run(&q);
}

static int prune(struct origin_catalog *catalog, const char *state, int64_t before_ms, size_t limit,
                 bool with_objects)
{
    int err = FB_OK;

    for (size_t i = 0; i < limit && err == FB_OK; i++) {
        FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
        FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
        struct old_job old;

        err = fb_db_take(catalog->pool, &hold);
        if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
            (err = ended_next(hold.db, state, before_ms, &old)) < 0 ||
            (err = job_forget(hold.db, &old.held.job)) < 0) {
            break;
        }
        if (with_objects) {
            err = old_sweep(hold.db, &old, origin_catalog_now(catalog));
        }
        err = err < 0 ? err : fb_db_commit(&tx);
    }
    return err == FB_E_END ? FB_OK : err;
}

int origin_catalog_job_prune(struct origin_catalog *catalog, int64_t done_ms, int64_t failed_ms,
                             size_t limit)
{
    int err = prune(catalog, "done", done_ms, limit, false);
    return err < 0 ? err : prune(catalog, "failed", failed_ms, limit, true);
}
