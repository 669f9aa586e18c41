#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/net/stream.h"
#include "base/server/h1_internal.h"
#include "base/server/h2_internal.h"

static const struct fb_state conn_states[] = {
    [CONN_IDLE] = {"idle", FB_TO(CONN_HEAD) | FB_TO(CONN_EXCHANGE) | FB_TO(CONN_DEAD)},
    [CONN_HEAD] = {"head", FB_TO(CONN_EXCHANGE) | FB_TO(CONN_DEAD)},
    [CONN_EXCHANGE] = {"exchange", FB_TO(CONN_IDLE) | FB_TO(CONN_DRAIN) | FB_TO(CONN_LINGER) |
                                       FB_TO(CONN_DEAD)},
    [CONN_DRAIN] = {"drain", FB_TO(CONN_IDLE) | FB_TO(CONN_LINGER) | FB_TO(CONN_DEAD)},
    [CONN_LINGER] = {"linger", FB_TO(CONN_DEAD)},
    [CONN_DEAD] = {"dead", 0},
};

static void conn_run(struct h1_conn *conn);

/* ---- input --------------------------------------------------------------- */

static void drop_slice(struct h1_conn *conn)
{
    if (conn->hold != NULL) {
        struct input_hold *hold = conn->hold;
        conn->hold = NULL;
        if (--hold->n_refs == 0) {
            fb_slice_release(&hold->slice);
            fb_free(hold);
        }
    }
    fb_slice_release(&conn->slice);
    conn->rest = FB_STR_NONE;
}

int fb_h1_pull(struct h1_conn *conn)
{
    if (conn->rest.len > 0) {
        return FB_OK;
    }
    drop_slice(conn);
    if (conn->input_err < 0) {
        return conn->input_err;
    }
    int err = fb_reader_next(&conn->base.stream->reader, &conn->slice);
    if (err == FB_OK) {
        conn->rest = conn->slice.bytes;
    } else if (err != FB_E_LATER) {
        conn->input_err = err;
    }
    return err;
}

void fb_h1_watch(struct h1_conn *conn)
{
    if (fb_op_is_idle(&conn->input_op) && conn->rest.len == 0 && conn->input_err == FB_OK) {
        fb_reader_wait(&conn->base.stream->reader, &conn->input_op);
    }
}

/* ---- life ---------------------------------------------------------------- */

static void free_if_done(struct h1_conn *conn)
{
    if (conn->exchange == NULL && fb_op_is_idle(&conn->input_op)) {
        fb_server_conn_gone(&conn->base);
        fb_free(conn);
    }
}

static void abort_exchange(struct h1_exchange *exchange)
{
    fb_h1_content_wake(exchange);
    if (exchange->base.has_responded) {
        fb_h1_send_abandon(exchange);
        return;
    }
    fb_exchange_abort(&exchange->base);
}

void fb_h1_kill(struct h1_conn *conn, bool is_reset)
{
    if (fb_h1_is_dead(conn)) {
        return;
    }
    bool is_drained = conn->machine.state == CONN_DRAIN;
    fb_machine_move(&conn->machine, CONN_DEAD);
    fb_timer_clear(&conn->base.timer);
    drop_slice(conn);
    fb_http1_parser_done(&conn->parser);
    if (conn->exchange != NULL) {
        conn->exchange->base.peer = fb_stream_peer(conn->base.stream);
    }
    if (is_reset) {
        fb_stream_reset(conn->base.stream);
    } else {
        fb_stream_close(conn->base.stream);
    }
    conn->base.stream = NULL;
    if (conn->input_err == FB_OK) {
        conn->input_err = FB_E_CLOSED;
    }
    if (is_drained) {
        fb_h1_bury(conn);
    } else if (conn->exchange != NULL) {
        abort_exchange(conn->exchange);
    } else {
        free_if_done(conn);
    }
}

void fb_h1_bury(struct h1_conn *conn)
{
    struct h1_exchange *exchange = conn->exchange;

    FB_REQUIRE(fb_h1_is_dead(conn));
    conn->exchange = NULL;
    fb_server_give_exchange(&conn->base.server->h1_pool, &exchange->base);
    free_if_done(conn);
}

static struct h1_exchange *take_exchange(struct h1_conn *conn)
{
    struct fb_exchange *exchange =
        fb_server_take_exchange(&conn->base.server->h1_pool, sizeof(struct h1_exchange),
                                offsetof(struct h1_exchange, n_slices));

