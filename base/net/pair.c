#include "base/net/pair.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/net/stream.h"

#include <errno.h>

struct pair_end {
    struct fb_stream stream;
    struct pair_end *other; /* NULL once it was closed */
    size_t capacity;

    struct fb_buf incoming; /* owned; not yet read */
    int read_err;           /* what follows `incoming`; FB_OK: more may come */
    struct fb_op *waiter;   /* borrowed until finished */

    struct fb_stream_write *write; /* borrowed until finished */
    const struct fb_str *pieces;   /* the write's, or `kept_piece` */
    size_t n_pieces;
    size_t n_pieces_taken;
    size_t n_bytes_taken; /* of the piece after those */
    struct fb_buf kept;   /* owned; what is left of a write that was retracted */
    struct fb_str kept_piece;
    bool wants_shut;
};

static struct pair_end *pair_of(struct fb_stream *stream)
{
    return FB_CONTAINER_OF(stream, struct pair_end, stream);
}

static void pair_finish(struct fb_op **waiting, int result)
{
    struct fb_op *op = *waiting;

    if (op != NULL) {
        *waiting = NULL;
        fb_op_finish(op, result);
    }
}

static void pair_end_write(struct pair_end *self, int result)
{
    struct fb_op *op = self->write != NULL ? &self->write->op : NULL;
    self->write = NULL;
    pair_finish(&op, result);
}

/* Nothing more comes to `self` after what it has. */
static void pair_end_incoming(struct pair_end *self, int err)
{
    if (self->read_err == FB_OK) {
        self->read_err = err;
        pair_finish(&self->waiter, FB_OK);
    }
}

/* Moves as much of the write under way to the other end as it has room for. */
static void pair_move(struct pair_end *self)
{
    while (self->write != NULL && self->n_pieces_taken < self->n_pieces) {
        struct fb_buf *to = &self->other->incoming;
        struct fb_str piece = fb_str_skip(self->pieces[self->n_pieces_taken], self->n_bytes_taken);
        struct fb_str part = fb_str_first(piece, self->capacity - to->len);
        fb_buf_append(to, part);
        if (part.len > 0) {
            pair_finish(&self->other->waiter, FB_OK);
        }
        if (part.len < piece.len) {
            self->n_bytes_taken += part.len;
            return;
        }
        self->n_pieces_taken++;
        self->n_bytes_taken = 0;
    }
    pair_end_write(self, FB_OK);
    if (self->wants_shut) {
        pair_end_incoming(self->other, FB_E_END);
    }
}

static int pair_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct pair_end *self = FB_CONTAINER_OF(reader, struct pair_end, stream.reader);

    if (self->incoming.len == 0) {
        return self->read_err < 0 ? self->read_err : FB_E_LATER;
    }
    char *bytes = fb_memdup0(self->incoming.ptr, self->incoming.len);
    *ret_slice =
        (struct fb_slice){.bytes = {bytes, self->incoming.len}, .release = fb_free, .owner = bytes};
    fb_buf_clear(&self->incoming);
    if (self->other != NULL && self->other->write != NULL) {
        pair_move(self->other);
    }
    return FB_OK;
}

static void wait_cancel(struct fb_op *op)
{
    struct pair_end *self = op->provider;
    pair_finish(&self->waiter, FB_E_CANCELED);
}

static void pair_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct pair_end *self = FB_CONTAINER_OF(reader, struct pair_end, stream.reader);

    FB_REQUIRE(self->waiter == NULL);
    fb_op_begin(op, wait_cancel);
    if (self->incoming.len > 0 || self->read_err < 0) {
        fb_op_finish(op, FB_OK);
        return;
    }
    op->provider = self;
    self->waiter = op;
}

static void pair_close_reader(struct fb_reader *reader)
{
    FB_REQUIRE(reader == NULL); /* never: it is closed with the stream */
}

