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

/* ---- sending ------------------------------------------------------------- */

static void tcp_shut_now(struct tcp_stream *self)
{
    int fd = -1;

    /* Past libuv, whose own shutdown costs a poll for writability. */
    if (uv_fileno((uv_handle_t *)&self->handle, &fd) == 0) {
        (void)shutdown(fd, SHUT_WR);
    }
}

static void tcp_end_write(struct tcp_stream *self, int result)
{
    struct fb_stream_write *write = self->write;

    self->write = NULL;
    if (write == NULL) {
        return;
    }
    if (result == FB_OK && self->tail != NULL) { /* else libuv may yet have it */
        fb_free(self->tail);
        self->tail = NULL;
    }
    fb_op_finish(&write->op, result);
    if (self->wants_shut && result == FB_OK) {
        tcp_shut_now(self);
    }
}

/* The write's bytes from `from` to `to`. */
static unsigned tcp_pieces(const struct fb_stream_write *write, size_t from, size_t to,
                           uv_buf_t *bufs)
{
    unsigned n_bufs = 0;
    size_t begin = 0;

    for (size_t i = 0; i < write->n_pieces && begin < to; i++) {
        struct fb_str piece = fb_str_first(write->pieces[i], to - begin);
        begin += piece.len;
        piece = begin > from ? fb_str_skip(piece, piece.len - FB_MIN(piece.len, begin - from))
                             : FB_STR_NONE;
        if (piece.len > 0) {
            /* libuv only reads what its type says it might write. */
            union {
                const char *borrowed;
                char *base;
            } ptr = {.borrowed = piece.ptr};
            bufs[n_bufs++] = (uv_buf_t){.base = ptr.base, .len = piece.len};
        }
    }
    return n_bufs;
}

static void on_tail_written(uv_write_t *request, int status);

/* What the kernel has no room for stays in the pieces, so that they can be taken back: libuv
 * gets a copy of the beginning, and says when that has gone. */
static int tcp_wait_for_room(struct tcp_stream *self)
{
    uv_buf_t bufs[FB_STREAM_MAX_PIECES];
    size_t end = FB_MIN(self->n_write, self->n_taken + FB_STREAM_MAX_KEPT);
    unsigned n_bufs = tcp_pieces(self->write, self->n_taken, end, bufs);
    size_t n_tail = 0;

    if (self->tail == NULL) {
        self->tail = fb_alloc(FB_STREAM_MAX_KEPT);
    }
    for (unsigned i = 0; i < n_bufs; i++) {
        memcpy(self->tail + n_tail, bufs[i].base, bufs[i].len);
        n_tail += bufs[i].len;
    }
    self->n_taken += n_tail;
    uv_buf_t tail = uv_buf_init(self->tail, (unsigned)n_tail);
    return uv_write(&self->tail_request, (uv_stream_t *)&self->handle, &tail, 1, on_tail_written);
}

/* Sends what the kernel takes of the write. */
static void tcp_push(struct tcp_stream *self)
{
    uv_buf_t bufs[FB_STREAM_MAX_PIECES];
    unsigned n_bufs = tcp_pieces(self->write, self->n_taken, self->n_write, bufs);
    int n_sent = n_bufs == 0 ? 0 : uv_try_write((uv_stream_t *)&self->handle, bufs, n_bufs);
    int err = FB_OK;

    if (n_sent > 0) {
        self->n_taken += (size_t)n_sent;
    } else if (n_sent < 0 && n_sent != UV_EAGAIN) {
        err = n_sent;
    }
    if (err == FB_OK && self->n_taken < self->n_write) {
        err = tcp_wait_for_room(self);
        if (err == FB_OK) {
            return;
        }
    }
    tcp_end_write(self, err);
}

static void on_tail_written(uv_write_t *request, int status)
{
    struct tcp_stream *self = FB_CONTAINER_OF(request, struct tcp_stream, tail_request);

    if (self->write == NULL) {
        return; /* closed meanwhile */
    }
    if (status < 0 || self->n_taken == self->n_write) {
        tcp_end_write(self, status);
    } else {
        tcp_push(self);
    }
}

static void tcp_write(struct fb_stream *stream, struct fb_stream_write *write)
{
    struct tcp_stream *self = tcp_of(stream);

    FB_REQUIRE(self->write == NULL && !self->wants_shut);
    fb_op_begin(&write->op, NULL);
    self->write = write;
    self->n_taken = 0;
    self->n_write = 0;
    for (size_t i = 0; i < write->n_pieces; i++) {
        self->n_write += write->pieces[i].len;
    }
    tcp_push(self);
}

static size_t tcp_retract(struct fb_stream *stream)
{
    struct tcp_stream *self = tcp_of(stream);

    if (self->write == NULL) {
        return 0;
    }
    size_t n_cut = self->n_write - self->n_taken;
    self->n_write = self->n_taken;
    return n_cut;
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

static size_t tcp_unsent(const struct fb_stream *stream)
{
    const struct tcp_stream *self = (const struct tcp_stream *)(const void *)stream;
    size_t n_queued = uv_stream_get_write_queue_size((const uv_stream_t *)&self->handle);
    return self->write == NULL ? 0 : self->n_write - self->n_taken + n_queued;
}

static void tcp_shut(struct fb_stream *stream)
{
    struct tcp_stream *self = tcp_of(stream);

    if (self->wants_shut) {
        return;
    }
    self->wants_shut = true;
    if (self->write == NULL) {
        tcp_shut_now(self);
    }
}

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
    tcp_end_write(self, FB_E_CANCELED);
    while (self->first != NULL) {
        struct net_block *block = self->first;
        self->first = block->next;
        fb_net_block_free(block);
    }
    if (!is_reset || uv_tcp_close_reset(&self->handle, on_closed) < 0) {
        uv_close((uv_handle_t *)&self->handle, on_closed);
    }
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
    .write = tcp_write,
    .shut = tcp_shut,
    .close = tcp_close,
    .unsent = tcp_unsent,
    .unacked = tcp_unacked,
    .retract = tcp_retract,
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
