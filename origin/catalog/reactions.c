#include "origin/catalog/reactions.h"

#include "origin/catalog/catalog_internal.h"

static const char *const put_sql[] = {
    [ORIGIN_REACTION_LIKE] = "INSERT INTO likes (user, video, at_ms, network)"
                             " VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    [ORIGIN_REACTION_SAVE] = "INSERT INTO saves (user, video, at_ms, network)"
                             " VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
};

static const char *const remove_sql[] = {
    [ORIGIN_REACTION_LIKE] = "DELETE FROM likes WHERE user = ?1 AND video = ?2",
    [ORIGIN_REACTION_SAVE] = "DELETE FROM saves WHERE user = ?1 AND video = ?2",
};

#define LIST_OF(table)                                                                  \
    "SELECT " ORIGIN_VIDEO_COLUMNS ", r.at_ms FROM " table                              \
    " r JOIN videos v ON v.id = r.video JOIN users u ON u.id = v.owner"                 \
    " LEFT JOIN video_counters c ON c.video = v.id WHERE r.user = ?1 AND r.at_ms <= ?2" \
    " AND (r.at_ms < ?2 OR r.video < ?3) AND " ORIGIN_VIDEO_IS_PUBLIC                   \
    " ORDER BY r.at_ms DESC, r.video DESC LIMIT ?4"

static const char *const list_sql[] = {
    [ORIGIN_REACTION_LIKE] = LIST_OF("likes"),
    [ORIGIN_REACTION_SAVE] = LIST_OF("saves"),
};

/* One more or one less of the reaction. */
static struct origin_video_counters change_of(enum origin_reaction reaction, int64_t n)
{
    bool is_like = reaction == ORIGIN_REACTION_LIKE;
    return (struct origin_video_counters){.likes = is_like ? n : 0, .saves = is_like ? 0 : n};
}

/* The sums follow if the statement that ran changed a row. */
static int finish(struct fb_db *db, struct fb_db_tx *tx, const struct origin_id *video,
                  const struct origin_video_counters *change,
                  struct origin_video_counters *ret_counters)
{
    struct origin_video_counters counters;
    int err = FB_OK;

    if (fb_db_changes(db) == 1) {
        err = origin_catalog_video_counters_add(db, video, change);
    }
    if (err < 0 || (err = origin_catalog_video_counters_get(db, video, &counters)) < 0 ||
        (err = fb_db_commit(tx)) < 0) {
        return err;
    }
    *ret_counters = counters;
    return FB_OK;
}

int origin_catalog_reaction_put(struct origin_catalog *catalog, enum origin_reaction reaction,
                                const struct origin_actor *actor, const struct origin_id *video,
                                struct origin_video_counters *ret_counters)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_video_counters change = change_of(reaction, 1);

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(hold.db, put_sql[reaction]);
    fb_db_bind_str(&q, 1, origin_id_str(&actor->user));
    fb_db_bind_str(&q, 2, origin_id_str(video));
    fb_db_bind_int(&q, 3, origin_catalog_now(catalog));
    fb_db_bind_int(&q, 4, (int64_t)actor->network);
    err = fb_db_run(&q);
    return err < 0 ? err : finish(hold.db, &tx, video, &change, ret_counters);
}

int origin_catalog_reaction_remove(struct origin_catalog *catalog, enum origin_reaction reaction,
                                   const struct origin_actor *actor, const struct origin_id *video,
                                   struct origin_video_counters *ret_counters)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_video_counters change = change_of(reaction, -1);

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(hold.db, remove_sql[reaction]);
    fb_db_bind_str(&q, 1, origin_id_str(&actor->user));
    fb_db_bind_str(&q, 2, origin_id_str(video));
    err = fb_db_run(&q);
    return err < 0 ? err : finish(hold.db, &tx, video, &change, ret_counters);
}

int origin_catalog_relation(struct origin_catalog *catalog, const struct origin_id *user,
                            const struct origin_id *video, struct origin_relation *ret_relation)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT EXISTS (SELECT 1 FROM likes WHERE user = ?1 AND video = ?2),"
                             " EXISTS (SELECT 1 FROM saves WHERE user = ?1 AND video = ?2),"
                             " EXISTS (SELECT 1 FROM follows f JOIN videos v ON v.owner = f.user"
                             "  WHERE f.follower = ?1 AND v.id = ?2)");
    fb_db_bind_str(&q, 1, origin_id_str(user));
    fb_db_bind_str(&q, 2, origin_id_str(video));
    err = fb_db_step(&q);
    if (err < 0) {
        return err;
    }
    *ret_relation = (struct origin_relation){
        .has_liked = fb_db_column_int(&q, 0) != 0,
        .has_saved = fb_db_column_int(&q, 1) != 0,
        .is_following = fb_db_column_int(&q, 2) != 0,
    };
    return FB_OK;
}

int origin_catalog_reaction_list(struct origin_catalog *catalog, struct fb_arena *arena,
                                 enum origin_reaction reaction, const struct origin_page *page,
                                 struct origin_reacted **ret_items, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(hold.db, list_sql[reaction]);
    fb_db_bind_str(&q, 1, origin_id_str(&page->user));
    fb_db_bind_int(&q, 2, page->before_ms > 0 ? page->before_ms : INT64_MAX);
    fb_db_bind_str(&q, 3, origin_id_str(&page->before_id));
    fb_db_bind_int(&q, 4, (int64_t)page->limit);
    struct origin_reacted *items = fb_arena_alloc(arena, page->limit * sizeof(*items));
    size_t n = 0;
    while (n < page->limit && (err = fb_db_step(&q)) == FB_OK) {
        items[n].video = origin_catalog_video_of_row(&q, arena);
        items[n++].at_ms = fb_db_column_int(&q, ORIGIN_VIDEO_N_COLUMNS);
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_items = items;
    *ret_n = n;
    return FB_OK;
}
