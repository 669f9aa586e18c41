#include "origin/catalog/feed_models.h"

#include "origin/catalog/catalog_internal.h"

int origin_catalog_feed_model_put(struct origin_catalog *catalog, struct fb_str name,
                                  struct fb_str bytes)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "INSERT INTO feed_models (name, bytes, at_ms) VALUES (?1, ?2, ?3)"
                             " ON CONFLICT (name) DO UPDATE SET bytes = ?2, at_ms = ?3");
    fb_db_bind_str(&q, 1, name);
    fb_db_bind_blob(&q, 2, bytes);
    fb_db_bind_int(&q, 3, origin_catalog_now(catalog));
    return fb_db_run(&q);
}

int origin_catalog_feed_model_get(struct origin_catalog *catalog, struct fb_arena *arena,
                                  struct fb_str name, struct fb_str *ret_bytes)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(hold.db, "SELECT bytes FROM feed_models WHERE name = ?1");
    fb_db_bind_str(&q, 1, name);
    err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    *ret_bytes = fb_arena_dup(arena, fb_db_column_blob(&q, 0));
    return FB_OK;
}
