#include "base/loop/ahead_reader.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/timer.h"
#include "base/loop/work.h"

#include <errno.h>
#include <stdbool.h>

/* After this the pool is asked again, if its queue was full. */
enum { AGAIN_MS = 5 };

struct ahead_reader {
    struct fb_reader reader;
    struct fb_work work;           /* the read in progress */
    struct fb_timer again;         /* set: the pool was full */
    struct fb_pool *pool;          /* borrowed until closed */
    struct fb_op *waiter;          /* borrowed until finished; NULL if nobody waits */
    struct fb_ahead_source source; /* its context is owned */
    uint64_t offset;
    uint64_t left; /* bytes not yet read */
    char *piece;   /* owned; what was read and not yet given, or NULL */
    size_t piece_len;
    int err; /* the first failure */
    bool is_closed;
};

static int run_read(struct fb_work *work)
{
    struct ahead_reader *self = FB_CONTAINER_OF(work, struct ahead_reader, work);
    return self->source.read(self->source.ctx, self->offset, self->piece, self->piece_len);
}

static void ahead_free(struct ahead_reader *self)
{
    self->source.done(self->source.ctx);
    fb_free(self->piece);
    fb_free(self);
}

static bool is_reading(const struct ahead_reader *self)
{
    return !fb_op_is_idle(&self->work.op) || fb_timer_is_set(&self->again);
}

static void on_again(struct fb_timer *timer)
{
    struct ahead_reader *self = FB_CONTAINER_OF(timer, struct ahead_reader, again);
    fb_work_start(self->pool, &self->work);
}

static void on_read(struct fb_op *op)
{
    struct ahead_reader *self = FB_CONTAINER_OF(op, struct ahead_reader, work.op);
    struct fb_op *waiter = self->waiter;

    if (op->result == FB_E_BUSY && !self->is_closed) {
        fb_timer_set(&self->again, AGAIN_MS);
        return;
    }
    self->waiter = NULL;
    if (op->result < 0) {
        self->err = op->result;
    } else {
        self->offset += self->piece_len;
        self->left -= self->piece_len;
    }
    if (waiter != NULL) {
        fb_op_finish(waiter, FB_OK);
    }
    if (self->is_closed) {
        ahead_free(self);
    }
}

static void start_read(struct ahead_reader *self)
{
    self->piece_len = (size_t)FB_MIN(self->left, (uint64_t)self->source.piece_bytes);
    self->piece = fb_try_alloc(self->piece_len);
    if (self->piece == NULL) {
        self->err = -ENOMEM;
        return;
    }
    fb_work_start(self->pool, &self->work);
}

static int ahead_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct ahead_reader *self = FB_CONTAINER_OF(reader, struct ahead_reader, reader);

    if (self->err == FB_OK && self->piece == NULL && self->left > 0) {
        start_read(self);
    }
    if (self->err < 0) {
        return self->err;
    }
    if (is_reading(self)) {
        return FB_E_LATER;
    }
    if (self->piece == NULL) {
        return FB_E_END;
    }
    *ret_slice = (struct fb_slice){
        .bytes = {self->piece, self->piece_len}, .release = fb_free, .owner = self->piece};
    self->piece = NULL;
    if (self->left > 0) {
        start_read(self); /* ahead of the caller's next question */
    }
    return FB_OK;
}

static void wait_cancel(struct fb_op *op)
{
    struct ahead_reader *self = op->provider;
    self->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static void ahead_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct ahead_reader *self = FB_CONTAINER_OF(reader, struct ahead_reader, reader);

    FB_REQUIRE(self->waiter == NULL);
    fb_op_begin(op, wait_cancel);
    if (!is_reading(self)) {
        fb_op_finish(op, FB_OK);
        return;
    }
    op->provider = self;
    self->waiter = op;
}

static void ahead_close(struct fb_reader *reader)
{
    struct ahead_reader *self = FB_CONTAINER_OF(reader, struct ahead_reader, reader);

    FB_REQUIRE(self->waiter == NULL);
    fb_timer_clear(&self->again);
    if (fb_op_is_idle(&self->work.op)) {
        ahead_free(self);
        return;
    }
    self->is_closed = true;
    fb_op_cancel(&self->work.op);
}

static const struct fb_reader_ops ahead_ops = {.next = ahead_next,
                                               .wait = ahead_wait,
                                               .close = ahead_close};

struct fb_reader *fb_ahead_reader_open(struct fb_loop *loop, struct fb_pool *pool,
                                       const struct fb_ahead_source *source, uint64_t offset,
                                       uint64_t length)
{
    struct ahead_reader *self = FB_NEW(struct ahead_reader);

    self->reader.ops = &ahead_ops;
    self->pool = pool;
    self->source = *source;
    self->offset = offset;
    self->left = length;
    self->work.run = run_read;
    fb_op_init(&self->work.op, loop, on_read);
    fb_timer_init(&self->again, loop, on_again);
    return &self->reader;
}
