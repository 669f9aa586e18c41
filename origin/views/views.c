#include "origin/views/views.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "origin/catalog/watch_events.h"
#include "origin/views/views_internal.h"

enum { PRUNE_BATCH = 20000 };

/* Watch events teach the feed; older ones no longer say what somebody likes. */
#define EVENTS_KEPT_MS (180 * ORIGIN_MS_PER_DAY)

struct origin_views *origin_views_new(const struct origin_views_options *options)
{
    struct origin_views *views = FB_NEW(struct origin_views);

    views->options = *options;
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
    int64_t oldest = fb_clock_wall_ms(views->options.clock) - ORIGIN_SLOTS_KEPT_MS;
    /* The first whole hour of which all slots are there. */
    int64_t edge = (oldest + ORIGIN_MS_PER_HOUR - 1) / ORIGIN_MS_PER_HOUR * ORIGIN_MS_PER_HOUR;

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
    if (err < 0) {
        return err;
    }
    return origin_catalog_watch_prune(views->options.catalog, now_ms - EVENTS_KEPT_MS, PRUNE_BATCH,
                                      &n);
}
