#include "base/websocket/websocket.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/timer.h"

#include <string.h>
#include <wslay/wslay.h>

enum { PRESET_MESSAGE = 4096, PRESET_PING_MS = 30000, CLOSING_MS = 5000, MAX_QUEUED = 8 };

struct fb_websocket {
    struct fb_reader output;
    struct fb_websocket_options options;
    wslay_event_context_ptr frames; /* owned */
    struct fb_timer timer;

    struct fb_op input_wait;
    struct fb_slice slice; /* of the input, as far as `rest` is left */
    struct fb_str rest;

    struct fb_op *waiter; /* for output, or NULL */
    struct fb_buf out;    /* framed, to be given */
    bool has_next;        /* next() may have a message */
    bool is_heard;        /* since the last ping */
    bool is_pinged;       /* and once before without an answer */
    bool is_closing;      /* this end has said so */
    bool is_over;         /* nothing more is given */
    bool is_closed;       /* by the taker */
};

static void socket_free_if_done(struct fb_websocket *socket)
{
    if (socket->is_closed && fb_op_is_idle(&socket->input_wait)) {
        wslay_event_context_free(socket->frames);
        fb_buf_done(&socket->out);
        fb_free(socket);
    }
}

static void output_wake(struct fb_websocket *socket)
{
    struct fb_op *waiter = socket->waiter;

    if (waiter != NULL) {
        socket->waiter = NULL;
        fb_op_finish(waiter, FB_OK);
    }
}

/* ---- frames ------------------------------------------------------------------------ */

static ssize_t on_recv(wslay_event_context_ptr frames, uint8_t *to, size_t len, int flags,
                       void *ctx)
{
    struct fb_websocket *socket = ctx;
    size_t n = FB_MIN(len, socket->rest.len);

    (void)flags;
    if (n == 0 || wslay_event_get_queued_msg_count(frames) > MAX_QUEUED) {
        wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(to, socket->rest.ptr, n);
    socket->rest = fb_str_skip(socket->rest, n);
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr frames, const uint8_t *from, size_t len, int flags,
                       void *ctx)
{
    struct fb_websocket *socket = ctx;

    (void)frames;
    (void)flags;
    fb_buf_append(&socket->out, (struct fb_str){(const char *)from, len});
    return (ssize_t)len;
}

static void on_message(wslay_event_context_ptr frames,
                       const struct wslay_event_on_msg_recv_arg *message, void *ctx)
{
    struct fb_websocket *socket = ctx;
    bool is_text = message->opcode == WSLAY_TEXT_FRAME;

    (void)frames;
    if (socket->options.message != NULL && (is_text || message->opcode == WSLAY_BINARY_FRAME)) {
        socket->options.message(socket->options.ctx,
                                (struct fb_str){(const char *)message->msg, message->msg_length},
                                is_text);
    }
}

/* ---- input ------------------------------------------------------------------------- */

static void input_end(struct fb_websocket *socket)
{
    socket->is_over = true;
    output_wake(socket);
}

/* FB_OK: all of a piece is read, or the peer owes us its reading first. */
static int input_take(struct fb_websocket *socket)
{
    if (socket->rest.len == 0) {
        fb_slice_release(&socket->slice);
        int err = fb_reader_next(socket->options.input, &socket->slice);
        if (err < 0) {
            return err;
        }
        socket->rest = socket->slice.bytes;
        socket->is_heard = true;
    }
    return wslay_event_recv(socket->frames) == 0 ? FB_OK : FB_E_MALFORMED;
}

/* Reads until there is no more, or answers wait to be taken: then their taker reads on. */
static void input_run(struct fb_websocket *socket)
{
    int err = FB_OK;

    if (!fb_op_is_idle(&socket->input_wait) || socket->is_closed || socket->is_over) {
        return;
    }
    while (err == FB_OK && wslay_event_want_read(socket->frames) != 0 &&
           wslay_event_get_queued_msg_count(socket->frames) <= MAX_QUEUED) {
        err = input_take(socket);
    }
    if (err == FB_E_LATER) {
        fb_reader_wait(socket->options.input, &socket->input_wait);
    } else if (err < 0) {
        input_end(socket);
    }
    if (wslay_event_want_write(socket->frames) != 0) {
        output_wake(socket);
    }
}

static void on_input(struct fb_op *op)
{
    struct fb_websocket *socket = FB_CONTAINER_OF(op, struct fb_websocket, input_wait);

    if (socket->is_closed) {
        socket_free_if_done(socket);
        return;
    }
    input_run(socket);
}

/* ---- output ------------------------------------------------------------------------ */

static struct fb_websocket *socket_of(struct fb_reader *reader)
{
    return FB_CONTAINER_OF(reader, struct fb_websocket, output);
}

/* True if next() is worth asking: once either end has said so, it is not. */
static bool output_may_ask(const struct fb_websocket *socket)
{
    return socket->has_next && !socket->is_closing &&
           wslay_event_get_write_enabled(socket->frames) != 0;
}

/* True if the end was said, and nothing is read that could answer it: the peer has said so too, or
 * has broken the protocol (RFC 6455 section 7.1.7). */
static bool output_is_at_end(const struct fb_websocket *socket)
{
    return wslay_event_get_close_sent(socket->frames) != 0 &&
           wslay_event_want_read(socket->frames) == 0;
}

/* The next message, if there is one and the one before is gone. */
static void output_ask(struct fb_websocket *socket)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    if (!output_may_ask(socket)) {
        return;
    }
    socket->has_next = socket->options.next(socket->options.ctx, &text);
    if (socket->has_next) {
        struct wslay_event_msg message = {
            .opcode = WSLAY_TEXT_FRAME, .msg = (const uint8_t *)text.ptr, .msg_length = text.len};
        (void)wslay_event_queue_msg(socket->frames, &message); /* else it is closing */
    }
}

