#include "edge/upstream/upstream.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "edge/upstream/upstream_internal.h"

static const struct fb_metric upstream_rows[UPSTREAM_N_METRICS] = {
    [UPSTREAM_REQUESTS] = {"edge_upstream_requests_total", FB_METRIC_COUNTER, NULL,
                           "Requests sent to this upstream."},
    [UPSTREAM_FAILURES] = {"edge_upstream_failures_total", FB_METRIC_COUNTER, NULL,
                           "Requests to this upstream that gave no usable answer."},
    [UPSTREAM_EJECTIONS] = {"edge_upstream_ejections_total", FB_METRIC_COUNTER, NULL,
                            "Times this upstream was ejected."},
    [UPSTREAM_BYTES] = {"edge_upstream_bytes_total", FB_METRIC_COUNTER, NULL,
                        "Bytes of content received from this upstream."},
    [UPSTREAM_UP] = {"edge_upstream_up", FB_METRIC_GAUGE, NULL,
                     "1 while this upstream is in service, 0 while it is ejected."},
};

static uint32_t upstreams_preset(uint32_t value, uint32_t preset)
{
    return value != 0 ? value : preset;
}

static int upstream_parse(struct fb_str text, struct fb_url *ret_url, struct fb_diag *diag)
{
    struct fb_url url;

    int err = fb_url_parse(text, &url, NULL);
    if (err < 0) {
        return fb_diag_set(diag, err, "'%.*s' is not of the form http://host:port",
                           FB_STR_ARG(text));
    }
    if (!fb_str_equal(url.scheme, FB_STR("http"))) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "only http:// is supported");
    }
    if (!fb_str_equal(url.target, FB_STR("/"))) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' has a path: http://host:port is expected",
                           FB_STR_ARG(text));
    }
    *ret_url = url;
    return FB_OK;
}

int edge_upstream_check_url(struct fb_str url, struct fb_diag *diag)
{
    struct fb_url parsed;

    return upstream_parse(url, &parsed, diag);
}

static int upstreams_add(struct edge_upstreams *upstreams, struct fb_str url, struct fb_diag *diag)
{
    struct upstream_server *server = &upstreams->servers[upstreams->n];

    server->text = fb_str_dup(url);
    upstreams->n++; /* from here on upstreams_free() sees to it */
    int err = upstream_parse(fb_str_from(server->text), &server->url, diag);
    if (err < 0) {
        return fb_diag_prefix(diag, err, "upstream '%.*s'", FB_STR_ARG(url));
    }
    if (upstreams->metrics != NULL) {
        FB_AUTO(fb_buf_done) struct fb_buf label = {0};
        fb_buf_printf(&label, "upstream=\"%.*s\"", FB_STR_ARG(url));
        server->metrics =
            fb_metrics_table_new(upstreams->metrics, upstream_rows, UPSTREAM_N_METRICS, label.ptr);
        fb_metrics_set(server->metrics, UPSTREAM_UP, 1);
    }
    return FB_OK;
}

int edge_upstreams_new(const struct edge_upstreams_options *options, const struct fb_clock *clock,
                       struct fb_metrics *metrics, struct edge_upstreams **ret_upstreams,
                       struct fb_diag *diag)
{
    FB_REQUIRE(options->n_urls >= 1 && options->n_urls <= EDGE_UPSTREAMS_MAX);
    struct edge_upstreams *upstreams = FB_NEW(struct edge_upstreams);

    upstreams->clock = clock;
    upstreams->metrics = metrics;
    upstreams->node = fb_str_dup(options->node);
    upstreams->options = (struct edge_upstreams_options){
        .connect_timeout_ms = upstreams_preset(options->connect_timeout_ms, 2000),
        .head_timeout_ms = upstreams_preset(options->head_timeout_ms, 15000),
        .body_timeout_ms = upstreams_preset(options->body_timeout_ms, 15000),
        .max_connections = upstreams_preset(options->max_connections, 256),
        .eject_after = upstreams_preset(options->eject_after, 3),
        .eject_min_ms = upstreams_preset(options->eject_min_ms, 1000),
        .eject_max_ms = upstreams_preset(options->eject_max_ms, 30000),
    };
    for (size_t i = 0; i < options->n_urls; i++) {
        int err = upstreams_add(upstreams, options->urls[i], diag);
        if (err < 0) {
            edge_upstreams_free(upstreams);
            return err;
        }
    }
    *ret_upstreams = upstreams;
    return FB_OK;
}

void edge_upstreams_free(struct edge_upstreams *upstreams)
{
    if (upstreams == NULL) {
        return;
    }
    for (size_t i = 0; i < upstreams->n; i++) {
        fb_free(upstreams->servers[i].text);
    }
    fb_free(upstreams->node);
    fb_free(upstreams);
}

