#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http1/parse.h"
#include "base/server/h2_internal.h"

/* ---- the end ------------------------------------------------------------- */

static void free_if_done(struct h2_conn *conn)
{
    if (!fb_conn_is_dead(&conn->base) || conn->n_streams > 0 || conn->n_holds > 0 ||
        !fb_op_is_idle(&conn->input_op) || !fb_op_is_idle(&conn->flush_op) ||
        !fb_op_is_idle(&conn->write.op)) {
        return;
    }
    fb_server_conn_gone(&conn->base);
    fb_free(conn);
}

void fb_h2_stream_gone(struct h2_conn *conn)
{
    conn->n_streams--;
    if (fb_conn_is_dead(&conn->base)) {
        free_if_done(conn);
        return;
    }
    if (conn->n_streams == 0) {
        fb_h2_watch_streams(conn);
        fb_h2_flush_soon(conn); /* it may have been the last that was waited for */
    }
}

/* Nothing more comes of the streams that are left. */
static void close_streams(struct h2_conn *conn)
{
    FB_LIST_EACH(node, &conn->streams) {
        struct h2_stream *stream = FB_CONTAINER_OF(node, struct h2_stream, link);
        stream->base.peer = fb_stream_peer(conn->base.stream);
        stream->n_sent = fb_http2_n_sent(conn->session, &stream->part);
        fb_http2_stream_done(conn->session, &stream->part);
        stream->part.is_closed = true;
        fb_h2_stream_note(stream);
    }
}

void fb_h2_kill(struct h2_conn *conn, bool is_reset)
{
    if (fb_conn_is_dead(&conn->base)) {
        return;
    }
    fb_h2_enter(conn);
    fb_timer_clear(&conn->base.timer);
    fb_timer_clear(&conn->watch);
    close_streams(conn);
    if (is_reset) {
        fb_stream_reset(conn->base.stream);
    } else {
        fb_stream_close(conn->base.stream);
    }
    conn->base.stream = NULL;
    fb_http2_session_free(conn->session);
    conn->session = NULL;
    if (conn->input_err == FB_OK) {
        conn->input_err = FB_E_CLOSED;
    }
    fb_h2_run_news(conn);
    fb_h2_leave(conn);
}

void fb_h2_shut_down(struct h2_conn *conn)
{
    if (!conn->is_last && !conn->is_lingering) {
        conn->is_last = true;
        fb_http2_shut_down(conn->session, true);
        fb_h2_flush_soon(conn);
    }
}

/* Both sides are done, or one will not go on. */
static void linger(struct h2_conn *conn)
{
    conn->is_lingering = true;
    close_streams(conn);
    fb_h2_run_news(conn);
    fb_stream_shut(conn->base.stream);
    fb_h2_watch_linger(conn);
}

/* ---- what streams have been through -------------------------------------- */

void fb_h2_run_news(struct h2_conn *conn)
{
    struct fb_list *node = NULL;

    while ((node = fb_list_pop(&conn->news)) != NULL) {
        fb_h2_stream_settle(FB_CONTAINER_OF(node, struct h2_stream, note));
    }
}

static struct h2_stream *stream_of(struct fb_http2_stream *part)
{
    return FB_CONTAINER_OF(part, struct h2_stream, part);
}

/* What fields of one byte each on the wire unpack to is kept for as long as responses last. */
static void count_newest(struct h2_conn *conn)
{
    struct h2_stream *stream = conn->newest;

    conn->newest = NULL;
    if (stream != NULL) {
        fb_h2_stream_count(stream,
                           stream->part.n_head_bytes + H2_FIELD_BYTES * stream->part.n_fields);
    }
}

static struct fb_http2_stream *on_opened(void *ctx)
{
    struct h2_conn *conn = ctx;

