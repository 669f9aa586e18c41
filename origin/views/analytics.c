#include "origin/views/analytics.h"

#include "base/core/err.h"
#include "base/sketch/hyperloglog.h"
#include "origin/views/views_internal.h"

struct collecting {
    struct origin_analytics *analytics;
    struct fb_arena *arena;
    size_t max_rows;
};

/* The row of a day or a region; the last of all where there is no room for more. */
static struct origin_analytics_row *row_of(struct collecting *collecting, int64_t day,
                                           struct fb_str region)
{
    struct origin_analytics *analytics = collecting->analytics;

    for (size_t i = 0; i < analytics->n_rows; i++) {
        struct origin_analytics_row *row = &analytics->rows[i];
        if (analytics->by_region ? row->region.ptr != NULL && fb_str_equal(row->region, region)
                                 : row->day == day) {
            return row;
        }
    }
    if (analytics->n_rows == collecting->max_rows) {
        analytics->rows[analytics->n_rows - 1].region = FB_STR_NONE;
        return &analytics->rows[analytics->n_rows - 1];
    }
    struct origin_analytics_row *row = &analytics->rows[analytics->n_rows++];
    *row = (struct origin_analytics_row){.day = day};
    if (analytics->by_region) {
        row->region = fb_arena_dup(collecting->arena, region);
    }
    return row;
}

static void sums_add(struct origin_view_sums *sums, const struct origin_view_sums *more)
{
#define ADD(name) sums->name += more->name;
    ORIGIN_VIEW_SUMS(ADD)
#undef ADD
}

static int collect_sums(void *ctx, const struct origin_view_row *sums)
{
    struct collecting *collecting = ctx;

    sums_add(&row_of(collecting, sums->start_ms / ORIGIN_MS_PER_DAY, sums->region)->sums,
             &sums->sums);
    sums_add(&collecting->analytics->total.sums, &sums->sums);
    return FB_OK;
}

static void sketch_add(struct fb_hyperloglog **into, const struct fb_hyperloglog *more)
{
    if (*into != NULL) {
        fb_hyperloglog_merge(*into, more);
    } else if (more != NULL) {
        *into = fb_hyperloglog_copy(more);
    }
}

static void detail_add(struct origin_view_day *into, const struct origin_view_day *more)
{
    for (size_t i = 0; i < FB_VIEW_SOURCES_N; i++) {
        into->sources[i] += more->sources[i];
    }
    for (size_t i = 0; i < FB_VIEW_REASONS_N; i++) {
        into->uncounted[i] += more->uncounted[i];
    }
    for (size_t i = 0; i < FB_VIEW_STARTUP_N; i++) {
        into->startup[i] += more->startup[i];
    }
    sketch_add(&into->viewers, more->viewers);
    sketch_add(&into->networks, more->networks);
}

static int collect_day(void *ctx, const struct origin_view_day *day, struct fb_str region)
{
    struct collecting *collecting = ctx;

    detail_add(&row_of(collecting, day->day, region)->detail, day);
    detail_add(&collecting->analytics->total.detail, day);
    return FB_OK;
}

int origin_views_analytics(struct origin_views *views, struct fb_arena *arena,
                           const struct origin_view_scope *scope, bool by_region,
                           struct origin_analytics *ret_analytics)
{
    struct origin_analytics analytics = {.by_region = by_region};
    struct collecting collecting = {&analytics, arena, ORIGIN_ANALYTICS_ROWS_MAX};

    analytics.rows = fb_arena_alloc(arena, collecting.max_rows * sizeof(*analytics.rows));
    int err =
        origin_catalog_view_day_sums(views->options.catalog, scope, collect_sums, &collecting);
    if (err == FB_OK) {
        err = origin_catalog_view_days(views->options.catalog, scope, collect_day, &collecting);
    }
    if (err < 0) {
        origin_analytics_done(&analytics);
        return err;
    }
    *ret_analytics = analytics;
    return FB_OK;
}

static void detail_done(struct origin_view_day *detail)
{
    fb_hyperloglog_free(detail->viewers);
    fb_hyperloglog_free(detail->networks);
}

void origin_analytics_done(struct origin_analytics *analytics)
{
    for (size_t i = 0; i < analytics->n_rows; i++) {
        detail_done(&analytics->rows[i].detail);
    }
    detail_done(&analytics->total.detail);
    *analytics = (struct origin_analytics){0};
}

uint64_t origin_analytics_startup_ms(const struct origin_view_day *detail, unsigned percent)
{
    uint64_t n = 0;
    uint64_t below = 0;

    for (size_t i = 0; i < FB_VIEW_STARTUP_N; i++) {
        n += detail->startup[i];
    }
    for (unsigned i = 0; i < FB_VIEW_STARTUP_N && n > 0; i++) {
        below += detail->startup[i];
        if (below >= (n * percent + 99) / 100) {
            uint64_t bound_ms = fb_view_startup_bound_ms(i);
            return bound_ms > 0 ? bound_ms : UINT64_MAX;
        }
    }
    return 0;
}
