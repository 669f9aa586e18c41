#include "origin/catalog/files.h"

#include "origin/catalog/catalog_internal.h"

#include <string.h>

int origin_catalog_files_put(struct fb_db *db, const struct origin_id *video,
                             const struct origin_result *result)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT OR REPLACE INTO files (video, version, path, type, size, sha256)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    int err = FB_OK;

    for (size_t i = 0; i < result->n_files && err == FB_OK; i++) {
        const struct origin_result_file *file = &result->files[i];
        fb_db_query_reset(&q);
        fb_db_bind_str(&q, 1, origin_id_str(video));
        fb_db_bind_str(&q, 2, fb_str_from(result->version));
        fb_db_bind_str(&q, 3, fb_str_from(file->path));
        fb_db_bind_str(&q, 4, fb_str_from(file->type));
        fb_db_bind_int(&q, 5, (int64_t)file->size);
        fb_db_bind_blob(&q, 6, (struct fb_str){(const char *)file->sha256, ORIGIN_DIGEST_LEN});
        err = fb_db_run(&q);
    }
    return err;
}

/* Of a row that begins with path, type, size and digest. */
static int file_read(const struct fb_db_query *q, struct origin_result_file *ret_file)
{
    struct fb_str name = fb_db_column_str(q, 0);
    struct fb_str type = fb_db_column_str(q, 1);
    struct fb_str digest = fb_db_column_blob(q, 3);

    if (name.len > ORIGIN_PATH_MAX || type.len > ORIGIN_TYPE_MAX ||
        digest.len != ORIGIN_DIGEST_LEN) {
        return FB_E_CORRUPT;
    }
    *ret_file = (struct origin_result_file){.size = (uint64_t)fb_db_column_int(q, 2)};
    memcpy(ret_file->path, name.ptr, name.len);
    memcpy(ret_file->type, type.ptr, type.len);
    memcpy(ret_file->sha256, digest.ptr, digest.len);
    return FB_OK;
}

int origin_catalog_file_get(struct origin_catalog *catalog, const struct origin_id *video,
                            struct fb_str version, struct fb_str path,
                            struct origin_result_file *ret_file, enum origin_privacy *ret_privacy)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT f.path, f.type, f.size, f.sha256, v.privacy FROM files f"
                             " JOIN videos v ON v.id = f.video AND v.deactivated_ms IS NULL"
                             " WHERE f.video = ?1 AND f.version = ?2 AND f.path = ?3");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    fb_db_bind_str(&q, 2, version);
    fb_db_bind_str(&q, 3, path);
    err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    err = file_read(&q, ret_file);
    if (err < 0) {
        return err;
    }
    *ret_privacy = ORIGIN_PRIVACY_PRIVATE; /* unless it says something else */
    FB_IGNORE(origin_privacy_parse(fb_db_column_str(&q, 4), ret_privacy));
    return FB_OK;
}

int origin_catalog_file_list(struct origin_catalog *catalog, const struct origin_id *video,
                             struct fb_str version, struct fb_str folder,
                             const struct origin_file_visitor *visitor)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done) /* '0' is what follows a slash */
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT path, type, size, sha256 FROM files WHERE video = ?1 AND version = ?2"
                 " AND path > ?3 || '/' AND path < ?3 || '0' ORDER BY path");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    fb_db_bind_str(&q, 2, version);
    fb_db_bind_str(&q, 3, folder);
    while ((err = fb_db_step(&q)) == FB_OK) {
        struct origin_result_file file;
        err = file_read(&q, &file);
        if (err == FB_OK) {
            err = visitor->visit(visitor->ctx, &file);
        }
        if (err < 0) {
            return err;
        }
    }
    return err == FB_E_END ? FB_OK : err;
}
