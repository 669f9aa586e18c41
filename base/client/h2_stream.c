#include "base/client/h2_internal.h"
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/loop.h"

/* ---- content in ---------------------------------------------------------- */

static void piece_free(struct client_piece *piece)
{
    fb_slice_release(&piece->slice);
    fb_buf_done(&piece->copy);
    fb_free(piece);
}

static void piece_release(void *owner)
{
    piece_free(owner);
}

static struct client_piece *piece_add(struct client_stream *stream)
{
    struct client_piece *piece = FB_NEW(struct client_piece);

    fb_list_init(&piece->link);
    fb_list_append(&stream->pieces, &piece->link);
    return piece;
}

/* The piece that `len` more bytes are copied to. */
static struct client_piece *piece_to_fill(struct client_stream *stream, size_t len)
{
    if (!fb_list_empty(&stream->pieces)) {
        struct client_piece *last = FB_CONTAINER_OF(stream->pieces.prev, struct client_piece, link);
        if (last->copy.len > 0 && last->copy.len + len <= H2_COPY_BYTES) {
            return last;
        }
    }
    return piece_add(stream);
}

/* Long pieces are views of what was received. */
static void stream_keep(struct client_stream *stream, struct fb_str bytes)
{
    if (bytes.len >= H2_LEAST_VIEW) {
        piece_add(stream)->slice = fb_client_input_slice(stream->conn->input, bytes);
    } else {
        fb_buf_append(&piece_to_fill(stream, bytes.len)->copy, bytes);
    }
}

static void stream_drop_pieces(struct client_stream *stream)
{
    struct fb_list *node = NULL;

    while ((node = fb_list_pop(&stream->pieces)) != NULL) {
        piece_free(FB_CONTAINER_OF(node, struct client_piece, link));
    }
}

/* So much was read, so as much may come; more of it, if all that came was. */
static void stream_use(struct client_stream *stream, size_t n)
{
    struct client_h2 *conn = stream->conn;
    uint32_t most = conn->upstream->client->limits.max_window;

    stream->n_read += n;
    if (conn->session == NULL || stream->call.stream.has_all_content) {
        return;
    }
    fb_http2_use(conn->session, &stream->call.stream, n);
    if (fb_list_empty(&stream->pieces) && stream->window < most &&
        stream->n_read >= (uint64_t)2 * stream->window) {
        stream->window = FB_MIN(2 * stream->window, most);
        fb_http2_call_widen(conn->session, &stream->call, stream->window);
    }
    fb_client_h2_flush_soon(conn);
}

/* ---- life ---------------------------------------------------------------- */

static void free_if_done(struct client_stream *stream)
{
    struct client_h2 *conn = stream->conn;

    if (stream->request != NULL || !stream->call.stream.is_closed ||
        !fb_op_is_idle(&stream->body_wait)) {
        return;
    }
    fb_list_remove(&stream->link);
    fb_list_remove(&stream->note);
    fb_free(stream);
    fb_client_h2_stream_gone(conn);
}

static void stream_note(struct client_stream *stream)
{
    fb_list_remove(&stream->note);
    fb_list_append(&stream->conn->news, &stream->note);
}

static void stream_end_body(struct client_stream *stream)
{
    fb_op_cancel(&stream->body_wait);
    fb_reader_close(stream->body);
    stream->body = NULL;
}

void fb_client_h2_stream_cut(struct client_stream *stream, int err)
{
    struct fb_http2_stream *part = &stream->call.stream;

    if (!part->is_closed) {
        fb_http2_stream_done(stream->conn->session, part);
        part->is_closed = true;
        if (!stream->call.is_answered || !part->has_all_content) {
            stream->call.err = err == FB_OK ? FB_E_CLOSED : err;
        }
        stream_note(stream);
    }
}

/* ---- as a carrier -------------------------------------------------------- */

static struct client_stream *stream_of(struct client_carrier *carrier)
{
    return FB_CONTAINER_OF(carrier, struct client_stream, carrier);
}

