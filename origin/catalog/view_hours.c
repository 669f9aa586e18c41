#include "origin/catalog/view_hours.h"

#include "origin/catalog/catalog_internal.h"

/* All reads have these columns, in this order. */
#define SUM_COLUMN(name) ", t." #name
#define SUM_COLUMNS      ORIGIN_VIEW_SUMS(SUM_COLUMN)
#define NAMES            " JOIN videos v ON v.seq = t.video JOIN regions r ON r.id = t.region"

static struct origin_view_row row_of(const struct fb_db_query *q, int64_t unit_ms)
{
    struct origin_view_row row = {
        .seq = fb_db_column_int(q, 0),
        .video = origin_catalog_column_id(q, 1),
        .region = fb_db_column_str(q, 2),
        .rendition = fb_db_column_str(q, 3),
        .start_ms = fb_db_column_int(q, 4) * unit_ms,
        .span_ms = unit_ms,
    };
    int column = 5;
#define READ(name) row.sums.name = (uint64_t)fb_db_column_int(q, column++);
    ORIGIN_VIEW_SUMS(READ)
#undef READ
    return row;
}

static int rows_visit(struct fb_db_query *q, int64_t unit_ms, origin_view_row_fn *visit, void *ctx)
{
    int err;

    while ((err = fb_db_step(q)) == FB_OK) {
        struct origin_view_row row = row_of(q, unit_ms);
        err = visit(ctx, &row);
        if (err < 0) {
            return err;
        }
    }
    return err == FB_E_END ? FB_OK : err;
}

/* The first unit that ends after `since_ms`. */
static int64_t unit_since(int64_t since_ms, int64_t unit_ms)
{
    return FB_MAX(since_ms, 0) / unit_ms;
}

int origin_catalog_view_slots(struct origin_catalog *catalog, int64_t since_ms,
                              origin_view_row_fn *row, void *ctx)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT t.video, v.id, r.name, NULL, t.slot" SUM_COLUMNS " FROM view_slots t" NAMES
                 " WHERE t.slot >= ?1 ORDER BY t.slot, t.video, t.region");
    fb_db_bind_int(&q, 1, unit_since(since_ms, ORIGIN_MS_PER_SLOT));
    return rows_visit(&q, ORIGIN_MS_PER_SLOT, row, ctx);
}

int origin_catalog_view_hours(struct origin_catalog *catalog, int64_t seq, int64_t since_ms,
                              int64_t until_ms, origin_view_row_fn *row, void *ctx)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db,
        seq != 0
            ? "SELECT t.video, v.id, r.name, NULL, t.hour" SUM_COLUMNS " FROM view_hours t" NAMES
              " WHERE t.video = ?3 AND t.hour BETWEEN ?1 AND ?2 ORDER BY t.hour, t.region"
            : "SELECT t.video, v.id, r.name, NULL, t.hour" SUM_COLUMNS " FROM view_hours t" NAMES
              " WHERE t.hour BETWEEN ?1 AND ?2 ORDER BY t.video, t.hour, t.region");
    fb_db_bind_int(&q, 1, unit_since(since_ms, ORIGIN_MS_PER_HOUR));
    fb_db_bind_int(&q, 2, until_ms > 0 ? (until_ms - 1) / ORIGIN_MS_PER_HOUR : -1);
    if (seq != 0) {
        fb_db_bind_int(&q, 3, seq);
    }
    return rows_visit(&q, ORIGIN_MS_PER_HOUR, row, ctx);
}

int origin_catalog_view_renditions(struct origin_catalog *catalog, struct fb_str region,
                                   int64_t since_ms, origin_view_row_fn *row, void *ctx)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT t.video, v.id, r.name, t.rendition, t.day" SUM_COLUMNS
                 " FROM view_renditions t" NAMES
                 " WHERE t.day >= ?1 AND t.region = (SELECT id FROM regions WHERE name = ?2)"
                 " ORDER BY t.video, t.day, t.rendition");
    fb_db_bind_int(&q, 1, unit_since(since_ms, ORIGIN_MS_PER_DAY));
    fb_db_bind_str(&q, 2, region);
    return rows_visit(&q, ORIGIN_MS_PER_DAY, row, ctx);
}

int origin_catalog_regions(struct origin_catalog *catalog,
                           int (*region)(void *ctx, struct fb_str name), void *ctx)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(hold.db, "SELECT name FROM regions ORDER BY name");
    while ((err = fb_db_step(&q)) == FB_OK) {
        err = region(ctx, fb_db_column_str(&q, 0));
        if (err < 0) {
            return err;
        }
    }
    return err == FB_E_END ? FB_OK : err;
}

int origin_catalog_view_slots_prune(struct origin_catalog *catalog, size_t max, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "DELETE FROM view_slots WHERE (slot, video, region) IN"
                 " (SELECT slot, video, region FROM view_slots WHERE slot < ?1 LIMIT ?2)");
    fb_db_bind_int(
        &q, 1,
        unit_since(origin_catalog_now(catalog) - ORIGIN_SLOTS_KEPT_MS - 2 * ORIGIN_MS_PER_HOUR,
                   ORIGIN_MS_PER_SLOT));
    fb_db_bind_int(&q, 2, (int64_t)max);
    err = fb_db_run(&q);
    if (err < 0) {
        return err;
    }
    *ret_n = (size_t)fb_db_changes(hold.db);
    return FB_OK;
}
