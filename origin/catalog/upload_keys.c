#include "origin/catalog/upload_keys.h"

#include "origin/catalog/catalog_internal.h"

enum { USED_STEP_MS = 60 * 1000 };

#define COLUMNS "id, user, name, created_ms, expires_ms, used_ms"

static int forget_expired(struct fb_db *db, const struct origin_id *user, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "DELETE FROM upload_keys WHERE user = ?1 AND expires_ms <= ?2");
    fb_db_bind_str(&q, 1, origin_id_str(user));
    fb_db_bind_int(&q, 2, now_ms);
    return fb_db_run(&q);
}

static int key_insert(struct fb_db *db, const struct origin_upload_key *key, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT INTO upload_keys (id, user, name, created_ms, expires_ms, used_ms)"
                        " SELECT ?1, ?2, ?3, ?4, ?5, 0"
                        " WHERE (SELECT count(*) FROM upload_keys WHERE user = ?2) < ?6");
    fb_db_bind_str(&q, 1, origin_id_str(&key->id));
    fb_db_bind_str(&q, 2, origin_id_str(&key->user));
    fb_db_bind_str(&q, 3, key->name);
    fb_db_bind_int(&q, 4, now_ms);
    fb_db_bind_int(&q, 5, key->expires_ms);
    fb_db_bind_int(&q, 6, ORIGIN_UPLOAD_KEYS_MAX);
    return origin_catalog_run_one(db, &q, FB_E_LIMIT);
}

int origin_catalog_upload_key_add(struct origin_catalog *catalog,
                                  const struct origin_upload_key *key)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    int64_t now_ms = origin_catalog_now(catalog);

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = forget_expired(hold.db, &key->user, now_ms)) < 0 ||
        (err = key_insert(hold.db, key, now_ms)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

static struct origin_upload_key key_of_row(const struct fb_db_query *q, struct fb_arena *arena)
{
    return (struct origin_upload_key){
        .id = origin_catalog_column_id(q, 0),
        .user = origin_catalog_column_id(q, 1),
        .name = origin_catalog_column_dup(q, arena, 2),
        .created_ms = fb_db_column_int(q, 3),
        .expires_ms = fb_db_column_int(q, 4),
        .used_ms = fb_db_column_int(q, 5),
    };
}

int origin_catalog_upload_key_get(struct origin_catalog *catalog, struct fb_arena *arena,
                                  const struct origin_id *id, struct origin_upload_key *ret_key)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT " COLUMNS " FROM upload_keys WHERE id = ?1 AND expires_ms > ?2");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    fb_db_bind_int(&q, 2, origin_catalog_now(catalog));
    err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    *ret_key = key_of_row(&q, arena);
    return FB_OK;
}

/* To the minute, lest every part of an upload be a write of its own. */
int origin_catalog_upload_key_used(struct origin_catalog *catalog,
                                   const struct origin_upload_key *key)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int64_t now_ms = origin_catalog_now(catalog);

    if (now_ms < key->used_ms + USED_STEP_MS) {
        return FB_OK;
    }
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "UPDATE upload_keys SET used_ms = ?2 WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&key->id));
    fb_db_bind_int(&q, 2, now_ms);
    return fb_db_run(&q);
}

int origin_catalog_upload_key_list(struct origin_catalog *catalog, struct fb_arena *arena,
                                   const struct origin_id *user,
                                   struct origin_upload_key **ret_keys, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT " COLUMNS " FROM upload_keys WHERE user = ?1"
                             " AND expires_ms > ?2 ORDER BY created_ms, id LIMIT ?3");
    fb_db_bind_str(&q, 1, origin_id_str(user));
    fb_db_bind_int(&q, 2, origin_catalog_now(catalog));
    fb_db_bind_int(&q, 3, ORIGIN_UPLOAD_KEYS_MAX);
    struct origin_upload_key *keys = fb_arena_alloc(arena, ORIGIN_UPLOAD_KEYS_MAX * sizeof(*keys));
    size_t n = 0;
    while (n < ORIGIN_UPLOAD_KEYS_MAX && (err = fb_db_step(&q)) == FB_OK) {
        keys[n++] = key_of_row(&q, arena);
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_keys = keys;
    *ret_n = n;
    return FB_OK;
}

int origin_catalog_upload_key_remove(struct origin_catalog *catalog, const struct origin_id *user,
                                     const struct origin_id *id)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "DELETE FROM upload_keys WHERE id = ?1 AND user = ?2");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    fb_db_bind_str(&q, 2, origin_id_str(user));
    return origin_catalog_run_one(hold.db, &q, FB_E_NOT_FOUND);
}
