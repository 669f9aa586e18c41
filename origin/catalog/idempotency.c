#include "origin/catalog/idempotency.h"

#include "origin/catalog/catalog_internal.h"

static int forget_old(struct fb_db *db, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "DELETE FROM idempotency_keys WHERE created_ms <= ?1");
    fb_db_bind_int(&q, 1, now_ms - ORIGIN_ONCE_KEPT_MS);
    return fb_db_run(&q);
}

/* FB_E_NOT_FOUND: it is new. FB_E_DENIED: the key stood for something else. */
static int find_earlier(struct fb_db *db, const struct origin_id *user,
                        const struct origin_once *once, struct fb_arena *arena,
                        struct fb_str *ret_answer)
{
    struct fb_str fingerprint = fb_sha256_str(once->fingerprint);
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "SELECT fingerprint, answer FROM idempotency_keys WHERE user = ?1 AND key = ?2");
    fb_db_bind_str(&q, 1, origin_id_str(user));
    fb_db_bind_str(&q, 2, once->key);
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    if (!fb_str_equal(fb_db_column_blob(&q, 0), fingerprint)) {
        return FB_E_DENIED;
    }
    *ret_answer = origin_catalog_column_dup(&q, arena, 1);
    return FB_E_EXISTS;
}

int origin_catalog_once(struct fb_db *db, const struct origin_catalog_once *ask,
                        struct fb_str *ret_answer)
{
    if (ask->once->key.ptr == NULL) {
        return FB_OK;
    }
    int err = forget_old(db, ask->now_ms);
    if (err == FB_OK) {
        err = find_earlier(db, ask->user, ask->once, ask->arena, ret_answer);
    }
    if (err != FB_E_NOT_FOUND) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT INTO idempotency_keys (user, key, fingerprint, answer, created_ms)"
                        " VALUES (?1, ?2, ?3, ?4, ?5)");
    fb_db_bind_str(&q, 1, origin_id_str(ask->user));
    fb_db_bind_str(&q, 2, ask->once->key);
    fb_db_bind_blob(&q, 3, fb_sha256_str(ask->once->fingerprint));
    fb_db_bind_str(&q, 4, ask->once->answer);
    fb_db_bind_int(&q, 5, ask->now_ms);
    return fb_db_run(&q);
}
