/*
 * What becomes of a job's video: published, failed, under way.
 */
#include "origin/catalog/job_internal.h"

#include <string.h>

/* What publishing replaces, and what it needs to know of the job. */
struct base {
    struct origin_id video;
    char version[ORIGIN_VERSION_LEN + 1]; /* empty: none */
    int64_t stage;
    bool is_degraded;
};

static int base_get(struct fb_db *db, const struct origin_id *job, struct base *ret_base)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "SELECT video, base_version, base_stage, is_degraded FROM jobs WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(job));
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_CONFLICT : err;
    }
    struct base base = {.video = origin_catalog_column_id(&q, 0),
                        .stage = fb_db_column_int(&q, 2),
                        .is_degraded = fb_db_column_int(&q, 3) != 0};
    struct fb_str version = fb_str_first(fb_db_column_str(&q, 1), ORIGIN_VERSION_LEN);
    if (version.len > 0) {
        memcpy(base.version, version.ptr, version.len);
    }
    *ret_base = base;
    return FB_OK;
}

static int video_set(struct fb_db *db, const struct base *base, enum origin_stage stage,
                     const struct origin_result *result, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "UPDATE videos SET status = 'ready', reason = NULL, version = ?4, stage = ?5,"
            " progress = iif(?5 = 2, 1000, progress), duration_ms = ?6, width = ?7, height = ?8,"
            " has_audio = ?9, is_degraded = ?10, published_ms = coalesce(published_ms, ?11)"
            " WHERE id = ?1 AND version IS ?2 AND stage = ?3 AND status <> 'uploading'");
    fb_db_bind_str(&q, 1, origin_id_str(&base->video));
    fb_db_bind_str(&q, 2, base->version[0] != '\0' ? fb_str_from(base->version) : FB_STR_NONE);
    fb_db_bind_int(&q, 3, base->stage);
    fb_db_bind_str(&q, 4, fb_str_from(result->version));
    fb_db_bind_int(&q, 5, stage);
    fb_db_bind_int(&q, 6, (int64_t)result->duration_ms);
    fb_db_bind_int(&q, 7, result->width);
    fb_db_bind_int(&q, 8, result->height);
    fb_db_bind_int(&q, 9, result->has_audio ? 1 : 0);
    fb_db_bind_int(&q, 10, base->is_degraded ? 1 : 0);
    fb_db_bind_int(&q, 11, now_ms);
    return origin_catalog_run_one(db, &q, FB_E_CONFLICT);
}

/* The early pass is out: the late one replaces that. */
static int job_move_base(struct fb_db *db, const struct origin_held *finish)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE jobs SET base_version = version, base_stage = 1 WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&finish->job));
    return origin_catalog_run_one(db, &q, FB_E_CONFLICT);
}

static int job_set_done(struct fb_db *db, const struct origin_held *finish, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "UPDATE jobs SET state = 'done', ended_ms = ?2 WHERE id = ?1 AND state = 'active'");
    fb_db_bind_str(&q, 1, origin_id_str(&finish->job));
    fb_db_bind_int(&q, 2, now_ms);
    return origin_catalog_run_one(db, &q, FB_E_CONFLICT);
}

int origin_catalog_job_publish(struct fb_db *db, const struct origin_job_rules *rules,
                               const struct origin_held *finish, const struct origin_result *result,
                               int64_t now_ms)
{
    bool is_early = finish->pass == ORIGIN_PASS_EARLY;
    struct base base;

    int err = base_get(db, &finish->job, &base);
    if (err < 0 ||
        (err = video_set(db, &base, is_early ? ORIGIN_STAGE_EARLY : ORIGIN_STAGE_FULL, result,
                         now_ms)) < 0 ||
        (err = origin_catalog_renditions_put(db, &base.video, result)) < 0 ||
        (err = origin_catalog_files_put(db, &base.video, result)) < 0 ||
        (err = origin_catalog_search_refresh(db, &base.video)) < 0) {
        return err;
    }
    if (base.version[0] != '\0' && strcmp(base.version, result->version) != 0 &&
        (err = origin_catalog_sweep_add(db, ORIGIN_SWEEP_VERSION, &base.video, base.version,
                                        now_ms + rules->keep_replaced_ms)) < 0) {
        return err;
    }
    if (is_early) {
        return job_move_base(db, finish);
    }
    err = origin_catalog_sweep_add(db, ORIGIN_SWEEP_WORK, &base.video, result->version,
                                   now_ms + ORIGIN_LATE_WRITE_MS);
    if (err == FB_OK && !rules->keeps_original) {
        err = origin_catalog_sweep_add(db, ORIGIN_SWEEP_SOURCE, &base.video, NULL,
                                       now_ms + ORIGIN_LATE_WRITE_MS);
    }
    return err < 0 ? err : job_set_done(db, finish, now_ms);
}

