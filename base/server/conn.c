#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/server/server_internal.h"

static const struct fb_state conn_states[] = {
    [CONN_IDLE] = {"idle", FB_TO(CONN_HEAD) | FB_TO(CONN_EXCHANGE) | FB_TO(CONN_DEAD)},
    [CONN_HEAD] = {"head", FB_TO(CONN_EXCHANGE) | FB_TO(CONN_DEAD)},
    [CONN_EXCHANGE] = {"exchange", FB_TO(CONN_IDLE) | FB_TO(CONN_DRAIN) | FB_TO(CONN_LINGER) |
                                       FB_TO(CONN_DEAD)},
    [CONN_DRAIN] = {"drain", FB_TO(CONN_IDLE) | FB_TO(CONN_LINGER) | FB_TO(CONN_DEAD)},
    [CONN_LINGER] = {"linger", FB_TO(CONN_DEAD)},
    [CONN_DEAD] = {"dead", 0},
};

static void conn_run(struct server_conn *conn);

/* ---- input --------------------------------------------------------------- */

static void drop_slice(struct server_conn *conn)
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

int fb_conn_pull(struct server_conn *conn)
{
    if (conn->rest.len > 0) {
        return FB_OK;
    }
    drop_slice(conn);
    if (conn->input_err < 0) {
        return conn->input_err;
    }
    int err = fb_reader_next(&conn->stream->reader, &conn->slice);
    if (err == FB_OK) {
        conn->rest = conn->slice.bytes;
    } else if (err != FB_E_LATER) {
        conn->input_err = err;
    }
    return err;
}

void fb_conn_watch(struct server_conn *conn)
{
    if (fb_op_is_idle(&conn->input_op) && conn->rest.len == 0 && conn->input_err == FB_OK) {
        fb_reader_wait(&conn->stream->reader, &conn->input_op);
    }
}

/* ---- life ---------------------------------------------------------------- */

static void free_if_done(struct server_conn *conn)
{
    if (conn->exchange == NULL && fb_op_is_idle(&conn->input_op)) {
        fb_server_conn_gone(conn->server, conn);
        fb_clients_leave(conn->server->options.clients, conn->client);
        fb_free(conn);
    }
}

static void abort_exchange(struct fb_exchange *exchange)
{
    fb_content_wake(exchange);
    if (exchange->has_responded) {
        fb_send_abandon(exchange);
        return;
    }
    if (exchange->is_aborted) {
        return;
    }
    exchange->is_aborted = true;
    fb_server_count(exchange->conn->server, METRIC_ABORTED);
    if (exchange->hooks.aborted != NULL) {
        exchange->hooks.aborted(exchange->hooks.ctx);
    }
}

void fb_conn_kill(struct server_conn *conn, bool is_reset)
{
    if (fb_conn_is_dead(conn)) {
        return;
    }
    bool is_drained = conn->machine.state == CONN_DRAIN;
    fb_machine_move(&conn->machine, CONN_DEAD);
    fb_timer_clear(&conn->timer);
    drop_slice(conn);
    fb_http1_parser_done(&conn->parser);
    if (conn->exchange != NULL) {
        conn->exchange->peer = fb_stream_peer(conn->stream);
    }
    if (is_reset) {
        fb_stream_reset(conn->stream);
    } else {
        fb_stream_close(conn->stream);
    }
    conn->stream = NULL;
    if (conn->input_err == FB_OK) {
        conn->input_err = FB_E_CLOSED;
    }
    if (is_drained) {
        fb_conn_bury(conn);
    } else if (conn->exchange != NULL) {
        abort_exchange(conn->exchange);
    } else {
        free_if_done(conn);
    }
}

void fb_conn_bury(struct server_conn *conn)
{
    struct fb_exchange *exchange = conn->exchange;

    FB_REQUIRE(fb_conn_is_dead(conn));
    conn->exchange = NULL;
    fb_server_give_exchange(conn->server, exchange);
    free_if_done(conn);
}

/* ---- requests ------------------------------------------------------------ */

/* A new exchange for `request`, whose strings stand in its arena already. */
static void begin_exchange(struct server_conn *conn, struct fb_exchange *exchange,
                           const struct fb_http1_request *request)
{
    fb_timer_clear(&conn->timer);
    fb_machine_move(&conn->machine, CONN_EXCHANGE);
    if (conn->rest.len == 0) {
        drop_slice(conn); /* a long response should not keep a receive buffer */
    }
    conn->exchange = exchange;
    exchange->conn = conn;
    exchange->request = *request;
    exchange->started_ns = fb_clock_mono_ns(fb_loop_clock(conn->server->loop));
    fb_content_init(exchange);
    fb_send_init(exchange);
}

