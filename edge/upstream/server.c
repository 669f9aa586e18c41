#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "edge/upstream/upstream_internal.h"

#include <stdio.h>

#define OUT_ROW(cause)                                                    \
    {                                                                     \
        "edge_upstream_out", FB_METRIC_GAUGE, "cause=\"" cause "\"",      \
            "1 while this upstream is out of service: for failures in a " \
            "row, for the share of them (open), for its checks."          \
    }

static const struct fb_metric server_rows[UPSTREAM_N_METRICS] = {
    [UPSTREAM_REQUESTS] = {"edge_upstream_requests_total", FB_METRIC_COUNTER, NULL,
                           "Requests sent to this upstream."},
    [UPSTREAM_FAILURES] = {"edge_upstream_failures_total", FB_METRIC_COUNTER, NULL,
                           "Requests to this upstream that gave no usable answer."},
    [UPSTREAM_EJECTIONS] = {"edge_upstream_ejections_total", FB_METRIC_COUNTER, NULL,
                            "Times this upstream was ejected."},
    [UPSTREAM_RETRIES] = {"edge_upstream_retries_total", FB_METRIC_COUNTER, NULL,
                          "Requests sent to this upstream after another one had failed."},
    [UPSTREAM_HEDGES] = {"edge_upstream_hedges_total", FB_METRIC_COUNTER, NULL,
                         "Requests sent to this upstream because another one was slow."},
    [UPSTREAM_HEDGES_WON] = {"edge_upstream_hedges_won_total", FB_METRIC_COUNTER, NULL,
                             "Those of them that were answered first."},
    [UPSTREAM_CHECKS_FAILED] = {"edge_upstream_checks_failed_total", FB_METRIC_COUNTER, NULL,
                                "Active checks that this upstream failed."},
    [UPSTREAM_BYTES] = {"edge_upstream_bytes_total", FB_METRIC_COUNTER, NULL,
                        "Bytes of content received from this upstream."},
    [UPSTREAM_HEAD_TIME] = {"edge_upstream_head_seconds", FB_METRIC_HISTOGRAM, NULL,
                            "From a request to the head of its response."},
    [UPSTREAM_UNDER_WAY] = {"edge_upstream_requests_under_way", FB_METRIC_GAUGE, NULL,
                            "Requests to this upstream whose response has not ended."},
    [UPSTREAM_UP] = {"edge_upstream_up", FB_METRIC_GAUGE, NULL,
                     "1 while this upstream is in service, 0 while it is out of it."},
    [UPSTREAM_OUT_EJECTED] = OUT_ROW("failures"),
    [UPSTREAM_OUT_OPEN] = OUT_ROW("share"),
    [UPSTREAM_OUT_CHECKS] = OUT_ROW("checks"),
};

/* Recent answers, and how many of them were failures, in one word: 16 bits each. Both
 * are halved when they get large, so that what is old fades. */
enum { ANSWERS_LEAST = 20, ANSWERS_HALVE = 100 };

/* The share of its keys with which a server starts, in thousandths. */
enum { SLOW_LEAST_SHARE = 50 };

struct edge_server *edge_server_new(struct fb_str text, struct fb_metrics *metrics)
{
    struct edge_server *server = FB_NEW(struct edge_server);

    server->text = fb_str_dup(text);
    FB_IGNORE(fb_url_parse(fb_str_from(server->text), &server->url, NULL)); /* was checked */
    server->id = edge_choice_id(text);
    if (metrics != NULL) {
        FB_AUTO(fb_buf_done) struct fb_buf label = {0};
        fb_metrics_label(&label, "upstream", text);
        server->metrics = fb_metrics_table_new(metrics, server_rows, UPSTREAM_N_METRICS, label.ptr);
        fb_metrics_set(server->metrics, UPSTREAM_UP, 1);
    }
    return server;
}

void edge_server_free(struct edge_server *server)
{
    fb_free(server->text);
    fb_free(server);
}

