#include "origin/views/views.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "origin/catalog/view_reports.h"
#include "origin/catalog/watch_events.h"
#include "origin/views/fold.h"
#include "origin/views/views_internal.h"

enum { PRUNE_BATCH = 20000 };

/* Watch events teach the feed; older ones no longer say what somebody likes. */
#define EVENTS_KEPT_MS (180 * ORIGIN_MS_PER_DAY)

static const struct fb_metric rows[ORIGIN_VIEWS_METRICS_N] = {
    [ORIGIN_VIEWS_APPLIED] = {"origin_views_reports_total", FB_METRIC_COUNTER,
                              "outcome=\"applied\"", "Reports of nodes, by what became of them."},
    [ORIGIN_VIEWS_REPEATED] = {"origin_views_reports_total", FB_METRIC_COUNTER,
                               "outcome=\"repeated\"", "Reports of nodes, by what became of them."},
    [ORIGIN_VIEWS_REFUSED] = {"origin_views_reports_total", FB_METRIC_COUNTER,
                              "outcome=\"refused\"", "Reports of nodes, by what became of them."},
    [ORIGIN_VIEWS_MALFORMED] = {"origin_views_reports_total", FB_METRIC_COUNTER,
                                "outcome=\"malformed\"",
                                "Reports of nodes, by what became of them."},
    [ORIGIN_VIEWS_ENTRIES] = {"origin_views_entries_total", FB_METRIC_COUNTER, NULL,
                              "Entries of reports that were merged."},
    [ORIGIN_VIEWS_ROWS] = {"origin_views_rows_total", FB_METRIC_COUNTER, NULL,
                           "Rows that reports were merged into."},
    [ORIGIN_VIEWS_UNKNOWN] = {"origin_views_unknown_total", FB_METRIC_COUNTER, NULL,
                              "Videos in reports that are not in the catalog."},
    [ORIGIN_VIEWS_CLAMPED] = {"origin_views_clamped_total", FB_METRIC_COUNTER, NULL,
                              "Entries of a time that no clock near ours can mean."},
    [ORIGIN_VIEWS_OVERLAPS] = {"origin_views_overlaps_total", FB_METRIC_COUNTER, NULL,
                               "Merged reports that stand for what had come before."},
    [ORIGIN_VIEWS_TURNED_AWAY] = {"origin_views_turned_away_total", FB_METRIC_COUNTER, NULL,
                                  "Requests with reports that others were ahead of."},
    [ORIGIN_VIEWS_SECONDS] = {"origin_views_apply_seconds", FB_METRIC_HISTOGRAM, NULL,
                              "Time to fold reports and add them to the rows."},
};

struct origin_views *origin_views_new(const struct origin_views_options *options)
{
    struct origin_views *views = FB_NEW(struct origin_views);

    views->options = *options;
    views->metrics = fb_metrics_table_new(options->metrics, rows, ORIGIN_VIEWS_METRICS_N, NULL);
    return views;
}

void origin_views_free(struct origin_views *views)
{
    fb_free(views);
}

void origin_views_on_changed(struct origin_views *views, origin_views_changed_fn *changed,
                             void *ctx)
{
    FB_REQUIRE(views->n_listeners < ORIGIN_VIEWS_LISTENERS);
    views->listeners[views->n_listeners++] = (struct origin_views_listener){changed, ctx};
}

int origin_views_recent(struct origin_views *views, int64_t since_ms, origin_view_row_fn *row,
                        void *ctx)
{
    int64_t edge = origin_fold_slots_from(fb_clock_wall_ms(views->options.clock));

    if (since_ms < edge) {
        int err = origin_catalog_view_hours(views->options.catalog, 0, since_ms, edge, row, ctx);
        if (err < 0) {
            return err;
        }
    }
    return origin_catalog_view_slots(views->options.catalog, FB_MAX(since_ms, edge), row, ctx);
}

int origin_views_demand(struct origin_views *views, struct fb_str region, uint32_t days,
                        origin_view_row_fn *row, void *ctx)
{
    int64_t since_ms = fb_clock_wall_ms(views->options.clock) - days * ORIGIN_MS_PER_DAY;

    return origin_catalog_view_renditions(views->options.catalog, region, since_ms, row, ctx);
}

int origin_views_prune(struct origin_views *views)
{
    int64_t now_ms = fb_clock_wall_ms(views->options.clock);
    size_t n = 0;

    int err = origin_catalog_view_slots_prune(views->options.catalog, PRUNE_BATCH, &n);
    if (err < 0 || (err = origin_catalog_view_reports_prune(views->options.catalog)) < 0) {
        return err;
    }
    return origin_catalog_watch_prune(views->options.catalog, now_ms - EVENTS_KEPT_MS, PRUNE_BATCH,
                                      &n);
}