static void refuse(struct server_conn *conn, unsigned status, const char *detail)
{
    struct fb_exchange *exchange = conn->exchange;
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
            fb_server_count(conn->server, causes[i].row);
        }
    }
    exchange->is_refusal = true;
    fb_exchange_refuse(exchange, status, NULL, detail, true);
}

/* Answers bytes that are no request. */
static void refuse_bytes(struct server_conn *conn, struct fb_exchange *exchange, unsigned status)
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
        detail = "This server speaks HTTP/1.0 and HTTP/1.1.";
        break;
    default:
        detail = "The request is not well-formed HTTP/1.1.";
        break;
    }
    begin_exchange(conn, exchange, &nothing);
    refuse(conn, status, detail);
}

static void on_request(struct server_conn *conn, struct fb_exchange *exchange,
                       const struct fb_http1_request *request)
{
    struct fb_server *server = conn->server;
    struct fb_clients_quota quota;

    begin_exchange(conn, exchange, request);
    conn->n_requests++;
    if (!fb_clients_admit(server->options.clients, conn->client, &quota)) {
        fb_server_count(server, METRIC_REFUSED_RATE);
        exchange->is_refusal = true;
        fb_exchange_refuse_rate(exchange, &quota);
        return;
    }
    if (request->expects_otherwise) {
        refuse(conn, 417, "Only 100-continue can be expected of this server.");
        return;
    }
    if (request->framing == FB_HTTP1_LENGTH &&
        request->length > server->options.limits.max_body_bytes) {
        refuse(conn, 413, "The content is larger than this server takes.");
        return;
    }
    fb_server_count(server, METRIC_REQUESTS);
    server->options.handle(server->options.ctx, exchange);
    /* The exchange may have been answered, but never be gone. */
    if (!exchange->has_responded) {
        fb_conn_watch(conn);
    }
}

static void wait_for_head(struct server_conn *conn)
{
    const struct fb_server_limits *limits = &conn->server->options.limits;

    if (conn->machine.state == CONN_IDLE) {
        fb_timer_set(&conn->timer, limits->idle_timeout_ms);
    }
    fb_conn_watch(conn);
}

static void begin_head(struct server_conn *conn)
{
    if (conn->machine.state == CONN_IDLE) {
        fb_machine_move(&conn->machine, CONN_HEAD);
        fb_timer_set(&conn->timer, conn->server->options.limits.head_timeout_ms);
    }
}

/* Reads heads until one is complete; its handler takes it from there. */
static void conn_run(struct server_conn *conn)
{
    struct fb_http1_request request;

    for (;;) {
        int err = fb_conn_pull(conn);
        if (err == FB_E_LATER) {
            wait_for_head(conn);
            return;
        }
        if (err < 0) {
            fb_conn_kill(conn, false);
            return;
        }
        struct fb_exchange *exchange = fb_server_take_exchange(conn->server);
        err = fb_http1_parse_request(&conn->parser, &conn->rest, &exchange->arena, &request);
        if (err == FB_OK) {
            on_request(conn, exchange, &request);
            return;
        }
        if (err != FB_E_LATER) {
            refuse_bytes(conn, exchange, conn->parser.status);
            return;
        }
        fb_server_give_exchange(conn->server, exchange);
        begin_head(conn);
    }
}

/* ---- after a response ---------------------------------------------------- */

static void give_exchange(struct server_conn *conn)
{
    struct fb_exchange *exchange = conn->exchange;

    conn->exchange = NULL;
    fb_server_give_exchange(conn->server, exchange);
}

/* Reads until the client has closed too: a close over unread input would make
 * the kernel send RST, which can overtake the response. */
static void linger_run(struct server_conn *conn)
{
    int err = FB_OK;

    while (err == FB_OK) {
        conn->rest = FB_STR_NONE;
        err = fb_conn_pull(conn);
    }
    if (err != FB_E_LATER) {
        fb_conn_kill(conn, false);
        return;
    }
    fb_conn_watch(conn);
}

