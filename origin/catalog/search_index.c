/*
 * The tables of search, kept in step with what they follow.
 */
#include "origin/catalog/catalog_internal.h"
#include "origin/catalog/search.h"

static int run_on(struct fb_db *db, const char *sql, struct fb_str ref)
{
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(db, sql);
    fb_db_bind_str(&q, 1, ref);
    return fb_db_run(&q);
}

static int run_all(struct fb_db *db, const char *const *sqls, size_t n, struct fb_str ref)
{
    int err = FB_OK;

    for (size_t i = 0; i < n && err == FB_OK; i++) {
        err = run_on(db, sqls[i], ref);
    }
    return err;
}

/* ---- words ------------------------------------------------------------------- */

/* Takes in the words of a text that the cutter holds; the cutter is empty afterwards. A word that
 * nothing has any more stays: whoever reads it looks whether it still occurs. */
static int learn(struct fb_db *db)
{
    static const char *const sqls[] = {
        "INSERT INTO search_trigrams (rowid, word)"
        " SELECT (SELECT coalesce(max(id), 0) FROM search_words)"
        "   + row_number() OVER (ORDER BY term), '^' || term || '$' FROM search_cut"
        " WHERE length(term) BETWEEN 4 AND 40"
        "  AND NOT EXISTS (SELECT 1 FROM search_words WHERE word = term)",
        "INSERT INTO search_words (id, word)"
        " SELECT (SELECT coalesce(max(id), 0) FROM search_words)"
        "   + row_number() OVER (ORDER BY term), term FROM search_cut"
        " WHERE length(term) BETWEEN 4 AND 40"
        "  AND NOT EXISTS (SELECT 1 FROM search_words WHERE word = term)",
        "INSERT INTO search_cutter (search_cutter) VALUES ('delete-all')",
    };
    int err = FB_OK;

    for (size_t i = 0; i < FB_ARRAY_LEN(sqls) && err == FB_OK; i++) {
        FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(db, sqls[i]);
        err = fb_db_run(&q);
    }
    return err;
}

/* ---- videos ------------------------------------------------------------------ */

int origin_catalog_search_forget(struct fb_db *db, const struct origin_id *video)
{
    static const char *const sqls[] = {
        "DELETE FROM video_search WHERE rowid = (SELECT seq FROM videos WHERE id = ?1)",
        "DELETE FROM video_tags WHERE video = (SELECT seq FROM videos WHERE id = ?1)",
    };
    return run_all(db, sqls, FB_ARRAY_LEN(sqls), origin_id_str(video));
}

int origin_catalog_search_refresh(struct fb_db *db, const struct origin_id *video)
{
    static const char *const sqls[] = {
        "INSERT INTO video_search (rowid, title, description, tags, owner)"
        " SELECT v.seq, v.title, v.description,"
        "  (SELECT coalesce(group_concat(value, ' '), '') FROM json_each(v.tags)), u.name"
        " FROM videos v JOIN users u ON u.id = v.owner WHERE v.id = ?1 AND " ORIGIN_VIDEO_IS_PUBLIC,
        "INSERT OR IGNORE INTO video_tags (tag, video) SELECT lower(t.value), v.seq"
        " FROM videos v, json_each(v.tags) t WHERE v.id = ?1 AND " ORIGIN_VIDEO_IS_PUBLIC,
        "INSERT OR IGNORE INTO search_names (kind, ref) SELECT 'tag', t.tag FROM video_tags t"
        " JOIN videos v ON v.seq = t.video WHERE v.id = ?1",
        "INSERT INTO search_name_index (rowid, name) SELECT n.id, n.ref FROM search_names n"
        " JOIN video_tags t ON t.tag = n.ref JOIN videos v ON v.seq = t.video WHERE v.id = ?1"
        "  AND n.kind = 'tag'"
        "  AND NOT EXISTS (SELECT 1 FROM search_name_index WHERE rowid = n.id)",
        "INSERT INTO search_cutter (rowid, text)"
        " SELECT s.rowid, s.title || ' ' || s.tags || ' ' || s.owner FROM video_search s"
        " WHERE s.rowid = (SELECT seq FROM videos WHERE id = ?1)",
    };
    int err = origin_catalog_search_forget(db, video);
    if (err == FB_OK) {
        err = run_all(db, sqls, FB_ARRAY_LEN(sqls), origin_id_str(video));
    }
    return err < 0 ? err : learn(db);
}

/* ---- users ------------------------------------------------------------------- */

int origin_catalog_search_refresh_user(struct fb_db *db, const struct origin_id *user)
{
    static const char *const sqls[] = {
        "UPDATE video_search SET owner = (SELECT name FROM users WHERE id = ?1)"
        " WHERE rowid IN (SELECT seq FROM videos WHERE owner = ?1)",
        "INSERT OR IGNORE INTO search_names (kind, ref) VALUES ('user', ?1)",
        "DELETE FROM search_name_index WHERE rowid ="
        " (SELECT id FROM search_names WHERE kind = 'user' AND ref = ?1)",
        "INSERT INTO search_name_index (rowid, name) SELECT n.id, u.name FROM users u"
        " JOIN search_names n ON n.kind = 'user' AND n.ref = u.id WHERE u.id = ?1",
        "INSERT INTO search_cutter (rowid, text) SELECT 1, name FROM users WHERE id = ?1",
    };
    int err = run_all(db, sqls, FB_ARRAY_LEN(sqls), origin_id_str(user));
    return err < 0 ? err : learn(db);
}
