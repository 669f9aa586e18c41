#include "origin/catalog/shares.h"

#include "origin/catalog/catalog_internal.h"

static int insert(struct fb_db *db, const struct origin_share *share, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "INSERT INTO shares (user, video, channel, at_ms,"
                                           " network) VALUES (?1, ?2, ?3, ?4, ?5)");
    fb_db_bind_str(&q, 1, origin_id_str(&share->actor.user));
    fb_db_bind_str(&q, 2, origin_id_str(&share->video));
    fb_db_bind_str(&q, 3, share->channel);
    fb_db_bind_int(&q, 4, now_ms);
    fb_db_bind_int(&q, 5, (int64_t)share->actor.network);
    int err = fb_db_run(&q);
    return err < 0 ? err
                   : origin_catalog_video_counters_add(
                         db, &share->video, &(struct origin_video_counters){.shares = 1});
}

int origin_catalog_share_add(struct origin_catalog *catalog, struct fb_arena *arena,
                             const struct origin_share *share, const struct origin_once *once,
                             struct fb_str *ret_earlier)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct origin_catalog_once ask = {.user = &share->actor.user,
                                      .once = once,
                                      .now_ms = origin_catalog_now(catalog),
                                      .arena = arena};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = origin_catalog_once(hold.db, &ask, ret_earlier)) < 0 ||
        (err = insert(hold.db, share, ask.now_ms)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}