static int carrier_content(struct client_carrier *carrier, struct fb_slice *ret_slice)
{
    struct client_stream *stream = stream_of(carrier);
    struct fb_list *node = fb_list_pop(&stream->pieces);

    if (node == NULL) {
        return stream->call.stream.has_all_content ? FB_E_END
               : stream->call.stream.is_closed     ? stream->call.err
                                                   : FB_E_LATER;
    }
    struct client_piece *piece = FB_CONTAINER_OF(node, struct client_piece, link);
    struct fb_str bytes = piece->copy.len > 0 ? fb_buf_str(&piece->copy) : piece->slice.bytes;
    if (ret_slice != NULL) {
        *ret_slice = (struct fb_slice){.bytes = bytes, .release = piece_release, .owner = piece};
    }
    stream_use(stream, bytes.len);
    if (ret_slice == NULL) {
        piece_free(piece);
    }
    return FB_OK;
}

static bool carrier_is_whole(struct client_carrier *carrier)
{
    struct client_stream *stream = stream_of(carrier);

    return stream->call.stream.has_all_content && fb_list_empty(&stream->pieces);
}

static bool carrier_is_ready(struct client_carrier *carrier)
{
    struct client_stream *stream = stream_of(carrier);

    return stream->call.stream.has_all_content || stream->call.stream.is_closed ||
           !fb_list_empty(&stream->pieces);
}

/* A peer that is silent while a request times out takes no more of them. */
static void carrier_release(struct client_carrier *carrier, int err)
{
    struct client_stream *stream = stream_of(carrier);
    struct client_h2 *conn = stream->conn;

    stream->request = NULL;
    stream->call.stream.arena = NULL;
    stream_drop_pieces(stream);
    if (err == FB_E_TIMEOUT && conn->heard_ms <= stream->joined_ms) {
        conn->is_leaving = true;
    }
    if (!stream->call.stream.is_closed) {
        stream->call.stream.body = NULL; /* what was taken of it may still be sent */
        fb_http2_reset(conn->session, &stream->call.stream);
        fb_client_h2_flush_soon(conn);
    }
    stream_end_body(stream);
    fb_client_h2_enter(conn);
    free_if_done(stream);
    fb_client_h2_leave(conn);
}

static const struct client_carrier_ops carrier_ops = {
    .is_http2 = true,
    .content = carrier_content,
    .is_whole = carrier_is_whole,
    .is_ready = carrier_is_ready,
    .release = carrier_release,
};

/* ---- what the session tells ---------------------------------------------- */

static struct client_stream *stream_at(struct fb_http2_stream *part)
{
    return FB_CONTAINER_OF(fb_http2_call_of(part), struct client_stream, call);
}

static void on_answered(void *ctx, struct fb_http2_stream *part)
{
    struct client_h2 *conn = ctx;

    conn->has_answered = true;
    stream_note(stream_at(part));
}

static void on_content(void *ctx, struct fb_http2_stream *part, struct fb_str bytes)
{
    struct client_stream *stream = stream_at(part);

    (void)ctx;
    if (stream->request != NULL && bytes.len > 0) {
        stream_keep(stream, bytes);
    }
    stream_note(stream);
}

static bool waits_for_head(const struct client_stream *stream)
{
    return stream->request != NULL && stream->request->fetch != NULL;
}

/* Whoever makes the content has timeouts of its own. */
static void on_waiting(void *ctx, struct fb_http2_stream *part)
{
    struct client_stream *stream = stream_at(part);

    (void)ctx;
    if (fb_op_is_idle(&stream->body_wait)) {
        if (waits_for_head(stream)) {
            fb_timer_clear(&stream->request->timer);
        }
        fb_reader_wait(stream->body, &stream->body_wait);
    }
}

static void on_ended(void *ctx, struct fb_http2_stream *part)
{
    struct client_stream *stream = stream_at(part);

    (void)ctx;
    if (waits_for_head(stream)) {
        fb_client_request_set_timer(stream->request);
    }
}

static void on_closed(void *ctx, struct fb_http2_stream *part)
{
    (void)ctx;
    stream_note(stream_at(part));
}

const struct fb_http2_events fb_client_h2_events = {
    .answered = on_answered,
    .content = on_content,
    .waiting = on_waiting,
    .ended = on_ended,
    .closed = on_closed,
};

/* ---- settling ------------------------------------------------------------ */

