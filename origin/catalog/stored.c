#include "origin/catalog/stored.h"

#include "origin/catalog/job_internal.h"

#include <string.h>

/* Of the word that was spelt in two ways one stays. */
const char origin_catalog_migration_stored[] =
    "CREATE TABLE stored_files ("
    "  video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
    "  version TEXT NOT NULL,"
    "  path TEXT NOT NULL,"
    "  size INTEGER NOT NULL,"
    "  sha256 BLOB NOT NULL,"
    "  PRIMARY KEY (video, version, path)"
    ") STRICT, WITHOUT ROWID;"
    "UPDATE jobs SET reason = 'lost' WHERE reason = 'lease-lost';"
    "UPDATE task_attempts SET reason = 'lost' WHERE reason = 'lease-lost';";

static struct fb_str digest_of(const struct origin_result_file *file)
{
    return (struct fb_str){(const char *)file->sha256, ORIGIN_DIGEST_LEN};
}

/* Whose files they are, as the lease says. */
static int find_version(struct fb_db *db, const struct origin_task *task,
                        struct origin_id *ret_video, char ret_version[ORIGIN_VERSION_LEN + 1])
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT j.video, j.version" ORIGIN_HELD_TABLES
                                           "WHERE t.id = ?1 AND t.lease = ?2"
                                           " AND t.state = 'running' AND j.version IS NOT NULL");
    fb_db_bind_str(&q, 1, origin_id_str(&task->task));
    fb_db_bind_str(&q, 2, origin_id_str(&task->lease));
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_CONFLICT : err;
    }
    *ret_video = origin_catalog_column_id(&q, 0);
    origin_catalog_column_copy(&q, 1, ret_version, ORIGIN_VERSION_LEN + 1);
    return FB_OK;
}

int origin_catalog_stored_note(struct origin_catalog *catalog, const struct origin_task *task,
                               const struct origin_result_file *files, size_t n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    char version[ORIGIN_VERSION_LEN + 1];
    struct origin_id video;

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = find_version(hold.db, task, &video, version)) < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "INSERT OR REPLACE INTO stored_files (video, version, path, size, sha256)"
                 " VALUES (?1, ?2, ?3, ?4, ?5)");
    for (size_t i = 0; err == FB_OK && i < n; i++) {
        fb_db_query_reset(&q);
        fb_db_bind_str(&q, 1, origin_id_str(&video));
        fb_db_bind_str(&q, 2, fb_str_from(version));
        fb_db_bind_str(&q, 3, fb_str_from(files[i].path));
        fb_db_bind_int(&q, 4, (int64_t)files[i].size);
        fb_db_bind_blob(&q, 5, digest_of(&files[i]));
        err = fb_db_run(&q);
    }
    return err < 0 ? err : fb_db_commit(&tx);
}

int origin_catalog_stored_may_put(struct origin_catalog *catalog, const struct origin_task *task,
                                  const struct origin_result_file *file)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db,
        "SELECT f.size = ?3 AND f.sha256 = ?4 OR f.type LIKE 'application/%'"
        " FROM tasks t JOIN jobs j ON j.id = t.job JOIN files f"
        "  ON f.video = j.video AND f.version = j.version AND f.path = ?2 WHERE t.id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&task->task));
    fb_db_bind_str(&q, 2, fb_str_from(file->path));
    fb_db_bind_int(&q, 3, (int64_t)file->size);
    fb_db_bind_blob(&q, 4, digest_of(file));
    err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_OK : err;
    }
    return fb_db_column_int(&q, 0) != 0 ? FB_OK : FB_E_CORRUPT;
}

int origin_catalog_stored_compare(struct origin_catalog *catalog, const struct origin_id *video,
                                  const char *version, const struct origin_result_file *files,
                                  size_t n, enum origin_stored_match *ret_matches)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(hold.db, "SELECT size = ?4 AND sha256 = ?5 FROM stored_files"
                                                " WHERE video = ?1 AND version = ?2 AND path = ?3");
    for (size_t i = 0; i < n; i++) {
        fb_db_query_reset(&q);
        fb_db_bind_str(&q, 1, origin_id_str(video));
        fb_db_bind_str(&q, 2, fb_str_from(version));
        fb_db_bind_str(&q, 3, fb_str_from(files[i].path));
        fb_db_bind_int(&q, 4, (int64_t)files[i].size);
        fb_db_bind_blob(&q, 5, digest_of(&files[i]));
        err = fb_db_step(&q);
        if (err < 0 && err != FB_E_END) {
            return err;
        }
        ret_matches[i] = err == FB_E_END                ? ORIGIN_STORED_UNKNOWN
                         : fb_db_column_int(&q, 0) != 0 ? ORIGIN_STORED_SAME
                                                        : ORIGIN_STORED_OTHER;
    }
    return FB_OK;
}
