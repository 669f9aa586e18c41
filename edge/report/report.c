#include "edge/report/report.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "edge/report/report_internal.h"

#include <errno.h>
#include <sys/stat.h>

enum { MS_A_MINUTE = 60000, S_A_MINUTE = 60 };

static const struct fb_metric rows[REPORT_N_METRICS] = {
    [REPORT_PENDING] = {"edge_report_pending_entries", FB_METRIC_GAUGE, NULL,
                        "Entries in the spool that are in no report yet."},
    [REPORT_OLDEST] = {"edge_report_oldest_minute_seconds", FB_METRIC_GAUGE, NULL,
                       "The oldest minute that waits in the spool, in Unix time; 0: none does."},
    [REPORT_SEALED] = {"edge_report_sealed_reports", FB_METRIC_GAUGE, NULL,
                       "Reports that are not acknowledged yet."},
    [REPORT_SPOOL_BYTES] = {"edge_report_spool_bytes", FB_METRIC_GAUGE, NULL,
                            "Bytes of the spool in use."},
    [REPORT_ENTRIES] = {"edge_report_entries_total", FB_METRIC_COUNTER, NULL,
                        "Entries of this node put into the spool."},
    [REPORT_DROPPED] = {"edge_report_dropped_entries_total", FB_METRIC_COUNTER, NULL,
                        "Entries lost because the spool could not take them."},
    [REPORT_FOLDED] = {"edge_report_folded_entries_total", FB_METRIC_COUNTER, NULL,
                       "Entries in the spool that lost detail for want of room; sums stay."},
    [REPORT_SENT] = {"edge_report_sent_total", FB_METRIC_COUNTER, NULL,
                     "Reports sent, each time that they were."},
    [REPORT_ACKED] = {"edge_report_acked_total", FB_METRIC_COUNTER, NULL,
                      "Reports that were acknowledged."},
    [REPORT_REFUSED] = {"edge_report_refused_total", FB_METRIC_COUNTER, NULL,
                        "Times that a receiver knew another stream, and a new one was begun."},
    [REPORT_FAILURES] = {"edge_report_failures_total", FB_METRIC_COUNTER, NULL,
                         "Times that a target of reports could not be asked or took nothing."},
    [REPORT_APPLIED] = {"edge_report_applied_total", FB_METRIC_COUNTER, NULL,
                        "Reports of other nodes merged into the spool."},
    [REPORT_REPEATED] = {"edge_report_repeated_total", FB_METRIC_COUNTER, NULL,
                         "Reports of other nodes that had been merged before."},
    [REPORT_GAPS] = {"edge_report_refusals_total", FB_METRIC_COUNTER, "reason=\"gap\"",
                     "Reports of other nodes that did not follow the last one."},
    [REPORT_CHANGED] = {"edge_report_refusals_total", FB_METRIC_COUNTER, "reason=\"changed\"",
                        "Reports of other nodes that did not follow the last one."},
    [REPORT_DENIED] =
        {"edge_report_denied_total", FB_METRIC_COUNTER, NULL,
         "Requests with reports that showed neither token nor certificate, or another node's."},
};

void edge_report_count(struct edge_report *report, enum report_metric row, uint64_t n)
{
    if (report->metrics != NULL && n > 0) {
        fb_metrics_add(report->metrics, row, n);
    }
}

void edge_report_look(struct edge_report *report, bool now)
{
    enum { LOOK_MS = 1000 };
    struct edge_spool_state state;
    uint64_t now_ms = fb_clock_mono_ms(report->clock);

    (void)pthread_mutex_lock(&report->lock); /* fails for mutexes of another kind alone */
    bool is_due = now || report->looked_ms == 0 || now_ms - report->looked_ms >= LOOK_MS;
    report->looked_ms = is_due ? now_ms : report->looked_ms;
    (void)pthread_mutex_unlock(&report->lock); /* as above */
    /* first: what is told as added is also told as pending, or has gone since */
    struct edge_spool_counts counts = edge_spool_counts(report->spool);
    if (!is_due || edge_spool_state(report->spool, &state) < 0) {
        return;
    }
    (void)pthread_mutex_lock(&report->lock); /* as above */
    report->state = state;
    report->counts = counts;
    (void)pthread_mutex_unlock(&report->lock); /* as above */
}

static void report_seen(struct edge_report *report, struct edge_spool_state *ret_state,
                        struct edge_spool_counts *ret_counts)
{
    (void)pthread_mutex_lock(&report->lock); /* as in edge_report_look() */
    *ret_state = report->state;
    *ret_counts = report->counts;
    (void)pthread_mutex_unlock(&report->lock); /* as above */
}

