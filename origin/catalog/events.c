#include "origin/catalog/events.h"

#include "origin/catalog/catalog_internal.h"

/* One of the parts of the union; `kind` is the place in origin_event_kind. */
#define EVENTS_OF(kind, table)                                                       \
    "SELECT " kind ", e.video, e.user, e.at_ms, e.network, u.created_ms FROM " table \
    " e JOIN users u ON u.id = e.user JOIN videos v ON v.id = e.video"               \
    " WHERE e.at_ms >= ?1 AND " ORIGIN_VIDEO_IS_PUBLIC

int origin_catalog_events(struct origin_catalog *catalog, int64_t since_ms,
                          const struct origin_event_visitor *visitor)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db,
        EVENTS_OF("0", "likes") " UNION ALL " EVENTS_OF("1", "shares") " UNION ALL " EVENTS_OF(
            "2", "comments") " AND e.text IS NOT NULL"
                             " UNION ALL " EVENTS_OF("3", "saves"));
    fb_db_bind_int(&q, 1, since_ms);
    while ((err = fb_db_step(&q)) == FB_OK) {
        int64_t kind = fb_db_column_int(&q, 0); /* as the query says */
        struct origin_event event = {
            .kind = (enum origin_event_kind)kind,
            .video = origin_catalog_column_id(&q, 1),
            .user = origin_catalog_column_id(&q, 2),
            .at_ms = fb_db_column_int(&q, 3),
            .network = (uint64_t)fb_db_column_int(&q, 4),
            .account_ms = fb_db_column_int(&q, 5),
        };
        err = visitor->visit(visitor->ctx, &event);
        if (err < 0) {
            return err;
        }
    }
    return err == FB_E_END ? FB_OK : err;
}
