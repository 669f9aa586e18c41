#include "origin/catalog/search.h"

#include "origin/catalog/catalog_internal.h"

/* ---- videos ------------------------------------------------------------------ */

#define HITS                                                               \
    "SELECT v.seq, -s.rank, v.published_ms, c.views, c.likes, c.shares"    \
    " FROM video_search s JOIN videos v ON v.seq = s.rowid"                \
    " LEFT JOIN video_counters c ON c.video = v.id"                        \
    " WHERE s.video_search MATCH ?1 AND " ORIGIN_VIDEO_IS_PUBLIC           \
    " AND (?2 IS NULL OR v.category = ?2)"                                 \
    " AND (?3 IS NULL OR EXISTS"                                           \
    "  (SELECT 1 FROM video_tags t WHERE t.tag = ?3 AND t.video = v.seq))" \
    " AND v.duration_ms >= ?4 AND (?5 = 0 OR v.duration_ms < ?5)"          \
    " AND v.published_ms >= ?6"

/* Whether more videos have the words than can be compared. */
static int are_many(struct fb_db *db, struct fb_str match, bool *ret_are_many)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT count(*) FROM (SELECT rowid FROM video_search"
                                           " WHERE video_search MATCH ?1 LIMIT ?2)");
    fb_db_bind_str(&q, 1, match);
    fb_db_bind_int(&q, 2, ORIGIN_SEARCH_COMPARED_MAX + 1);
    int err = fb_db_step(&q);
    if (err == FB_OK) {
        *ret_are_many = fb_db_column_int(&q, 0) > ORIGIN_SEARCH_COMPARED_MAX;
    }
    return err;
}

int origin_catalog_search(struct origin_catalog *catalog, struct fb_arena *arena,
                          const struct origin_search_query *query,
                          struct origin_search_hit **ret_hits, size_t *ret_n)
{
    bool is_wide = false;
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    err = are_many(hold.db, query->match, &is_wide);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(hold.db, is_wide ? HITS " ORDER BY s.rowid DESC LIMIT ?7"
                                                        : HITS " ORDER BY s.rank LIMIT ?7");
    fb_db_bind_str(&q, 1, query->match);
    fb_db_bind_str(&q, 2, query->category);
    fb_db_bind_str(&q, 3, query->tag);
    fb_db_bind_int(&q, 4, query->min_ms);
    fb_db_bind_int(&q, 5, query->max_ms);
    fb_db_bind_int(&q, 6, query->since_ms);
    fb_db_bind_int(&q, 7, ORIGIN_SEARCH_WEIGHED_MAX);
    struct origin_search_hit *hits =
        fb_arena_alloc(arena, ORIGIN_SEARCH_WEIGHED_MAX * sizeof(*hits));
    size_t n = 0;
    while (n < ORIGIN_SEARCH_WEIGHED_MAX && (err = fb_db_step(&q)) == FB_OK) {
        hits[n++] = (struct origin_search_hit){
            .seq = fb_db_column_int(&q, 0),
            .text = fb_db_column_real(&q, 1),
            .published_ms = fb_db_column_int(&q, 2),
            .views = fb_db_column_int(&q, 3),
            .likes = fb_db_column_int(&q, 4),
            .shares = fb_db_column_int(&q, 5),
        };
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_hits = hits;
    *ret_n = n;
    return FB_OK;
}

int origin_catalog_search_videos(struct origin_catalog *catalog, struct fb_arena *arena,
                                 const struct origin_search_hit *hits, size_t n,
                                 struct origin_video **ret_videos, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT " ORIGIN_VIDEO_COLUMNS " FROM " ORIGIN_VIDEO_TABLES
                             " WHERE v.seq = ?1 AND " ORIGIN_VIDEO_IS_PUBLIC);
    struct origin_video *videos = fb_arena_alloc(arena, (n + 1) * sizeof(*videos));
    size_t n_found = 0;
    for (size_t i = 0; i < n; i++) {
        fb_db_query_reset(&q);
        fb_db_bind_int(&q, 1, hits[i].seq);
        err = fb_db_step(&q);
        if (err == FB_OK) {
            videos[n_found++] = origin_catalog_video_of_row(&q, arena);
        } else if (err != FB_E_END) {
            return err;
        }
    }
    *ret_videos = videos;
    *ret_n = n_found;
    return FB_OK;
}