    return FB_CONTAINER_OF(exchange, struct h1_exchange, base);
}

/* ---- requests ------------------------------------------------------------ */

/* A new exchange for `request`, whose strings stand in its arena already. */
static void begin_exchange(struct h1_conn *conn, struct h1_exchange *exchange,
                           const struct fb_http1_request *request)
{
    fb_timer_clear(&conn->base.timer);
    fb_machine_move(&conn->machine, CONN_EXCHANGE);
    if (conn->rest.len == 0) {
        drop_slice(conn); /* a long response should not keep a receive buffer */
    }
    conn->exchange = exchange;
    exchange->conn = conn;
    exchange->base.request = request->head;
    exchange->keeps_alive = request->keeps_alive;
    fb_exchange_begin(&exchange->base, &conn->base);
    fb_h1_content_init(exchange, request);
    fb_h1_send_init(exchange);
}

/* Answers bytes that are no request. */
static void refuse_bytes(struct h1_conn *conn, struct h1_exchange *exchange, unsigned status)
{
    static const struct fb_http1_request nothing = {
        .head = {.method = FB_METHOD_OTHER, .version_minor = 1}};
    const char *detail = NULL;

    switch (status) {
    case 408:
        detail = "The request did not arrive in time.";
        break;
    case 414:
    case 431:
        detail = "The request's head is larger than this server takes.";
        break;
    case 501:
        detail = "The method is not supported.";
        break;
    case 505:
        detail = "This server speaks HTTP/1.0, HTTP/1.1 and HTTP/2.";
        break;
    default:
        detail = "The request is not well-formed HTTP/1.1.";
        break;
    }
    begin_exchange(conn, exchange, &nothing);
    fb_exchange_reject(&exchange->base, status, detail, true);
}

/* A connection that begins with a record of TLS (RFC 8446 section 5.1): no method begins so. */
static bool speaks_tls(const struct h1_conn *conn)
{
    enum { HANDSHAKE_RECORD = 0x16 };

    return conn->machine.state == CONN_IDLE && conn->base.n_requests == 0 &&
           conn->rest.ptr[0] == HANDSHAKE_RECORD && fb_stream_tls(conn->base.stream) == NULL;
}

static void refuse_tls(struct h1_conn *conn)
{
    static const struct fb_http1_request nothing = {
        .head = {.method = FB_METHOD_OTHER, .version_minor = 1}};
    struct h1_exchange *exchange = take_exchange(conn);

    fb_server_tell_tls(&conn->base);
    begin_exchange(conn, exchange, &nothing);
    fb_exchange_reject(&exchange->base, 400, "This port speaks no TLS: use http instead.", true);
}

static void on_request(struct h1_conn *conn, struct h1_exchange *exchange,
                       const struct fb_http1_request *request)
{
    uint64_t max_body_bytes = conn->base.server->options.limits.max_body_bytes;

    begin_exchange(conn, exchange, request);
    if (!fb_exchange_admit(&exchange->base)) {
        return;
    }
    if (request->expects_otherwise) {
        fb_exchange_reject(&exchange->base, 417,
                           "Only 100-continue can be expected of this server.", true);
        return;
    }
    if (request->framing == FB_HTTP1_LENGTH && request->length > max_body_bytes) {
        fb_exchange_reject(&exchange->base, 413, "The content is larger than this server takes.",
                           true);
        return;
    }
    fb_exchange_handle(&exchange->base);
    /* The exchange may have been answered, but never be gone. */
    if (!exchange->base.has_responded) {
        fb_h1_watch(conn);
    }
}

static void wait_for_head(struct h1_conn *conn)
{
    const struct fb_server_limits *limits = &conn->base.server->options.limits;

    if (conn->machine.state == CONN_IDLE) {
        fb_timer_set(&conn->base.timer, limits->idle_timeout_ms);
    }
    fb_h1_watch(conn);
}

static void begin_head(struct h1_conn *conn)
{
    if (conn->machine.state == CONN_IDLE) {
        fb_machine_move(&conn->machine, CONN_HEAD);
        fb_timer_set(&conn->base.timer, conn->base.server->options.limits.head_timeout_ms);
    }
}

static bool becomes_http2(const struct h1_conn *conn)
{
    return conn->parser.is_http2 && conn->base.n_requests == 0 &&
           !conn->base.server->options.limits.has_no_http2;
}

