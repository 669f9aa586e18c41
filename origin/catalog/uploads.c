#include "origin/catalog/uploads.h"

#include "origin/catalog/catalog_internal.h"

#include <string.h>

#define WAITS \
    "EXISTS (SELECT 1 FROM videos v WHERE v.id = uploads.video AND v.status = 'uploading')"

static const char *const state_texts[] = {
    [ORIGIN_UPLOAD_OPEN] = "open",
    [ORIGIN_UPLOAD_DONE] = "done",
    [ORIGIN_UPLOAD_CLAIMED] = "claimed",
    [ORIGIN_UPLOAD_OLD] = "old",
};

static enum origin_upload_state state_of(struct fb_str text)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(state_texts); i++) {
        if (fb_str_equal(text, fb_str_from(state_texts[i]))) {
            return (enum origin_upload_state)i;
        }
    }
    return ORIGIN_UPLOAD_OLD; /* the table's own check lets nothing else in */
}

struct origin_upload_row origin_catalog_upload_of_row(const struct fb_db_query *q,
                                                      struct fb_arena *arena)
{
    return (struct origin_upload_row){
        .id = origin_catalog_column_id(q, 0),
        .video = origin_catalog_column_id(q, 1),
        .name = origin_catalog_column_dup(q, arena, 2),
        .is_multipart = fb_db_column_int(q, 3) != 0,
        .store_id = origin_catalog_column_dup(q, arena, 4),
        .sum = origin_catalog_column_dup(q, arena, 5),
        .meta = origin_catalog_column_dup(q, arena, 6),
        .state = state_of(fb_db_column_str(q, 7)),
        .etag = origin_catalog_column_dup(q, arena, 8),
        .bytes = (uint64_t)fb_db_column_int(q, 9),
        .begun_ms = fb_db_column_int(q, 10),
        .touched_ms = fb_db_column_int(q, 11),
    };
}

/* The one row of `q`. */
static int upload_step(struct fb_db_query *q, struct fb_arena *arena,
                       struct origin_upload_row *ret_row)
{
    int err = fb_db_step(q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    *ret_row = origin_catalog_upload_of_row(q, arena);
    return FB_OK;
}

static struct fb_str or_empty(struct fb_str text)
{
    return text.ptr != NULL ? text : FB_STR("");
}

/* ---- the video ------------------------------------------------------------------ */

static int video_find(struct fb_db *db, struct fb_arena *arena, const struct origin_id *id,
                      struct origin_upload_video *ret_video)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "SELECT owner, status = 'uploading', source_bytes, filename, source_type"
                        " FROM videos WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    *ret_video = (struct origin_upload_video){
        .id = *id,
        .owner = origin_catalog_column_id(&q, 0),
        .is_waiting = fb_db_column_int(&q, 1) != 0,
        .bytes = (uint64_t)fb_db_column_int(&q, 2),
        .filename = origin_catalog_column_dup(&q, arena, 3),
        .type = origin_catalog_column_dup(&q, arena, 4),
    };
    return FB_OK;
}

int origin_catalog_upload_video(struct origin_catalog *catalog, struct fb_arena *arena,
                                const struct origin_id *id, struct origin_upload_video *ret_video)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);

    return err < 0 ? err : video_find(hold.db, arena, id, ret_video);
}

/* Why a statement that looks at the video changed nothing. */
static int why_not(struct fb_db *db, const struct origin_id *upload)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT u.state, v.status = 'uploading' FROM uploads u"
                                           " JOIN videos v ON v.id = u.video WHERE u.id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(upload));
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    return state_of(fb_db_column_str(&q, 0)) == ORIGIN_UPLOAD_OPEN && fb_db_column_int(&q, 1) == 0
               ? FB_E_CONFLICT
               : FB_E_NOT_FOUND;
}

/* ---- states --------------------------------------------------------------------- */

int origin_catalog_upload_add(struct origin_catalog *catalog, const struct origin_upload_row *row)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "INSERT INTO uploads (id, video, name, multipart, state, sum, meta,"
                             " begun_ms, touched_ms)"
                             " SELECT ?1, id, ?3, ?4, 'open', ?5, ?6, ?7, ?7 FROM videos"
                             " WHERE id = ?2 AND status = 'uploading'");
    fb_db_bind_str(&q, 1, origin_id_str(&row->id));
    fb_db_bind_str(&q, 2, origin_id_str(&row->video));
    fb_db_bind_str(&q, 3, row->name);
    fb_db_bind_int(&q, 4, row->is_multipart);
    fb_db_bind_str(&q, 5, or_empty(row->sum));
    fb_db_bind_str(&q, 6, or_empty(row->meta));
    fb_db_bind_int(&q, 7, origin_catalog_now(catalog));
    return origin_catalog_run_one(hold.db, &q, FB_E_CONFLICT);
}