static void taken_release(void *owner)
{
    struct fb_buf *buf = owner;

    fb_buf_done(buf);
    fb_free(buf);
}

static int output_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct fb_websocket *socket = socket_of(reader);

    input_run(socket); /* from the first time on, and again when there is room for answers */
    if (socket->is_over) {
        return FB_E_END;
    }
    if (wslay_event_want_write(socket->frames) == 0) {
        output_ask(socket);
    }
    if (wslay_event_want_write(socket->frames) != 0 && wslay_event_send(socket->frames) != 0) {
        return FB_E_CORRUPT;
    }
    if (socket->out.len > 0) {
        struct fb_buf *taken = FB_NEW(struct fb_buf);
        *taken = fb_buf_take(&socket->out);
        *ret_slice =
            (struct fb_slice){.bytes = fb_buf_str(taken), .release = taken_release, .owner = taken};
        return FB_OK;
    }
    return output_is_at_end(socket) ? FB_E_END : FB_E_LATER;
}

static void output_cancel(struct fb_op *op)
{
    struct fb_websocket *socket = op->provider;

    socket->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static void output_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct fb_websocket *socket = socket_of(reader);

    FB_REQUIRE(socket->waiter == NULL);
    fb_op_begin(op, output_cancel);
    op->provider = socket;
    if (socket->is_over || output_may_ask(socket) || output_is_at_end(socket) ||
        wslay_event_want_write(socket->frames) != 0) {
        fb_op_finish(op, FB_OK);
        return;
    }
    socket->waiter = op;
}

static void output_close(struct fb_reader *reader)
{
    struct fb_websocket *socket = socket_of(reader);

    socket->is_closed = true;
    fb_timer_clear(&socket->timer);
    fb_slice_release(&socket->slice);
    socket->rest = FB_STR_NONE;
    fb_op_cancel(&socket->input_wait);
    socket->options.closed(socket->options.ctx);
    socket_free_if_done(socket);
}

static const struct fb_reader_ops output_ops = {.next = output_next,
                                                .wait = output_wait,
                                                .close = output_close};

/* ---- pings and the end ------------------------------------------------------------- */

static void on_timer(struct fb_timer *timer)
{
    static const struct wslay_event_msg ping = {.opcode = WSLAY_PING};
    struct fb_websocket *socket = FB_CONTAINER_OF(timer, struct fb_websocket, timer);

    if (socket->is_closing || (socket->is_pinged && !socket->is_heard)) {
        input_end(socket);
        return;
    }
    socket->is_pinged = true;
    socket->is_heard = false;
    (void)wslay_event_queue_msg(socket->frames, &ping); /* else it is closing */
    fb_timer_set(timer, socket->options.ping_ms);
    output_wake(socket);
}

struct fb_websocket *fb_websocket_new(const struct fb_websocket_options *options)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv, .send_callback = on_send, .on_msg_recv_callback = on_message};
    struct fb_websocket *socket = FB_NEW(struct fb_websocket);

    socket->output.ops = &output_ops;
    socket->options = *options;
    socket->has_next = true;
    if (options->max_message == 0) {
        socket->options.max_message = PRESET_MESSAGE;
    }
    if (options->ping_ms == 0) {
        socket->options.ping_ms = PRESET_PING_MS;
    }
    FB_REQUIRE(wslay_event_context_server_init(&socket->frames, &callbacks, socket) == 0);
    wslay_event_config_set_max_recv_msg_length(socket->frames, socket->options.max_message);
    fb_op_init(&socket->input_wait, options->loop, on_input);
    fb_timer_init(&socket->timer, options->loop, on_timer);
    fb_timer_set(&socket->timer, socket->options.ping_ms);
    return socket;
}

struct fb_reader *fb_websocket_output(struct fb_websocket *socket)
{
    return &socket->output;
}

void fb_websocket_notify(struct fb_websocket *socket)
{
    socket->has_next = true;
    output_wake(socket);
}

void fb_websocket_close(struct fb_websocket *socket, uint16_t code)
{
    if (socket->is_closing) {
        return;
    }
    socket->is_closing = true;
    (void)wslay_event_queue_close(socket->frames, code, NULL, 0); /* else the peer has */
    fb_timer_set(&socket->timer, CLOSING_MS);
    output_wake(socket);
}
