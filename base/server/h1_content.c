#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/server/h1_internal.h"

static struct h1_exchange *exchange_of(struct fb_reader *reader)
{
    return FB_CONTAINER_OF(reader, struct h1_exchange, base.content);
}

/* ---- slices of the input ------------------------------------------------- */

static void hold_release(void *owner)
{
    struct input_hold *hold = owner;

    if (--hold->n_refs == 0) {
        fb_slice_release(&hold->slice);
        fb_free(hold);
    }
}

/* The slice for a piece that was just taken from conn->rest. */
static struct fb_slice slice_of(struct h1_conn *conn, struct fb_str piece)
{
    if (conn->hold == NULL && conn->rest.len == 0) {
        /* The last of it: the input's own slice moves on to the handler. */
        struct fb_slice slice = {
            .bytes = piece, .release = conn->slice.release, .owner = conn->slice.owner};
        conn->slice = (struct fb_slice){0};
        return slice;
    }
    if (conn->hold == NULL) {
        conn->hold = FB_NEW(struct input_hold);
        conn->hold->n_refs = 1;
        conn->hold->slice = conn->slice;
        conn->slice = (struct fb_slice){0};
    }
    conn->hold->n_refs++;
    return (struct fb_slice){.bytes = piece, .release = hold_release, .owner = conn->hold};
}

/* ---- the reader ---------------------------------------------------------- */

static int content_break(struct exchange_content *content, int err)
{
    content->err = err;
    return err;
}

/* The decoder needs more: FB_OK when there is some. */
static int pull_more(struct h1_exchange *exchange)
{
    struct exchange_content *content = &exchange->content;
    struct h1_conn *conn = exchange->conn;

    if (content->is_expected) {
        content->is_expected = false;
        fb_h1_send_continue(exchange);
    }
    int err = fb_h1_pull(conn);
    if (err == FB_OK || err == FB_E_LATER) {
        return err;
    }
    bool is_end = err == FB_E_END && exchange->base.upgrade.len > 0;
    return content_break(content, is_end ? FB_E_END : FB_E_CLOSED);
}

static int content_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct h1_exchange *exchange = exchange_of(reader);
    struct exchange_content *content = &exchange->content;
    struct h1_conn *conn = exchange->conn;
    struct fb_str piece;
    int err = FB_E_LATER;

    if (content->err < 0) {
        return content->err;
    }
    if (fb_h1_is_dead(conn)) {
        return content_break(content, FB_E_CLOSED);
    }
    for (;;) {
        err = fb_http1_body_next(&content->decoder, &conn->rest, &piece);
        if (err == FB_OK) {
            break;
        }
        if (err != FB_E_LATER) {
            return content_break(content, err);
        }
        err = pull_more(exchange);
        if (err < 0) {
            return err;
        }
    }
    content->n_bytes += piece.len;
    if (content->n_bytes > conn->base.server->options.limits.max_body_bytes &&
        exchange->base.upgrade.len == 0) {
        fb_server_count(conn->base.server, METRIC_REFUSED_CONTENT);
        return content_break(content, FB_E_LIMIT);
    }
    *ret_slice = slice_of(conn, piece);
    return FB_OK;
}

static void wait_cancel(struct fb_op *op)
{
    struct h1_exchange *exchange = op->provider;

    exchange->content.waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static void content_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct h1_exchange *exchange = exchange_of(reader);
    struct h1_conn *conn = exchange->conn;

    FB_REQUIRE(exchange->content.waiter == NULL);
    fb_op_begin(op, wait_cancel);
    if (exchange->content.err < 0 || conn->input_err < 0 || conn->rest.len > 0) {
        fb_op_finish(op, FB_OK);
        return;
    }
    op->provider = exchange;
    exchange->content.waiter = op;
    if (fb_op_is_idle(&exchange->write.op) && exchange->base.upgrade.len == 0) {
        fb_timer_set(&conn->base.timer, conn->base.server->options.limits.body_timeout_ms);
    }
    fb_h1_watch(conn);
}

/* The exchange owns it, so that a handler may give it back as a response. */
static void content_close(struct fb_reader *reader)
{
    (void)reader;
}

static const struct fb_reader_ops content_ops = {.next = content_next,
                                                 .wait = content_wait,
                                                 .close = content_close};

void fb_h1_content_init(struct h1_exchange *exchange, const struct fb_http1_request *request)
{
    exchange->base.content.ops = &content_ops;
    exchange->base.content_length =
        request->framing == FB_HTTP1_CHUNKED ? FB_LENGTH_UNKNOWN : (int64_t)request->length;
    exchange->content.is_expected = request->expects_continue;
    fb_http1_body_init(&exchange->content.decoder, request->framing, request->length);
}

void fb_h1_content_upgrade(struct h1_exchange *exchange)
{
    exchange->content.err = FB_OK;
    exchange->content.is_expected = false;
    fb_http1_body_init(&exchange->content.decoder, FB_HTTP1_UNTIL_CLOSE, 0);
}

void fb_h1_content_wake(struct h1_exchange *exchange)
{
    struct fb_op *waiter = exchange->content.waiter;

    if (waiter != NULL) {
        exchange->content.waiter = NULL;
        if (fb_op_is_idle(&exchange->write.op)) {
            fb_timer_clear(&exchange->conn->base.timer);
        }
        fb_op_finish(waiter, FB_OK);
    }
}

void fb_h1_content_time_out(struct h1_exchange *exchange)
{
    exchange->content.err = FB_E_TIMEOUT;
    fb_h1_content_wake(exchange);
}
