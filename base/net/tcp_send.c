/*
 * What TCP streams send: memory by a copy, and what lies in files as the pages that it is.
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/reader.h"
#include "base/net/net_internal.h"
#include "base/net/tcp_depth.h"

#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

/* Less is copied: that costs no more than the call does. */
enum { TCP_FILE_BYTES = 32 * 1024, TCP_PAGE_BYTES = 4096 };

/* Of less, no more waits in the kernel than may for anybody. */
enum { TCP_LONG_BYTES = 2 * TCP_DEPTH_BYTES };

static struct tcp_stream *tcp_of(struct fb_stream *stream)
{
    return FB_CONTAINER_OF(stream, struct tcp_stream, stream);
}

static int tcp_fd(const struct tcp_stream *self)
{
    int fd = -1;

    return uv_fileno((const uv_handle_t *)&self->handle, &fd) < 0 ? -1 : fd;
}

/* ---- the end ------------------------------------------------------------- */

static void tcp_shut_now(struct tcp_stream *self)
{
    /* Past libuv, whose own shutdown costs a poll for writability. */
    (void)shutdown(tcp_fd(self), SHUT_WR);
}

void fb_tcp_end_write(struct tcp_stream *self, int result)
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

/* ---- pieces -------------------------------------------------------------- */

/* A run of bytes in a file. */
struct tcp_run {
    int fd;
    uint64_t offset;
    size_t len;
};

/* The write's bytes from `from` to `to`, as the loop's `vectors`; returns how many of these. */
static size_t tcp_pieces(struct tcp_stream *self, size_t from, size_t to)
{
    const struct fb_stream_write *write = self->write;
    struct iovec *vectors = self->state->vectors;
    size_t n_vectors = 0;
    size_t begin = 0;

    for (size_t i = 0; i < write->n_pieces && begin < to; i++) {
        struct fb_str piece = fb_str_first(write->pieces[i], to - begin);
        begin += piece.len;
        piece = begin > from ? fb_str_skip(piece, piece.len - FB_MIN(piece.len, begin - from))
                             : FB_STR_NONE;
        if (piece.len > 0) {
            /* The kernel only reads what the type says it might write. */
            union {
                const char *borrowed;
                void *base;
            } ptr = {.borrowed = piece.ptr};
            vectors[n_vectors++] = (struct iovec){.iov_base = ptr.base, .iov_len = piece.len};
        }
    }
    return n_vectors;
}

/* Adds `piece` of `file` to the run; false if it does not go on there. */
static bool run_add(struct tcp_run *run, const struct fb_slice_file *file, struct fb_str piece)
{
    uint64_t offset = file->offset + (uint64_t)(piece.ptr - file->begin);

    if (run->len == 0) {
        run->fd = file->fd;
        run->offset = offset;
    } else if (run->fd != file->fd || run->offset + run->len != offset) {
        return false;
    }
    run->len += piece.len;
    return true;
}

/* What follows at n_taken: a run in a file, or *ret_end: how far there is none. */
static struct tcp_run tcp_run_of(const struct tcp_stream *self, size_t *ret_end)
{
    const struct fb_stream_write *write = self->write;
    struct tcp_run run = {.fd = -1};
    size_t begin = 0;

    *ret_end = self->n_write;
    if (write->files == NULL || self->denies_files) {
        return run;
    }
    for (size_t i = 0; i < write->n_pieces && begin < self->n_write; i++) {
        struct fb_str piece = fb_str_first(write->pieces[i], self->n_write - begin);
        size_t end = begin + piece.len;
        if (end > self->n_taken && begin > self->n_taken && run.len == 0 &&
            write->files[i] != NULL) {
            *ret_end = begin;
            break;
        }
        if (end > self->n_taken && write->files[i] != NULL) {
            piece = fb_str_skip(piece, self->n_taken - FB_MIN(begin, self->n_taken));
            if (!run_add(&run, write->files[i], piece)) {
                break;
            }
        } else if (run.len > 0) {
            break;
        }
        begin = end;
    }
    return run;
}

/* ---- sending ------------------------------------------------------------- */

static void on_tail_written(uv_write_t *request, int status);

/* What the kernel has no room for stays in the pieces, so that they can be taken back: libuv
 * gets a copy of the beginning, and says when that has gone. Of a file it is the rest of a page,
 * so that the kernel is given whole ones. */
static int tcp_wait_for_room(struct tcp_stream *self)
{
    const struct iovec *vectors = self->state->vectors;
    size_t end = 0;
    struct tcp_run run = tcp_run_of(self, &end);
    size_t n_kept = run.len > 0 ? TCP_PAGE_BYTES - (size_t)(run.offset % TCP_PAGE_BYTES)
                                : (size_t)FB_STREAM_MAX_KEPT;
    size_t n_tail = 0;

    end = FB_MIN(self->n_write, self->n_taken + n_kept);
    size_t n_vectors = tcp_pieces(self, self->n_taken, end);
    if (self->tail == NULL) {
        self->tail = fb_alloc(FB_STREAM_MAX_KEPT);
    }
    for (size_t i = 0; i < n_vectors; i++) {
        memcpy(self->tail + n_tail, vectors[i].iov_base, vectors[i].iov_len);
        n_tail += vectors[i].iov_len;
    }
    self->n_taken += n_tail;
    uv_buf_t tail = uv_buf_init(self->tail, (unsigned)n_tail);
    return uv_write(&self->tail_request, (uv_stream_t *)&self->handle, &tail, 1, on_tail_written);
}