/* ---- failing ---------------------------------------------------------------------- */

/* Nobody goes on with the others; who has one learns it at the next renewal. */
static int tasks_park(struct fb_db *db, const struct origin_held *task)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE tasks SET state = iif(id = ?2, 'dead', 'parked'), lease = NULL,"
                        " lease_expires_ms = NULL, progress = 0"
                        " WHERE job = ?1 AND (id = ?2 OR state IN ('ready','running'))");
    fb_db_bind_str(&q, 1, origin_id_str(&task->job));
    fb_db_bind_str(&q, 2, origin_id_str(&task->task));
    return fb_db_run(&q);
}

static int job_set_failed(struct fb_db *db, const struct origin_held *task, const char *reason,
                          struct fb_str sentence, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "UPDATE jobs SET state = 'failed', reason = ?2, sentence = ?3, ended_ms = ?4"
            " WHERE id = ?1 AND state = 'active'");
    fb_db_bind_str(&q, 1, origin_id_str(&task->job));
    fb_db_bind_str(&q, 2, fb_str_from(reason));
    fb_db_bind_str(&q, 3, sentence);
    fb_db_bind_int(&q, 4, now_ms);
    return origin_catalog_run_one(db, &q, FB_E_CONFLICT);
}

static int video_set_failed(struct fb_db *db, const struct origin_held *task,
                            struct fb_str sentence)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "UPDATE videos SET status = 'failed', reason = ?2"
                                           " WHERE id = ?1 AND status IN ('queued','processing')");
    fb_db_bind_str(&q, 1, origin_id_str(&task->video));
    fb_db_bind_str(&q, 2, sentence);
    return fb_db_run(&q);
}

int origin_catalog_job_end(struct fb_db *db, const struct origin_held *task, const char *reason,
                           struct fb_str sentence, int64_t now_ms)
{
    int err = tasks_park(db, task);
    if (err < 0 || (err = job_set_failed(db, task, reason, sentence, now_ms)) < 0) {
        return err;
    }
    return video_set_failed(db, task, sentence);
}

/* ---- under way ---------------------------------------------------------------------- */

int origin_catalog_job_move_video(struct fb_db *db, const struct origin_held *task)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE videos SET status = iif(EXISTS (SELECT 1 FROM tasks WHERE job = ?2"
                        "  AND state = 'running'), 'processing', 'queued')"
                        " WHERE id = ?1 AND status IN ('queued','processing')");
    fb_db_bind_str(&q, 1, origin_id_str(&task->video));
    fb_db_bind_str(&q, 2, origin_id_str(&task->job));
    return fb_db_run(&q);
}

int origin_catalog_job_raise_progress(struct fb_db *db, const struct origin_held *task)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "UPDATE videos SET progress = p.permille FROM (SELECT min(999, (j.done +"
            "  coalesce((SELECT sum(t.share * t.progress) FROM tasks t"
            "   WHERE t.job = j.id AND t.state = 'running'), 0) / 1000) / 1000) AS permille"
            "  FROM jobs j WHERE j.id = ?2) AS p"
            " WHERE videos.id = ?1 AND videos.stage <> 2 AND videos.progress < p.permille");
    fb_db_bind_str(&q, 1, origin_id_str(&task->video));
    fb_db_bind_str(&q, 2, origin_id_str(&task->job));
    return fb_db_run(&q);
}
