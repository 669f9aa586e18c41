#include "base/client/client_internal.h"
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/loop.h"

#include <errno.h>

/* Interim responses (1xx) passed over before one final, and how much content
 * that nobody wants is read for the sake of a connection, and for how long. */
enum { CONN_MAX_INTERIM = 16, CONN_MAX_DRAIN = 64 * 1024, CONN_DRAIN_MS = 2000 };

/* A request is sent at least so long before its peer would close the connection. */
enum { CONN_KEEP_MARGIN_MS = 1000 };

static const struct fb_state conn_states[] = {
    [CONN_CONNECTING] = {"connecting", FB_TO(CONN_HEAD) | FB_TO(CONN_IDLE) | FB_TO(CONN_CLOSED)},
    [CONN_HEAD] = {"head", FB_TO(CONN_BODY) | FB_TO(CONN_CLOSED)},
    [CONN_BODY] = {"body", FB_TO(CONN_DRAIN) | FB_TO(CONN_IDLE) | FB_TO(CONN_CLOSED)},
    [CONN_DRAIN] = {"drain", FB_TO(CONN_IDLE) | FB_TO(CONN_CLOSED)},
    [CONN_IDLE] = {"idle", FB_TO(CONN_HEAD) | FB_TO(CONN_CLOSED)},
    [CONN_CLOSED] = {"closed", 0},
};

/* ---- input --------------------------------------------------------------- */

static void conn_drop_input(struct client_conn *conn)
{
    fb_client_input_unref(conn->input);
    conn->input = NULL;
    conn->rest = FB_STR_NONE;
}

/* More input into `rest`, which is empty; as fb_reader_next(). */
static int conn_fill(struct client_conn *conn)
{
    struct fb_slice slice;

    conn_drop_input(conn);
    int err = fb_reader_next(&conn->stream->reader, &slice);
    if (err < 0) {
        return err;
    }
    conn->input = fb_client_input_new(slice);
    conn->rest = slice.bytes;
    return FB_OK;
}

/* Makes sure that incoming bytes are noticed. */
static void conn_watch(struct client_conn *conn)
{
    if (fb_op_is_idle(&conn->wait)) {
        fb_reader_wait(&conn->stream->reader, &conn->wait);
    }
}

/* As client_carrier_ops has it. */
static int conn_content(struct client_conn *conn, struct fb_slice *ret_slice)
{
    for (;;) {
        struct fb_str piece;
        int err = fb_http1_body_next(&conn->body, &conn->rest, &piece);
        if (err == FB_OK) {
            if (ret_slice != NULL) {
                *ret_slice = fb_client_input_slice(conn->input, piece);
            }
            return FB_OK;
        }
        if (err != FB_E_LATER) {
            return err;
        }
        err = conn_fill(conn);
        if (err == FB_E_LATER) {
            return FB_E_LATER;
        }
        if (err < 0) {
            /* A reset is never how content ends. */
            return err == FB_E_END ? fb_http1_body_close(&conn->body) : fb_client_input_err(err);
        }
    }
}

/* ---- life ---------------------------------------------------------------- */

static void conn_move(struct client_conn *conn, enum client_conn_state state)
{
    if (conn->machine.state == CONN_CONNECTING) {
        conn->carrier.is_opening = false;
        conn->upstream->n_opening--;
    }
    fb_machine_move(&conn->machine, state);
}

void fb_client_conn_try_free(struct client_conn *conn)
{
    struct fb_client *client = conn->upstream->client;

    if (conn->machine.state != CONN_CLOSED || !fb_op_is_idle(&conn->wait) ||
        !fb_op_is_idle(&conn->connect.op) || conn->shake != NULL || !fb_client_send_is_idle(conn)) {
        return;
    }
    fb_free(conn);
    client->n_conns--;
    fb_client_try_free(client);
}

void fb_client_conn_close(struct client_conn *conn)
{
    struct client_upstream *upstream = conn->upstream;
    bool was_idle = conn->machine.state == CONN_IDLE;
    bool is_last = upstream->client->is_closed;

    conn_move(conn, CONN_CLOSED);
    fb_list_remove(&conn->link);
    if (was_idle) {
        fb_list_remove(&conn->idle_link);
        upstream->n_idle--;
    }
    fb_timer_clear(&conn->timer);
    fb_op_cancel(&conn->connect.op);
    if (conn->shake != NULL) {
        fb_op_cancel(&conn->shake->shake.op);
    }
    if (was_idle) {
        fb_stream_close(conn->stream);
    } else {
        fb_stream_reset(conn->stream);
    }
    conn->stream = NULL;
    fb_client_send_stop(conn);
    conn_drop_input(conn);
    fb_http1_parser_done(&conn->parser);
    upstream->n_open--;
    if (upstream->client->metrics != NULL) {
        fb_metrics_sub(upstream->client->metrics, CLIENT_CONNECTIONS, 1);
    }
    fb_client_conn_try_free(conn);
    if (!is_last) {
        fb_client_upstream_serve(upstream);
    }
}

/* ---- idle ---------------------------------------------------------------- */

