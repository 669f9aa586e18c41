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

    return fb_conn_is_dead(conn) ? (struct fb_address){.len = 0} : fb_stream_peer(conn->stream);
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

void fb_exchange_refuse(struct fb_exchange *exchange, unsigned status, const char *slug,
                        const char *detail, bool closes)
{
    static const struct fb_header headers[] = {
        {FB_STR("Content-Type"), FB_STR("application/problem+json")},
        {FB_STR("Cache-Control"), FB_STR("no-store")},
    };
    struct fb_buf json = {0};

    fb_problem_json(&json, status, slug, fb_str_from(detail));
    struct fb_response response = {
        .status = status,
        .headers = headers,
        .n_headers = FB_ARRAY_LEN(headers),
        .length = (int64_t)json.len,
        .closes = closes,
    };
    response.body = fb_reader_of_buf(&json);
    fb_exchange_respond(exchange, &response);
}

void fb_exchange_problem(struct fb_exchange *exchange, unsigned status, const char *slug,
                         const char *detail)
{
    fb_exchange_refuse(exchange, status, slug, detail, false);
}
