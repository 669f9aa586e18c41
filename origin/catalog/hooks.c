#include "origin/catalog/hooks.h"

#include "origin/catalog/catalog_internal.h"

/* ---- receivers ------------------------------------------------------------------------ */

static int hook_add(struct fb_db *db, struct fb_str url)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT INTO hooks (url, told, is_set) VALUES"
                        " (?1, (SELECT coalesce(max(seq), 0) FROM hook_events), 1)"
                        " ON CONFLICT (url) DO UPDATE SET is_set = 1, run_after_ms = 0");
    fb_db_bind_str(&q, 1, url);
    return fb_db_run(&q);
}

int origin_catalog_hooks_set(struct origin_catalog *catalog, const struct fb_str *urls, size_t n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0) {
        return err;
    }
    err = fb_db_exec(hold.db, "UPDATE hooks SET is_set = 0");
    for (size_t i = 0; err == FB_OK && i < n; i++) {
        err = hook_add(hold.db, urls[i]);
    }
    if (err < 0 || (err = fb_db_exec(hold.db, "DELETE FROM hooks WHERE is_set = 0")) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

/* ---- events --------------------------------------------------------------------------- */

static struct fb_str text_or_none(const struct fb_db_query *q, int column, struct fb_arena *arena)
{
    return fb_db_column_is_null(q, column) ? FB_STR_NONE
                                           : fb_arena_dup(arena, fb_db_column_str(q, column));
}

int origin_catalog_hook_due(struct origin_catalog *catalog, struct fb_arena *arena,
                            struct fb_str url, struct origin_hook_event *ret_event)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT e.seq, e.kind, e.video, e.owner, e.version, e.reason, e.at_ms, h.failures,"
                 " h.run_after_ms FROM hooks h JOIN hook_events e ON e.seq > h.told"
                 " WHERE h.url = ?1 ORDER BY e.seq LIMIT 1");
    fb_db_bind_str(&q, 1, url);
    err = fb_db_step(&q);
    if (err < 0) {
        return err;
    }
    if (fb_db_column_int(&q, 8) > origin_catalog_now(catalog)) {
        return FB_E_LATER;
    }
    *ret_event = (struct origin_hook_event){
        .seq = fb_db_column_int(&q, 0),
        .kind = fb_arena_dup(arena, fb_db_column_str(&q, 1)),
        .video = fb_arena_dup(arena, fb_db_column_str(&q, 2)),
        .owner = fb_arena_dup(arena, fb_db_column_str(&q, 3)),
        .version = text_or_none(&q, 4, arena),
        .reason = text_or_none(&q, 5, arena),
        .at_ms = fb_db_column_int(&q, 6),
        .n_failed = (uint32_t)fb_db_column_int(&q, 7),
    };
    return FB_OK;
}

int origin_catalog_hook_told(struct origin_catalog *catalog, struct fb_str url, int64_t seq)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "UPDATE hooks SET told = ?2, failures = 0, run_after_ms = 0"
                             " WHERE url = ?1 AND told < ?2");
    fb_db_bind_str(&q, 1, url);
    fb_db_bind_int(&q, 2, seq);
    return fb_db_run(&q);
}

int origin_catalog_hook_wait(struct origin_catalog *catalog, struct fb_str url, int64_t until_ms)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "UPDATE hooks SET failures = failures + 1, run_after_ms = ?2 WHERE url = ?1");
    fb_db_bind_str(&q, 1, url);
    fb_db_bind_int(&q, 2, until_ms);
    return fb_db_run(&q);
}

int origin_catalog_hooks_prune(struct origin_catalog *catalog)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    return err < 0 ? err
                   : fb_db_exec(hold.db, "DELETE FROM hook_events WHERE seq <="
                                         " (SELECT coalesce(min(told), 9223372036854775807)"
                                         " FROM hooks)");
}
