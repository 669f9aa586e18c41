#include "origin/catalog/watch_events.h"

#include "origin/catalog/catalog_internal.h"

#define EVENT_COLUMNS "seq, user, event, video, at_ms, watch_ms, position_ms, completed, source"

int origin_catalog_watch_add(struct origin_catalog *catalog, const struct origin_watch_event *event,
                             bool *ret_is_new)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "INSERT INTO watch_events"
                 " (user, event, video, at_ms, watch_ms, position_ms, completed, source)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (user, event) DO NOTHING");
    fb_db_bind_str(&q, 1, origin_id_str(&event->user));
    fb_db_bind_str(&q, 2, event->event);
    fb_db_bind_int(&q, 3, event->video);
    fb_db_bind_int(&q, 4, event->at_ms);
    fb_db_bind_int(&q, 5, (int64_t)event->watch_ms);
    fb_db_bind_int(&q, 6, (int64_t)event->position_ms);
    fb_db_bind_int(&q, 7, event->completed);
    fb_db_bind_str(&q, 8, event->source);
    err = fb_db_run(&q);
    if (err < 0) {
        return err;
    }
    *ret_is_new = fb_db_changes(hold.db) == 1;
    return FB_OK;
}

static int events_visit(struct fb_db_query *q, origin_watch_event_fn *visit, void *ctx)
{
    int err;

    while ((err = fb_db_step(q)) == FB_OK) {
        struct origin_watch_event event = {
            .seq = fb_db_column_int(q, 0),
            .user = origin_catalog_column_id(q, 1),
            .event = fb_db_column_str(q, 2),
            .video = fb_db_column_int(q, 3),
            .at_ms = fb_db_column_int(q, 4),
            .watch_ms = (uint64_t)fb_db_column_int(q, 5),
            .position_ms = (uint64_t)fb_db_column_int(q, 6),
            .completed = fb_db_column_int(q, 7) != 0,
            .source = fb_db_column_str(q, 8),
        };
        err = visit(ctx, &event);
        if (err < 0) {
            return err;
        }
    }
    return err == FB_E_END ? FB_OK : err;
}

int origin_catalog_watch_after(struct origin_catalog *catalog, int64_t after_seq, size_t limit,
                               origin_watch_event_fn *event, void *ctx)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT " EVENT_COLUMNS " FROM watch_events WHERE seq > ?1 ORDER BY seq LIMIT ?2");
    fb_db_bind_int(&q, 1, after_seq);
    fb_db_bind_int(&q, 2, (int64_t)limit);
    return events_visit(&q, event, ctx);
}

int origin_catalog_watch_of(struct origin_catalog *catalog, const struct origin_id *user,
                            size_t limit, origin_watch_event_fn *event, void *ctx)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT " EVENT_COLUMNS
                             " FROM watch_events WHERE user = ?1 ORDER BY seq DESC LIMIT ?2");
    fb_db_bind_str(&q, 1, origin_id_str(user));
    fb_db_bind_int(&q, 2, (int64_t)limit);
    return events_visit(&q, event, ctx);
}

int origin_catalog_watch_prune(struct origin_catalog *catalog, int64_t before_ms, size_t max,
                               size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "DELETE FROM watch_events WHERE seq IN"
                             " (SELECT seq FROM watch_events WHERE at_ms < ?1 LIMIT ?2)");
    fb_db_bind_int(&q, 1, before_ms);
    fb_db_bind_int(&q, 2, (int64_t)max);
    err = fb_db_run(&q);
    if (err < 0) {
        return err;
    }
    *ret_n = (size_t)fb_db_changes(hold.db);
    return FB_OK;
}
