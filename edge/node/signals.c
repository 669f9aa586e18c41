#include "edge/node/signals.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/op.h"
#include "base/metrics/metrics.h"
#include "edge/config/config.h"
#include "edge/node/node.h"
#include "edge/report/report.h"
#include "edge/serve/crew.h"
#include "edge/serve/serve.h"
#include "edge/upstream/upstream.h"
#include "edge/views/views.h"
#include "edge/warm/warm.h"

/* What the node's counters say, which outlive all who count. */
static void signals_totals(void *ctx, struct fb_view_totals *totals)
{
    struct fb_metrics *metrics = ctx;
    uint64_t fetched = fb_metrics_sum(metrics, "edge_upstream_bytes_total");

    totals->bytes_served = fb_metrics_sum(metrics, "edge_bytes_served_total");
    totals->plan_filled = fb_metrics_sum(metrics, "edge_warm_filled_bytes_total");
    totals->plan_served = fb_metrics_sum(metrics, "edge_bytes_planned_served_total");
    totals->prefetch_filled = fb_metrics_sum(metrics, "edge_prefetch_bytes_total");
    totals->prefetch_served = fb_metrics_sum(metrics, "edge_bytes_prefetched_served_total");
    totals->dropped_events = fb_metrics_sum(metrics, "edge_views_dropped_total");
    uint64_t ahead = totals->plan_filled + totals->prefetch_filled;
    totals->bytes_missed = fetched - FB_MIN(ahead, fetched);
}

static int signals_open_report(struct edge_node *node, struct fb_diag *diag)
{
    struct edge_conf_reports_made *made = NULL;

    int err = edge_conf_reports(node->conf, node->tls, &made, diag);
    if (err < 0 || made == NULL) {
        return err;
    }
    struct edge_report_options *options = edge_conf_reports_options(made);
    options->clock = fb_clock_system();
    options->metrics = node->metrics;
    if (node->conf->role == EDGE_ROLE_EDGE) { /* what tiers serve each other is told by the last */
        options->totals = signals_totals;
        options->ctx = node->metrics;
    }
    err = edge_report_open(options, &node->signals->report, diag);
    edge_conf_reports_free(made);
    return err;
}

int edge_signals_open(struct edge_node *node, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};
    struct edge_views_options options;

    node->signals = FB_NEW(struct edge_signals);
    int err = signals_open_report(node, diag);
    if (err < 0) {
        return err;
    }
    err = edge_conf_views(node->conf, &key, &options, diag);
    if (err < 0) {
        return err;
    }
    options.clock = fb_clock_system();
    options.metrics = node->metrics;
    if (node->signals->report != NULL) {
        options.deliver = edge_report_deliver;
        options.ctx = node->signals->report;
    }
    return edge_views_open(&options, &node->signals->views, diag);
}

static struct edge_sites *signals_sites(void *ctx)
{
    return edge_serve_sites(ctx);
}

int edge_signals_join_crew(struct edge_node *node, struct fb_diag *diag)
{
    const struct edge_conf *conf = node->conf;
    struct edge_crew_seat seat = edge_crew_seat(node->crew);
    struct edge_warm_options options = {
        .folder = conf->state.ptr,
        .store = node->store,
        .volumes = node->volumes,
        .fills = node->fills,
        .loop = seat.loop,
        .fetch = edge_uplink_fetch,
        .uplink = seat.uplink,
        .sites = signals_sites,
        .sites_ctx = seat.serve,
        .metrics = node->metrics,
    };

    if (conf->warm.keys.n == 0) {
        return FB_OK;
    }
    int err = edge_conf_warm_pool(conf, node->upstreams, node->tls, &options.pool, diag);
    if (err == FB_OK) {
        err = edge_conf_warm(conf, &options.settings, diag);
    }
    if (err == FB_OK) {
        err = edge_warm_open(&options, &node->signals->warm, diag);
    }
    edge_warm_settings_done(&options.settings);
    return err;
}

int edge_signals_start(struct edge_node *node, struct fb_diag *diag)
{
    struct edge_report *report = node->signals->report;

    return report != NULL ? edge_report_start(report, diag) : FB_OK;
}

void edge_signals_own(struct edge_node *node)
{
    if (node->signals->warm != NULL) {
        node->signals->is_warming = true;
        edge_warm_start(node->signals->warm);
    }
}

void edge_signals_halt(struct edge_node *node, struct fb_op *op)
{
    edge_report_halt(node->signals->report);
    if (node->signals->is_warming) {
        edge_warm_stop(node->signals->warm, op);
        return;
    }
    fb_op_begin(op, NULL);
    fb_op_finish(op, FB_OK);
}

void edge_signals_close(struct edge_node *node)
{
    if (node->signals == NULL) {
        return;
    }
    edge_warm_close(node->signals->warm);
    edge_views_close(node->signals->views); /* delivers what is left */
    edge_report_close(node->signals->report);
    fb_free(node->signals);
    node->signals = NULL;
}

void edge_signals_status(const struct edge_node *node, struct fb_json *status)
{
    edge_views_status(node->signals->views, status);
    if (node->signals->warm != NULL) {
        edge_warm_status(node->signals->warm, status);
    }
    edge_report_status(node->signals->report, status);
}