/* How long the connection may wait for its next request; 0: not at all. */
static uint64_t conn_idle_ms(const struct client_conn *conn)
{
    const struct fb_client_limits *limits = &conn->upstream->client->limits;
    uint64_t age = fb_loop_now_ms(conn->upstream->client->loop) - conn->opened_ms;
    uint64_t idle = FB_MIN(limits->idle_timeout_ms, conn->peer_keeps_ms);

    if (limits->max_reuses != 0 && conn->n_served >= limits->max_reuses) {
        return 0;
    }
    if (limits->max_age_ms == 0) {
        return idle;
    }
    return age < limits->max_age_ms ? FB_MIN(idle, limits->max_age_ms - age) : 0;
}

static void conn_keep(struct client_conn *conn)
{
    struct client_upstream *upstream = conn->upstream;
    uint64_t idle_ms = conn_idle_ms(conn);

    conn_drop_input(conn);
    conn_move(conn, CONN_IDLE);
    fb_list_prepend(&upstream->idle, &conn->idle_link);
    upstream->n_idle++;
    if (idle_ms == 0) {
        fb_client_conn_close(conn);
        return;
    }
    conn_watch(conn);
    fb_timer_set(&conn->timer, idle_ms);
    if (upstream->n_idle > upstream->client->limits.max_idle) {
        struct fb_list *oldest = upstream->idle.prev;
        fb_client_conn_close(FB_CONTAINER_OF(oldest, struct client_conn, idle_link));
    }
    fb_client_upstream_serve(upstream);
}

static void conn_drain(struct client_conn *conn)
{
    int err = FB_OK;

    while (err == FB_OK && !fb_http1_body_is_whole(&conn->body)) {
        err = conn_content(conn, NULL);
    }
    if (err == FB_E_LATER) {
        conn_watch(conn);
    } else if (err == FB_OK && conn->rest.len == 0) {
        conn_keep(conn);
    } else {
        fb_client_conn_close(conn);
    }
}

static struct client_conn *conn_of(struct client_carrier *carrier)
{
    return FB_CONTAINER_OF(carrier, struct client_conn, carrier);
}

/* Keeps the connection if it can be used again or soon will be, or closes it. */
static void carrier_release(struct client_carrier *carrier, int err)
{
    struct client_conn *conn = conn_of(carrier);
    bool is_clean = conn->machine.state == CONN_BODY && conn->keeps_alive && conn->send.is_done &&
                    fb_client_send_is_idle(conn);

    (void)err;
    conn->request = NULL;
    if (conn->machine.state == CONN_CONNECTING &&
        (!fb_op_is_idle(&conn->connect.op) || conn->shake != NULL)) {
        return; /* it will do for somebody else */
    }
    if (is_clean && fb_http1_body_is_whole(&conn->body) && conn->rest.len == 0) {
        conn_keep(conn);
    } else if (is_clean && conn->body.framing == FB_HTTP1_LENGTH &&
               conn->body.left <= CONN_MAX_DRAIN && conn->body.left > 0) {
        conn_move(conn, CONN_DRAIN);
        fb_timer_set(&conn->timer, CONN_DRAIN_MS);
        conn_drain(conn);
    } else {
        fb_client_conn_close(conn);
    }
}

static int carrier_content(struct client_carrier *carrier, struct fb_slice *ret_slice)
{
    return conn_content(conn_of(carrier), ret_slice);
}

static bool carrier_is_whole(struct client_carrier *carrier)
{
    return fb_http1_body_is_whole(&conn_of(carrier)->body);
}

static bool carrier_is_ready(struct client_carrier *carrier)
{
    struct client_conn *conn = conn_of(carrier);

    if (conn->rest.len == 0) {
        conn_watch(conn);
    }
    return conn->rest.len > 0;
}

static const struct client_carrier_ops carrier_ops = {
    .content = carrier_content,
    .is_whole = carrier_is_whole,
    .is_ready = carrier_is_ready,
    .release = carrier_release,
};

static void on_timer(struct fb_timer *timer)
{
    fb_client_conn_close(FB_CONTAINER_OF(timer, struct client_conn, timer));
}

/* ---- serving ------------------------------------------------------------- */

/* The connection failed before the head was complete. */
static void conn_fail(struct client_conn *conn, int err)
{
    if (!conn->has_answered && conn->n_served > 1 &&
        fb_client_request_may_retry(conn->request, false)) {
        fb_client_request_retry(conn->request, 0);
    } else {
        fb_client_request_fail(conn->request, fb_client_input_err(err));
    }
}

/* One complete head, final or not; as fb_http1_parse_response(). */
static int conn_parse(struct client_conn *conn, struct fb_http1_response *ret_response)
{
    struct fb_fetch *fetch = conn->request->fetch;

    for (;;) {
        int err = fb_http1_parse_response(&conn->parser, &conn->rest, fetch->method, fetch->arena,
                                          ret_response);
        if (err != FB_E_LATER) {
            return err == FB_E_UNSUPPORTED ? FB_E_MALFORMED : err;
        }
        err = conn_fill(conn);
        if (err < 0) {
            return err;
        }
        conn->has_answered = true;
    }
}