    count_newest(conn); /* no head begins before the last is whole or given up */
    if (conn->n_streams >= (size_t)2 * conn->base.server->options.limits.max_streams) {
        return NULL; /* handlers are still busy with requests that were canceled */
    }
    if (conn->n_heads_bytes >= H2_MAX_HEADS_BYTES) {
        return NULL;
    }
    conn->newest = fb_h2_stream_new(conn);
    return &conn->newest->part;
}

static void on_requested(void *ctx, struct fb_http2_stream *part)
{
    struct h2_stream *stream = stream_of(part);

    (void)ctx;
    stream->is_ready = true;
    fb_h2_stream_note(stream);
}

static void on_content(void *ctx, struct fb_http2_stream *part, struct fb_str bytes)
{
    (void)ctx;
    fb_h2_content_add(stream_of(part), bytes);
}

static void on_waiting(void *ctx, struct fb_http2_stream *part)
{
    struct h2_stream *stream = stream_of(part);

    (void)ctx;
    if (fb_op_is_idle(&stream->body_wait)) {
        fb_reader_wait(stream->body, &stream->body_wait);
    }
}

static void on_ended(void *ctx, struct fb_http2_stream *part)
{
    struct h2_conn *conn = ctx;
    struct h2_stream *stream = stream_of(part);

    fb_list_remove(&stream->note);
    fb_list_append(&conn->ending, &stream->note);
}

static void on_closed(void *ctx, struct fb_http2_stream *part)
{
    struct h2_stream *stream = stream_of(part);

    (void)ctx;
    if (!part->has_ended || stream->is_over) {
        fb_h2_stream_note(stream);
    }
}

static void on_refused(void *ctx)
{
    struct h2_conn *conn = ctx;

    fb_server_count(conn->base.server, METRIC_H2_REFUSED);
}

static const struct fb_http2_events events = {
    .opened = on_opened,
    .requested = on_requested,
    .content = on_content,
    .waiting = on_waiting,
    .ended = on_ended,
    .closed = on_closed,
    .refused = on_refused,
};

/* ---- output -------------------------------------------------------------- */

static void start_write(struct h2_conn *conn, size_t n_pieces)
{
    conn->write.pieces = conn->pieces;
    conn->write.n_pieces = n_pieces;
    for (size_t i = 0; i < n_pieces; i++) {
        fb_pace_add(&conn->base, conn->pieces[i].len);
    }
    conn->waits = false;
    fb_stream_write(conn->base.stream, &conn->write);
    if (fb_stream_unsent(conn->base.stream) == 0) {
        conn->base.pace.is_slow = false;
    } else {
        conn->waits = true;
        fb_pace_begin(&conn->base);
    }
}

/* Sends what there is, unless a write is under way. */
static void conn_flush(struct h2_conn *conn)
{
    size_t max_bytes = conn->base.pace.is_slow ? H2_SLOW_BYTES : H2_BATCH_BYTES;

    conn->wants_flush = false;
    size_t n_pieces = fb_http2_gather(conn->session, max_bytes, conn->pieces);
    if (n_pieces > 0) {
        start_write(conn, n_pieces);
    } else if (fb_http2_is_over(conn->session)) {
        linger(conn);
        return;
    }
    fb_h2_run_news(conn);
}

static void on_flush(struct fb_op *op)
{
    struct h2_conn *conn = FB_CONTAINER_OF(op, struct h2_conn, flush_op);

    fb_h2_enter(conn);
    fb_h2_leave(conn);
}

void fb_h2_flush_soon(struct h2_conn *conn)
{
    conn->wants_flush = true;
    if (conn->n_holds == 0 && !fb_conn_is_dead(&conn->base) && fb_op_is_idle(&conn->flush_op) &&
        fb_op_is_idle(&conn->write.op)) {
        fb_op_begin(&conn->flush_op, NULL);
        fb_op_finish(&conn->flush_op, FB_OK);
    }
}

