#include "origin/catalog/sweeps.h"

#include "origin/catalog/job_internal.h"

#include <string.h>

static const char *const kind_texts[ORIGIN_N_SWEEP_KINDS] = {
    [ORIGIN_SWEEP_VERSION] = "version",
    [ORIGIN_SWEEP_WORK] = "work",
    [ORIGIN_SWEEP_SOURCE] = "source",
    [ORIGIN_SWEEP_VIDEO] = "video",
};

int origin_catalog_sweep_add(struct fb_db *db, enum origin_sweep_kind kind,
                             const struct origin_id *video, const char *version, int64_t after_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT INTO sweeps (kind, video, version, after_ms)"
                        " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (kind, video, version) DO NOTHING");
    fb_db_bind_str(&q, 1, fb_str_from(kind_texts[kind]));
    fb_db_bind_str(&q, 2, origin_id_str(video));
    fb_db_bind_str(&q, 3, fb_str_from(version != NULL ? version : ""));
    fb_db_bind_int(&q, 4, after_ms);
    return fb_db_run(&q);
}

int origin_catalog_sweep_stop(struct fb_db *db, const struct origin_id *video,
                              struct fb_str version)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query busy = fb_db_query(
        db, "SELECT 1 FROM sweeps WHERE video = ?1 AND version = ?2 AND is_running = 1");
    fb_db_bind_str(&busy, 1, origin_id_str(video));
    fb_db_bind_str(&busy, 2, version);
    int err = fb_db_step(&busy);
    if (err != FB_E_END) {
        return err == FB_OK ? FB_E_BUSY : err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "DELETE FROM sweeps WHERE video = ?1 AND version = ?2");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    fb_db_bind_str(&q, 2, version);
    return fb_db_run(&q);
}

/* ---- one after the other ------------------------------------------------------------- */

static int sweep_next(struct fb_db *db, int64_t now_ms, struct origin_sweep *ret_sweep)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT id, kind, video, version FROM sweeps"
                                           " WHERE is_running = 1 OR after_ms <= ?1"
                                           " ORDER BY is_running DESC, after_ms LIMIT 1");
    fb_db_bind_int(&q, 1, now_ms);
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_LATER : err;
    }
    struct origin_sweep sweep = {.id = fb_db_column_int(&q, 0),
                                 .kind = ORIGIN_SWEEP_VIDEO,
                                 .video = origin_catalog_column_id(&q, 2)};
    struct fb_str kind = fb_db_column_str(&q, 1);
    struct fb_str version = fb_str_first(fb_db_column_str(&q, 3), ORIGIN_VERSION_LEN);
    for (size_t i = 0; i < FB_ARRAY_LEN(kind_texts); i++) {
        if (fb_str_equal(kind, fb_str_from(kind_texts[i]))) {
            sweep.kind = (enum origin_sweep_kind)i;
        }
    }
    memcpy(sweep.version, version.ptr, version.len);
    *ret_sweep = sweep;
    return FB_OK;
}

/* Whether somebody needs the objects, again or still: FB_OK, FB_E_END. */
static int sweep_in_use(struct fb_db *db, const struct origin_sweep *sweep)
{
    static const char *const texts[ORIGIN_N_SWEEP_KINDS] = {
        [ORIGIN_SWEEP_VERSION] =
            "SELECT 1 FROM videos WHERE id = ?1 AND version = ?2 UNION ALL"
            " SELECT 1 FROM jobs WHERE video = ?1 AND version = ?2 AND state <> 'done'",
        [ORIGIN_SWEEP_WORK] =
            "SELECT 1 FROM jobs WHERE video = ?1 AND version = ?2 AND state <> 'done'",
        [ORIGIN_SWEEP_SOURCE] = "SELECT 1 FROM jobs WHERE video = ?1 AND state <> 'done'"
                                " AND ?2 = ''",
        [ORIGIN_SWEEP_VIDEO] = "SELECT 1 FROM videos WHERE id = ?1 AND ?2 = ''",
    };
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(db, texts[sweep->kind]);
    fb_db_bind_str(&q, 1, origin_id_str(&sweep->video));
    fb_db_bind_str(&q, 2, fb_str_from(sweep->version));
    return fb_db_step(&q);
}

static int sweep_forget(struct fb_db *db, const struct origin_sweep *sweep)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "DELETE FROM sweeps WHERE id = ?1");
    fb_db_bind_int(&q, 1, sweep->id);
    return fb_db_run(&q);
}

static int sweep_rows(struct fb_db *db, const struct origin_sweep *sweep, const char *sql)
{
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(db, sql);
    fb_db_bind_str(&q, 1, origin_id_str(&sweep->video));
    fb_db_bind_str(&q, 2, fb_str_from(sweep->version));
    return fb_db_run(&q);
}

/* From here on nobody is told of these objects. */
static int sweep_set_running(struct fb_db *db, const struct origin_sweep *sweep)
{
    int err = FB_OK;

    if ((sweep->kind == ORIGIN_SWEEP_VERSION || sweep->kind == ORIGIN_SWEEP_WORK) &&
        (err = sweep_rows(db, sweep,
                          "DELETE FROM stored_files WHERE video = ?1 AND version = ?2")) < 0) {
        return err;
    }
    if (sweep->kind == ORIGIN_SWEEP_VERSION &&
        ((err = sweep_rows(db, sweep, "DELETE FROM files WHERE video = ?1 AND version = ?2")) < 0 ||
         (err = sweep_rows(db, sweep, "DELETE FROM renditions WHERE video = ?1 AND version = ?2")) <
             0)) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "UPDATE sweeps SET is_running = 1 WHERE id = ?1");
    fb_db_bind_int(&q, 1, sweep->id);
    return fb_db_run(&q);
}

int origin_catalog_sweep_begin(struct origin_catalog *catalog, struct origin_sweep *ret_sweep)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    int64_t now_ms = origin_catalog_now(catalog);
    struct origin_sweep sweep;
    int used = FB_OK;

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    do {
        err = sweep_next(hold.db, now_ms, &sweep);
        used = err < 0 ? err : sweep_in_use(hold.db, &sweep);
        if (used == FB_OK) {
            err = sweep_forget(hold.db, &sweep);
        }
    } while (used == FB_OK && err == FB_OK);
    if (err == FB_E_LATER) {
        int committed = fb_db_commit(&tx); /* some may be forgotten */
        return committed < 0 ? committed : err;
    }
    if (err < 0 || used != FB_E_END) {
        return err < 0 ? err : used;
    }
    if ((err = sweep_set_running(hold.db, &sweep)) < 0 || (err = fb_db_commit(&tx)) < 0) {
        return err;
    }
    *ret_sweep = sweep;
    return FB_OK;
}

int origin_catalog_sweep_end(struct origin_catalog *catalog, const struct origin_sweep *sweep)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    return err < 0 ? err : sweep_forget(hold.db, sweep);
}