static void report_refresh(void *ctx)
{
    struct edge_report *report = ctx;
    struct edge_spool_state state;
    struct edge_spool_counts counts;

    report_seen(report, &state, &counts);
    uint64_t oldest_s = state.oldest_minute > 0 ? (uint64_t)state.oldest_minute * S_A_MINUTE : 0;
    fb_metrics_set(report->metrics, REPORT_PENDING, state.n_pending);
    fb_metrics_set(report->metrics, REPORT_OLDEST, oldest_s);
    fb_metrics_set(report->metrics, REPORT_SEALED, state.n_sealed);
    fb_metrics_set(report->metrics, REPORT_SPOOL_BYTES, state.n_bytes);
    fb_metrics_set(report->metrics, REPORT_FOLDED, counts.folded);
}

static int report_open_spool(struct edge_report *report, const struct edge_report_options *options,
                             struct fb_diag *diag)
{
    enum { MODE = 0700 };
    FB_AUTO(fb_buf_done) struct fb_buf path = {0};

    fb_buf_printf(&path, "%.*s", FB_STR_ARG(options->folder));
    if (mkdir(path.ptr, MODE) < 0 && errno != EEXIST) {
        return fb_diag_set(diag, -errno, "make '%s': %s", path.ptr, fb_err_text(-errno));
    }
    fb_buf_printf(&path, "/reports.db");
    return edge_spool_open(&(struct edge_spool_options){.path = path.ptr,
                                                        .node = options->node,
                                                        .region = options->region,
                                                        .max_bytes = options->max_bytes,
                                                        .clock = options->clock},
                           &report->spool, diag);
}

int edge_report_open(const struct edge_report_options *options, struct edge_report **ret_report,
                     struct fb_diag *diag)
{
    struct edge_report *report = FB_NEW(struct edge_report);

    (void)pthread_mutex_init(&report->lock, NULL); /* cannot fail here */
    report->clock = options->clock;
    int err = report_open_spool(report, options, diag);
    if (err == FB_OK) {
        err = edge_receiver_open(report, options, diag);
    }
    if (err == FB_OK && options->n_targets > 0) {
        err = edge_sender_new(report, options, &report->sender, diag);
    }
    if (err < 0) {
        edge_report_close(report);
        return err;
    }
    edge_report_look(report, true);
    if (options->metrics != NULL) {
        report->metrics = fb_metrics_table_new(options->metrics, rows, REPORT_N_METRICS, NULL);
        fb_metrics_on_render(options->metrics, report_refresh, report);
    }
    *ret_report = report;
    return FB_OK;
}

int edge_report_start(struct edge_report *report, struct fb_diag *diag)
{
    int err = report->sender != NULL ? edge_sender_start(report->sender) : FB_OK;

    return err < 0 ? fb_diag_set(diag, err, "start a thread: %s", fb_err_text(err)) : FB_OK;
}

void edge_report_halt(struct edge_report *report)
{
    if (report != NULL && report->sender != NULL) {
        edge_sender_halt(report->sender);
    }
}

void edge_report_close(struct edge_report *report)
{
    if (report == NULL) {
        return;
    }
    edge_sender_free(report->sender);
    edge_receiver_close(report);
    edge_spool_close(report->spool);
    (void)pthread_mutex_destroy(&report->lock); /* nobody holds it */
    fb_free(report);
}

void edge_report_deliver(void *ctx, const struct fb_view_entry *entries, size_t n)
{
    struct edge_report *report = ctx;

    int err = edge_spool_add(report->spool, entries, n, NULL);
    if (err == FB_OK) {
        edge_report_count(report, REPORT_ENTRIES, n);
        edge_report_look(report, false);
        return;
    }
    edge_report_count(report, REPORT_DROPPED, n);
    FB_LOG(ERROR, "report", "entries are lost: the spool cannot take them",
           FB_LOG_INT("entries", n), FB_LOG_TEXT("error", fb_err_text(err)));
}

void edge_report_status(struct edge_report *report, struct fb_json *status)
{
    struct edge_spool_state state;
    struct edge_spool_counts counts;

    if (report == NULL) {
        return;
    }
    struct fb_json *json = fb_json_set_object(status, "reports");
    report_seen(report, &state, &counts);
    fb_json_set_str(json, "id", edge_spool_id(report->spool));
    fb_json_set_int(json, "pending", (int64_t)state.n_pending);
    fb_json_set_int(json, "sealed", (int64_t)state.n_sealed);
    fb_json_set_int(json, "streams", (int64_t)state.n_streams);
    fb_json_set_int(json, "peers", (int64_t)state.n_peers);
    fb_json_set_int(json, "bytes", (int64_t)state.n_bytes);
    if (state.oldest_minute >= 0) {
        fb_json_set_int(json, "oldest_pending_ms", state.oldest_minute * MS_A_MINUTE);
    }
    if (state.oldest_ms >= 0) {
        fb_json_set_int(json, "oldest_sealed_ms", state.oldest_ms);
    }
    fb_json_set_int(json, "added", (int64_t)counts.added);
    fb_json_set_int(json, "applied", (int64_t)counts.applied);
    fb_json_set_int(json, "repeated", (int64_t)counts.repeated);
    fb_json_set_int(json, "folded", (int64_t)counts.folded);
    if (report->sender != NULL) {
        edge_sender_status(report->sender, json);
    }
}
