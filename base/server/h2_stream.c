#include "base/core/check.h"
#include "base/core/err.h"
#include "base/server/h2_internal.h"

/* ---- life ---------------------------------------------------------------- */

static void on_body_ready(struct fb_op *op);
static void on_end(struct fb_op *op);

struct h2_stream *fb_h2_stream_new(struct h2_conn *conn)
{
    struct fb_server *server = conn->base.server;
    struct fb_exchange *exchange = fb_server_take_exchange(
        &server->h2_pool, sizeof(struct h2_stream), sizeof(struct h2_stream));
    struct h2_stream *stream = FB_CONTAINER_OF(exchange, struct h2_stream, base);

    stream->base.conn = &conn->base;
    stream->conn = conn;
    stream->part.arena = &stream->base.arena;
    stream->opened_ms = fb_loop_now_ms(server->loop);
    fb_list_init(&stream->link);
    fb_list_init(&stream->note);
    fb_list_append(&conn->streams, &stream->link);
    fb_op_init(&stream->body_wait, server->loop, on_body_ready);
    fb_op_init(&stream->end, server->loop, on_end);
    if (conn->n_streams++ == 0) {
        fb_h2_watch_streams(conn);
    }
    return stream;
}

static void free_if_done(struct h2_stream *stream)
{
    struct h2_conn *conn = stream->conn;

    if (!stream->part.is_closed || (stream->is_handled && !stream->is_over) ||
        !fb_op_is_idle(&stream->body_wait) || !fb_op_is_idle(&stream->end)) {
        return;
    }
    fb_h2_content_drop(stream);
    conn->n_heads_bytes -= stream->n_head_bytes;
    if (conn->newest == stream) {
        conn->newest = NULL;
    }
    fb_list_remove(&stream->link);
    fb_list_remove(&stream->note);
    fb_server_give_exchange(&conn->base.server->h2_pool, &stream->base);
    fb_h2_stream_gone(conn);
}

void fb_h2_stream_count(struct h2_stream *stream, size_t n_bytes)
{
    stream->n_head_bytes += n_bytes;
    stream->conn->n_heads_bytes += n_bytes;
}

void fb_h2_stream_note(struct h2_stream *stream)
{
    fb_list_remove(&stream->note);
    fb_list_append(&stream->conn->news, &stream->note);
}

/* ---- the request --------------------------------------------------------- */

static const char *detail_of(unsigned status)
{
    switch (status) {
    case 414:
    case 431:
        return "The request's head is larger than this server takes.";
    case 417:
        return "Only 100-continue can be expected of this server.";
    case 501:
        return "The method is not supported.";
    default:
        return "The request is not well-formed.";
    }
}

static void hand_over(struct h2_stream *stream)
{
    struct fb_exchange *exchange = &stream->base;
    const struct fb_server_limits *limits = &stream->conn->base.server->options.limits;

    stream->is_ready = false;
    stream->is_handled = true;
    exchange->request = stream->part.request;
    exchange->content_length = stream->part.content_length;
    fb_exchange_begin(exchange, &stream->conn->base);
    fb_h2_content_init(stream);
    if (stream->conn->base.n_requests >= limits->max_requests) {
        fb_h2_shut_down(stream->conn);
    }
    if (!fb_exchange_admit(exchange)) {
        return;
    }
    if (stream->part.status != 0) {
        fb_exchange_reject(exchange, stream->part.status, detail_of(stream->part.status), false);
    } else if (exchange->content_length > 0 &&
               (uint64_t)exchange->content_length > limits->max_body_bytes) {
        fb_exchange_reject(exchange, 413, "The content is larger than this server takes.", false);
    } else {
        fb_exchange_handle(exchange);
    }
}

void fb_h2_stream_settle(struct h2_stream *stream)
{
    if (!stream->part.is_closed) {
        if (stream->is_ready) {
            hand_over(stream);
        }
        return;
    }
    if (!stream->is_handled || stream->is_over) {
        free_if_done(stream);
        return;
    }
    fb_h2_content_wake(stream);
    if (!stream->base.has_responded) {
        fb_exchange_abort(&stream->base);
    } else if (fb_op_is_idle(&stream->end)) {
        fb_h2_stream_end(stream, stream->part.body_err < 0 ? stream->part.body_err : FB_E_CLOSED);
    }
}

