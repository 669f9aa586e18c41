/*
 * What the files of origin/views share.
 */
#pragma once

#include "base/core/buf.h"
#include "base/metrics/metrics.h"
#include "base/wire/view_report.h"
#include "origin/catalog/view_reports.h"
#include "origin/views/views.h"

#include <stdatomic.h>

enum origin_views_metric {
    ORIGIN_VIEWS_APPLIED,
    ORIGIN_VIEWS_REPEATED,
    ORIGIN_VIEWS_REFUSED,
    ORIGIN_VIEWS_MALFORMED,
    ORIGIN_VIEWS_ENTRIES,
    ORIGIN_VIEWS_ROWS,
    ORIGIN_VIEWS_UNKNOWN,
    ORIGIN_VIEWS_CLAMPED,
    ORIGIN_VIEWS_OVERLAPS,
    ORIGIN_VIEWS_TURNED_AWAY,
    ORIGIN_VIEWS_SECONDS,
    ORIGIN_VIEWS_METRICS_N
};

struct origin_views_listener {
    origin_views_changed_fn *changed;
    void *ctx;
};

struct origin_views {
    struct origin_views_options options;
    struct fb_metrics_table *metrics; /* the registry's */
    struct origin_views_listener listeners[ORIGIN_VIEWS_LISTENERS];
    size_t n_listeners;
    atomic_uint n_takers; /* requests that bring reports, at the moment */
};

/* What is answered to one request. Zero before; node is owned. */
struct origin_views_answer {
    struct fb_buf node;
    uint64_t epoch;
    uint64_t acked;    /* the last of the stream that is applied */
    size_t n_repeated; /* reports */

    /* Why the rest was refused: FB_VIEW_APPLY if it was not. */
    enum fb_view_verdict verdict;
    uint64_t sequence; /* of the report that was */
};

/* Applies the reports of a body. FB_E_MALFORMED, FB_E_LIMIT or FB_E_UNSUPPORTED for bytes that are
 * no reports of one stream; what stood before them is applied nevertheless. */
FB_MUST_CHECK int origin_views_take(struct origin_views *views, struct fb_str body,
                                    struct origin_views_answer *answer);