static void pair_write(struct fb_stream *stream, struct fb_stream_write *write)
{
    struct pair_end *self = pair_of(stream);

    FB_REQUIRE(self->write == NULL && !self->wants_shut);
    fb_op_begin(&write->op, NULL);
    if (self->other == NULL) {
        fb_op_finish(&write->op, -EPIPE);
        return;
    }
    self->write = write;
    self->pieces = write->pieces;
    self->n_pieces = write->n_pieces;
    self->n_pieces_taken = 0;
    self->n_bytes_taken = 0;
    pair_move(self);
}

static size_t pair_unsent(const struct fb_stream *stream)
{
    const struct pair_end *self = (const struct pair_end *)(const void *)stream;
    size_t n = 0;

    for (size_t i = self->n_pieces_taken; self->write != NULL && i < self->n_pieces; i++) {
        n += self->pieces[i].len;
    }
    return n == 0 ? 0 : n - self->n_bytes_taken;
}

static size_t pair_unacked(const struct fb_stream *stream)
{
    (void)stream;
    return 0; /* what the other end was given, it has */
}

static size_t pair_retract(struct fb_stream *stream)
{
    struct pair_end *self = pair_of(stream);
    size_t n_unsent = pair_unsent(stream);

    if (n_unsent == 0 || self->pieces == &self->kept_piece) {
        return 0;
    }
    fb_buf_clear(&self->kept);
    while (self->n_pieces_taken < self->n_pieces && self->kept.len < FB_STREAM_MAX_KEPT) {
        struct fb_str piece =
            fb_str_skip(self->pieces[self->n_pieces_taken++], self->n_bytes_taken);
        fb_buf_append(&self->kept, fb_str_first(piece, FB_STREAM_MAX_KEPT - self->kept.len));
        self->n_bytes_taken = 0;
    }
    self->kept_piece = fb_buf_str(&self->kept);
    self->pieces = &self->kept_piece;
    self->n_pieces = 1;
    self->n_pieces_taken = 0;
    return n_unsent - self->kept.len;
}

static void pair_shut(struct fb_stream *stream)
{
    struct pair_end *self = pair_of(stream);

    self->wants_shut = true;
    if (self->write == NULL && self->other != NULL) {
        pair_end_incoming(self->other, FB_E_END);
    }
}

static void pair_close(struct fb_stream *stream, bool is_reset)
{
    struct pair_end *self = pair_of(stream);
    struct pair_end *other = self->other;

    pair_finish(&self->waiter, FB_E_CANCELED);
    pair_end_write(self, FB_E_CANCELED);
    if (other != NULL) {
        other->other = NULL;
        pair_end_write(other, is_reset ? -ECONNRESET : -EPIPE);
        pair_end_incoming(other, is_reset ? -ECONNRESET : FB_E_END);
    }
    fb_buf_done(&self->incoming);
    fb_buf_done(&self->kept);
    fb_free(self);
}

static struct fb_address pair_peer(const struct fb_stream *stream)
{
    (void)stream;
    return (struct fb_address){.len = 0};
}

static const struct fb_reader_ops pair_reader_ops = {.next = pair_next,
                                                     .wait = pair_wait,
                                                     .close = pair_close_reader};

static const struct fb_stream_ops pair_ops = {
    .write = pair_write,
    .shut = pair_shut,
    .close = pair_close,
    .unsent = pair_unsent,
    .unacked = pair_unacked,
    .retract = pair_retract,
    .peer = pair_peer,
};

static struct pair_end *pair_end_new(struct fb_loop *loop, size_t capacity)
{
    struct pair_end *self = FB_NEW(struct pair_end);

    self->stream = (struct fb_stream){.reader = {&pair_reader_ops}, .ops = &pair_ops, .loop = loop};
    self->capacity = capacity;
    return self;
}

void fb_stream_pair(struct fb_loop *loop, size_t capacity, struct fb_stream **ret_a,
                    struct fb_stream **ret_b)
{
    FB_REQUIRE(capacity > 0);
    struct pair_end *a = pair_end_new(loop, capacity);
    struct pair_end *b = pair_end_new(loop, capacity);

    a->other = b;
    b->other = a;
    *ret_a = &a->stream;
    *ret_b = &b->stream;
}
