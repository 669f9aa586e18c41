/*
 * Sending a request: its head, with the first piece of its content if that is
 * there, then piece after piece.
 */
#include "base/client/client_internal.h"
#include "base/core/alloc.h"
#include "base/core/err.h"

#include <string.h>

static struct client_conn *conn_of(struct client_send *send)
{
    return FB_CONTAINER_OF(send, struct client_conn, send);
}

/* ---- the head ------------------------------------------------------------ */

void fb_client_write_host(struct fb_buf *buf, const struct fb_fetch *fetch)
{
    if (fetch->host_header.ptr != NULL) {
        fb_buf_append(buf, fetch->host_header);
        return;
    }
    bool is_ip6 = fb_str_find(fetch->url.host, ':') != fetch->url.host.len;
    fb_buf_printf(buf, is_ip6 ? "[%.*s]" : "%.*s", FB_STR_ARG(fetch->url.host));
    if (fetch->url.port != (fetch->tls == NULL ? 80 : 443)) {
        fb_buf_printf(buf, ":%u", (unsigned)fetch->url.port);
    }
}

static bool method_takes_content(enum fb_method method)
{
    return method == FB_METHOD_POST || method == FB_METHOD_PUT || method == FB_METHOD_PATCH;
}

static void send_head(struct client_send *send, const struct fb_fetch *fetch)
{
    FB_AUTO(fb_buf_done) struct fb_buf host = {0};
    bool has_length = fetch->request_body != NULL && fetch->request_length >= 0;

    fb_client_write_host(&host, fetch);
    struct fb_http1_request_out out = {
        .method = fb_method_text(fetch->method),
        .target = fetch->url.target,
        .host = fb_buf_str(&host),
        .headers = fetch->headers,
        .n_headers = fetch->n_headers,
        .framing = fetch->request_body == NULL ? FB_HTTP1_EMPTY
                   : !has_length               ? FB_HTTP1_CHUNKED
                   : fetch->request_length > 0 ? FB_HTTP1_LENGTH
                                               : FB_HTTP1_EMPTY,
        .length = has_length ? (uint64_t)fetch->request_length : 0,
        .says_length = method_takes_content(fetch->method),
    };
    fb_http1_write_request(&send->head, &out);
    send->is_chunked = out.framing == FB_HTTP1_CHUNKED;
    send->left = out.length;
}

/* ---- the content --------------------------------------------------------- */

static void send_end_body(struct client_send *send)
{
    fb_reader_close(send->body);
    send->body = NULL;
}

/* Adds the next piece of content, if there is one. FB_OK or FB_E_LATER; any
 * other result breaks the request. */
static int send_add_content(struct client_send *send, size_t *n_pieces)
{
    int err = fb_reader_next(send->body, &send->slice);
    if (err == FB_E_END) {
        if (send->left > 0) {
            return FB_E_CLOSED;
        }
        if (send->is_chunked) {
            send->pieces[(*n_pieces)++] = fb_http1_chunk_last();
        }
        send_end_body(send);
        return FB_OK;
    }
    if (err < 0) {
        return err;
    }
    size_t len = send->slice.bytes.len;
    if (!send->is_chunked && len > send->left) {
        return FB_E_LIMIT; /* more than was announced */
    }
    if (send->is_chunked) {
        send->pieces[(*n_pieces)++] = fb_http1_chunk_head(send->chunk_head, len);
    } else {
        send->left -= len;
    }
    send->pieces[(*n_pieces)++] = send->slice.bytes;
    if (send->is_chunked) {
        send->pieces[(*n_pieces)++] = FB_STR("\r\n");
    } else if (send->left == 0) {
        send_end_body(send);
    }
    return FB_OK;
}

static void send_step(struct client_send *send)
{
    struct client_conn *conn = conn_of(send);
    size_t n_pieces = 0;

    if (send->head.len > 0) {
        send->pieces[n_pieces++] = fb_buf_str(&send->head);
    }
    if (send->body != NULL) {
        int err = send_add_content(send, &n_pieces);
        if (err < 0 && err != FB_E_LATER) {
            if (conn->machine.state == CONN_HEAD) {
                conn->request->fetch->content_failed = true;
            }
            fb_client_request_fail(conn->request, err);
            return;
        }
        if (err == FB_E_LATER && n_pieces == 0) {
            if (conn->machine.state == CONN_HEAD) {
                /* Whoever makes the content has timeouts of its own. */
                fb_timer_clear(&conn->request->timer);
            }
            fb_reader_wait(send->body, &send->body_wait);
            return;
        }
    }
    if (n_pieces == 0) {
        send->is_done = true;
        return;
    }
    send->write.pieces = send->pieces;
    send->write.n_pieces = n_pieces;
    fb_stream_write(conn->stream, &send->write);
}

static void on_written(struct fb_op *op)
{
    struct client_send *send = FB_CONTAINER_OF(op, struct client_send, write.op);
    struct client_conn *conn = conn_of(send);

    fb_slice_release(&send->slice);
    if (conn->machine.state == CONN_CLOSED) {
        fb_client_conn_try_free(conn);
        return;
    }
    fb_buf_clear(&send->head);
    if (op->result < 0) {
        /* The peer may have answered before it stopped listening: whatever
         * reading finds decides. */
        send->is_broken = true;
        send_end_body(send);
        return;
    }
    if (conn->machine.state == CONN_HEAD) {
        fb_client_request_set_timer(conn->request);
    }
    if (send->body != NULL) {
        send_step(send);
    } else {
        send->is_done = true;
    }
}

static void on_body_wait(struct fb_op *op)
{
    struct client_send *send = FB_CONTAINER_OF(op, struct client_send, body_wait);
    struct client_conn *conn = conn_of(send);

    if (conn->machine.state == CONN_CLOSED) {
        fb_client_conn_try_free(conn);
        return;
    }
    if (conn->machine.state == CONN_HEAD) {
        fb_client_request_set_timer(conn->request);
    }
    send_step(send);
}

/* ---- life ---------------------------------------------------------------- */

void fb_client_send_init(struct client_conn *conn)
{
    fb_op_init(&conn->send.write.op, conn->upstream->client->loop, on_written);
    fb_op_init(&conn->send.body_wait, conn->upstream->client->loop, on_body_wait);
}

void fb_client_send_start(struct client_conn *conn)
{
    struct client_send *send = &conn->send;
    struct fb_fetch *fetch = conn->request->fetch;

    send->is_done = false;
    send->is_broken = false;
    send_head(send, fetch);
    send->body = fetch->request_body;
    fetch->request_body = NULL;
    if (send->body != NULL && !send->is_chunked && send->left == 0) {
        send_end_body(send);
    }
    send_step(send);
}

/* The stream is closed already, so nothing reads what is released here. */
void fb_client_send_stop(struct client_conn *conn)
{
    struct client_send *send = &conn->send;

    fb_op_cancel(&send->body_wait);
    send_end_body(send);
    fb_slice_release(&send->slice);
    fb_buf_done(&send->head);
}

bool fb_client_send_is_idle(const struct client_conn *conn)
{
    return fb_op_is_idle(&conn->send.write.op) && fb_op_is_idle(&conn->send.body_wait);
}
