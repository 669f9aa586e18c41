#include "base/client/h2_internal.h"
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/loop.h"

/* ---- the end ------------------------------------------------------------- */

static void free_if_done(struct client_h2 *conn)
{
    struct fb_client *client = conn->upstream->client;

    if (conn->stream != NULL || conn->n_streams > 0 || conn->n_holds > 0 ||
        !fb_op_is_idle(&conn->wait) || !fb_op_is_idle(&conn->flush_op) ||
        !fb_op_is_idle(&conn->write.op)) {
        return;
    }
    fb_free(conn);
    client->n_conns--;
    fb_client_try_free(client);
}

static void run_news(struct client_h2 *conn)
{
    struct fb_list *node = NULL;

    while ((node = fb_list_pop(&conn->news)) != NULL) {
        fb_client_h2_stream_settle(FB_CONTAINER_OF(node, struct client_stream, note));
    }
}

/* Closes it, for `err`; FB_OK: nobody wants it any more. */
static void conn_kill(struct client_h2 *conn, int err)
{
    struct client_upstream *upstream = conn->upstream;

    if (conn->stream == NULL) {
        return;
    }
    fb_client_h2_enter(conn);
    conn->is_leaving = true;
    fb_list_remove(&conn->link);
    fb_timer_clear(&conn->idle);
    FB_LIST_EACH(node, &conn->streams) {
        fb_client_h2_stream_cut(FB_CONTAINER_OF(node, struct client_stream, link), err);
    }
    if (err == FB_OK) {
        fb_stream_close(conn->stream);
    } else {
        fb_stream_reset(conn->stream);
    }
    conn->stream = NULL;
    fb_http2_session_free(conn->session);
    conn->session = NULL;
    upstream->n_open--;
    if (upstream->client->metrics != NULL) {
        fb_metrics_sub(upstream->client->metrics, CLIENT_CONNECTIONS, 1);
    }
    run_news(conn);
    if (!upstream->client->is_closed) {
        fb_client_upstream_serve(upstream);
    }
    fb_client_h2_leave(conn);
}

void fb_client_h2_close_all(struct client_upstream *upstream)
{
    FB_LIST_EACH(node, &upstream->shared) {
        conn_kill(FB_CONTAINER_OF(node, struct client_h2, link), FB_OK);
    }
}

/* ---- how long it lasts --------------------------------------------------- */

static uint64_t conn_age_ms(const struct client_h2 *conn)
{
    return fb_loop_now_ms(conn->upstream->client->loop) - conn->opened_ms;
}

static void conn_judge(struct client_h2 *conn)
{
    const struct fb_client_limits *limits = &conn->upstream->client->limits;

    conn->is_leaving |= (limits->max_reuses != 0 && conn->n_served >= limits->max_reuses) ||
                        (limits->max_age_ms != 0 && conn_age_ms(conn) >= limits->max_age_ms);
}

/* Nobody uses it: waits for the next one, or ends it. */
static void conn_rest(struct client_h2 *conn)
{
    const struct fb_client_limits *limits = &conn->upstream->client->limits;
    uint64_t idle_ms = limits->idle_timeout_ms;

    conn_judge(conn);
    if (conn->is_leaving) {
        conn_kill(conn, FB_OK);
        return;
    }
    if (limits->max_age_ms != 0) {
        idle_ms = FB_MIN(idle_ms, limits->max_age_ms - conn_age_ms(conn));
    }
    fb_timer_set(&conn->idle, idle_ms);
}

static void on_idle(struct fb_timer *timer)
{
    conn_kill(FB_CONTAINER_OF(timer, struct client_h2, idle), FB_OK);
}

void fb_client_h2_stream_gone(struct client_h2 *conn)
{
    conn->n_streams--;
    if (conn->stream == NULL) {
        free_if_done(conn);
        return;
    }
    fb_client_h2_flush_soon(conn); /* which ends with a look at who is left */
    fb_client_upstream_serve(conn->upstream);
}

/* ---- output -------------------------------------------------------------- */

