#include "origin/catalog/plans.h"

#include "origin/catalog/catalog_internal.h"

#include <stdio.h>
#include <string.h>

static struct fb_str digest_str(const uint8_t digest[FB_SHA256_SIZE])
{
    return (struct fb_str){(const char *)digest, FB_SHA256_SIZE};
}

/* ---- plans --------------------------------------------------------------------------- */

static int head_add(struct fb_db *db, const struct origin_plan_head *plan)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "INSERT INTO plans (region, serial, made_ms, until_ms, entries, body_bytes, digest,"
            " bytes, token) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"
            " WHERE ?2 = 1 + coalesce((SELECT max(serial) FROM plans WHERE region = ?1), 0)");

    fb_db_bind_str(&q, 1, fb_str_from(plan->head.region));
    fb_db_bind_int(&q, 2, (int64_t)plan->head.serial);
    fb_db_bind_int(&q, 3, plan->head.made_ms);
    fb_db_bind_int(&q, 4, plan->head.until_ms);
    fb_db_bind_int(&q, 5, (int64_t)plan->head.n_entries);
    fb_db_bind_int(&q, 6, (int64_t)plan->head.body_bytes);
    fb_db_bind_blob(&q, 7, digest_str(plan->head.digest));
    fb_db_bind_int(&q, 8, (int64_t)plan->n_bytes);
    fb_db_bind_str(&q, 9, plan->token);
    return origin_catalog_run_one(db, &q, FB_E_CONFLICT);
}

static int body_add(struct fb_db *db, const struct origin_plan_head *plan, struct fb_str body)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "INSERT INTO plan_bodies (digest, body) VALUES (?1, ?2)"
                                           " ON CONFLICT (digest) DO NOTHING");

    fb_db_bind_blob(&q, 1, digest_str(plan->head.digest));
    fb_db_bind_blob(&q, 2, body.ptr != NULL ? body : FB_STR(""));
    return fb_db_run(&q);
}

static int old_remove(struct fb_db *db, const struct origin_plan_head *plan)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query heads =
        fb_db_query(db, "DELETE FROM plans WHERE region = ?1 AND serial <= ?2");
    FB_AUTO(fb_db_query_done)
    struct fb_db_query bodies =
        fb_db_query(db, "DELETE FROM plan_bodies WHERE digest NOT IN (SELECT digest FROM plans)");

    fb_db_bind_str(&heads, 1, fb_str_from(plan->head.region));
    fb_db_bind_int(&heads, 2, (int64_t)plan->head.serial - ORIGIN_PLANS_KEPT);
    int err = fb_db_run(&heads);
    return err < 0 ? err : fb_db_run(&bodies);
}

int origin_catalog_plan_put(struct origin_catalog *catalog, const struct origin_plan_head *plan,
                            struct fb_str body)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 || (err = head_add(hold.db, plan)) < 0 ||
        (err = body_add(hold.db, plan, body)) < 0 || (err = old_remove(hold.db, plan)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

int origin_catalog_plan_get(struct origin_catalog *catalog, struct fb_str region,
                            struct origin_plan_head *ret_plan, struct fb_buf *token)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT serial, made_ms, until_ms, entries, body_bytes, digest, bytes, token"
                 " FROM plans WHERE region = ?1 ORDER BY serial DESC LIMIT 1");
    fb_db_bind_str(&q, 1, region);
    err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    struct fb_str digest = fb_db_column_blob(&q, 5);
    if (digest.len != FB_SHA256_SIZE || region.len > FB_PLAN_REGION_MAX) {
        return FB_E_CORRUPT;
    }
    struct origin_plan_head plan = {
        .head = {.serial = (uint64_t)fb_db_column_int(&q, 0),
                 .made_ms = fb_db_column_int(&q, 1),
                 .until_ms = fb_db_column_int(&q, 2),
                 .n_entries = (uint64_t)fb_db_column_int(&q, 3),
                 .body_bytes = (uint64_t)fb_db_column_int(&q, 4)},
        .n_bytes = (uint64_t)fb_db_column_int(&q, 6),
    };
    memcpy(plan.head.region, region.ptr, region.len);
    memcpy(plan.head.digest, digest.ptr, digest.len);
    fb_buf_clear(token);
    fb_buf_append(token, fb_db_column_str(&q, 7));
    plan.token = fb_buf_str(token);
    *ret_plan = plan;
    return FB_OK;
}

