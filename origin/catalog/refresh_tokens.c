#include "origin/catalog/refresh_tokens.h"

#include "origin/catalog/catalog_internal.h"

#include <stdbool.h>

static int token_insert(struct fb_db *db, const struct origin_id *family,
                        const struct origin_id *user, const struct origin_refresh_token *token)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT INTO refresh_tokens (hash, family, user, expires_ms)"
                        " VALUES (?1, ?2, ?3, ?4)");
    fb_db_bind_blob(&q, 1, fb_sha256_str(token->hash));
    fb_db_bind_str(&q, 2, origin_id_str(family));
    fb_db_bind_str(&q, 3, origin_id_str(user));
    fb_db_bind_int(&q, 4, token->expires_ms);
    return fb_db_run(&q);
}

static int tokens_forget_expired(struct fb_db *db, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "DELETE FROM refresh_tokens WHERE expires_ms <= ?1");
    fb_db_bind_int(&q, 1, now_ms);
    return fb_db_run(&q);
}

static int family_forget(struct fb_db *db, const struct origin_id *family)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "DELETE FROM refresh_tokens WHERE family = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(family));
    return fb_db_run(&q);
}

int origin_catalog_refresh_add(struct origin_catalog *catalog, const struct origin_id *user,
                               const struct origin_refresh_token *token)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_id family = origin_id_new();

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = tokens_forget_expired(hold.db, origin_catalog_now(catalog))) < 0 ||
        (err = token_insert(hold.db, &family, user, token)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

/* What is known of one token. */
struct token {
    struct origin_id family;
    struct origin_id user;
    int64_t expires_ms;
    bool is_used;
};

static int token_find(struct fb_db *db, const uint8_t hash[FB_SHA256_SIZE], struct token *ret_token)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "SELECT family, user, expires_ms, is_used FROM refresh_tokens WHERE hash = ?1");
    fb_db_bind_blob(&q, 1, fb_sha256_str(hash));
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    *ret_token = (struct token){
        .family = origin_catalog_column_id(&q, 0),
        .user = origin_catalog_column_id(&q, 1),
        .expires_ms = fb_db_column_int(&q, 2),
        .is_used = fb_db_column_int(&q, 3) != 0,
    };
    return FB_OK;
}

static int token_mark_used(struct fb_db *db, const uint8_t hash[FB_SHA256_SIZE])
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "UPDATE refresh_tokens SET is_used = 1 WHERE hash = ?1");
    fb_db_bind_blob(&q, 1, fb_sha256_str(hash));
    return origin_catalog_run_one(db, &q, FB_E_NOT_FOUND);
}

int origin_catalog_refresh_rotate(struct origin_catalog *catalog,
                                  const uint8_t hash[FB_SHA256_SIZE],
                                  const struct origin_refresh_token *next,
                                  struct origin_id *ret_user)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct token token;

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = token_find(hold.db, hash, &token)) < 0) {
        return err;
    }
    if (token.is_used) {
        err = family_forget(hold.db, &token.family);
        if (err == FB_OK) {
            err = fb_db_commit(&tx);
        }
        return err < 0 ? err : FB_E_CONFLICT;
    }
    if (token.expires_ms <= origin_catalog_now(catalog)) {
        return FB_E_EXPIRED;
    }
    if ((err = token_mark_used(hold.db, hash)) < 0 ||
        (err = token_insert(hold.db, &token.family, &token.user, next)) < 0 ||
        (err = fb_db_commit(&tx)) < 0) {
        return err;
    }
    *ret_user = token.user;
    return FB_OK;
}

int origin_catalog_refresh_revoke(struct origin_catalog *catalog,
                                  const uint8_t hash[FB_SHA256_SIZE])
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "DELETE FROM refresh_tokens WHERE family ="
                             " (SELECT family FROM refresh_tokens WHERE hash = ?1)");
    fb_db_bind_blob(&q, 1, fb_sha256_str(hash));
    return fb_db_run(&q);
}