/* It ended without a head. */
static void stream_fail(struct client_stream *stream)
{
    struct client_request *request = stream->request;
    const struct fb_http2_call *call = &stream->call;
    bool was_kept = stream->conn->session == NULL && stream->conn->has_answered;
    bool is_unseen = call->is_refused;

    if (call->stream.body_err < 0) {
        request->fetch->content_failed = true;
        fb_client_request_fail(request, call->stream.body_err);
    } else if ((is_unseen || (was_kept && !call->has_begun)) &&
               fb_client_request_may_retry(request, is_unseen)) {
        fb_client_request_retry(request, stream->conn->number);
    } else {
        fb_client_request_fail(request, call->err);
    }
}

static int64_t stream_length(const struct client_stream *stream)
{
    const struct fb_http2_call *call = &stream->call;
    bool is_empty = fb_status_has_no_content(call->response.status, stream->request->fetch->method);

    return is_empty ? 0 : call->stream.content_length;
}

void fb_client_h2_stream_settle(struct client_stream *stream)
{
    struct client_request *request = stream->request;

    if (stream->call.stream.is_closed) {
        stream_end_body(stream);
    }
    if (request == NULL) {
        free_if_done(stream);
    } else if (request->fetch == NULL) {
        fb_client_request_wake(request);
    } else if (stream->call.is_answered) {
        fb_client_request_answer(request, &stream->call.response, stream_length(stream));
    } else if (stream->call.stream.is_closed) {
        stream_fail(stream);
    }
}

/* ---- the request --------------------------------------------------------- */

static void on_body_ready(struct fb_op *op)
{
    struct client_stream *stream = FB_CONTAINER_OF(op, struct client_stream, body_wait);
    struct client_h2 *conn = stream->conn;

    fb_client_h2_enter(conn);
    if (stream->call.stream.is_closed || stream->body == NULL) {
        free_if_done(stream);
    } else {
        if (waits_for_head(stream)) {
            fb_client_request_set_timer(stream->request);
        }
        fb_http2_resume(conn->session, &stream->call.stream);
        conn->wants_flush = true;
    }
    fb_client_h2_leave(conn);
}

/* A piece of the content was sent: there is as much time again for the next. */
void fb_client_h2_stream_sent(struct client_stream *stream)
{
    uint64_t n_sent = stream->call.stream.n_gathered;

    if (stream->body != NULL && stream->n_sent != n_sent) {
        stream->n_sent = n_sent;
        if (waits_for_head(stream) && fb_op_is_idle(&stream->body_wait)) {
            fb_client_request_set_timer(stream->request);
        }
    }
}

void fb_client_h2_stream_new(struct client_h2 *conn, struct client_request *request)
{
    struct fb_fetch *fetch = request->fetch;
    struct client_stream *stream = FB_NEW(struct client_stream);
    FB_AUTO(fb_buf_done) struct fb_buf host = {0};

    stream->carrier.ops = &carrier_ops;
    stream->conn = conn;
    stream->request = request;
    request->carrier = &stream->carrier;
    stream->call.stream.arena = fetch->arena;
    stream->joined_ms = fb_loop_now_ms(conn->upstream->client->loop);
    stream->window = conn->upstream->client->limits.min_window;
    fb_list_init(&stream->link);
    fb_list_init(&stream->note);
    fb_list_init(&stream->pieces);
    fb_list_append(&conn->streams, &stream->link);
    conn->n_streams++;
    fb_op_init(&stream->body_wait, conn->upstream->client->loop, on_body_ready);
    stream->body = fetch->request_body;
    fetch->request_body = NULL;
    if (fetch->request_length == 0) {
        fb_reader_close(stream->body);
        stream->body = NULL;
    }
    fb_client_write_host(&host, fetch);
    struct fb_http2_ask ask = {
        .method = fb_method_text(fetch->method),
        .scheme = fetch->tls != NULL ? FB_STR("https") : FB_STR("http"),
        .authority = fb_buf_str(&host),
        .target = fetch->url.target,
        .headers = fetch->headers,
        .n_headers = fetch->n_headers,
        .says_length = stream->body != NULL && fetch->request_length > 0,
        .length = stream->body != NULL ? fetch->request_length : 0,
        .body = stream->body,
    };
    int err = fb_http2_ask(conn->session, &stream->call, &ask);
    if (err < 0) {
        stream->call.stream.is_closed = true;
        stream->call.is_refused = true;
        stream->call.err = err;
        stream_note(stream);
    }
}