void edge_server_count(struct edge_server *server, enum upstream_metric row)
{
    if (server->metrics != NULL) {
        fb_metrics_add(server->metrics, row, 1);
    }
}

static uint64_t server_now_ms(const struct edge_upstreams *upstreams)
{
    return fb_clock_mono_ms(upstreams->clock);
}

/* ---- what may be asked of it ------------------------------------------- */

static bool server_is_full(struct edge_upstreams *upstreams, struct edge_server *server)
{
    uint32_t most = edge_upstreams_options(upstreams)->max_requests;

    return most != 0 && atomic_load(&server->n_under_way) >= most;
}

static uint32_t server_share(struct edge_upstreams *upstreams, struct edge_server *server)
{
    uint64_t since = atomic_load(&server->slow_ms);
    uint32_t period = edge_upstreams_options(upstreams)->slow_start_ms;
    uint64_t now = server_now_ms(upstreams);

    if (since == 0 || period == 0 || now - since >= period) {
        return EDGE_SHARE_ALL;
    }
    return FB_MAX((uint32_t)((now - since) * EDGE_SHARE_ALL / period), SLOW_LEAST_SHARE);
}

static bool server_rests(struct edge_upstreams *upstreams, struct edge_server *server)
{
    uint64_t until = atomic_load(&server->rest_ms);

    return until != 0 && server_now_ms(upstreams) < until;
}

static enum edge_fitness server_fitness(struct edge_upstreams *upstreams,
                                        struct edge_server *server)
{
    uint64_t due = atomic_load(&server->due_ms);

    if (server_is_full(upstreams, server)) {
        return EDGE_FIT_NEVER;
    }
    if (atomic_load(&server->is_unwell) || server_rests(upstreams, server)) {
        return EDGE_FIT_IN_NEED;
    }
    if (due == 0) {
        return EDGE_FIT;
    }
    return server_now_ms(upstreams) < due ? EDGE_FIT_IN_NEED : EDGE_FIT_TO_PROBE;
}

struct edge_candidate edge_server_candidate(struct edge_upstreams *upstreams,
                                            const struct pool_member *member)
{
    return (struct edge_candidate){
        .id = member->server->id,
        .weight = member->weight,
        .load = atomic_load(&member->server->n_under_way),
        .share = server_share(upstreams, member->server),
        .is_regional = member->tier == EDGE_TIER_REGIONAL,
        .fitness = server_fitness(upstreams, member->server),
    };
}

bool edge_server_claim(struct edge_upstreams *upstreams, struct edge_server *server)
{
    uint64_t due = atomic_load(&server->due_ms);
    uint64_t now = server_now_ms(upstreams);

    if (due == 0 || now < due) {
        return false;
    }
    /* Whoever moves the date is the one to probe; should it vanish without
     * telling how it went, the next one's turn comes a period later. */
    uint64_t next = now + atomic_load(&server->period_ms);
    if (!atomic_compare_exchange_strong(&server->due_ms, &due, next)) {
        return false;
    }
    atomic_store(&server->is_probing, true);
    return true;
}

enum edge_upstream_state edge_server_state(struct edge_upstreams *upstreams,
                                           struct edge_server *server)
{
    if (atomic_load(&server->is_unwell)) {
        return EDGE_UPSTREAM_EJECTED;
    }
    if (atomic_load(&server->due_ms) != 0) {
        return atomic_load(&server->is_probing) ? EDGE_UPSTREAM_PROBING
               : atomic_load(&server->is_open)  ? EDGE_UPSTREAM_OPEN
                                                : EDGE_UPSTREAM_EJECTED;
    }
    if (server_rests(upstreams, server)) {
        return EDGE_UPSTREAM_RESTING;
    }
    if (server_is_full(upstreams, server)) {
        return EDGE_UPSTREAM_FULL;
    }
    return server_share(upstreams, server) < EDGE_SHARE_ALL ? EDGE_UPSTREAM_SLOW_START
                                                            : EDGE_UPSTREAM_UP;
}

