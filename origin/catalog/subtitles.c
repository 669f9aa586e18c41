#include "origin/catalog/subtitles.h"

#include "origin/catalog/catalog_internal.h"

#include <stdio.h>

static int count(struct fb_db *db, const struct origin_id *video, int64_t *ret_n)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT count(*) FROM subtitles WHERE video = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    int err = fb_db_step(&q);
    if (err == FB_OK) {
        *ret_n = fb_db_column_int(&q, 0);
    }
    return err;
}

static int insert(struct fb_db *db, const struct origin_subtitle *subtitle, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT INTO subtitles (id, video, language, name, object, cues, at_ms)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    fb_db_bind_str(&q, 1, origin_id_str(&subtitle->id));
    fb_db_bind_str(&q, 2, origin_id_str(&subtitle->video));
    fb_db_bind_str(&q, 3, subtitle->language);
    fb_db_bind_str(&q, 4, subtitle->name);
    fb_db_bind_str(&q, 5, subtitle->key);
    fb_db_bind_int(&q, 6, subtitle->n_cues);
    fb_db_bind_int(&q, 7, now_ms);
    return fb_db_run(&q);
}

int origin_catalog_subtitle_add(struct origin_catalog *catalog,
                                const struct origin_subtitle *subtitle)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    int64_t n = 0;

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = count(hold.db, &subtitle->video, &n)) < 0) {
        return err;
    }
    if (n >= ORIGIN_SUBTITLES_MAX) {
        return FB_E_LIMIT;
    }
    err = insert(hold.db, subtitle, origin_catalog_now(catalog));
    return err < 0 ? err : fb_db_commit(&tx);
}

int origin_catalog_subtitle_list(struct origin_catalog *catalog, struct fb_arena *arena,
                                 const struct origin_id *video,
                                 struct origin_subtitle **ret_subtitles, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT id, language, name, object, cues, at_ms FROM subtitles"
                             " WHERE video = ?1 ORDER BY seq LIMIT ?2");
    struct origin_subtitle *subtitles =
        fb_arena_alloc(arena, ORIGIN_SUBTITLES_MAX * sizeof(*subtitles));
    size_t n = 0;

    fb_db_bind_str(&q, 1, origin_id_str(video));
    fb_db_bind_int(&q, 2, ORIGIN_SUBTITLES_MAX);
    while (n < ORIGIN_SUBTITLES_MAX && (err = fb_db_step(&q)) == FB_OK) {
        subtitles[n++] = (struct origin_subtitle){
            .id = origin_catalog_column_id(&q, 0),
            .video = *video,
            .language = origin_catalog_column_dup(&q, arena, 1),
            .name = origin_catalog_column_dup(&q, arena, 2),
            .key = origin_catalog_column_dup(&q, arena, 3),
            .n_cues = (uint32_t)fb_db_column_int(&q, 4),
            .created_ms = fb_db_column_int(&q, 5),
        };
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_subtitles = subtitles;
    *ret_n = n;
    return FB_OK;
}

int origin_catalog_subtitle_remove(struct origin_catalog *catalog, const struct origin_id *video,
                                   const struct origin_id *id)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "DELETE FROM subtitles WHERE video = ?1 AND id = ?2");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    fb_db_bind_str(&q, 2, origin_id_str(id));
    return origin_catalog_run_one(hold.db, &q, FB_E_NOT_FOUND);
}

int origin_catalog_subtitle_ask(struct origin_catalog *catalog, const struct origin_id *video,
                                struct origin_request *request)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_subtitle *subtitles = NULL;
    size_t n = 0;

    int err = origin_catalog_subtitle_list(catalog, &arena, video, &subtitles, &n);
    if (err < 0) {
        return err;
    }
    request->n_subtitles = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        struct origin_request_subtitle *asked = &request->subtitles[i];
        (void)snprintf(asked->key, sizeof(asked->key), "%.*s", FB_STR_ARG(subtitles[i].key));
        (void)snprintf(asked->language, sizeof(asked->language), "%.*s",
                       FB_STR_ARG(subtitles[i].language));
        (void)snprintf(asked->name, sizeof(asked->name), "%.*s", FB_STR_ARG(subtitles[i].name));
    }
    return FB_OK;
}