static void on_written(struct fb_op *op)
{
    struct h2_conn *conn = FB_CONTAINER_OF(op, struct h2_conn, write.op);
    struct fb_list *node = NULL;

    if (fb_conn_is_dead(&conn->base)) {
        free_if_done(conn);
        return;
    }
    fb_h2_enter(conn);
    if (conn->waits) {
        fb_pace_end(&conn->base);
    }
    fb_timer_clear(&conn->base.timer);
    if (op->result < 0) {
        fb_h2_kill(conn, true);
        fb_h2_leave(conn);
        return;
    }
    fb_http2_sent(conn->session);
    while ((node = fb_list_pop(&conn->ending)) != NULL) {
        fb_h2_stream_end(FB_CONTAINER_OF(node, struct h2_stream, note), FB_OK);
    }
    conn->wants_flush = true;
    fb_h2_leave(conn);
}

/* The kernel has not taken all of a write for some time. */
static void on_pace(struct fb_timer *timer)
{
    struct h2_conn *conn = FB_CONTAINER_OF(timer, struct h2_conn, base.timer);

    fb_h2_enter(conn);
    if (!fb_op_is_idle(&conn->write.op)) {
        fb_pace_on_timer(&conn->base);
    }
    fb_h2_leave(conn);
}

/* ---- input --------------------------------------------------------------- */

/* Waits for input, unless the client does not take what it has caused already. */
static void conn_watch_input(struct h2_conn *conn)
{
    bool is_clogged = !fb_op_is_idle(&conn->write.op) && fb_http2_is_clogged(conn->session);

    if (fb_op_is_idle(&conn->input_op) && conn->input_err == FB_OK && !is_clogged) {
        fb_reader_wait(&conn->base.stream->reader, &conn->input_op);
    }
}

static void count_fault(struct h2_conn *conn)
{
    enum fb_http2_fault fault = fb_http2_fault(conn->session);

    if (fault != FB_HTTP2_FAULT_NONE && !conn->is_faulty) {
        conn->is_faulty = true;
        fb_server_count(conn->base.server,
                        METRIC_H2_FAULT_PROTOCOL + ((unsigned)fault - FB_HTTP2_FAULT_PROTOCOL));
    }
}

/* False if the connection is dead. */
static bool conn_receive(struct h2_conn *conn, struct fb_str bytes)
{
    int err = fb_http2_receive(conn->session, bytes, fb_loop_now_ms(conn->base.server->loop));

    count_fault(conn);
    if (err < 0) {
        fb_h2_kill(conn, true);
        return false;
    }
    fb_h2_run_news(conn);
    return true;
}

static void conn_read(struct h2_conn *conn)
{
    struct fb_slice slice = {0};

    for (unsigned i = 0; i < H2_MAX_SLICES && conn->input_err == FB_OK; i++) {
        int err = fb_reader_next(&conn->base.stream->reader, &slice);
        if (err == FB_E_LATER) {
            break;
        }
        if (err < 0) {
            conn->input_err = err;
            break;
        }
        bool is_alive = conn->is_lingering || conn_receive(conn, slice.bytes);
        fb_slice_release(&slice);
        if (!is_alive) {
            return;
        }
    }
    if (conn->input_err < 0) {
        fb_h2_kill(conn, false); /* who sends no more cannot take more either: no windows */
        return;
    }
    conn->wants_flush = true;
}

static void on_input(struct fb_op *op)
{
    struct h2_conn *conn = FB_CONTAINER_OF(op, struct h2_conn, input_op);

    fb_h2_enter(conn);
    if (!fb_conn_is_dead(&conn->base)) {
        conn_read(conn);
    }
    fb_h2_leave(conn);
}

/* ---- calls of the loop --------------------------------------------------- */

void fb_h2_enter(struct h2_conn *conn)
{
    conn->n_holds++;
}

void fb_h2_leave(struct h2_conn *conn)
{
    while (conn->n_holds == 1 && conn->wants_flush && !fb_conn_is_dead(&conn->base) &&
           !conn->is_lingering && fb_op_is_idle(&conn->write.op)) {
        conn_flush(conn);
    }
    if (!fb_conn_is_dead(&conn->base)) {
        count_fault(conn);
        conn_watch_input(conn);
    }
    conn->n_holds--;
    free_if_done(conn);
}

