#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/net/net_internal.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

/* A block with less room than this is not received into again. */
enum { TCP_MIN_ROOM = 4096 };

static struct tcp_stream *tcp_of(struct fb_stream *stream)
{
    return FB_CONTAINER_OF(stream, struct tcp_stream, stream);
}

/* ---- receiving ----------------------------------------------------------- */

static void tcp_wake(struct tcp_stream *self)
{
    struct fb_op *waiter = self->waiter;

    if (waiter != NULL) {
        self->waiter = NULL;
        fb_op_finish(waiter, FB_OK);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct tcp_stream *self = FB_CONTAINER_OF(handle, struct tcp_stream, handle);
    struct net_block *block = self->last;

    (void)suggested;
    if (block == NULL || NET_BLOCK_BYTES - block->len < TCP_MIN_ROOM) {
        block = fb_net_block_new(self->state);
        self->spare = block;
    }
    /* Without memory the length of 0 makes libuv report UV_ENOBUFS. */
    *buf = block == NULL
               ? uv_buf_init(NULL, 0)
               : uv_buf_init(block->bytes + block->len, (unsigned)(NET_BLOCK_BYTES - block->len));
}

static void tcp_append_spare(struct tcp_stream *self)
{
    if (self->last == NULL) {
        self->first = self->spare;
    } else {
        self->last->next = self->spare;
    }
    self->last = self->spare;
    self->spare = NULL;
}

static void tcp_stop_reading(struct tcp_stream *self)
{
    (void)uv_read_stop((uv_stream_t *)&self->handle);
    self->is_reading = false;
}

/* libuv reports bytes followed by RST, when both come in one poll, as bytes and
 * an end; the socket still knows better. */
static int tcp_end_or_error(struct tcp_stream *self)
{
    int fd = -1;
    int err = 0;
    socklen_t len = sizeof(err);

    if (uv_fileno((uv_handle_t *)&self->handle, &fd) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err != 0) {
        return -err;
    }
    return FB_E_END;
}

static void on_read(uv_stream_t *handle, ssize_t n_read, const uv_buf_t *buf)
{
    struct tcp_stream *self = FB_CONTAINER_OF(handle, struct tcp_stream, handle);

    (void)buf; /* the spare block, or the room at the end of the last one */
    if (n_read > 0) {
        if (self->spare != NULL) {
            tcp_append_spare(self);
        }
        self->last->len += (size_t)n_read;
        self->n_unread += (size_t)n_read;
        if (self->n_unread >= FB_STREAM_MAX_UNREAD) {
            tcp_stop_reading(self);
        }
        tcp_wake(self);
        return;
    }
    if (self->spare != NULL) {
        fb_net_block_free(self->spare);
        self->spare = NULL;
    }
    if (n_read < 0) {
        self->read_err = n_read == UV_EOF ? tcp_end_or_error(self) : (int)n_read;
        tcp_stop_reading(self);
        tcp_wake(self);
    }
}

/* Starting and stopping costs system calls, so it is done rarely: reading goes
 * on while nobody asks, and starts again when half of the bound is free. */
static void tcp_read_more(struct tcp_stream *self)
{
    if (self->is_reading || self->read_err < 0 || self->n_unread > FB_STREAM_MAX_UNREAD / 2) {
        return;
    }
    int err = uv_read_start((uv_stream_t *)&self->handle, on_alloc, on_read);
    if (err < 0) {
        self->read_err = err;
        return;
    }
    self->is_reading = true;
}

static int tcp_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct tcp_stream *self = FB_CONTAINER_OF(reader, struct tcp_stream, stream.reader);
    struct net_block *block = self->first;

    if (block == NULL) {
        tcp_read_more(self);
        return self->read_err < 0 ? self->read_err : FB_E_LATER;
    }
    self->first = block->next;
    if (self->first == NULL) {
        self->last = NULL;
    }
    self->n_unread -= block->len;
    tcp_read_more(self);
    *ret_slice = (struct fb_slice){
        .bytes = {block->bytes, block->len}, .release = fb_net_block_free, .owner = block};
    return FB_OK;
}

