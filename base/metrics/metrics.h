/*
 * Metrics: tables of counters, shown in Prometheus' text format (0.0.4).
 *
 * A module declares its metrics as rows and makes a table from them; each loop
 * makes a table of its own from the same rows, and tables with the same rows
 * and labels are summed when they are shown, so that no cache line is shared
 * on a hot path. The rows are also the reference documentation.
 *
 *     enum { FILL_STARTED, FILL_FAILED };
 *     static const struct fb_metric rows[] = {
 *         [FILL_STARTED] = {"edge_fill_started_total", FB_METRIC_COUNTER, NULL,
 *                           "Upstream fetches begun."},
 *         [FILL_FAILED] = {"edge_fill_failed_total", FB_METRIC_COUNTER,
 *                          "cause=\"timeout\"", "Upstream fetches that broke."},
 *     };
 *
 * Rows that differ only in their label are one metric family and stand together.
 *
 * Ownership  The registry owns its tables; a table lives as long as it.
 * Threads    Adding: any (relaxed atomics). Making tables and rendering: any.
 */
#pragma once

#include "base/core/buf.h"
#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

enum fb_metric_kind {
    FB_METRIC_COUNTER,  /* only ever grows; name ends in _total */
    FB_METRIC_GAUGE,    /* goes up and down */
    FB_METRIC_HISTOGRAM /* in seconds, with fixed buckets from 0.5 ms to 60 s */
};

struct fb_metric {
    const char *name;
    enum fb_metric_kind kind;
    const char *label; /* `name="value"` pairs ready to print, or NULL */
    const char *help;
};

struct fb_metrics;       /* the registry */
struct fb_metrics_table; /* the values of one set of rows */

struct fb_metrics *fb_metrics_new(void);
void fb_metrics_free(struct fb_metrics *metrics);

/* A table of `n` values for `rows` (borrowed for ever). `label` (copied, may be
 * NULL) is added to each row's own, as `upstream="http://…"`. */
struct fb_metrics_table *fb_metrics_table_new(struct fb_metrics *metrics,
                                              const struct fb_metric *rows, size_t n,
                                              const char *label);

/* Appends `name="value"` with the value escaped, after a comma unless `label`
 * is empty, for values that come from outside. */
void fb_metrics_label(struct fb_buf *label, const char *name, struct fb_str value);

void fb_metrics_add(struct fb_metrics_table *table, size_t row, uint64_t n);
void fb_metrics_sub(struct fb_metrics_table *table, size_t row, uint64_t n); /* gauges */
void fb_metrics_set(struct fb_metrics_table *table, size_t row, uint64_t value);
void fb_metrics_observe_ns(struct fb_metrics_table *table, size_t row, uint64_t ns);

/* The value of one table's counter or gauge. */
uint64_t fb_metrics_get(const struct fb_metrics_table *table, size_t row);

/* The sum over all tables of all rows with this name, whatever their labels. */
uint64_t fb_metrics_sum(struct fb_metrics *metrics, const char *name);

/* Asks for fresh gauges just before each rendering, on the rendering thread.
 * `ctx` stands until the last rendering. */
void fb_metrics_on_render(struct fb_metrics *metrics, void (*refresh)(void *ctx), void *ctx);

/* Appends all families, sorted by name; each has HELP and TYPE once. */
void fb_metrics_render(struct fb_metrics *metrics, struct fb_buf *buf);
