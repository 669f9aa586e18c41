#include "origin/catalog/video_facts.h"

#include "origin/catalog/catalog_internal.h"

static struct origin_video_facts facts_read(const struct fb_db_query *q)
{
    return (struct origin_video_facts){
        .seq = fb_db_column_int(q, 0),
        .id = origin_catalog_column_id(q, 1),
        .owner = origin_catalog_column_id(q, 2),
        .tags = fb_db_column_str(q, 3),
        .category = fb_db_column_str(q, 4),
        .sound = fb_db_column_str(q, 5),
        .published_ms = fb_db_column_int(q, 6),
        .duration_ms = (uint64_t)fb_db_column_int(q, 7),
        .counters =
            {
                .views = fb_db_column_int(q, 8),
                .watch_ms = fb_db_column_int(q, 9),
                .likes = fb_db_column_int(q, 10),
                .comments = fb_db_column_int(q, 11),
                .shares = fb_db_column_int(q, 12),
                .saves = fb_db_column_int(q, 13),
            },
    };
}

int origin_catalog_video_facts(struct origin_catalog *catalog, size_t limit,
                               origin_video_facts_fn *facts, void *ctx)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT v.seq, v.id, v.owner, v.tags, v.category, v.sound, v.published_ms,"
                 " v.duration_ms, c.views, c.watch_ms, c.likes, c.comments, c.shares, c.saves"
                 " FROM videos v LEFT JOIN video_counters c ON c.video = v.id"
                 " WHERE " ORIGIN_VIDEO_IS_PUBLIC " ORDER BY v.seq DESC LIMIT ?1");
    fb_db_bind_int(&q, 1, (int64_t)limit);
    while ((err = fb_db_step(&q)) == FB_OK) {
        struct origin_video_facts row = facts_read(&q);
        err = facts(ctx, &row);
        if (err < 0) {
            return err;
        }
    }
    return err == FB_E_END ? FB_OK : err;
}
