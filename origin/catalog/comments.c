#include "origin/catalog/comments.h"

#include "origin/catalog/catalog_internal.h"

#define COMMENT_COLUMNS                                                                 \
    "SELECT m.id, m.video, m.user, m.parent, u.name, m.text, m.replies, m.at_ms, m.seq" \
    " FROM comments m JOIN users u ON u.id = m.user"

static struct origin_comment comment_of_row(const struct fb_db_query *q, struct fb_arena *arena)
{
    return (struct origin_comment){
        .id = origin_catalog_column_id(q, 0),
        .video = origin_catalog_column_id(q, 1),
        .user = origin_catalog_column_id(q, 2),
        .parent = origin_catalog_column_id(q, 3),
        .user_name = origin_catalog_column_dup(q, arena, 4),
        .text = origin_catalog_column_dup(q, arena, 5),
        .replies = fb_db_column_int(q, 6),
        .at_ms = fb_db_column_int(q, 7),
        .seq = fb_db_column_int(q, 8),
    };
}

/* ---- adding ---------------------------------------------------------------- */

/* One more below the parent, if that is still there. */
static int count_reply(struct fb_db *db, const struct origin_comment_new *comment)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE comments SET replies = replies + 1 WHERE id = ?1 AND video = ?2"
                        " AND parent IS NULL AND text IS NOT NULL");
    fb_db_bind_str(&q, 1, origin_id_str(&comment->parent));
    fb_db_bind_str(&q, 2, origin_id_str(&comment->video));
    return origin_catalog_run_one(db, &q, FB_E_CONFLICT);
}

static int insert(struct fb_db *db, const struct origin_comment_new *comment)
{
    bool is_reply = comment->parent.text[0] != '\0';
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT INTO comments (id, video, user, parent, text, at_ms, network)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    fb_db_bind_str(&q, 1, origin_id_str(&comment->id));
    fb_db_bind_str(&q, 2, origin_id_str(&comment->video));
    fb_db_bind_str(&q, 3, origin_id_str(&comment->actor.user));
    fb_db_bind_str(&q, 4, is_reply ? origin_id_str(&comment->parent) : FB_STR_NONE);
    fb_db_bind_str(&q, 5, comment->text);
    fb_db_bind_int(&q, 6, comment->at_ms);
    fb_db_bind_int(&q, 7, (int64_t)comment->actor.network);
    int err = fb_db_run(&q);
    if (err == FB_OK && is_reply) {
        err = count_reply(db, comment);
    }
    return err < 0 ? err
                   : origin_catalog_video_counters_add(
                         db, &comment->video, &(struct origin_video_counters){.comments = 1});
}

int origin_catalog_comment_add(struct origin_catalog *catalog, struct fb_arena *arena,
                               const struct origin_comment_new *comment,
                               const struct origin_once *once, struct fb_str *ret_earlier)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_catalog_once ask = {.user = &comment->actor.user,
                                      .once = once,
                                      .now_ms = origin_catalog_now(catalog),
                                      .arena = arena};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = origin_catalog_once(hold.db, &ask, ret_earlier)) < 0 ||
        (err = insert(hold.db, comment)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

/* ---- reading --------------------------------------------------------------- */

static int get(struct fb_db *db, struct fb_arena *arena, const struct origin_id *id,
               struct origin_comment *ret_comment)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, COMMENT_COLUMNS " WHERE m.id = ?1 AND m.text IS NOT NULL");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    *ret_comment = comment_of_row(&q, arena);
    return FB_OK;
}

int origin_catalog_comment_get(struct origin_catalog *catalog, struct fb_arena *arena,
                               const struct origin_id *id, struct origin_comment *ret_comment)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    return err < 0 ? err : get(hold.db, arena, id, ret_comment);
}

int origin_catalog_comment_list(struct origin_catalog *catalog, struct fb_arena *arena,
                                const struct origin_comment_query *query,
                                struct origin_comment **ret_comments, size_t *ret_n)
{
    bool is_of_parent = query->parent.text[0] != '\0';
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, is_of_parent ? COMMENT_COLUMNS
                     " WHERE m.parent = ?4 AND m.video = ?1 AND m.seq > ?2 ORDER BY m.seq LIMIT ?3"
                              : COMMENT_COLUMNS " WHERE m.video = ?1 AND m.parent IS NULL"
                                                " AND m.seq < ?2 ORDER BY m.seq DESC LIMIT ?3");
    fb_db_bind_str(&q, 1, origin_id_str(&query->video));
    fb_db_bind_int(&q, 2, query->from_seq > 0 || is_of_parent ? query->from_seq : INT64_MAX);
    fb_db_bind_int(&q, 3, (int64_t)query->limit);
    if (is_of_parent) {
        fb_db_bind_str(&q, 4, origin_id_str(&query->parent));
    }
    struct origin_comment *comments = fb_arena_alloc(arena, query->limit * sizeof(*comments));
    size_t n = 0;
    while (n < query->limit && (err = fb_db_step(&q)) == FB_OK) {
        comments[n++] = comment_of_row(&q, arena);
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_comments = comments;
    *ret_n = n;
    return FB_OK;
}

/* ---- removing -------------------------------------------------------------- */

static int run_on(struct fb_db *db, const char *sql, const struct origin_id *id)
{
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(db, sql);
    fb_db_bind_str(&q, 1, origin_id_str(id));
    return fb_db_run(&q);
}

static int remove_row(struct fb_db *db, const struct origin_comment *comment)
{
    int err = run_on(db,
                     comment->replies > 0 ? "UPDATE comments SET text = NULL WHERE id = ?1"
                                          : "DELETE FROM comments WHERE id = ?1",
                     &comment->id);
    if (err == FB_OK && comment->parent.text[0] != '\0') {
        err =
            run_on(db, "UPDATE comments SET replies = replies - 1 WHERE id = ?1", &comment->parent);
        if (err == FB_OK) {
            err = run_on(db, "DELETE FROM comments WHERE id = ?1 AND text IS NULL AND replies = 0",
                         &comment->parent);
        }
    }
    return err;
}

int origin_catalog_comment_remove(struct origin_catalog *catalog, const struct origin_id *id)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_comment comment;

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    err = get(hold.db, &arena, id, &comment);
    if (err < 0) {
        return err == FB_E_NOT_FOUND ? FB_OK : err;
    }
    err = remove_row(hold.db, &comment);
    if (err == FB_OK) {
        err = origin_catalog_video_counters_add(hold.db, &comment.video,
                                                &(struct origin_video_counters){.comments = -1});
    }
    return err < 0 ? err : fb_db_commit(&tx);
}