/* The client begins as one does that knows us to speak HTTP/2. */
static void become_http2(struct h1_conn *conn)
{
    fb_timer_clear(&conn->base.timer);
    fb_http1_parser_done(&conn->parser);
    fb_h2_take_over(&conn->base, conn->rest);
    drop_slice(conn);
    fb_server_conn_gone(&conn->base);
    fb_free(conn);
}

/* Reads heads until one is complete; its handler takes it from there. */
static void conn_run(struct h1_conn *conn)
{
    struct fb_http1_request request;

    for (;;) {
        int err = fb_h1_pull(conn);
        if (err == FB_E_LATER) {
            wait_for_head(conn);
            return;
        }
        if (err < 0) {
            fb_h1_kill(conn, false);
            return;
        }
        if (speaks_tls(conn)) {
            refuse_tls(conn);
            return;
        }
        struct h1_exchange *exchange = take_exchange(conn);
        err = fb_http1_parse_request(&conn->parser, &conn->rest, &exchange->base.arena, &request);
        if (err == FB_OK) {
            on_request(conn, exchange, &request);
            return;
        }
        if (err != FB_E_LATER && becomes_http2(conn)) {
            fb_server_give_exchange(&conn->base.server->h1_pool, &exchange->base);
            become_http2(conn);
            return;
        }
        if (err != FB_E_LATER) {
            refuse_bytes(conn, exchange, conn->parser.status);
            return;
        }
        fb_server_give_exchange(&conn->base.server->h1_pool, &exchange->base);
        begin_head(conn);
    }
}

/* ---- after a response ---------------------------------------------------- */

static void give_exchange(struct h1_conn *conn)
{
    struct h1_exchange *exchange = conn->exchange;

    conn->exchange = NULL;
    fb_server_give_exchange(&conn->base.server->h1_pool, &exchange->base);
}

/* Reads until the client has closed too: a close over unread input would make
 * the kernel send RST, which can overtake the response. */
static void linger_run(struct h1_conn *conn)
{
    int err = FB_OK;

    while (err == FB_OK) {
        conn->rest = FB_STR_NONE;
        err = fb_h1_pull(conn);
    }
    if (err != FB_E_LATER) {
        fb_h1_kill(conn, false);
        return;
    }
    fb_h1_watch(conn);
}

static void linger(struct h1_conn *conn)
{
    give_exchange(conn);
    fb_machine_move(&conn->machine, CONN_LINGER);
    fb_http1_parser_done(&conn->parser);
    fb_stream_shut(conn->base.stream);
    fb_timer_set(&conn->base.timer, SERVER_LINGER_MS);
    linger_run(conn);
}

static void next_request(struct h1_conn *conn)
{
    give_exchange(conn);
    fb_timer_clear(&conn->base.timer);
    fb_machine_move(&conn->machine, CONN_IDLE);
    conn_run(conn);
}

/* Reads away what the handler left unread of the content. */
static void drain_run(struct h1_conn *conn)
{
    struct exchange_content *content = &conn->exchange->content;
    struct fb_str piece;
    int err = FB_OK;

    while (err == FB_OK && content->n_bytes <= SERVER_DRAINED_BYTES) {
        err = fb_http1_body_next(&content->decoder, &conn->rest, &piece);
        if (err == FB_OK) {
            content->n_bytes += piece.len;
        } else if (err == FB_E_LATER) {
            err = fb_h1_pull(conn);
        }
    }
    if (err == FB_E_LATER) {
        fb_h1_watch(conn);
    } else if (err == FB_E_END && fb_http1_body_is_whole(&content->decoder)) {
        next_request(conn);
    } else {
        linger(conn);
    }
}

void fb_h1_finished(struct h1_conn *conn)
{
    struct h1_exchange *exchange = conn->exchange;

    if (exchange->closes || conn->base.server->is_draining) {
        linger(conn);
        return;
    }
    if (fb_http1_body_is_whole(&exchange->content.decoder)) {
        next_request(conn);
        return;
    }
    fb_machine_move(&conn->machine, CONN_DRAIN);
    exchange->content.n_bytes = 0;
    fb_timer_set(&conn->base.timer, conn->base.server->options.limits.body_timeout_ms);
    drain_run(conn);
}