int origin_catalog_upload_began(struct origin_catalog *catalog, const struct origin_id *id,
                                struct fb_str store_id)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "UPDATE uploads SET store_id = ?2 WHERE id = ?1 AND state = 'open'");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    fb_db_bind_str(&q, 2, store_id);
    return origin_catalog_run_one(hold.db, &q, FB_E_NOT_FOUND);
}

int origin_catalog_upload_get(struct origin_catalog *catalog, struct fb_arena *arena,
                              const struct origin_id *id, struct origin_upload_row *ret_row)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT " ORIGIN_UPLOAD_COLUMNS " FROM uploads u WHERE u.id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    return upload_step(&q, arena, ret_row);
}

static int whole_find(struct fb_db *db, struct fb_arena *arena, const struct origin_id *video,
                      struct origin_upload_row *ret_row)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT " ORIGIN_UPLOAD_COLUMNS " FROM uploads u"
                                           " WHERE u.video = ?1 AND u.state IN ('done','claimed')");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    return upload_step(&q, arena, ret_row);
}

int origin_catalog_upload_whole(struct origin_catalog *catalog, struct fb_arena *arena,
                                const struct origin_id *video, struct origin_upload_row *ret_row)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);

    return err < 0 ? err : whole_find(hold.db, arena, video, ret_row);
}

/* What was done before becomes old. */
static int replace_whole(struct fb_db *db, const struct origin_id *by, struct origin_id *ret_old)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE uploads SET state = 'old' WHERE state = 'done' AND id <> ?1"
                        " AND video = (SELECT video FROM uploads WHERE id = ?1) RETURNING id");
    fb_db_bind_str(&q, 1, origin_id_str(by));
    int err = fb_db_step(&q);
    if (err == FB_OK) {
        *ret_old = origin_catalog_column_id(&q, 0);
        err = fb_db_step(&q); /* there is one at most, and the statement has to end */
    }
    return err == FB_E_END ? FB_OK : err;
}

static int set_done(struct fb_db *db, const struct origin_upload_end *end, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "UPDATE uploads SET state = 'done', etag = ?2, sum = ?3, bytes = ?4, touched_ms = ?5"
            " WHERE id = ?1 AND state = 'open' AND " WAITS
            " AND NOT EXISTS (SELECT 1 FROM uploads c WHERE c.video = uploads.video"
            "  AND c.state = 'claimed')");
    fb_db_bind_str(&q, 1, origin_id_str(&end->id));
    fb_db_bind_str(&q, 2, end->etag);
    fb_db_bind_str(&q, 3, or_empty(end->sum));
    fb_db_bind_int(&q, 4, (int64_t)end->bytes);
    fb_db_bind_int(&q, 5, now_ms);
    int err = origin_catalog_run_one(db, &q, FB_E_CONFLICT);
    if (err != FB_E_CONFLICT) {
        return err;
    }
    err = why_not(db, &end->id);
    return err == FB_E_NOT_FOUND ? err : FB_E_CONFLICT;
}

int origin_catalog_upload_done(struct origin_catalog *catalog, const struct origin_upload_end *end,
                               struct origin_id *ret_old)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_id old = {""};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = replace_whole(hold.db, &end->id, &old)) < 0 ||
        (err = set_done(hold.db, end, origin_catalog_now(catalog))) < 0 ||
        (err = fb_db_commit(&tx)) < 0) {
        return err;
    }
    *ret_old = old;
    return FB_OK;
}