/* What `Keep-Alive: timeout=5` leaves for requests that must get there before it ends
 * (RFC 2068 section 19.7.1.1). */
static uint64_t conn_read_keep_alive(const struct fb_headers *headers)
{
    struct fb_str rest = fb_headers_find(headers, FB_STR("keep-alive"));
    struct fb_str member;

    while (fb_list_member(&rest, &member)) {
        struct fb_str name;
        uint64_t seconds = 0;
        FB_IGNORE(fb_str_cut(&member, '=', &name)); /* a member has a first part */
        if (fb_str_equal_nocase(fb_str_trim(name), FB_STR("timeout")) &&
            fb_str_to_u64(fb_str_trim(member), &seconds) == FB_OK && seconds < UINT32_MAX) {
            uint64_t ms = seconds * 1000;
            return ms - FB_MIN(ms / 2, CONN_KEEP_MARGIN_MS);
        }
    }
    return UINT64_MAX;
}

static void conn_read_head(struct client_conn *conn)
{
    struct fb_http1_response response;

    int err = conn_parse(conn, &response);
    while (err == FB_OK && response.head.status < 200) {
        /* What never ends would fill the arena. */
        err = ++conn->n_interim > CONN_MAX_INTERIM ? FB_E_MALFORMED : conn_parse(conn, &response);
    }
    if (err == FB_E_LATER) {
        conn_watch(conn);
        return;
    }
    if (err < 0) {
        conn_fail(conn, err);
        return;
    }
    conn_move(conn, CONN_BODY);
    conn->keeps_alive = response.keeps_alive;
    conn->peer_keeps_ms = conn_read_keep_alive(&response.head.headers);
    fb_http1_body_init(&conn->body, response.framing, response.length);
    int64_t length = response.framing == FB_HTTP1_LENGTH  ? (int64_t)response.length
                     : response.framing == FB_HTTP1_EMPTY ? 0
                                                          : -1;
    fb_client_request_answer(conn->request, &response.head, length);
}

static void conn_begin(struct client_conn *conn, struct client_request *request)
{
    conn_move(conn, CONN_HEAD);
    conn->request = request;
    request->carrier = &conn->carrier;
    conn->has_answered = false;
    conn->n_interim = 0;
    conn->n_served++;
    fb_client_request_set_timer(request);
    conn_watch(conn);
    fb_client_send_start(conn);
}

bool fb_client_conn_reuse(struct client_conn *conn, struct client_request *request)
{
    int err = conn_fill(conn);
    if (err != FB_E_LATER) {
        fb_client_conn_close(conn); /* gone, or talking out of turn */
        return false;
    }
    fb_list_remove(&conn->idle_link);
    conn->upstream->n_idle--;
    fb_timer_clear(&conn->timer);
    fb_client_count(conn->upstream->client, CLIENT_REUSED);
    conn_begin(conn, request);
    return true;
}

static void on_readable(struct fb_op *op)
{
    struct client_conn *conn = FB_CONTAINER_OF(op, struct client_conn, wait);

    switch ((enum client_conn_state)conn->machine.state) {
    case CONN_HEAD:
        conn_read_head(conn);
        break;
    case CONN_BODY:
        fb_client_request_wake(conn->request);
        break;
    case CONN_DRAIN:
        conn_drain(conn);
        break;
    case CONN_IDLE:
        if (conn_fill(conn) == FB_E_LATER) {
            conn_watch(conn);
        } else {
            fb_client_conn_close(conn);
        }
        break;
    case CONN_CONNECTING:
    case CONN_CLOSED:
        fb_client_conn_try_free(conn);
        break;
    }
}

void fb_client_conn_opened(struct client_conn *conn)
{
    if (conn->request != NULL) {
        conn_begin(conn, conn->request);
    } else {
        conn_keep(conn);
    }
}

struct client_conn *fb_client_conn_new(struct client_upstream *upstream,
                                       struct client_request *request)
{
    struct fb_client *client = upstream->client;
    struct client_conn *conn = FB_NEW(struct client_conn);
    const struct fb_http1_limits limits = {.max_head_bytes = client->limits.max_head_bytes};

    fb_machine_init(&conn->machine, conn_states, CONN_CONNECTING);
    conn->upstream = upstream;
    conn->request = request;
    conn->opened_ms = fb_loop_now_ms(client->loop);
    conn->peer_keeps_ms = UINT64_MAX;
    conn->carrier = (struct client_carrier){.ops = &carrier_ops, .is_opening = true};
    request->carrier = &conn->carrier;
    fb_list_init(&conn->link);
    fb_list_init(&conn->idle_link);
    fb_list_append(&upstream->conns, &conn->link);
    fb_timer_init(&conn->timer, client->loop, on_timer);
    fb_op_init(&conn->wait, client->loop, on_readable);
    fb_client_send_init(conn);
    fb_http1_parser_init(&conn->parser, &limits);
    upstream->n_open++;
    upstream->n_opening++;
    upstream->n_opened++;
    client->n_conns++;
    return conn;
}
