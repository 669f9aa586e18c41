#include "origin/catalog/counters.h"

#include "origin/catalog/catalog_internal.h"

int origin_catalog_video_counters_add(struct fb_db *db, const struct origin_id *video,
                                      const struct origin_video_counters *change)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "INSERT INTO video_counters (video, views, watch_ms, likes, comments, shares, saves)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (video) DO UPDATE SET"
            " views = views + excluded.views, watch_ms = watch_ms + excluded.watch_ms,"
            " likes = likes + excluded.likes, comments = comments + excluded.comments,"
            " shares = shares + excluded.shares, saves = saves + excluded.saves");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    fb_db_bind_int(&q, 2, change->views);
    fb_db_bind_int(&q, 3, change->watch_ms);
    fb_db_bind_int(&q, 4, change->likes);
    fb_db_bind_int(&q, 5, change->comments);
    fb_db_bind_int(&q, 6, change->shares);
    fb_db_bind_int(&q, 7, change->saves);
    return fb_db_run(&q);
}

int origin_catalog_user_counters_add(struct fb_db *db, const struct origin_id *user,
                                     const struct origin_user_counters *change)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "INSERT INTO user_counters (user, followers, following)"
                                           " VALUES (?1, ?2, ?3) ON CONFLICT (user) DO UPDATE SET"
                                           " followers = followers + excluded.followers,"
                                           " following = following + excluded.following");
    fb_db_bind_str(&q, 1, origin_id_str(user));
    fb_db_bind_int(&q, 2, change->followers);
    fb_db_bind_int(&q, 3, change->following);
    return fb_db_run(&q);
}

struct origin_video_counters origin_catalog_column_counters(const struct fb_db_query *q, int column)
{
    return (struct origin_video_counters){
        .views = fb_db_column_int(q, column),
        .watch_ms = fb_db_column_int(q, column + 1),
        .likes = fb_db_column_int(q, column + 2),
        .comments = fb_db_column_int(q, column + 3),
        .shares = fb_db_column_int(q, column + 4),
        .saves = fb_db_column_int(q, column + 5),
    };
}

int origin_catalog_video_counters_get(struct fb_db *db, const struct origin_id *video,
                                      struct origin_video_counters *ret_counters)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT views, watch_ms, likes, comments, shares, saves"
                                           " FROM video_counters WHERE video = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    int err = fb_db_step(&q);
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_counters = err == FB_OK ? origin_catalog_column_counters(&q, 0)
                                 : (struct origin_video_counters){.views = 0};
    return FB_OK;
}

int origin_catalog_user_counters_get(struct fb_db *db, const struct origin_id *user,
                                     struct origin_user_counters *ret_counters)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "SELECT followers, following FROM user_counters WHERE user = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(user));
    int err = fb_db_step(&q);
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_counters = (struct origin_user_counters){.followers = 0};
    if (err == FB_OK) {
        *ret_counters = (struct origin_user_counters){
            .followers = fb_db_column_int(&q, 0),
            .following = fb_db_column_int(&q, 1),
        };
    }
    return FB_OK;
}

int origin_catalog_video_counters(struct origin_catalog *catalog, const struct origin_id *video,
                                  struct origin_video_counters *ret_counters)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    return err < 0 ? err : origin_catalog_video_counters_get(hold.db, video, ret_counters);
}

int origin_catalog_user_counters(struct origin_catalog *catalog, const struct origin_id *user,
                                 struct origin_user_counters *ret_counters)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    return err < 0 ? err : origin_catalog_user_counters_get(hold.db, user, ret_counters);
}
