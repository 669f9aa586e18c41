/*
 * Views: what the nodes report, merged into the catalog once.
 *
 *     POST /internal/v1/reports   the nodes' reports (docs/view-reports.md)
 *        │ decoded, folded into rows
 *        ▼
 *     one transaction: node, epoch, sequence and chain are the next ones ──► rows added
 *        │                        └─ else nothing but a line of the audit
 *        ▼
 *     on_changed: who ranks is told which rows grew
 *
 * A report that comes again is acknowledged and changes nothing. One that does not follow the
 * last (a gap), or names another one as the last (a changed chain), is refused with what is
 * expected.
 *
 * Minutes that no clock near ours can mean are clamped, never refused, so that totals hold: a
 * minute ahead of ours counts as ours, one further back than ORIGIN_VIEWS_OLDEST_MS as that old.
 * More than ORIGIN_VIEWS_SKEW_MS of it leaves a line in the audit. Videos that are not in the
 * catalog are counted apart.
 *
 * Ownership  new → free; everything given is borrowed.
 * Threads    Blocking; any thread. on_changed runs on the thread that took the report in.
 * Limits     FB_VIEW_BATCH_MAX of a request, ORIGIN_VIEWS_TAKERS at once (503 beyond); every number
 *            saturates at 2^53.
 * Failures   The catalog's.
 */
#pragma once

#include "origin/catalog/view_hours.h"

#include <stddef.h>
#include <stdint.h>

struct fb_clock;
struct fb_metrics;
struct fb_route;
struct origin_views;

#define ORIGIN_VIEWS_OLDEST_MS (90 * ORIGIN_MS_PER_DAY)
#define ORIGIN_VIEWS_SKEW_MS   INT64_C(300000)

struct origin_views_options {
    struct origin_catalog *catalog;
    const struct fb_clock *clock;
    struct fb_metrics *metrics;
    struct fb_str token; /* what nodes must show; empty: no route */
};

struct origin_views *origin_views_new(const struct origin_views_options *options);
void origin_views_free(struct origin_views *views);

/* The internal routes, for a router with the views as ctx; none without a token. */
const struct fb_route *origin_views_routes(const struct origin_views *views, size_t *ret_n);

/* `changed` is told of what each report added, after it is committed: rows of slots (sums are
 * what was added, not what stands), at most a report's. At most ORIGIN_VIEWS_LISTENERS, told
 * before the first report comes in. It is quick, and may be called by several threads at once. */
enum { ORIGIN_VIEWS_LISTENERS = 8, ORIGIN_VIEWS_TAKERS = 4 };
typedef void origin_views_changed_fn(void *ctx, const struct origin_view_row *rows, size_t n);
void origin_views_on_changed(struct origin_views *views, origin_views_changed_fn *changed,
                             void *ctx);

/* What was watched since `since_ms`, for ranking: hours (video by video), then, for the last
 * ORIGIN_SLOTS_KEPT_MS, slots instead (oldest first). No minute is told twice. */
FB_MUST_CHECK int origin_views_recent(struct origin_views *views, int64_t since_ms,
                                      origin_view_row_fn *row, void *ctx);

/* What a region fetched in the last `days` days: rows by video, day and rendition. */
FB_MUST_CHECK int origin_views_demand(struct origin_views *views, struct fb_str region,
                                      uint32_t days, origin_view_row_fn *row, void *ctx);

/* What is done every so often: removes what is older than it is kept. */
FB_MUST_CHECK int origin_views_prune(struct origin_views *views);
