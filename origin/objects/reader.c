#include "origin/objects/reader.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/file_reader.h"
#include "base/loop/reader.h"
#include "base/loop/timer.h"
#include "base/loop/work.h"
#include "base/sys/file.h"

#include <errno.h>

/* After this the pool is asked again, if its queue was full. */
enum { AGAIN_MS = 5 };

struct object_reader {
    struct fb_reader reader;
    struct fb_work work;   /* the read in progress */
    struct fb_timer again; /* set: the pool was full */
    struct fb_pool *pool;
    struct fb_op *waiter; /* borrowed until finished; NULL if nobody waits */
    const struct origin_source_ops *ops;
    void *source; /* owned, by way of `ops` */
    uint64_t offset;
    uint64_t left; /* bytes not yet read */
    char *piece;   /* owned; what was read and not yet given, or NULL */
    size_t piece_len;
    int err; /* the first failure */
    bool is_closed;
};

static int run_read(struct fb_work *work)
{
    struct object_reader *self = FB_CONTAINER_OF(work, struct object_reader, work);
    return self->ops->read(self->source, self->offset, self->piece, self->piece_len);
}

static void reader_free(struct object_reader *self)
{
    self->ops->free(self->source);
    fb_free(self->piece);
    fb_free(self);
}

static bool is_reading(const struct object_reader *self)
{
    return !fb_op_is_idle(&self->work.op) || fb_timer_is_set(&self->again);
}

static void on_again(struct fb_timer *timer)
{
    struct object_reader *self = FB_CONTAINER_OF(timer, struct object_reader, again);
    fb_work_start(self->pool, &self->work);
}

static void on_read(struct fb_op *op)
{
    struct object_reader *self = FB_CONTAINER_OF(op, struct object_reader, work.op);
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
        reader_free(self);
    }
}

static void start_read(struct object_reader *self)
{
    self->piece_len = (size_t)FB_MIN(self->left, (uint64_t)ORIGIN_OBJECT_READ);
    self->piece = fb_try_alloc(self->piece_len);
    if (self->piece == NULL) {
        self->err = -ENOMEM;
        return;
    }
    fb_work_start(self->pool, &self->work);
}

static int reader_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct object_reader *self = FB_CONTAINER_OF(reader, struct object_reader, reader);

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
    struct object_reader *self = op->provider;
    self->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static void reader_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct object_reader *self = FB_CONTAINER_OF(reader, struct object_reader, reader);

    FB_REQUIRE(self->waiter == NULL);
    fb_op_begin(op, wait_cancel);
    if (!is_reading(self)) {
        fb_op_finish(op, FB_OK);
        return;
    }
    op->provider = self;
    self->waiter = op;
}

static void reader_close(struct fb_reader *reader)
{
    struct object_reader *self = FB_CONTAINER_OF(reader, struct object_reader, reader);

    FB_REQUIRE(self->waiter == NULL);
    fb_timer_clear(&self->again);
    if (fb_op_is_idle(&self->work.op)) {
        reader_free(self);
        return;
    }
    self->is_closed = true;
    fb_op_cancel(&self->work.op);
}

static const struct fb_reader_ops reader_ops = {.next = reader_next,
                                                .wait = reader_wait,
                                                .close = reader_close};

struct fb_reader *origin_source_reader_open(struct fb_loop *loop, struct fb_pool *pool,
                                            const struct origin_source_ops *ops, void *source,
                                            uint64_t offset, uint64_t length)
{
    struct object_reader *self = FB_NEW(struct object_reader);

    self->reader.ops = &reader_ops;
    self->pool = pool;
    self->ops = ops;
    self->source = source;
    self->offset = offset;
    self->left = length;
    self->work.run = run_read;
    fb_op_init(&self->work.op, loop, on_read);
    fb_timer_init(&self->again, loop, on_again);
    return &self->reader;
}

/* ---- one object -------------------------------------------------------------- */

static int object_source_read(void *source, uint64_t offset, void *buf, size_t n)
{
    const struct origin_object *object = source;
    return origin_object_read(object, offset, buf, n);
}

static void object_source_free(void *source)
{
    struct origin_object *object = source;
    origin_object_done(object);
    fb_free(object);
}

static const struct origin_source_ops object_source_ops = {object_source_read, object_source_free};

struct fb_reader *origin_object_reader_open(struct fb_loop *loop, struct fb_pool *pool,
                                            struct origin_object *object, uint64_t offset,
                                            uint64_t length)
{
    if (object->fd >= 0) {
        struct fb_reader *reader =
            fb_file_reader_open(loop, pool, fb_fd_take(&object->fd), offset, length);
        origin_object_done(object);
        return reader;
    }
    struct origin_object *source = FB_NEW(struct origin_object);
    *source = *object;
    *object = (struct origin_object){.fd = -1};
    return origin_source_reader_open(loop, pool, &object_source_ops, source, offset, length);
}