int origin_catalog_search_has(struct origin_catalog *catalog, struct fb_str match, bool *ret_has)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT rowid FROM video_search WHERE video_search MATCH ?1 LIMIT 1");
    fb_db_bind_str(&q, 1, match);
    err = fb_db_step(&q);
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_has = err == FB_OK;
    return FB_OK;
}

/* ---- words ------------------------------------------------------------------- */

int origin_catalog_search_words(struct origin_catalog *catalog, struct fb_arena *arena,
                                struct fb_str match, struct origin_search_word **ret_words,
                                size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT w.word, t.doc FROM"
                 " (SELECT rowid AS id FROM search_trigrams WHERE search_trigrams MATCH ?1"
                 "  ORDER BY rank LIMIT ?2) near"
                 " JOIN search_words w ON w.id = near.id"
                 " JOIN video_search_terms t ON t.term = w.word");
    fb_db_bind_str(&q, 1, match);
    fb_db_bind_int(&q, 2, ORIGIN_SEARCH_WORDS_MAX);
    struct origin_search_word *words =
        fb_arena_alloc(arena, ORIGIN_SEARCH_WORDS_MAX * sizeof(*words));
    size_t n = 0;
    while (n < ORIGIN_SEARCH_WORDS_MAX && (err = fb_db_step(&q)) == FB_OK) {
        words[n++] = (struct origin_search_word){
            .word = origin_catalog_column_dup(&q, arena, 0),
            .n_videos = fb_db_column_int(&q, 1),
        };
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_words = words;
    *ret_n = n;
    return FB_OK;
}

/* ---- names ------------------------------------------------------------------- */

static const char *const names_sql[] = {
    [ORIGIN_NAME_TAG] = "SELECT n.ref, n.ref,"
                        " (SELECT count(*) FROM video_tags t WHERE t.tag = n.ref) AS weight"
                        " FROM search_name_index i JOIN search_names n ON n.id = i.rowid"
                        " WHERE i.search_name_index MATCH ?1 AND n.kind = 'tag' AND weight > 0"
                        " ORDER BY weight DESC, n.ref LIMIT ?2",
    [ORIGIN_NAME_USER] = "SELECT n.ref, u.name, coalesce(c.followers, 0) AS weight"
                         " FROM search_name_index i JOIN search_names n ON n.id = i.rowid"
                         " JOIN users u ON u.id = n.ref LEFT JOIN user_counters c ON c.user = u.id"
                         " WHERE i.search_name_index MATCH ?1 AND n.kind = 'user'"
                         " ORDER BY weight DESC, n.ref LIMIT ?2",
};

int origin_catalog_search_names(struct origin_catalog *catalog, struct fb_arena *arena,
                                const struct origin_name_query *query,
                                struct origin_search_name **ret_names, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(hold.db, names_sql[query->kind]);
    fb_db_bind_str(&q, 1, query->match);
    fb_db_bind_int(&q, 2, (int64_t)query->limit);
    struct origin_search_name *names = fb_arena_alloc(arena, query->limit * sizeof(*names));
    size_t n = 0;
    while (n < query->limit && (err = fb_db_step(&q)) == FB_OK) {
        names[n++] = (struct origin_search_name){
            .ref = origin_catalog_column_dup(&q, arena, 0),
            .name = origin_catalog_column_dup(&q, arena, 1),
            .weight = fb_db_column_int(&q, 2),
        };
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_names = names;
    *ret_n = n;
    return FB_OK;
}
