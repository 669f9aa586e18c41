#include "base/server/exchange.h"

#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/metrics/metrics.h"
#include "base/server/problem.h"
#include "base/server/server_internal.h"

const struct fb_request_head *fb_exchange_request(const struct fb_exchange *exchange)
{
    return &exchange->request;
}

struct fb_arena *fb_exchange_arena(struct fb_exchange *exchange)
{
    return &exchange->arena;
}

struct fb_loop *fb_exchange_loop(const struct fb_exchange *exchange)
{
    return exchange->conn->server->loop;
}

struct fb_address fb_exchange_peer(const struct fb_exchange *exchange)
{
    const struct server_conn *conn = exchange->conn;

    return fb_conn_is_dead(conn) ? exchange->peer : fb_stream_peer(conn->stream);
}

struct fb_str fb_exchange_protocol(const struct fb_exchange *exchange)
{
    return exchange->request.version_minor == 0 ? FB_STR("HTTP/1.0")
                                                : exchange->conn->protocol->name;
}

const struct fb_tls_facts *fb_exchange_tls(const struct fb_exchange *exchange)
{
    const struct server_conn *conn = exchange->conn;

    return fb_conn_is_dead(conn) ? NULL : fb_stream_tls(conn->stream);
}

int64_t fb_exchange_body_length(const struct fb_exchange *exchange)
{
    return exchange->content_length;
}

struct fb_reader *fb_exchange_body(struct fb_exchange *exchange)
{
    return &exchange->content;
}

void fb_exchange_set_hooks(struct fb_exchange *exchange, const struct fb_exchange_hooks *hooks)
{
    exchange->hooks = *hooks;
}

void fb_exchange_pace(struct fb_exchange *exchange, uint64_t rate)
{
    exchange->pace = rate;
}

void fb_exchange_respond(struct fb_exchange *exchange, const struct fb_response *response)
{
    exchange->conn->protocol->respond(exchange, response);
}

/* ---- other protocols ------------------------------------------------------ */

bool fb_exchange_can_upgrade(const struct fb_exchange *exchange, struct fb_str protocol)
{
    const struct fb_request_head *request = &exchange->request;
    struct fb_str connection = fb_headers_find(&request->headers, FB_STR("Connection"));
    struct fb_str upgrade = fb_headers_find(&request->headers, FB_STR("Upgrade"));

    return exchange->conn->protocol->upgrades && request->version_minor >= 1 &&
           request->method == FB_METHOD_GET && exchange->content_length == 0 &&
           fb_list_has(connection, FB_STR("upgrade")) && fb_list_has(upgrade, protocol);
}

void fb_exchange_upgrade(struct fb_exchange *exchange, struct fb_str protocol,
                         const struct fb_headers *headers, struct fb_reader *body)
{
    struct fb_response response = {
        .status = 101,
        .headers = headers->items,
        .n_headers = headers->n,
        .body = body,
        .length = FB_LENGTH_UNKNOWN,
    };

    FB_REQUIRE(fb_exchange_can_upgrade(exchange, protocol));
    exchange->upgrade = protocol;
    fb_exchange_respond(exchange, &response);
}

/* ---- problem details (RFC 9457) ------------------------------------------ */

enum { PROBLEM_MAX_EXTRA = 3 };

/* `extra` (may be NULL) stands in the arena, or for ever. */
static void refuse_with(struct fb_exchange *exchange, unsigned status, const char *slug,
                        const char *detail, const struct fb_headers *extra, bool closes)
{
    size_t n_extra = extra != NULL ? extra->n : 0;
    const struct fb_server_options *options = &exchange->conn->server->options;
    struct fb_headers headers = {0};
    struct fb_buf json = {0};

    fb_headers_add(&headers, &exchange->arena, FB_STR("Content-Type"),
                   FB_STR("application/problem+json"));
    fb_headers_add(&headers, &exchange->arena, FB_STR("Cache-Control"), FB_STR("no-store"));
    for (size_t i = 0; i < n_extra; i++) {
        fb_headers_add(&headers, &exchange->arena, extra->items[i].name, extra->items[i].value);
    }
    if (exchange->is_refusal && options->refusing != NULL) {
        options->refusing(options->ctx, exchange, &headers);
    }
    fb_problem_json(&json, status, slug, fb_str_from(detail));
    struct fb_response response = {
        .status = status,
        .headers = headers.items,
        .n_headers = headers.n,
        .length = (int64_t)json.len,
        .closes = closes,
    };
    response.body = fb_reader_of_buf(&json);
    fb_exchange_respond(exchange, &response);
}