size_t edge_upstreams_count(const struct edge_upstreams *upstreams)
{
    return upstreams->n;
}

struct fb_str edge_upstreams_url(const struct edge_upstreams *upstreams, size_t index)
{
    FB_REQUIRE(index < upstreams->n);
    return fb_str_from(upstreams->servers[index].text);
}

bool edge_upstreams_is_up(const struct edge_upstreams *upstreams, size_t index)
{
    FB_REQUIRE(index < upstreams->n);
    return atomic_load(&upstreams->servers[index].due_ms) == 0;
}

/* ---- health ------------------------------------------------------------ */

static void server_count(struct upstream_server *server, enum upstream_metric row)
{
    if (server->metrics != NULL) {
        fb_metrics_add(server->metrics, row, 1);
    }
}

enum upstream_chance edge_upstreams_chance(struct edge_upstreams *upstreams, size_t index)
{
    struct upstream_server *server = &upstreams->servers[index];
    uint64_t due = atomic_load(&server->due_ms);
    uint64_t now = fb_clock_mono_ms(upstreams->clock);

    if (due == 0) {
        return UPSTREAM_READY;
    }
    if (now < due) {
        return UPSTREAM_EJECTED;
    }
    /* Whoever moves the date is the one to probe; should it vanish without
     * telling how it went, the next one's turn comes a period later. */
    uint64_t next = now + atomic_load(&server->period_ms);
    return atomic_compare_exchange_strong(&server->due_ms, &due, next) ? UPSTREAM_PROBE
                                                                       : UPSTREAM_EJECTED;
}

void edge_upstreams_answered(struct edge_upstreams *upstreams, size_t index)
{
    struct upstream_server *server = &upstreams->servers[index];

    server_count(server, UPSTREAM_REQUESTS);
    if (atomic_load(&server->due_ms) == 0) {
        return;
    }
    atomic_store(&server->failures, 0);
    atomic_store(&server->period_ms, 0);
    if (atomic_exchange(&server->due_ms, 0) != 0) {
        if (server->metrics != NULL) {
            fb_metrics_set(server->metrics, UPSTREAM_UP, 1);
        }
        FB_LOG(INFO, "upstream", "an upstream answers again and is back in service",
               FB_LOG_TEXT("url", server->text));
    }
}

static void server_eject(struct edge_upstreams *upstreams, struct upstream_server *server,
                         uint64_t due)
{
    const struct edge_upstreams_options *options = &upstreams->options;
    uint32_t period = atomic_load(&server->period_ms);

    period = period == 0 ? options->eject_min_ms : FB_MIN(period * 2, options->eject_max_ms);
    uint64_t next = fb_clock_mono_ms(upstreams->clock) + period;
    if (!atomic_compare_exchange_strong(&server->due_ms, &due, next)) {
        return; /* another loop came to the same conclusion */
    }
    atomic_store(&server->period_ms, period);
    server_count(server, UPSTREAM_EJECTIONS);
    if (server->metrics != NULL) {
        fb_metrics_set(server->metrics, UPSTREAM_UP, 0);
    }
    FB_LOG(WARN, "upstream", "an upstream keeps failing and is tried last for a while",
           FB_LOG_TEXT("url", server->text), FB_LOG_INT("period_ms", period));
}

void edge_upstreams_failed(struct edge_upstreams *upstreams, size_t index, bool is_probe)
{
    struct upstream_server *server = &upstreams->servers[index];
    unsigned failures = atomic_fetch_add(&server->failures, 1) + 1;
    uint64_t due = atomic_load(&server->due_ms);

    server_count(server, UPSTREAM_REQUESTS);
    server_count(server, UPSTREAM_FAILURES);
    /* Requests that were under way when it was ejected say nothing new. */
    if (due == 0 ? failures >= upstreams->options.eject_after : is_probe) {
        server_eject(upstreams, server, due);
    }
}

void edge_upstreams_ended(struct edge_upstreams *upstreams, size_t index)
{
    atomic_uint *failures = &upstreams->servers[index].failures;

    if (atomic_load_explicit(failures, memory_order_relaxed) != 0) {
        atomic_store(failures, 0);
    }
}

void edge_upstreams_received(struct edge_upstreams *upstreams, size_t index, size_t n)
{
    if (upstreams->metrics != NULL) {
        fb_metrics_add(upstreams->servers[index].metrics, UPSTREAM_BYTES, n);
    }
}

void edge_upstreams_broke(struct edge_upstreams *upstreams, size_t index)
{
    struct upstream_server *server = &upstreams->servers[index];

    server_count(server, UPSTREAM_FAILURES);
    unsigned failures = atomic_fetch_add(&server->failures, 1) + 1;
    if (atomic_load(&server->due_ms) == 0 && failures >= upstreams->options.eject_after) {
        server_eject(upstreams, server, 0);
    }
}