int origin_catalog_plan_body(struct origin_catalog *catalog, struct fb_str region,
                             const uint8_t digest[FB_SHA256_SIZE], struct fb_buf *body)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT b.body FROM plans p JOIN plan_bodies b ON b.digest = p.digest"
                             " WHERE p.region = ?1 AND p.digest = ?2 LIMIT 1");
    fb_db_bind_str(&q, 1, region);
    fb_db_bind_blob(&q, 2, digest_str(digest));
    err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    struct fb_str bytes = fb_db_column_blob(&q, 0);
    if (bytes.len > 0) {
        fb_buf_append(body, bytes);
    }
    return FB_OK;
}

/* ---- releases ------------------------------------------------------------------------- */

int origin_catalog_plan_request(struct origin_catalog *catalog, int64_t video, struct fb_str region,
                                int64_t until_ms)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "INSERT INTO plan_requests (video, region, until_ms) VALUES (?1, ?2, ?3)"
                 " ON CONFLICT (video, region) DO UPDATE SET until_ms = excluded.until_ms");
    fb_db_bind_int(&q, 1, video);
    fb_db_bind_str(&q, 2, region.ptr != NULL ? region : FB_STR(""));
    fb_db_bind_int(&q, 3, until_ms);
    return fb_db_run(&q);
}

int origin_catalog_plan_releases(struct origin_catalog *catalog, struct fb_str region,
                                 int64_t since_ms,
                                 int (*release)(void *ctx, const struct origin_plan_release *),
                                 void *ctx)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT v.seq, coalesce(c.followers, 0), v.published_ms, r.video IS NOT NULL"
                 " FROM videos v LEFT JOIN user_counters c ON c.user = v.owner"
                 " LEFT JOIN (SELECT DISTINCT video FROM plan_requests"
                 "  WHERE region IN ('', ?1) AND until_ms > ?3) r ON r.video = v.seq"
                 " WHERE " ORIGIN_VIDEO_IS_PUBLIC
                 " AND (v.published_ms >= ?2 OR r.video IS NOT NULL) ORDER BY v.seq");
    fb_db_bind_str(&q, 1, region);
    fb_db_bind_int(&q, 2, since_ms);
    fb_db_bind_int(&q, 3, origin_catalog_now(catalog));
    while ((err = fb_db_step(&q)) == FB_OK) {
        struct origin_plan_release row = {
            .video = fb_db_column_int(&q, 0),
            .followers = (uint64_t)fb_db_column_int(&q, 1),
            .published_ms = fb_db_column_int(&q, 2),
            .is_requested = fb_db_column_int(&q, 3) != 0,
        };
        err = release(ctx, &row);
        if (err < 0) {
            return err;
        }
    }
    return err == FB_E_END ? FB_OK : err;
}

/* ---- what there is to choose from ------------------------------------------------------- */

int origin_catalog_plan_share(struct origin_catalog *catalog, struct fb_str region,
                              int64_t since_ms, uint64_t *ret_views, uint64_t *ret_all)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT coalesce(sum(t.views) FILTER (WHERE r.name = ?1), 0),"
                 " coalesce(sum(t.views), 0) FROM view_hours t JOIN regions r ON r.id = t.region"
                 " WHERE t.hour >= ?2");
    fb_db_bind_str(&q, 1, region);
    fb_db_bind_int(&q, 2, since_ms / (INT64_C(3600) * 1000));
    err = fb_db_step(&q);
    if (err < 0) {
        return err;
    }
    *ret_views = (uint64_t)fb_db_column_int(&q, 0);
    *ret_all = (uint64_t)fb_db_column_int(&q, 1);
    return FB_OK;
}

int origin_catalog_plan_files(struct origin_catalog *catalog, int64_t video,
                              int (*file)(void *ctx, const struct origin_plan_file *), void *ctx)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT v.id, v.version, f.path, f.size, f.sha256 FROM videos v"
                 " JOIN files f ON f.video = v.id AND f.version = v.version WHERE v.seq = ?1"
                 " AND " ORIGIN_VIDEO_IS_PUBLIC " ORDER BY f.path");
    fb_db_bind_int(&q, 1, video);
    while ((err = fb_db_step(&q)) == FB_OK) {
        struct fb_str digest = fb_db_column_blob(&q, 4);
        struct origin_plan_file row = {
            .video = origin_catalog_column_id(&q, 0),
            .version = fb_db_column_str(&q, 1),
            .path = fb_db_column_str(&q, 2),
            .size = (uint64_t)fb_db_column_int(&q, 3),
            .sha256 = (const uint8_t *)digest.ptr,
        };
        err = digest.len == ORIGIN_DIGEST_LEN ? file(ctx, &row) : FB_E_CORRUPT;
        if (err < 0) {
            return err;
        }
    }
    return err == FB_E_END ? FB_OK : err;
}