int64_t edge_server_until_ms(struct edge_upstreams *upstreams, struct edge_server *server)
{
    enum edge_upstream_state state = edge_server_state(upstreams, server);
    uint64_t now = server_now_ms(upstreams);
    uint64_t until = 0;

    if (atomic_load(&server->is_unwell)) {
        return 0;
    }
    if (state == EDGE_UPSTREAM_EJECTED || state == EDGE_UPSTREAM_OPEN) {
        until = atomic_load(&server->due_ms);
    } else if (state == EDGE_UPSTREAM_RESTING) {
        until = atomic_load(&server->rest_ms);
    }
    return until > now ? fb_clock_wall_ms(upstreams->clock) + (int64_t)(until - now) : 0;
}

/* ---- what it said ------------------------------------------------------ */

void edge_server_tell(struct edge_upstreams *upstreams, struct edge_server *server,
                      const char *what)
{
    int64_t now_ms = fb_clock_wall_ms(upstreams->clock);

    (void)pthread_mutex_lock(&upstreams->lock);
    (void)snprintf(server->error, sizeof(server->error), "%s", what);
    server->error_ms = now_ms;
    (void)pthread_mutex_unlock(&upstreams->lock);
}

void edge_server_said(struct edge_upstreams *upstreams, struct edge_server *server, unsigned status,
                      struct fb_str target)
{
    char what[sizeof("answered 000")];

    if (status < 500) {
        if (atomic_load_explicit(&server->n_errors, memory_order_relaxed) != 0) {
            unsigned n = atomic_exchange(&server->n_errors, 0);
            FB_LOG(INFO, "upstream", "an upstream answers without errors again",
                   FB_LOG_TEXT("url", server->text), FB_LOG_INT("errors", n));
        }
        return;
    }
    (void)snprintf(what, sizeof(what), "answered %u", status % 1000);
    edge_server_tell(upstreams, server, what);
    if (atomic_fetch_add(&server->n_errors, 1) == 0) {
        FB_LOG(WARN, "upstream",
               "an upstream answers with errors; until it does not, further ones are counted only",
               FB_LOG_TEXT("url", server->text), FB_LOG_INT("status", status),
               FB_LOG_STR("target", target));
    }
}

void edge_server_spoke(struct edge_server *server, bool is_http2)
{
    const char *protocol = is_http2 ? "HTTP/2" : "HTTP/1.1";

    /* Seldom another one, so the line stays with whoever reads it. */
    if (atomic_load_explicit(&server->spoken, memory_order_relaxed) != protocol) {
        atomic_store_explicit(&server->spoken, protocol, memory_order_relaxed);
    }
}

/* ---- how it went ------------------------------------------------------- */

void edge_server_enter(struct edge_server *server)
{
    atomic_fetch_add(&server->n_under_way, 1);
    edge_server_count(server, UPSTREAM_UNDER_WAY);
}

void edge_server_leave(struct edge_server *server)
{
    atomic_fetch_sub(&server->n_under_way, 1);
    if (server->metrics != NULL) {
        fb_metrics_sub(server->metrics, UPSTREAM_UNDER_WAY, 1);
    }
}

void edge_server_took(struct edge_server *server, uint64_t us)
{
    edge_delays_add(&server->delays, us);
    if (server->metrics != NULL) {
        fb_metrics_observe_ns(server->metrics, UPSTREAM_HEAD_TIME, us * 1000);
    }
}

static void server_show(struct edge_server *server)
{
    bool is_out = atomic_load(&server->due_ms) != 0;
    bool is_open = is_out && atomic_load(&server->is_open);
    bool is_unwell = atomic_load(&server->is_unwell);

    if (server->metrics != NULL) {
        fb_metrics_set(server->metrics, UPSTREAM_UP, is_out || is_unwell ? 0 : 1);
        fb_metrics_set(server->metrics, UPSTREAM_OUT_EJECTED, is_out && !is_open ? 1 : 0);
        fb_metrics_set(server->metrics, UPSTREAM_OUT_OPEN, is_open ? 1 : 0);
        fb_metrics_set(server->metrics, UPSTREAM_OUT_CHECKS, is_unwell ? 1 : 0);
    }
}