/* The fields of draft-ietf-httpapi-ratelimit-headers-10. */
static void refuse_rate(struct fb_exchange *exchange, const struct fb_clients_quota *quota)
{
    struct fb_buf text = {0};
    struct fb_header extra[PROBLEM_MAX_EXTRA] = {{.name = FB_STR("Retry-After")},
                                                 {.name = FB_STR("RateLimit-Policy")},
                                                 {.name = FB_STR("RateLimit")}};

    fb_buf_printf(&text, "%u", quota->wait_s);
    extra[0].value = fb_arena_dup(&exchange->arena, fb_buf_str(&text));
    fb_buf_clear(&text);
    fb_buf_printf(&text, "\"client\";q=%u;w=%u", quota->burst, quota->window_s);
    extra[1].value = fb_arena_dup(&exchange->arena, fb_buf_str(&text));
    fb_buf_clear(&text);
    fb_buf_printf(&text, "\"client\";r=0;t=%u", quota->wait_s);
    extra[2].value = fb_arena_dup(&exchange->arena, fb_buf_str(&text));
    fb_buf_done(&text);
    refuse_with(exchange, 429, "client-rate", "This client sends more requests than it may.",
                &(struct fb_headers){.items = extra, .n = PROBLEM_MAX_EXTRA}, false);
}

void fb_exchange_refuse(struct fb_exchange *exchange, unsigned status, const char *slug,
                        const char *detail, bool closes)
{
    refuse_with(exchange, status, slug, detail, NULL, closes);
}

void fb_exchange_problem(struct fb_exchange *exchange, unsigned status, const char *slug,
                         const char *detail)
{
    refuse_with(exchange, status, slug, detail, NULL, false);
}

/* ---- what every connection does ------------------------------------------ */

void fb_exchange_begin(struct fb_exchange *exchange, struct server_conn *conn)
{
    exchange->conn = conn;
    exchange->pace = 0;
    exchange->started_ns = fb_clock_mono_ns(fb_loop_clock(conn->server->loop));
    conn->n_requests++;
}

bool fb_exchange_admit(struct fb_exchange *exchange)
{
    struct fb_server *server = exchange->conn->server;
    struct fb_clients_quota quota;

    if (fb_clients_admit(server->options.clients, exchange->conn->client, &quota)) {
        return true;
    }
    fb_server_count(server, METRIC_REFUSED_RATE);
    exchange->is_refusal = true;
    refuse_rate(exchange, &quota);
    return false;
}

void fb_exchange_handle(struct fb_exchange *exchange)
{
    struct fb_server *server = exchange->conn->server;

    fb_server_count(server, METRIC_REQUESTS);
    server->options.handle(server->options.ctx, exchange);
}

void fb_exchange_reject(struct fb_exchange *exchange, unsigned status, const char *detail,
                        bool closes)
{
    static const struct {
        unsigned status;
        enum server_metric row;
    } causes[] = {
        {400, METRIC_REFUSED_MALFORMED}, {408, METRIC_TIMEOUT_HEAD},
        {413, METRIC_REFUSED_CONTENT},   {414, METRIC_REFUSED_TARGET},
        {417, METRIC_REFUSED_EXPECT},    {431, METRIC_REFUSED_FIELDS},
        {501, METRIC_REFUSED_VERSION},   {505, METRIC_REFUSED_VERSION},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(causes); i++) {
        if (causes[i].status == status) {
            fb_server_count(exchange->conn->server, causes[i].row);
        }
    }
    exchange->is_refusal = true;
    refuse_with(exchange, status, NULL, detail, NULL, closes);
}

void fb_exchange_abort(struct fb_exchange *exchange)
{
    if (exchange->is_aborted) {
        return;
    }
    exchange->is_aborted = true;
    fb_server_count(exchange->conn->server, METRIC_ABORTED);
    if (exchange->hooks.aborted != NULL) {
        exchange->hooks.aborted(exchange->hooks.ctx);
    }
}

static void count_outcome(const struct fb_exchange *exchange,
                          const struct fb_exchange_outcome *outcome)
{
    struct fb_metrics_table *metrics = exchange->conn->server->metrics;
    unsigned class = outcome->status / 100;

    if (metrics == NULL) {
        return;
    }
    if (class >= 2 && class <= 5) {
        fb_metrics_add(metrics, METRIC_RESPONSES_2XX + class - 2, 1);
    }
    fb_metrics_add(metrics, METRIC_BYTES, outcome->body_bytes);
    fb_metrics_observe_ns(metrics, METRIC_SECONDS, outcome->duration_ns);
    if (outcome->result < 0 && !exchange->is_aborted) {
        fb_metrics_add(metrics, METRIC_BROKEN, 1);
    }
}

void fb_exchange_finish(struct fb_exchange *exchange, int result, uint64_t body_bytes)
{
    uint64_t now_ns = fb_clock_mono_ns(fb_loop_clock(exchange->conn->server->loop));
    struct fb_exchange_outcome outcome = {
        .result = result,
        .status = exchange->status,
        .body_bytes = body_bytes,
        .duration_ns = now_ns - exchange->started_ns,
    };

    count_outcome(exchange, &outcome);
    if (exchange->hooks.finished != NULL) {
        exchange->hooks.finished(exchange->hooks.ctx, &outcome);
    }
}
