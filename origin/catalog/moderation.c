#include "origin/catalog/moderation.h"

#include "origin/catalog/catalog_internal.h"

static int update(struct fb_db *db, const struct origin_decision *decision, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, decision->is_active
                ? "UPDATE videos SET deactivated_ms = NULL, deactivated_reason = NULL WHERE id = ?1"
                : "UPDATE videos SET deactivated_ms = ?2, deactivated_reason = ?3 WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&decision->video));
    if (!decision->is_active) {
        fb_db_bind_int(&q, 2, now_ms);
        fb_db_bind_str(&q, 3, decision->reason);
    }
    return origin_catalog_run_one(db, &q, FB_E_NOT_FOUND);
}

static int write_down(struct fb_db *db, const struct origin_decision *decision, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "INSERT INTO moderation (video, admin, action, reason,"
                                           " at_ms) VALUES (?1, ?2, ?3, ?4, ?5)");
    fb_db_bind_str(&q, 1, origin_id_str(&decision->video));
    fb_db_bind_str(&q, 2, origin_id_str(&decision->admin));
    fb_db_bind_str(&q, 3, decision->is_active ? FB_STR("activate") : FB_STR("deactivate"));
    fb_db_bind_str(&q, 4, decision->reason);
    fb_db_bind_int(&q, 5, now_ms);
    return fb_db_run(&q);
}

int origin_catalog_moderate(struct origin_catalog *catalog, const struct origin_decision *decision)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    int64_t now_ms = origin_catalog_now(catalog);

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = update(hold.db, decision, now_ms)) < 0 ||
        (err = write_down(hold.db, decision, now_ms)) < 0 ||
        (err = origin_catalog_search_refresh(hold.db, &decision->video)) < 0 ||
        (err = origin_catalog_purge_add(hold.db, ORIGIN_PURGE_MEDIA, &decision->video, now_ms)) <
            0) {
        return err;
    }
    return fb_db_commit(&tx);
}

int origin_catalog_moderation_list(struct origin_catalog *catalog, struct fb_arena *arena,
                                   const struct origin_id *video, size_t limit,
                                   struct origin_decision **ret_decisions, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT video, admin, action, reason, at_ms FROM moderation"
                             " WHERE video = ?1 ORDER BY seq DESC LIMIT ?2");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    fb_db_bind_int(&q, 2, (int64_t)limit);
    struct origin_decision *decisions = fb_arena_alloc(arena, limit * sizeof(*decisions));
    size_t n = 0;
    while (n < limit && (err = fb_db_step(&q)) == FB_OK) {
        decisions[n++] = (struct origin_decision){
            .video = origin_catalog_column_id(&q, 0),
            .admin = origin_catalog_column_id(&q, 1),
            .is_active = fb_str_equal(fb_db_column_str(&q, 2), FB_STR("activate")),
            .reason = origin_catalog_column_dup(&q, arena, 3),
            .at_ms = fb_db_column_int(&q, 4),
        };
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_decisions = decisions;
    *ret_n = n;
    return FB_OK;
}