/* A negated errno for what the kernel said, 0 for no room. */
static ssize_t tcp_result(ssize_t n)
{
    if (n >= 0) {
        return n;
    }
    return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : -errno;
}

static ssize_t tcp_send_file(struct tcp_stream *self, const struct tcp_run *run)
{
    off_t offset = (off_t)run->offset;

    ssize_t n = tcp_result(sendfile(tcp_fd(self), run->fd, &offset, run->len));
    if (n < 0) { /* a copy will do, or tell what is wrong */
        self->denies_files = true;
        return 0;
    }
    return n;
}

/* What lies in memory up to `end`, after which more comes at once if `more`. Nothing of libuv's
 * waits before it, so this goes past libuv, whose write() costs more than a send() does. */
static ssize_t tcp_send_memory(struct tcp_stream *self, size_t end, bool more)
{
    struct iovec *vectors = self->state->vectors;
    size_t n_vectors = tcp_pieces(self, self->n_taken, end);
    int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);

    if (n_vectors == 1) {
        return tcp_result(send(tcp_fd(self), vectors[0].iov_base, vectors[0].iov_len, flags));
    }
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = n_vectors};
    return tcp_result(sendmsg(tcp_fd(self), &message, flags));
}

static bool write_has_files(const struct fb_stream_write *write)
{
    for (size_t i = 0; write->files != NULL && i < write->n_pieces; i++) {
        if (write->files[i] != NULL) {
            return true;
        }
    }
    return false;
}

/* Much of it waits in the kernel if it costs no copy, the peer is quick, and not too many are. */
static void tcp_choose_depth(struct tcp_stream *self)
{
    if (self->was_deep || self->n_write - self->n_taken < TCP_LONG_BYTES) {
        return;
    }
    bool is_file = !self->denies_files && write_has_files(self->write);
    bool may_be_deep = self->is_deep || self->state->n_deep < TCP_DEPTH_MAX_QUICK;
    if (!self->is_deep && !(is_file && may_be_deep)) {
        return;
    }
    bool is_deep = is_file && fb_tcp_is_quick(tcp_fd(self));
    if (is_deep != self->is_deep && fb_tcp_set_depth(tcp_fd(self), is_deep)) {
        self->was_deep = self->is_deep;
        self->is_deep = is_deep;
        self->state->n_deep += is_deep ? 1 : 0;
    }
}

void fb_tcp_leave_depth(struct tcp_stream *self)
{
    self->state->n_deep -= self->is_deep || self->was_deep ? 1 : 0;
    self->is_deep = false;
    self->was_deep = false;
}

/* Sends what the kernel takes of the write. */
static void tcp_push(struct tcp_stream *self)
{
    ssize_t n_sent = 0;
    size_t n_wanted = 0;

    tcp_choose_depth(self);
    while (self->n_taken < self->n_write) {
        size_t end = 0;
        struct tcp_run run = tcp_run_of(self, &end);
        if (run.len >= TCP_FILE_BYTES) {
            n_wanted = run.len;
            n_sent = tcp_send_file(self, &run);
        } else {
            end = run.len > 0 ? self->n_taken + run.len : end;
            n_wanted = end - self->n_taken;
            n_sent = tcp_send_memory(self, end, end < self->n_write);
        }
        if (n_sent < 0) {
            fb_tcp_end_write(self, (int)n_sent);
            return;
        }
        self->n_taken += (size_t)n_sent;
        if ((size_t)n_sent < n_wanted) { /* no room for more, or it has to be tried by a copy */
            break;
        }
    }
    int err = FB_OK;
    if (self->n_taken < self->n_write) {
        err = tcp_wait_for_room(self);
        if (err == FB_OK) {
            return;
        }
    }
    fb_tcp_end_write(self, err);
}

static void on_tail_written(uv_write_t *request, int status)
{
    struct tcp_stream *self = FB_CONTAINER_OF(request, struct tcp_stream, tail_request);

    if (self->write == NULL) {
        return; /* closed meanwhile */
    }
    if (self->was_deep) { /* there was room again, so no more waits than for anybody */
        fb_tcp_leave_depth(self);
    }
    if (status < 0 || self->n_taken == self->n_write) {
        fb_tcp_end_write(self, status);
    } else {
        tcp_push(self);
    }
}

void fb_tcp_write(struct fb_stream *stream, struct fb_stream_write *write)
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

size_t fb_tcp_retract(struct fb_stream *stream)
{
    struct tcp_stream *self = tcp_of(stream);

    if (self->write == NULL) {
        return 0;
    }
    size_t n_cut = self->n_write - self->n_taken;
    self->n_write = self->n_taken;
    if (self->is_deep && fb_tcp_set_depth(tcp_fd(self), false)) {
        self->is_deep = false;
        self->was_deep = true;
    }
    return n_cut;
}

size_t fb_tcp_unsent(const struct fb_stream *stream)
{
    const struct tcp_stream *self = (const struct tcp_stream *)(const void *)stream;
    size_t n_queued = uv_stream_get_write_queue_size((const uv_stream_t *)&self->handle);

    return self->write == NULL ? 0 : self->n_write - self->n_taken + n_queued;
}

void fb_tcp_shut(struct fb_stream *stream)
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