/* Another answer; true if too many of late were failures. */
static bool server_note(struct edge_upstreams *upstreams, struct edge_server *server,
                        bool has_failed)
{
    uint32_t share = edge_upstreams_options(upstreams)->failure_share;
    unsigned before = atomic_load_explicit(&server->answers, memory_order_relaxed);
    unsigned n = 0;
    unsigned n_failed = 0;

    do {
        n = (before >> 16) + 1;
        n_failed = (before & 0xffffU) + (has_failed ? 1 : 0);
        if (n >= ANSWERS_HALVE) {
            n /= 2;
            n_failed /= 2;
        }
    } while (!atomic_compare_exchange_weak(&server->answers, &before, n << 16 | n_failed));
    return has_failed && share != 0 && n >= ANSWERS_LEAST && n_failed * 100 >= n * share;
}

/* Out of service, which `due` was before. */
static void server_eject(struct edge_upstreams *upstreams, struct edge_server *server, uint64_t due,
                         bool is_open)
{
    const struct edge_upstreams_options *options = edge_upstreams_options(upstreams);
    uint32_t period = atomic_load(&server->period_ms);

    period = period == 0 ? options->eject_min_ms : FB_MIN(period * 2, options->eject_max_ms);
    uint64_t next = server_now_ms(upstreams) + period;
    if (!atomic_compare_exchange_strong(&server->due_ms, &due, next)) {
        return; /* another loop came to the same conclusion */
    }
    atomic_store(&server->period_ms, period);
    atomic_store(&server->is_open, is_open);
    atomic_store(&server->is_probing, false);
    atomic_store(&server->answers, 0);
    edge_server_count(server, UPSTREAM_EJECTIONS);
    server_show(server);
    FB_LOG(WARN, "upstream", "an upstream keeps failing and is tried last for a while",
           FB_LOG_TEXT("url", server->text), FB_LOG_INT("period_ms", period),
           FB_LOG_TEXT("cause", is_open ? "share of failures" : "failures in a row"));
}

void edge_server_answered(struct edge_upstreams *upstreams, struct edge_server *server,
                          bool is_useless, bool is_probe)
{
    edge_server_count(server, UPSTREAM_REQUESTS);
    bool is_bad = server_note(upstreams, server, is_useless);
    uint64_t due = atomic_load(&server->due_ms);
    if (due == 0) {
        if (is_bad) {
            server_eject(upstreams, server, 0, true);
        }
        return;
    }
    if (is_useless && atomic_load(&server->is_open)) {
        if (is_probe) {
            server_eject(upstreams, server, due, true); /* no better than it was */
        }
        return;
    }
    atomic_store(&server->failures, 0);
    atomic_store(&server->period_ms, 0);
    atomic_store(&server->is_probing, false);
    if (atomic_exchange(&server->due_ms, 0) != 0) {
        atomic_store(&server->slow_ms, FB_MAX(server_now_ms(upstreams), 1));
        server_show(server);
        FB_LOG(INFO, "upstream", "an upstream answers again and is back in service",
               FB_LOG_TEXT("url", server->text));
    }
}

void edge_server_failed(struct edge_upstreams *upstreams, struct edge_server *server, bool is_probe)
{
    unsigned failures = atomic_fetch_add(&server->failures, 1) + 1;
    uint64_t due = atomic_load(&server->due_ms);

    edge_server_count(server, UPSTREAM_REQUESTS);
    edge_server_count(server, UPSTREAM_FAILURES);
    bool is_open = server_note(upstreams, server, true);
    bool is_row = failures >= edge_upstreams_options(upstreams)->eject_after;
    /* Requests that were under way when it was ejected say nothing new. */
    if (due == 0 ? is_row || is_open : is_probe) {
        server_eject(upstreams, server, due, due == 0 ? !is_row : atomic_load(&server->is_open));
    }
}