static void conn_flush(struct client_h2 *conn)
{
    conn->wants_flush = false;
    conn->write.pieces = conn->pieces;
    conn->write.n_pieces = fb_http2_gather(conn->session, H2_BATCH_BYTES, conn->pieces);
    if (conn->write.n_pieces > 0) {
        fb_stream_write(conn->stream, &conn->write);
    } else if (fb_http2_is_over(conn->session)) {
        conn_kill(conn, fb_http2_fault(conn->session) != FB_HTTP2_FAULT_NONE ? FB_E_MALFORMED
                                                                             : FB_E_CLOSED);
        return;
    }
    run_news(conn);
}

static void on_flush(struct fb_op *op)
{
    struct client_h2 *conn = FB_CONTAINER_OF(op, struct client_h2, flush_op);

    fb_client_h2_enter(conn);
    fb_client_h2_leave(conn);
}

void fb_client_h2_flush_soon(struct client_h2 *conn)
{
    conn->wants_flush = true;
    if (conn->n_holds == 0 && conn->stream != NULL && fb_op_is_idle(&conn->flush_op) &&
        fb_op_is_idle(&conn->write.op)) {
        fb_op_begin(&conn->flush_op, NULL);
        fb_op_finish(&conn->flush_op, FB_OK);
    }
}

static void on_written(struct fb_op *op)
{
    struct client_h2 *conn = FB_CONTAINER_OF(op, struct client_h2, write.op);

    if (conn->stream == NULL) {
        free_if_done(conn);
        return;
    }
    fb_client_h2_enter(conn);
    fb_http2_sent(conn->session);
    if (op->result < 0) {
        conn_kill(conn, fb_client_input_err(op->result));
    } else {
        FB_LIST_EACH(node, &conn->streams) {
            fb_client_h2_stream_sent(FB_CONTAINER_OF(node, struct client_stream, link));
        }
        conn->wants_flush = true;
    }
    fb_client_h2_leave(conn);
}

/* ---- input --------------------------------------------------------------- */

/* False if the connection is closed. */
static bool conn_receive(struct client_h2 *conn, struct fb_slice slice)
{
    struct client_input *input = fb_client_input_new(slice);

    conn->heard_ms = fb_loop_now_ms(conn->upstream->client->loop);
    conn->input = input;
    int err = fb_http2_receive(conn->session, slice.bytes, conn->heard_ms);
    conn->input = NULL;
    fb_client_input_unref(input);
    if (err < 0) {
        conn_kill(conn, err);
        return false;
    }
    conn->is_leaving |= fb_http2_max_calls(conn->session) == 0 ||
                        fb_http2_fault(conn->session) != FB_HTTP2_FAULT_NONE;
    run_news(conn);
    return conn->stream != NULL;
}

static void conn_read(struct client_h2 *conn)
{
    struct fb_slice slice = {0};

    conn->wants_flush = true;
    for (unsigned i = 0; i < H2_MAX_SLICES; i++) {
        int err = fb_reader_next(&conn->stream->reader, &slice);
        if (err == FB_E_LATER) {
            return;
        }
        if (err < 0) {
            conn_kill(conn, fb_client_input_err(err));
            return;
        }
        if (!conn_receive(conn, slice)) {
            return;
        }
    }
}

static void on_input(struct fb_op *op)
{
    struct client_h2 *conn = FB_CONTAINER_OF(op, struct client_h2, wait);

    fb_client_h2_enter(conn);
    if (conn->stream != NULL) {
        conn_read(conn);
    }
    fb_client_h2_leave(conn);
}

/* Waits for input, unless the peer does not take what it has caused already. */
static void conn_watch_input(struct client_h2 *conn)
{
    bool is_clogged = !fb_op_is_idle(&conn->write.op) && fb_http2_is_clogged(conn->session);

    if (fb_op_is_idle(&conn->wait) && !is_clogged) {
        fb_reader_wait(&conn->stream->reader, &conn->wait);
    }
}

/* ---- calls of the loop --------------------------------------------------- */

void fb_client_h2_enter(struct client_h2 *conn)
{
    conn->n_holds++;
}