/* ---- for the server ------------------------------------------------------ */

static void h2_retract(struct server_conn *base)
{
    struct h2_conn *conn = fb_h2_conn_of(base);

    /* What the write has stays: frames cannot be taken back. */
    FB_LIST_EACH(node, &conn->streams) {
        struct h2_stream *stream = FB_CONTAINER_OF(node, struct h2_stream, link);
        fb_http2_retract(conn->session, &stream->part);
    }
}

static void h2_drain(struct server_conn *base)
{
    struct h2_conn *conn = fb_h2_conn_of(base);

    if (!conn->is_warned && !conn->is_last && !conn->is_lingering) {
        conn->is_warned = true;
        fb_http2_shut_down(conn->session, false);
        fb_h2_watch_warn(conn);
        fb_h2_flush_soon(conn);
    }
}

static void h2_cut(struct server_conn *base)
{
    struct h2_conn *conn = fb_h2_conn_of(base);

    fb_h2_kill(conn, conn->n_streams > 0);
}

static const struct server_protocol protocol = {
    .name = FB_STR("HTTP/2"),
    .respond = fb_h2_respond,
    .retract = h2_retract,
    .drain = h2_drain,
    .warns = true,
    .cut = h2_cut,
};

/* NULL when memory is out; then the stream is closed. */
static struct h2_conn *conn_new(struct fb_server *server, const struct server_peer *peer)
{
    struct h2_conn *conn = FB_NEW(struct h2_conn);
    struct fb_http2_limits limits = {
        .max_head_bytes = server->options.limits.max_head_bytes,
        .max_headers = server->options.limits.max_headers,
        .max_streams = server->options.limits.max_streams,
        .window = server->options.limits.h2_window,
    };

    fb_server_conn_init(server, &conn->base, &protocol, peer);
    fb_list_init(&conn->streams);
    fb_list_init(&conn->news);
    fb_list_init(&conn->ending);
    fb_op_init(&conn->input_op, server->loop, on_input);
    fb_op_init(&conn->flush_op, server->loop, on_flush);
    fb_op_init(&conn->write.op, server->loop, on_written);
    fb_timer_init(&conn->base.timer, server->loop, on_pace);
    fb_h2_watch_init(conn);
    conn->wants_flush = true;
    fb_server_count(server, METRIC_H2_CONNECTIONS);
    if (fb_http2_session_new(&limits, &events, conn, &conn->session) < 0) {
        fb_timer_clear(&conn->watch);
        fb_stream_reset(conn->base.stream);
        conn->base.stream = NULL;
        free_if_done(conn);
        return NULL;
    }
    return conn;
}

/* One that comes when the server is about to end is warned at once. */
static void conn_warn(struct h2_conn *conn)
{
    if (conn->base.server->is_retreating) {
        h2_drain(&conn->base);
    }
}

void fb_h2_open(struct fb_server *server, const struct server_peer *peer)
{
    struct h2_conn *conn = conn_new(server, peer);

    if (conn != NULL) {
        fb_h2_enter(conn);
        conn_warn(conn);
        conn_read(conn);
        fb_h2_leave(conn);
    }
}

void fb_h2_take_over(struct server_conn *old, struct fb_str rest)
{
    struct server_peer peer = {.stream = old->stream,
                               .client = old->client,
                               .is_trusted = old->is_trusted,
                               .listener = old->listener};

    old->stream = NULL;
    old->client = NULL;
    struct h2_conn *conn = conn_new(old->server, &peer);
    if (conn == NULL) {
        return;
    }
    fb_h2_enter(conn);
    if (conn_receive(conn, FB_HTTP2_PREFACE) && conn_receive(conn, rest)) {
        conn_read(conn);
    }
    if (!fb_conn_is_dead(&conn->base)) {
        conn_warn(conn);
    }
    fb_h2_leave(conn);
}