static void linger(struct server_conn *conn)
{
    give_exchange(conn);
    fb_machine_move(&conn->machine, CONN_LINGER);
    fb_http1_parser_done(&conn->parser);
    fb_stream_shut(conn->stream);
    fb_timer_set(&conn->timer, SERVER_LINGER_MS);
    linger_run(conn);
}

static void next_request(struct server_conn *conn)
{
    give_exchange(conn);
    fb_timer_clear(&conn->timer);
    fb_machine_move(&conn->machine, CONN_IDLE);
    conn_run(conn);
}

/* Reads away what the handler left unread of the content. */
static void drain_run(struct server_conn *conn)
{
    struct exchange_content *content = &conn->exchange->content;
    struct fb_str piece;
    int err = FB_OK;

    while (err == FB_OK && content->n_bytes <= SERVER_DRAINED_BYTES) {
        err = fb_http1_body_next(&content->decoder, &conn->rest, &piece);
        if (err == FB_OK) {
            content->n_bytes += piece.len;
        } else if (err == FB_E_LATER) {
            err = fb_conn_pull(conn);
        }
    }
    if (err == FB_E_LATER) {
        fb_conn_watch(conn);
    } else if (err == FB_E_END && fb_http1_body_is_whole(&content->decoder)) {
        next_request(conn);
    } else {
        linger(conn);
    }
}

void fb_conn_finished(struct server_conn *conn)
{
    struct fb_exchange *exchange = conn->exchange;

    if (exchange->closes || conn->server->is_draining) {
        linger(conn);
        return;
    }
    if (fb_http1_body_is_whole(&exchange->content.decoder)) {
        next_request(conn);
        return;
    }
    fb_machine_move(&conn->machine, CONN_DRAIN);
    exchange->content.n_bytes = 0;
    fb_timer_set(&conn->timer, conn->server->options.limits.body_timeout_ms);
    drain_run(conn);
}

/* ---- events -------------------------------------------------------------- */

/* Input, or its end, while a handler works or a response is sent. */
static void on_exchange_input(struct server_conn *conn)
{
    if (conn->exchange->content.waiter != NULL) {
        fb_content_wake(conn->exchange);
        return;
    }
    int err = fb_conn_pull(conn);
    if (err == FB_E_LATER) {
        fb_conn_watch(conn);
    } else if (err < 0 && err != FB_E_END) {
        fb_conn_kill(conn, true);
    }
}

static void on_input(struct fb_op *op)
{
    struct server_conn *conn = FB_CONTAINER_OF(op, struct server_conn, input_op);

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

static void on_exchange_timeout(struct server_conn *conn)
{
    struct fb_exchange *exchange = conn->exchange;

    if (!fb_op_is_idle(&exchange->write.op)) {
        fb_pace_on_timer(exchange);
    } else if (exchange->content.waiter != NULL) {
        fb_server_count(conn->server, METRIC_TIMEOUT_CONTENT);
        fb_content_time_out(exchange);
    }
}

static void on_timeout(struct fb_timer *timer)
{
    struct server_conn *conn = FB_CONTAINER_OF(timer, struct server_conn, timer);

    switch ((enum conn_state)conn->machine.state) {
    case CONN_IDLE:
        fb_server_count(conn->server, METRIC_TIMEOUT_IDLE);
        fb_conn_kill(conn, false);
        break;
    case CONN_HEAD:
        refuse_bytes(conn, fb_server_take_exchange(conn->server), 408);
        break;
    case CONN_EXCHANGE:
        on_exchange_timeout(conn);
        break;
    case CONN_DRAIN:
    case CONN_LINGER:
        fb_conn_kill(conn, false);
        break;
    case CONN_DEAD:
        break;
    }
}

void fb_conn_open(struct fb_server *server, struct fb_stream *stream, struct fb_client *client,
                  bool is_trusted)
{
    struct server_conn *conn = FB_NEW(struct server_conn);
    struct fb_http1_limits limits = {
        .max_head_bytes = server->options.limits.max_head_bytes,
        .max_headers = server->options.limits.max_headers,
    };

    conn->server = server;
    conn->stream = stream;
    conn->client = client;
    conn->is_trusted = is_trusted;
    fb_machine_init(&conn->machine, conn_states, CONN_IDLE);
    fb_list_init(&conn->link);
    fb_list_append(&server->conns, &conn->link);
    fb_timer_init(&conn->timer, server->loop, on_timeout);
    fb_op_init(&conn->input_op, server->loop, on_input);
    fb_http1_parser_init(&conn->parser, &limits);
    conn_run(conn);
}