/* What it answers meanwhile to those who have nobody else to ask does not end it: who is
 * overloaded refuses some and serves others. */
void edge_server_rest(struct edge_upstreams *upstreams, struct edge_server *server,
                      uint64_t rest_ms)
{
    uint64_t now = server_now_ms(upstreams);
    uint64_t bounded = FB_MIN(rest_ms, (uint64_t)edge_upstreams_options(upstreams)->eject_max_ms);
    uint64_t before = atomic_load(&server->rest_ms);

    while (before < now + bounded &&
           !atomic_compare_exchange_weak(&server->rest_ms, &before, now + bounded)) {
    }
    if (bounded > 0 && before <= now) {
        FB_LOG(INFO, "upstream", "an upstream asks to be left alone and is tried last for a while",
               FB_LOG_TEXT("url", server->text), FB_LOG_INT("period_ms", bounded));
    }
}

void edge_server_overtaken(struct edge_upstreams *upstreams, struct edge_server *server)
{
    edge_server_count(server, UPSTREAM_REQUESTS);
    if (server_note(upstreams, server, true) && atomic_load(&server->due_ms) == 0) {
        server_eject(upstreams, server, 0, true);
    }
}

void edge_server_unprobed(struct edge_server *server)
{
    atomic_store(&server->is_probing, false);
}

void edge_server_ended(struct edge_server *server)
{
    if (atomic_load_explicit(&server->failures, memory_order_relaxed) != 0) {
        atomic_store(&server->failures, 0);
    }
}

void edge_server_received(struct edge_server *server, size_t n)
{
    if (server->metrics != NULL) {
        fb_metrics_add(server->metrics, UPSTREAM_BYTES, n);
    }
}

void edge_server_broke(struct edge_upstreams *upstreams, struct edge_server *server)
{
    edge_server_count(server, UPSTREAM_FAILURES);
    unsigned failures = atomic_fetch_add(&server->failures, 1) + 1;
    bool is_open = server_note(upstreams, server, true);
    bool is_row = failures >= edge_upstreams_options(upstreams)->eject_after;
    if (atomic_load(&server->due_ms) == 0 && (is_row || is_open)) {
        server_eject(upstreams, server, 0, !is_row);
    }
}

void edge_server_checked(struct edge_upstreams *upstreams, struct edge_server *server,
                         bool has_passed)
{
    const struct edge_upstreams_options *options = edge_upstreams_options(upstreams);
    bool is_unwell = atomic_load(&server->is_unwell);

    server->n_passed = has_passed ? server->n_passed + 1 : 0;
    server->n_failed = has_passed ? 0 : server->n_failed + 1;
    if (!has_passed) {
        edge_server_count(server, UPSTREAM_CHECKS_FAILED);
        edge_server_tell(upstreams, server, "failed a check");
    }
    if (!is_unwell && server->n_failed >= options->check_unhealthy) {
        atomic_store(&server->is_unwell, true);
        edge_server_count(server, UPSTREAM_EJECTIONS);
        server_show(server);
        FB_LOG(WARN, "upstream", "an upstream fails its checks and is tried last",
               FB_LOG_TEXT("url", server->text));
    } else if (is_unwell && server->n_passed >= options->check_healthy) {
        atomic_store(&server->slow_ms, FB_MAX(server_now_ms(upstreams), 1));
        atomic_store(&server->is_unwell, false);
        server_show(server);
        FB_LOG(INFO, "upstream", "an upstream passes its checks and is back in service",
               FB_LOG_TEXT("url", server->text));
    }
}

void edge_server_unchecked(struct edge_server *server)
{
    atomic_store(&server->is_unwell, false);
    server_show(server);
}