static void wait_cancel(struct fb_op *op)
{
    struct tcp_stream *self = op->provider;
    self->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static void tcp_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct tcp_stream *self = FB_CONTAINER_OF(reader, struct tcp_stream, stream.reader);

    FB_REQUIRE(self->waiter == NULL);
    fb_op_begin(op, wait_cancel);
    tcp_read_more(self);
    if (self->first != NULL || self->read_err < 0) {
        fb_op_finish(op, FB_OK);
        return;
    }
    op->provider = self;
    self->waiter = op;
}

static void tcp_close_reader(struct fb_reader *reader)
{
    FB_REQUIRE(reader == NULL); /* never: it is closed with the stream */
}

static const struct fb_reader_ops tcp_reader_ops = {.next = tcp_next,
                                                    .wait = tcp_wait,
                                                    .close = tcp_close_reader};

/* ---- life ---------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct tcp_stream *self = FB_CONTAINER_OF(handle, struct tcp_stream, handle);
    fb_free(self->tail);
    fb_free(self);
}

static void tcp_close(struct fb_stream *stream, bool is_reset)
{
    struct tcp_stream *self = tcp_of(stream);

    if (self->waiter != NULL) {
        struct fb_op *waiter = self->waiter;
        self->waiter = NULL;
        fb_op_finish(waiter, FB_E_CANCELED);
    }
    fb_tcp_end_write(self, FB_E_CANCELED);
    fb_tcp_leave_depth(self);
    while (self->first != NULL) {
        struct net_block *block = self->first;
        self->first = block->next;
        fb_net_block_free(block);
    }
    if (!is_reset || uv_tcp_close_reset(&self->handle, on_closed) < 0) {
        uv_close((uv_handle_t *)&self->handle, on_closed);
    }
}

static size_t tcp_unacked(const struct fb_stream *stream)
{
    const struct tcp_stream *self = (const struct tcp_stream *)(const void *)stream;
    int fd = -1;
    int n = 0;

    if (uv_fileno((const uv_handle_t *)&self->handle, &fd) < 0 || ioctl(fd, SIOCOUTQ, &n) < 0) {
        return 0;
    }
    return n > 0 ? (size_t)n : 0;
}

static struct fb_address tcp_peer(const struct fb_stream *stream)
{
    const struct tcp_stream *self = (const struct tcp_stream *)(const void *)stream;
    struct fb_address address = {.len = self->n_peer};
    int len = (int)sizeof(address.storage);

    memcpy(&address.storage, &self->peer, self->n_peer);
    if (address.len == 0 &&
        uv_tcp_getpeername(&self->handle, (struct sockaddr *)&address.storage, &len) == 0) {
        address.len = (socklen_t)len;
    }
    return address;
}

static int tcp_socket(const struct fb_stream *stream)
{
    const struct tcp_stream *self = (const struct tcp_stream *)(const void *)stream;
    int fd = -1;

    return uv_fileno((const uv_handle_t *)&self->handle, &fd) < 0 ? -1 : fd;
}

static void tcp_pace(struct fb_stream *stream, uint64_t rate)
{
    uint64_t value = rate != 0 ? rate : UINT64_MAX;

    /* Who is not paced is served all the same. */
    (void)setsockopt(tcp_socket(stream), SOL_SOCKET, SO_MAX_PACING_RATE, &value, sizeof(value));
}

static const struct fb_stream_ops tcp_ops = {
    .takes_files = true,
    .write = fb_tcp_write,
    .shut = fb_tcp_shut,
    .close = tcp_close,
    .unsent = fb_tcp_unsent,
    .unacked = tcp_unacked,
    .retract = fb_tcp_retract,
    .peer = tcp_peer,
    .socket = tcp_socket,
    .pace = tcp_pace,
};

int fb_tcp_stream_new(struct fb_loop *loop, struct tcp_stream **ret_stream)
{
    struct tcp_stream *self = FB_NEW(struct tcp_stream);

    int err = uv_tcp_init(fb_loop_uv(loop), &self->handle);
    if (err < 0) {
        fb_free(self);
        return err;
    }
    self->stream.reader.ops = &tcp_reader_ops;
    self->stream.ops = &tcp_ops;
    self->stream.loop = loop;
    self->state = fb_net_state(loop);
    *ret_stream = self;
    return FB_OK;
}
