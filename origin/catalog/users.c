#include "origin/catalog/users.h"

#include "origin/catalog/catalog_internal.h"

#include <string.h>

int origin_catalog_user_add(struct origin_catalog *catalog, struct fb_str email,
                            struct fb_str password_hash, struct origin_id *ret_id)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    struct origin_id id = origin_id_new();
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db,
        "INSERT INTO users (id, email, password_hash, created_ms) VALUES (?1, ?2, ?3, ?4)");
    fb_db_bind_str(&q, 1, origin_id_str(&id));
    fb_db_bind_str(&q, 2, email);
    fb_db_bind_str(&q, 3, password_hash);
    fb_db_bind_int(&q, 4, origin_catalog_now(catalog));
    err = fb_db_run(&q);
    if (err < 0) {
        return err;
    }
    *ret_id = id;
    return FB_OK;
}

int origin_catalog_user_find(struct origin_catalog *catalog, struct fb_str email,
                             struct origin_user *ret_user)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT id, email, password_hash FROM users WHERE email = ?1");
    fb_db_bind_str(&q, 1, email);
    err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    struct fb_str found = fb_db_column_str(&q, 1);
    struct fb_str hash = fb_db_column_str(&q, 2);
    if (found.len > ORIGIN_EMAIL_MAX || hash.len > ORIGIN_PASSWORD_HASH_MAX) {
        return FB_E_CORRUPT;
    }
    struct origin_user user = {.id = origin_catalog_column_id(&q, 0)};
    memcpy(user.email, found.ptr, found.len);
    memcpy(user.password_hash, hash.ptr, hash.len);
    *ret_user = user;
    return FB_OK;
}

int origin_catalog_user_get(struct origin_catalog *catalog, struct fb_arena *arena,
                            const struct origin_id *id, struct origin_profile *ret_profile)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT u.id, u.email, u.name, u.created_ms, c.followers, c.following FROM users u"
                 " LEFT JOIN user_counters c ON c.user = u.id WHERE u.id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    *ret_profile = (struct origin_profile){
        .id = origin_catalog_column_id(&q, 0),
        .email = origin_catalog_column_dup(&q, arena, 1),
        .name = origin_catalog_column_dup(&q, arena, 2),
        .created_ms = fb_db_column_int(&q, 3),
        .counters = {.followers = fb_db_column_int(&q, 4), .following = fb_db_column_int(&q, 5)},
    };
    return FB_OK;
}

static int set_name(struct fb_db *db, const struct origin_id *id, struct fb_str name)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "UPDATE users SET name = ?2 WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    fb_db_bind_str(&q, 2, name);
    return origin_catalog_run_one(db, &q, FB_E_NOT_FOUND);
}

int origin_catalog_user_rename(struct origin_catalog *catalog, const struct origin_id *id,
                               struct fb_str name)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = set_name(hold.db, id, name)) < 0 ||
        (err = origin_catalog_search_refresh_user(hold.db, id)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}
