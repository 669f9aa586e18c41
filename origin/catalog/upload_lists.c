/*
 * Lists of uploads, and what becomes of those that nobody ends.
 */
#include "origin/catalog/catalog_internal.h"
#include "origin/catalog/uploads.h"

#include <string.h>

static int rows_read(struct fb_db_query *q, struct fb_arena *arena, size_t max,
                     struct origin_upload_row **ret_rows, size_t *ret_n)
{
    struct origin_upload_row *rows = fb_arena_alloc(arena, max * sizeof(*rows));
    size_t n = 0;
    int err = FB_OK;

    while (n < max && (err = fb_db_step(q)) == FB_OK) {
        rows[n++] = origin_catalog_upload_of_row(q, arena);
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_rows = rows;
    *ret_n = n;
    return FB_OK;
}

int origin_catalog_upload_list(struct origin_catalog *catalog, struct fb_arena *arena,
                               const struct origin_upload_query *query,
                               struct origin_upload_row **ret_rows, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT " ORIGIN_UPLOAD_COLUMNS " FROM uploads u JOIN videos v ON v.id = u.video"
                 " WHERE (?1 IS NULL OR v.owner = ?1) AND (?2 IS NULL OR u.video = ?2)"
                 " AND CASE WHEN ?3 THEN u.state = 'open' AND u.multipart"
                 "     ELSE u.state IN ('done','claimed') END"
                 " AND (u.video > ?4 OR (u.video = ?4 AND u.id > ?5))"
                 " ORDER BY u.video, u.id LIMIT ?6");
    fb_db_bind_str(&q, 1, query->owner != NULL ? origin_id_str(query->owner) : FB_STR_NONE);
    fb_db_bind_str(&q, 2, query->video != NULL ? origin_id_str(query->video) : FB_STR_NONE);
    fb_db_bind_int(&q, 3, query->is_open);
    fb_db_bind_str(&q, 4, query->after_video.ptr != NULL ? query->after_video : FB_STR(""));
    fb_db_bind_str(&q, 5, query->after_id.ptr != NULL ? query->after_id : FB_STR(""));
    fb_db_bind_int(&q, 6, (int64_t)query->limit);
    return rows_read(&q, arena, query->limit, ret_rows, ret_n);
}

/* ---- expiry ------------------------------------------------------------------------- */

/* Those that were not touched. What is claimed of a video that still waits has lost its job on the
 * way. */
static int end_untouched(struct fb_db *db, int64_t before_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE uploads SET state = 'old' WHERE state IN ('open','done')"
                        " AND touched_ms < ?1");
    fb_db_bind_int(&q, 1, before_ms);
    return fb_db_run(&q);
}

static int fail_waiting(struct fb_db *db, int64_t before_ms, struct fb_str reason)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE videos SET status = 'failed', reason = ?2"
                        " WHERE status = 'uploading' AND created_ms < ?1 AND NOT EXISTS (SELECT 1"
                        "  FROM uploads u WHERE u.video = videos.id AND u.state <> 'old')");
    fb_db_bind_int(&q, 1, before_ms);
    fb_db_bind_str(&q, 2, reason);
    return fb_db_run(&q);
}

static int forget_starts(struct fb_db *db, int64_t before_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "DELETE FROM upload_starts WHERE at_ms < ?1");
    fb_db_bind_int(&q, 1, before_ms);
    return fb_db_run(&q);
}

int origin_catalog_upload_expire(struct origin_catalog *catalog, struct fb_arena *arena,
                                 const struct origin_upload_expiry *expiry,
                                 struct origin_upload_row **ret_rows, size_t *ret_n)
{
    enum { HOUR_MS = 3600 * 1000 };
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = end_untouched(hold.db, expiry->before_ms)) < 0 ||
        (err = fail_waiting(hold.db, expiry->before_ms, expiry->reason)) < 0 ||
        (err = forget_starts(hold.db, origin_catalog_now(catalog) - HOUR_MS)) < 0 ||
        (err = fb_db_commit(&tx)) < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(hold.db, "SELECT " ORIGIN_UPLOAD_COLUMNS
                                                " FROM uploads u WHERE u.state = 'old' LIMIT ?1");
    fb_db_bind_int(&q, 1, (int64_t)expiry->limit);
    return rows_read(&q, arena, expiry->limit, ret_rows, ret_n);
}

