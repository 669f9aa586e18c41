#include "base/server/exchange.h"

#include "base/server/problem.h"
#include "base/server/server_internal.h"

const struct fb_request_head *fb_exchange_request(const struct fb_exchange *exchange)
{
    return &exchange->request.head;
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

int64_t fb_exchange_body_length(const struct fb_exchange *exchange)
{
    switch (exchange->request.framing) {
    case FB_HTTP1_LENGTH:
        return (int64_t)exchange->request.length;
    case FB_HTTP1_CHUNKED:
    case FB_HTTP1_UNTIL_CLOSE:
        return FB_LENGTH_UNKNOWN;
    case FB_HTTP1_EMPTY:
        break;
    }
    return 0;
}

struct fb_reader *fb_exchange_body(struct fb_exchange *exchange)
{
    return &exchange->content.reader;
}

void fb_exchange_set_hooks(struct fb_exchange *exchange, const struct fb_exchange_hooks *hooks)
{
    exchange->hooks = *hooks;
}

void fb_exchange_respond(struct fb_exchange *exchange, const struct fb_response *response)
{
    fb_send_response(exchange, response);
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

void fb_exchange_refuse(struct fb_exchange *exchange, unsigned status, const char *slug,
                        const char *detail, bool closes)
{
    refuse_with(exchange, status, slug, detail, NULL, closes);
}

/* The fields of draft-ietf-httpapi-ratelimit-headers-10. */
void fb_exchange_refuse_rate(struct fb_exchange *exchange, const struct fb_clients_quota *quota)
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

void fb_exchange_problem(struct fb_exchange *exchange, unsigned status, const char *slug,
                         const char *detail)
{
    fb_exchange_refuse(exchange, status, slug, detail, false);
}
