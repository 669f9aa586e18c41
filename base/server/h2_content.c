#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/server/h2_internal.h"

static struct h2_stream *stream_of(struct fb_reader *reader)
{
    return FB_CONTAINER_OF(reader, struct h2_stream, base.content);
}

/* `n` bytes were used, so as many may come. */
static void content_use(struct h2_stream *stream, size_t n)
{
    if (n > 0 && !fb_conn_is_dead(&stream->conn->base)) {
        fb_http2_use(stream->conn->session, &stream->part, n);
        fb_h2_flush_soon(stream->conn);
    }
}

/* ---- the reader ---------------------------------------------------------- */

struct received {
    struct fb_buf bytes;
};

static void received_release(void *owner)
{
    struct received *received = owner;

    fb_buf_done(&received->bytes);
    fb_free(received);
}

/* The first question opens the windows, and answers who waits for leave to send. */
static void content_begin(struct h2_stream *stream)
{
    struct h2_content *content = &stream->content;

    if (!content->is_wide) {
        content->is_wide = true;
        fb_http2_widen(stream->conn->session, &stream->part);
        fb_h2_flush_soon(stream->conn);
    }
    if (content->is_expected && !stream->base.has_responded) {
        content->is_expected = false;
        fb_http2_continue(stream->conn->session, &stream->part);
        fb_h2_flush_soon(stream->conn);
    }
}

static int content_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct h2_stream *stream = stream_of(reader);
    struct h2_content *content = &stream->content;

    if (content->err < 0) {
        return content->err;
    }
    if (content->received.len > 0) {
        struct received *received = FB_NEW(struct received);
        received->bytes = fb_buf_take(&content->received);
        *ret_slice = (struct fb_slice){
            .bytes = fb_buf_str(&received->bytes), .release = received_release, .owner = received};
        content_use(stream, received->bytes.len);
        return FB_OK;
    }
    if (stream->part.has_all_content) {
        content->err = FB_E_END;
    } else if (stream->part.is_closed) {
        content->err = FB_E_CLOSED;
    } else {
        content_begin(stream);
    }
    return content->err < 0 ? content->err : FB_E_LATER;
}

static void wait_cancel(struct fb_op *op)
{
    struct h2_stream *stream = op->provider;

    stream->content.waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static void content_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct h2_stream *stream = stream_of(reader);
    struct h2_content *content = &stream->content;

    FB_REQUIRE(content->waiter == NULL);
    fb_op_begin(op, wait_cancel);
    if (content->err < 0 || content->received.len > 0 || stream->part.has_all_content ||
        stream->part.is_closed) {
        fb_op_finish(op, FB_OK);
        return;
    }
    op->provider = stream;
    content->waiter = op;
    content->since_ms = fb_loop_now_ms(stream->conn->base.server->loop);
}

/* The exchange owns it, so that a handler may give it back as a response. */
static void content_close(struct fb_reader *reader)
{
    (void)reader;
}

static const struct fb_reader_ops content_ops = {.next = content_next,
                                                 .wait = content_wait,
                                                 .close = content_close};

void fb_h2_content_init(struct h2_stream *stream)
{
    stream->base.content.ops = &content_ops;
    stream->content.is_expected = stream->part.expects_continue;
}

/* ---- what comes in ------------------------------------------------------- */

void fb_h2_content_wake(struct h2_stream *stream)
{
    struct fb_op *waiter = stream->content.waiter;

    if (waiter != NULL) {
        stream->content.waiter = NULL;
        fb_op_finish(waiter, FB_OK);
    }
}

void fb_h2_content_add(struct h2_stream *stream, struct fb_str bytes)
{
    struct h2_content *content = &stream->content;
    struct fb_server *server = stream->conn->base.server;

    content->n_bytes += bytes.len;
    if (content->n_bytes > server->options.limits.max_body_bytes && content->err == FB_OK) {
        fb_server_count(server, METRIC_REFUSED_CONTENT);
        content->err = FB_E_LIMIT;
    }
    if (content->err < 0 || stream->is_over) {
        fb_http2_use(stream->conn->session, &stream->part, bytes.len);
    } else {
        fb_buf_append(&content->received, bytes);
    }
    fb_h2_content_wake(stream);
}

void fb_h2_content_drop(struct h2_stream *stream)
{
    content_use(stream, stream->content.received.len);
    fb_buf_done(&stream->content.received);
}
