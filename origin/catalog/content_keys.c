#include "origin/catalog/content_keys.h"

#include "origin/catalog/catalog_internal.h"

#include <string.h>

#define KEY_COLUMNS "SELECT id, video, job, scheme, master, sealed FROM content_keys"

static struct fb_str id_bytes(const uint8_t id[ORIGIN_CONTENT_KEY_BYTES])
{
    return (struct fb_str){(const char *)id, ORIGIN_CONTENT_KEY_BYTES};
}

static int key_of_row(const struct fb_db_query *q, struct fb_arena *arena,
                      struct origin_sealed_key *ret_key)
{
    struct fb_str id = fb_db_column_blob(q, 0);
    struct origin_sealed_key key = {
        .video = origin_catalog_column_id(q, 1),
        .job = origin_catalog_column_id(q, 2),
        .master = origin_catalog_column_dup(q, arena, 4),
        .sealed = fb_arena_dup(arena, fb_db_column_blob(q, 5)),
    };

    if (id.len != sizeof(key.id) || origin_scheme_parse(fb_db_column_str(q, 3), &key.scheme) < 0) {
        return FB_E_CORRUPT;
    }
    memcpy(key.id, id.ptr, sizeof(key.id));
    *ret_key = key;
    return FB_OK;
}

static int find_one(struct fb_db *db, struct fb_arena *arena, const struct origin_id *job,
                    const uint8_t *id, struct origin_sealed_key *ret_key)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, job != NULL ? KEY_COLUMNS " WHERE job = ?1" : KEY_COLUMNS " WHERE id = ?1");
    if (job != NULL) {
        fb_db_bind_str(&q, 1, origin_id_str(job));
    } else {
        fb_db_bind_blob(&q, 1, id_bytes(id));
    }
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    return key_of_row(&q, arena, ret_key);
}

int origin_catalog_content_key_add(struct origin_catalog *catalog, struct fb_arena *arena,
                                   const struct origin_sealed_key *key,
                                   struct origin_sealed_key *ret_key)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    {
        FB_AUTO(fb_db_query_done)
        struct fb_db_query q = fb_db_query(
            hold.db, "INSERT INTO content_keys (id, video, job, scheme, master, sealed, created_ms)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (job) DO NOTHING");
        fb_db_bind_blob(&q, 1, id_bytes(key->id));
        fb_db_bind_str(&q, 2, origin_id_str(&key->video));
        fb_db_bind_str(&q, 3, origin_id_str(&key->job));
        fb_db_bind_str(&q, 4, fb_str_from(origin_scheme_text(key->scheme)));
        fb_db_bind_str(&q, 5, key->master);
        fb_db_bind_blob(&q, 6, key->sealed);
        fb_db_bind_int(&q, 7, origin_catalog_now(catalog));
        err = fb_db_run(&q);
    }
    return err < 0 ? err : find_one(hold.db, arena, &key->job, NULL, ret_key);
}

int origin_catalog_content_key_of_job(struct origin_catalog *catalog, struct fb_arena *arena,
                                      const struct origin_id *job,
                                      struct origin_sealed_key *ret_key)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    return err < 0 ? err : find_one(hold.db, arena, job, NULL, ret_key);
}

int origin_catalog_content_key_find(struct origin_catalog *catalog, struct fb_arena *arena,
                                    const uint8_t id[ORIGIN_CONTENT_KEY_BYTES],
                                    struct origin_sealed_key *ret_key)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    return err < 0 ? err : find_one(hold.db, arena, NULL, id, ret_key);
}

int origin_catalog_content_keys_of_others(struct origin_catalog *catalog, struct fb_arena *arena,
                                          const struct origin_sealed_query *query,
                                          struct origin_sealed_key **ret_keys, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, KEY_COLUMNS " WHERE master <> ?1 AND id > ?2 ORDER BY id LIMIT ?3");
    fb_db_bind_str(&q, 1, query->master);
    fb_db_bind_blob(&q, 2, query->after != NULL ? id_bytes(query->after) : FB_STR(""));
    fb_db_bind_int(&q, 3, (int64_t)query->limit);
    struct origin_sealed_key *keys = fb_arena_alloc(arena, query->limit * sizeof(*keys));
    size_t n = 0;
    while (n < query->limit && (err = fb_db_step(&q)) == FB_OK) {
        if ((err = key_of_row(&q, arena, &keys[n])) < 0) {
            return err;
        }
        n++;
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_keys = keys;
    *ret_n = n;
    return FB_OK;
}

int origin_catalog_content_key_reseal(struct origin_catalog *catalog,
                                      const struct origin_sealed_key *key)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "UPDATE content_keys SET master = ?2, sealed = ?3 WHERE id = ?1");
    fb_db_bind_blob(&q, 1, id_bytes(key->id));
    fb_db_bind_str(&q, 2, key->master);
    fb_db_bind_blob(&q, 3, key->sealed);
    return fb_db_run(&q);
}