/* ---- the response -------------------------------------------------------- */

/* What the responses under way may take together. */
static void set_pace(struct h2_conn *conn)
{
    uint64_t rate = 0;

    if (!conn->has_paces) {
        return;
    }
    FB_LIST_EACH(node, &conn->streams) {
        struct h2_stream *stream = FB_CONTAINER_OF(node, struct h2_stream, link);
        if (stream->base.has_responded && !stream->is_over && stream->body != NULL) {
            if (stream->base.pace == 0) {
                rate = 0;
                break;
            }
            rate += stream->base.pace;
        }
    }
    fb_pace_set(&conn->base, rate);
}

void fb_h2_stream_end(struct h2_stream *stream, int result)
{
    struct h2_conn *conn = stream->conn;
    bool is_alive = !fb_conn_is_dead(&conn->base);

    fb_op_cancel(&stream->body_wait);
    fb_reader_close(stream->body);
    stream->body = NULL;
    stream->is_over = true;
    if (is_alive) {
        set_pace(conn);
    }
    fb_exchange_finish(&stream->base, result,
                       is_alive ? fb_http2_n_sent(conn->session, &stream->part) : stream->n_sent);
    if (is_alive && !stream->part.is_closed && !stream->part.has_all_content) {
        fb_http2_reset(conn->session, &stream->part); /* what it still sends nobody reads */
    }
    free_if_done(stream);
}

static void on_end(struct fb_op *op)
{
    fb_h2_stream_end(FB_CONTAINER_OF(op, struct h2_stream, end), op->result);
}

static void end_later(struct h2_stream *stream, int result)
{
    fb_op_begin(&stream->end, NULL);
    fb_op_finish(&stream->end, result);
}

static void on_body_ready(struct fb_op *op)
{
    struct h2_stream *stream = FB_CONTAINER_OF(op, struct h2_stream, body_wait);

    if (stream->is_over) {
        free_if_done(stream);
    } else if (!stream->part.is_closed) {
        fb_http2_resume(stream->conn->session, &stream->part);
        fb_h2_flush_soon(stream->conn);
    }
}

/* Settles what the head says of the content, and drops a body that may not be sent. */
static void choose_content(struct h2_stream *stream, const struct fb_response *response,
                           struct fb_http2_response *out)
{
    enum fb_method method = stream->base.request.method;

    out->length = response->length;
    out->body = response->body;
    if (fb_status_has_no_content(response->status, method)) {
        out->says_length = response->length != FB_LENGTH_UNKNOWN && response->status != 204 &&
                           (method == FB_METHOD_HEAD || response->length > 0);
        out->body = NULL;
    } else if (response->body == NULL || response->length == 0) {
        out->says_length = true;
        out->length = 0;
        out->body = NULL;
    } else {
        out->says_length = response->length > 0;
    }
    if (out->body == NULL) {
        fb_reader_close(response->body);
    }
    stream->body = out->body;
}

void fb_h2_respond(struct fb_exchange *exchange, const struct fb_response *response)
{
    struct h2_stream *stream = FB_CONTAINER_OF(exchange, struct h2_stream, base);
    struct h2_conn *conn = stream->conn;
    struct fb_header extra[2];
    struct fb_http2_response out = {
        .status = response->status,
        .headers = response->headers,
        .n_headers = response->n_headers,
        .n_checked = response->n_checked,
        .lines = response->lines,
        .n_lines = response->n_lines,
        .extra = extra,
    };

    FB_REQUIRE(!exchange->has_responded);
    FB_REQUIRE(response->status >= 200 && response->status <= 599);
    exchange->has_responded = true;
    exchange->status = response->status;
    choose_content(stream, response, &out);
    if (stream->part.is_closed) {
        end_later(stream, FB_E_CLOSED);
        return;
    }
    out.n_extra = fb_server_fields(conn->base.server, response, extra);
    conn->has_paces |= exchange->pace != 0;
    set_pace(conn);
    fb_http2_respond(conn->session, &stream->part, &out);
    if (stream->part.room_out > H2_SMALL_HEAD_BYTES) {
        fb_h2_stream_count(stream, stream->part.room_out);
    }
    fb_h2_flush_soon(conn);
}