int origin_catalog_upload_claim(struct origin_catalog *catalog, struct fb_arena *arena,
                                const struct origin_id *video, struct origin_upload_row *ret_row)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "UPDATE uploads SET state = 'claimed', touched_ms = ?2"
                             " WHERE video = ?1 AND state IN ('done','claimed')");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    fb_db_bind_int(&q, 2, origin_catalog_now(catalog));
    if ((err = fb_db_run(&q)) < 0 || (err = whole_find(hold.db, arena, video, ret_row)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

int origin_catalog_upload_end(struct origin_catalog *catalog, const struct origin_id *id,
                              bool with_done)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(hold.db, "UPDATE uploads SET state = 'old' WHERE id = ?1"
                                                " AND (state = 'open' OR (?2 AND state = 'done'))");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    fb_db_bind_int(&q, 2, with_done);
    return origin_catalog_run_one(hold.db, &q, FB_E_NOT_FOUND);
}

int origin_catalog_upload_remove(struct origin_catalog *catalog, const struct origin_id *id)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "DELETE FROM uploads WHERE id = ?1 AND state = 'old'");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    return fb_db_run(&q);
}

/* ---- parts ------------------------------------------------------------------------- */

/* The upload is open, its video waits; counts as a sign of life. */
static int part_admit(struct fb_db *db, const struct origin_id *id, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "UPDATE uploads SET touched_ms = ?2 WHERE id = ?1 AND state = 'open' AND " WAITS);
    fb_db_bind_str(&q, 1, origin_id_str(id));
    fb_db_bind_int(&q, 2, now_ms);
    int err = origin_catalog_run_one(db, &q, FB_E_CONFLICT);
    return err == FB_E_CONFLICT ? why_not(db, id) : err;
}

/* With this part in the place of an earlier one, all are no larger than was declared. */
static int part_fits(struct fb_db *db, const struct origin_id *id,
                     const struct origin_upload_part *part)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "SELECT ?3 + coalesce((SELECT sum(bytes) FROM upload_parts"
                        "  WHERE upload = ?1 AND number <> ?2), 0) <= v.source_bytes"
                        " FROM uploads u JOIN videos v ON v.id = u.video WHERE u.id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    fb_db_bind_int(&q, 2, part->number);
    fb_db_bind_int(&q, 3, (int64_t)part->bytes);
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    return fb_db_column_int(&q, 0) != 0 ? FB_OK : FB_E_LIMIT;
}

static int part_insert(struct fb_db *db, const struct origin_id *id,
                       const struct origin_upload_part *part, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT OR REPLACE INTO upload_parts (upload, number, bytes, etag, sum,"
                        " at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    fb_db_bind_int(&q, 2, part->number);
    fb_db_bind_int(&q, 3, (int64_t)part->bytes);
    fb_db_bind_str(&q, 4, part->etag);
    fb_db_bind_str(&q, 5, or_empty(part->sum));
    fb_db_bind_int(&q, 6, now_ms);
    return fb_db_run(&q);
}

int origin_catalog_upload_part_fits(struct origin_catalog *catalog, const struct origin_id *id,
                                    const struct origin_upload_part *part)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = part_admit(hold.db, id, origin_catalog_now(catalog))) < 0 ||
        (err = part_fits(hold.db, id, part)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

int origin_catalog_upload_part_put(struct origin_catalog *catalog, const struct origin_id *id,
                                   const struct origin_upload_part *part)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    int64_t now_ms = origin_catalog_now(catalog);

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = part_admit(hold.db, id, now_ms)) < 0 || (err = part_fits(hold.db, id, part)) < 0 ||
        (err = part_insert(hold.db, id, part, now_ms)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

int origin_catalog_upload_parts(struct origin_catalog *catalog, struct fb_arena *arena,
                                const struct origin_upload_part_query *query,
                                struct origin_upload_part **ret_parts, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT number, bytes, etag, sum, at_ms FROM upload_parts"
                             " WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3");
    fb_db_bind_str(&q, 1, origin_id_str(query->upload));
    fb_db_bind_int(&q, 2, query->after);
    fb_db_bind_int(&q, 3, (int64_t)query->limit);
    struct origin_upload_part *parts = fb_arena_alloc(arena, query->limit * sizeof(*parts));
    size_t n = 0;
    while (n < query->limit && (err = fb_db_step(&q)) == FB_OK) {
        parts[n++] = (struct origin_upload_part){
            .number = (uint32_t)fb_db_column_int(&q, 0),
            .bytes = (uint64_t)fb_db_column_int(&q, 1),
            .etag = origin_catalog_column_dup(&q, arena, 2),
            .sum = origin_catalog_column_dup(&q, arena, 3),
            .at_ms = fb_db_column_int(&q, 4),
        };
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_parts = parts;
    *ret_n = n;
    return FB_OK;
}