/* ---- events -------------------------------------------------------------- */

/* True if the client's FIN means that it left: it comes while the client waits, and not with its
 * request, as that of a client which has no more to ask. Nothing else tells before a write, and
 * while a handler or a body is waited for there is none. */
static bool has_left(const struct h1_conn *conn)
{
    const struct h1_exchange *exchange = conn->exchange;
    uint64_t now_ns = fb_clock_mono_ns(fb_loop_clock(conn->base.server->loop));

    return conn->input_err == FB_E_END && fb_op_is_idle(&exchange->write.op) &&
           now_ns - exchange->base.started_ns >= (uint64_t)SERVER_LEFT_MS * 1000000;
}

/* Input, or its end, while a handler works or a response is sent. */
static void on_exchange_input(struct h1_conn *conn)
{
    if (conn->exchange->content.waiter != NULL) {
        fb_h1_content_wake(conn->exchange);
        return;
    }
    int err = fb_h1_pull(conn);
    if (err == FB_E_LATER) {
        fb_h1_watch(conn);
    } else if (err < 0 && (err != FB_E_END || has_left(conn))) {
        fb_h1_kill(conn, true);
    }
}

static void on_input(struct fb_op *op)
{
    struct h1_conn *conn = FB_CONTAINER_OF(op, struct h1_conn, input_op);

    switch ((enum conn_state)conn->machine.state) {
    case CONN_IDLE:
    case CONN_HEAD:
        conn_run(conn);
        break;
    case CONN_EXCHANGE:
        on_exchange_input(conn);
        break;
    case CONN_DRAIN:
        drain_run(conn);
        break;
    case CONN_LINGER:
        linger_run(conn);
        break;
    case CONN_DEAD:
        free_if_done(conn);
        break;
    }
}

static void on_exchange_timeout(struct h1_conn *conn)
{
    struct h1_exchange *exchange = conn->exchange;

    if (!fb_op_is_idle(&exchange->write.op)) {
        fb_pace_on_timer(&conn->base);
    } else if (exchange->content.waiter != NULL) {
        fb_server_count(conn->base.server, METRIC_TIMEOUT_CONTENT);
        fb_h1_content_time_out(exchange);
    }
}

static void on_timeout(struct fb_timer *timer)
{
    struct h1_conn *conn = FB_CONTAINER_OF(timer, struct h1_conn, base.timer);

    switch ((enum conn_state)conn->machine.state) {
    case CONN_IDLE:
        fb_server_count(conn->base.server, METRIC_TIMEOUT_IDLE);
        fb_h1_kill(conn, false);
        break;
    case CONN_HEAD:
        refuse_bytes(conn, take_exchange(conn), 408);
        break;
    case CONN_EXCHANGE:
        on_exchange_timeout(conn);
        break;
    case CONN_DRAIN:
    case CONN_LINGER:
        fb_h1_kill(conn, false);
        break;
    case CONN_DEAD:
        break;
    }
}

/* ---- for the server ------------------------------------------------------ */

static void h1_drain(struct server_conn *base)
{
    struct h1_conn *conn = fb_h1_conn_of(base);

    if (conn->machine.state == CONN_IDLE) {
        fb_h1_kill(conn, false);
    }
}

static void h1_cut(struct server_conn *base)
{
    struct h1_conn *conn = fb_h1_conn_of(base);

    fb_h1_kill(conn, conn->machine.state == CONN_EXCHANGE);
}

static const struct server_protocol protocol = {
    .name = FB_STR("HTTP/1.1"),
    .respond = fb_h1_respond,
    .retract = fb_h1_retract,
    .drain = h1_drain,
    .cut = h1_cut,
    .upgrades = true,
};

void fb_h1_open(struct fb_server *server, const struct server_peer *peer)
{
    struct h1_conn *conn = FB_NEW(struct h1_conn);
    struct fb_http1_limits limits = {
        .max_head_bytes = server->options.limits.max_head_bytes,
        .max_headers = server->options.limits.max_headers,
    };

    fb_server_conn_init(server, &conn->base, &protocol, peer);
    fb_machine_init(&conn->machine, conn_states, CONN_IDLE);
    fb_timer_init(&conn->base.timer, server->loop, on_timeout);
    fb_op_init(&conn->input_op, server->loop, on_input);
    fb_http1_parser_init(&conn->parser, &limits);
    conn_run(conn);
}