void fb_client_h2_leave(struct client_h2 *conn)
{
    if (conn->n_holds == 1) {
        run_news(conn);
    }
    while (conn->n_holds == 1 && conn->wants_flush && conn->stream != NULL &&
           fb_op_is_idle(&conn->write.op)) {
        conn_flush(conn);
    }
    if (conn->n_holds == 1 && conn->stream != NULL) {
        conn_watch_input(conn);
        if (conn->n_streams == 0 && (conn->is_leaving || !fb_timer_is_set(&conn->idle))) {
            conn_rest(conn);
        }
    }
    conn->n_holds--;
    free_if_done(conn);
}

/* ---- requests ------------------------------------------------------------ */

/* What the last connection was told holds for the next one until it is told itself. */
static uint32_t conn_max_streams(struct client_h2 *conn)
{
    struct client_upstream *upstream = conn->upstream;
    uint32_t most = fb_http2_max_calls(conn->session);

    if (most > 0 && fb_http2_has_said(conn->session)) {
        upstream->n_streams = most;
    } else if (upstream->n_streams != 0) {
        most = FB_MIN(most, upstream->n_streams);
    }
    return FB_MIN(most, upstream->client->limits.max_streams);
}

static bool conn_takes(struct client_h2 *conn, const struct client_request *request)
{
    uint32_t most = conn_max_streams(conn);

    conn_judge(conn);
    return !conn->is_leaving && conn->n_streams < most &&
           (!request->needs_new || conn->number > request->newer_than);
}

static void conn_take(struct client_h2 *conn, struct client_request *request)
{
    struct fb_client *client = conn->upstream->client;

    fb_client_h2_enter(conn);
    fb_timer_clear(&conn->idle);
    if (conn->n_served++ > 0) {
        fb_client_count(client, CLIENT_REUSED);
    }
    fb_client_count(client, CLIENT_SHARED);
    fb_client_request_set_timer(request);
    fb_client_h2_stream_new(conn, request);
    conn->wants_flush = true;
    fb_client_h2_leave(conn);
}

bool fb_client_h2_join(struct client_upstream *upstream, struct client_request *request)
{
    FB_LIST_EACH(node, &upstream->shared) {
        struct client_h2 *conn = FB_CONTAINER_OF(node, struct client_h2, link);
        if (conn_takes(conn, request)) {
            fb_list_remove(&request->link);
            conn_take(conn, request);
            return true;
        }
    }
    return false;
}

void fb_client_h2_open(struct client_upstream *upstream, struct fb_stream *stream,
                       struct client_request *request)
{
    struct fb_client *client = upstream->client;
    struct client_h2 *conn = FB_NEW(struct client_h2);
    const struct fb_http2_limits limits = {.max_head_bytes = client->limits.max_head_bytes,
                                           .max_streams = client->limits.max_streams,
                                           .window = client->limits.min_window};

    conn->upstream = upstream;
    conn->stream = stream;
    fb_list_init(&conn->link);
    fb_list_init(&conn->streams);
    fb_list_init(&conn->news);
    fb_list_append(&upstream->shared, &conn->link);
    fb_op_init(&conn->wait, client->loop, on_input);
    fb_op_init(&conn->flush_op, client->loop, on_flush);
    fb_op_init(&conn->write.op, client->loop, on_written);
    fb_timer_init(&conn->idle, client->loop, on_idle);
    conn->number = upstream->n_opened;
    conn->opened_ms = fb_loop_now_ms(client->loop);
    upstream->n_open++;
    client->n_conns++;
    fb_client_count(client, CLIENT_CONNECTIONS);
    fb_client_h2_enter(conn);
    int err = fb_http2_client_new(&limits, &fb_client_h2_events, conn, &conn->session);
    if (err < 0) {
        if (request != NULL) {
            fb_client_request_fail(request, err);
        }
        conn_kill(conn, err);
    } else {
        conn->wants_flush = true;
        if (request != NULL) {
            conn_take(conn, request);
        }
    }
    fb_client_h2_leave(conn);
}