/* ---- making videos -------------------------------------------------------------------- */

enum { WINDOW_MS = 3600 * 1000 };

/* What of this hour is used. A video that was removed again counts too. */
static int hour_read(struct fb_db *db, const struct origin_video *video, int64_t now_ms,
                     uint32_t per_hour, struct origin_upload_room *room)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT count(*), min(at_ms), max(at_ms)"
                                           " FROM upload_starts WHERE user = ?1 AND at_ms > ?2");
    fb_db_bind_str(&q, 1, origin_id_str(&video->owner));
    fb_db_bind_int(&q, 2, now_ms - WINDOW_MS);
    int err = fb_db_step(&q);
    if (err < 0) {
        return err;
    }
    int64_t n = fb_db_column_int(&q, 0);
    int64_t first = FB_MIN(fb_db_column_int(&q, 1), now_ms); /* a clock may have been set back */
    int64_t last = FB_MIN(fb_db_column_int(&q, 2), now_ms);
    room->left = n < per_hour ? per_hour - (uint32_t)n : 0;
    room->reset_ms = n > 0 ? (uint32_t)(last + WINDOW_MS - now_ms) : 0;
    room->wait_ms = room->left == 0 ? (uint32_t)(first + WINDOW_MS - now_ms) : 0;
    return FB_OK;
}

static int bytes_read(struct fb_db *db, const struct origin_video *video,
                      struct origin_upload_room *room)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT coalesce(sum(source_bytes), 0) FROM videos"
                                           " WHERE owner = ?1 AND status <> 'failed'");
    fb_db_bind_str(&q, 1, origin_id_str(&video->owner));
    int err = fb_db_step(&q);
    if (err == FB_OK) {
        room->used_bytes = (uint64_t)fb_db_column_int(&q, 0);
    }
    return err;
}

static int start_add(struct fb_db *db, const struct origin_video *video, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT INTO upload_starts (user, at_ms) VALUES (?1, ?2)");
    fb_db_bind_str(&q, 1, origin_id_str(&video->owner));
    fb_db_bind_int(&q, 2, now_ms);
    return fb_db_run(&q);
}

static int type_set(struct fb_db *db, const struct origin_video *video, struct fb_str type)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "UPDATE videos SET source_type = ?2 WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&video->id));
    fb_db_bind_str(&q, 2, type);
    return fb_db_run(&q);
}

static int room_check(struct fb_db *db, const struct origin_video *video,
                      const struct origin_upload_bounds *bounds, int64_t now_ms,
                      struct origin_upload_room *room)
{
    int err = FB_OK;

    if (bounds->per_hour > 0 && (err = hour_read(db, video, now_ms, bounds->per_hour, room)) < 0) {
        return err;
    }
    if ((err = bytes_read(db, video, room)) < 0) {
        return err;
    }
    if (room->wait_ms > 0) {
        return FB_E_BUSY;
    }
    bool fits =
        bounds->max_bytes == 0 || (room->used_bytes <= bounds->max_bytes &&
                                   video->source_bytes <= bounds->max_bytes - room->used_bytes);
    return fits ? FB_OK : FB_E_LIMIT;
}

int origin_catalog_upload_video_add(struct origin_catalog *catalog,
                                    const struct origin_video *video, struct fb_str type,
                                    const struct origin_upload_bounds *bounds,
                                    struct origin_upload_room *ret_room)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_upload_room room = {.left = bounds->per_hour};
    int64_t now_ms = origin_catalog_now(catalog);

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    err = room_check(hold.db, video, bounds, now_ms, &room);
    if (err < 0) {
        *ret_room = room;
        return err;
    }
    if ((err = origin_catalog_video_insert(hold.db, video, now_ms)) < 0 ||
        (err = type_set(hold.db, video, type)) < 0 ||
        (err = start_add(hold.db, video, now_ms)) < 0 || (err = fb_db_commit(&tx)) < 0) {
        return err;
    }
    if (bounds->per_hour > 0) {
        room.left--;
        room.reset_ms = WINDOW_MS;
    }
    *ret_room = room;
    return FB_OK;
}
