#include "origin/catalog/follows.h"

#include "origin/catalog/catalog_internal.h"

/* The sums of both follow if the statement that ran changed a row. */
static int finish(struct fb_db *db, struct fb_db_tx *tx, const struct origin_actor *actor,
                  const struct origin_id *user, int64_t n)
{
    int err = FB_OK;

    if (fb_db_changes(db) == 1) {
        err = origin_catalog_user_counters_add(db, user,
                                               &(struct origin_user_counters){.followers = n});
        if (err == FB_OK) {
            err = origin_catalog_user_counters_add(db, &actor->user,
                                                   &(struct origin_user_counters){.following = n});
        }
    }
    return err < 0 ? err : fb_db_commit(tx);
}

int origin_catalog_follow_put(struct origin_catalog *catalog, const struct origin_actor *actor,
                              const struct origin_id *user,
                              struct origin_user_counters *ret_counters)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "INSERT INTO follows (follower, user, at_ms, network)"
                             " VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING");
    fb_db_bind_str(&q, 1, origin_id_str(&actor->user));
    fb_db_bind_str(&q, 2, origin_id_str(user));
    fb_db_bind_int(&q, 3, origin_catalog_now(catalog));
    fb_db_bind_int(&q, 4, (int64_t)actor->network);
    err = fb_db_run(&q);
    if (err < 0 || (err = finish(hold.db, &tx, actor, user, 1)) < 0) {
        return err;
    }
    return origin_catalog_user_counters_get(hold.db, user, ret_counters);
}

int origin_catalog_follow_remove(struct origin_catalog *catalog, const struct origin_actor *actor,
                                 const struct origin_id *user,
                                 struct origin_user_counters *ret_counters)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "DELETE FROM follows WHERE follower = ?1 AND user = ?2");
    fb_db_bind_str(&q, 1, origin_id_str(&actor->user));
    fb_db_bind_str(&q, 2, origin_id_str(user));
    err = fb_db_run(&q);
    if (err < 0 || (err = finish(hold.db, &tx, actor, user, -1)) < 0) {
        return err;
    }
    return origin_catalog_user_counters_get(hold.db, user, ret_counters);
}

int origin_catalog_follow_list(struct origin_catalog *catalog, struct fb_arena *arena,
                               const struct origin_page *page, struct origin_followed **ret_items,
                               size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT f.user, u.name, c.followers, f.at_ms FROM follows f"
                 " JOIN users u ON u.id = f.user LEFT JOIN user_counters c ON c.user = f.user"
                 " WHERE f.follower = ?1 AND f.at_ms <= ?2 AND (f.at_ms < ?2 OR f.user < ?3)"
                 " ORDER BY f.at_ms DESC, f.user DESC LIMIT ?4");
    fb_db_bind_str(&q, 1, origin_id_str(&page->user));
    fb_db_bind_int(&q, 2, page->before_ms > 0 ? page->before_ms : INT64_MAX);
    fb_db_bind_str(&q, 3, origin_id_str(&page->before_id));
    fb_db_bind_int(&q, 4, (int64_t)page->limit);
    struct origin_followed *items = fb_arena_alloc(arena, page->limit * sizeof(*items));
    size_t n = 0;
    while (n < page->limit && (err = fb_db_step(&q)) == FB_OK) {
        items[n++] = (struct origin_followed){
            .user = origin_catalog_column_id(&q, 0),
            .name = origin_catalog_column_dup(&q, arena, 1),
            .followers = fb_db_column_int(&q, 2),
            .at_ms = fb_db_column_int(&q, 3),
        };
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_items = items;
    *ret_n = n;
    return FB_OK;
}
