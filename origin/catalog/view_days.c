#include "origin/catalog/view_days.h"

#include "base/sketch/hyperloglog.h"
#include "origin/catalog/view_internal.h"

#define SUM_COLUMN(name)   ", sum(t." #name ")"
#define COUNT_COLUMN(name) ", t." #name

/* ?3 is the video's number or the owner's id. */
static void bind_scope(struct fb_db_query *q, const struct origin_view_scope *scope, int64_t unit)
{
    fb_db_bind_int(q, 1, scope->since_day * unit);
    fb_db_bind_int(q, 2, scope->until_day * unit + unit - 1);
    if (scope->seq != 0) {
        fb_db_bind_int(q, 3, scope->seq);
    } else {
        fb_db_bind_str(q, 3, origin_id_str(scope->owner));
    }
}

#define DAY_SUMS                                                           \
    "SELECT t.hour / 24 AS day, r.name" ORIGIN_VIEW_SUMS(                  \
        SUM_COLUMN) " FROM view_hours t JOIN regions r ON r.id = t.region" \
                    " WHERE t.hour BETWEEN ?1 AND ?2 AND t.video "

int origin_catalog_view_day_sums(struct origin_catalog *catalog,
                                 const struct origin_view_scope *scope, origin_view_row_fn *row,
                                 void *ctx)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, scope->seq != 0 ? DAY_SUMS "= ?3 GROUP BY day, r.name ORDER BY day, r.name"
                                 : DAY_SUMS "IN (SELECT seq FROM videos WHERE owner = ?3)"
                                            " GROUP BY day, r.name ORDER BY day, r.name");
    bind_scope(&q, scope, 24);
    while ((err = fb_db_step(&q)) == FB_OK) {
        struct origin_view_row sums = {
            .region = fb_db_column_str(&q, 1),
            .start_ms = fb_db_column_int(&q, 0) * ORIGIN_MS_PER_DAY,
            .span_ms = ORIGIN_MS_PER_DAY,
        };
        int column = 2;
#define READ(name) sums.sums.name = (uint64_t)fb_db_column_int(&q, column++);
        ORIGIN_VIEW_SUMS(READ)
#undef READ
        err = row(ctx, &sums);
        if (err < 0) {
            return err;
        }
    }
    return err == FB_E_END ? FB_OK : err;
}

static void read_counts(const struct fb_db_query *q, int *column, uint64_t *counts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        counts[i] = (uint64_t)fb_db_column_int(q, (*column)++);
    }
}

static int read_sketch(const struct fb_db_query *q, int column, unsigned precision,
                       struct fb_hyperloglog **ret_sketch)
{
    struct fb_str bytes = fb_db_column_blob(q, column);
    struct fb_hyperloglog *sketch = NULL;

    if (bytes.len > 0 && fb_hyperloglog_decode(&bytes, precision, &sketch) < 0) {
        return FB_E_CORRUPT;
    }
    *ret_sketch = sketch;
    return FB_OK;
}

static int visit_day(const struct fb_db_query *q, origin_view_day_fn *visit, void *ctx)
{
    FB_AUTO(fb_hyperloglog_freep) struct fb_hyperloglog *viewers = NULL;
    FB_AUTO(fb_hyperloglog_freep) struct fb_hyperloglog *networks = NULL;
    struct origin_view_day day = {.day = fb_db_column_int(q, 0)};
    int column = 4;

    int err = read_sketch(q, 2, FB_VIEW_VIEWERS_PRECISION, &viewers);
    if (err < 0 || (err = read_sketch(q, 3, FB_VIEW_NETWORKS_PRECISION, &networks)) < 0) {
        return err;
    }
    day.viewers = viewers;
    day.networks = networks;
    read_counts(q, &column, day.sources, FB_VIEW_SOURCES_N);
    read_counts(q, &column, day.uncounted, FB_VIEW_REASONS_N);
    read_counts(q, &column, day.startup, FB_VIEW_STARTUP_N);
    return visit(ctx, &day, fb_db_column_str(q, 1));
}

#define DAYS                                                                \
    "SELECT t.day, r.name, t.viewers, t.networks" ORIGIN_VIEW_DAY_COUNTS(   \
        COUNT_COLUMN) " FROM view_days t JOIN regions r ON r.id = t.region" \
                      " WHERE t.day BETWEEN ?1 AND ?2 AND t.video "

int origin_catalog_view_days(struct origin_catalog *catalog, const struct origin_view_scope *scope,
                             origin_view_day_fn *day, void *ctx)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, scope->seq != 0 ? DAYS "= ?3 ORDER BY t.video, t.day, t.region"
                                             : DAYS "IN (SELECT seq FROM videos WHERE owner = ?3)"
                                                    " ORDER BY t.video, t.day, t.region");
    bind_scope(&q, scope, 1);
    while ((err = fb_db_step(&q)) == FB_OK) {
        err = visit_day(&q, day, ctx);
        if (err < 0) {
            return err;
        }
    }
    return err == FB_E_END ? FB_OK : err;
}
