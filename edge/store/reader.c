#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/store/reader_internal.h"
#include "edge/store/store_internal.h"

static struct body_reader *reader_of(struct fb_reader *reader)
{
    return FB_CONTAINER_OF(reader, struct body_reader, reader);
}

static void reader_free(struct body_reader *self)
{
    edge_body_unref(self->body);
    fb_free(self);
}

/* ---- asking ------------------------------------------------------------ */

static void slice_release(void *owner)
{
    edge_body_unref(owner);
}

/* What follows the last byte that came, in a body in `state`. */
static int reader_dry(const struct body_reader *self, int state)
{
    switch ((enum edge_object_state)state) {
    case EDGE_OBJECT_FILLING:
        return FB_E_LATER;
    case EDGE_OBJECT_WHOLE:
        return self->n_left == UINT64_MAX ? FB_E_END : FB_E_CLOSED;
    case EDGE_OBJECT_BROKEN:
        break;
    }
    return self->body->result;
}

static int body_reader_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct body_reader *self = reader_of(reader);
    struct edge_body *body = self->body;

    if (self->n_left == 0) {
        return FB_E_END;
    }
    /* The state first: once it is not FILLING, `filled` stands still. */
    int state = atomic_load_explicit(&body->state, memory_order_acquire);
    uint64_t filled = atomic_load_explicit(&body->filled, memory_order_acquire);
    if (self->offset >= filled) {
        return reader_dry(self, state);
    }
    struct body_place place = edge_body_place(body, self->offset);
    uint64_t n = FB_MIN((uint64_t)place.n_left, filled - self->offset);
    n = FB_MIN(n, self->n_left);
    struct body_table *table = atomic_load_explicit(&body->table, memory_order_acquire);
    *ret_slice = (struct fb_slice){
        .bytes = {table->chunks[place.chunk] + place.offset, (size_t)n},
        .release = slice_release,
        .owner = edge_body_ref(body),
    };
    self->offset += n;
    if (self->n_left != UINT64_MAX) {
        self->n_left -= n;
    }
    return FB_OK;
}

/* ---- waiting ----------------------------------------------------------- */

static void wait_cancel(struct fb_op *op)
{
    struct body_reader *self = op->provider;
    struct edge_body *body = self->body;

    (void)pthread_mutex_lock(&body->lock);
    if (!self->is_posted) {
        fb_list_remove(&self->link);
    }
    (void)pthread_mutex_unlock(&body->lock);
    self->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static void body_reader_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct body_reader *self = reader_of(reader);
    struct edge_body *body = self->body;

    FB_REQUIRE(self->waiter == NULL);
    fb_op_begin(op, wait_cancel);
    op->provider = self;

    /* The writer publishes first and takes the lock to wake afterwards: either
     * its news is seen here, or it sees this reader on the list. */
    (void)pthread_mutex_lock(&body->lock);
    bool has_news =
        atomic_load_explicit(&body->state, memory_order_acquire) != EDGE_OBJECT_FILLING ||
        atomic_load_explicit(&body->filled, memory_order_acquire) > self->offset;
    if (!has_news && !self->is_posted) {
        fb_list_append(&body->waiters, &self->link);
        self->was_linked = true;
    }
    (void)pthread_mutex_unlock(&body->lock);

    if (has_news) {
        fb_op_finish(op, FB_OK);
    } else {
        self->waiter = op;
    }
}

static void reader_on_mail(struct fb_post *post)
{
    struct body_reader *self = FB_CONTAINER_OF(post, struct body_reader, post);
    struct fb_op *waiter = self->waiter;

    if (self->is_closed) {
        reader_free(self);
        return;
    }
    (void)pthread_mutex_lock(&self->body->lock);
    self->is_posted = false;
    (void)pthread_mutex_unlock(&self->body->lock);
    if (waiter != NULL) {
        self->waiter = NULL;
        fb_op_finish(waiter, FB_OK);
    }
}

/* ---- life -------------------------------------------------------------- */

static void body_reader_close(struct fb_reader *reader)
{
    struct body_reader *self = reader_of(reader);
    struct edge_body *body = self->body;

    FB_REQUIRE(self->waiter == NULL);
    if (self->is_trailing) {
        edge_store_count_trailing(body->store, -1);
    }
    if (!self->was_linked) {
        reader_free(self);
        return;
    }
    (void)pthread_mutex_lock(&body->lock);
    self->is_closed = self->is_posted; /* the mail frees it */
    if (!self->is_posted) {
        fb_list_remove(&self->link);
    }
    bool is_mine = !self->is_posted;
    (void)pthread_mutex_unlock(&body->lock);
    if (is_mine) {
        reader_free(self);
    }
}

static const struct fb_reader_ops body_reader_ops = {body_reader_next, body_reader_wait,
                                                     body_reader_close};

struct fb_reader *edge_object_reader(struct edge_object *object, struct fb_loop *loop,
                                     uint64_t offset, int64_t length)
{
    struct body_reader *self = FB_NEW(struct body_reader);

    self->reader.ops = &body_reader_ops;
    self->body = edge_body_ref(object->body);
    self->loop = loop;
    self->offset = offset;
    self->n_left = length == FB_LENGTH_UNKNOWN ? UINT64_MAX : (uint64_t)length;
    self->is_trailing = edge_object_state(object) == EDGE_OBJECT_FILLING;
    self->post.run = reader_on_mail;
    fb_list_init(&self->link);
    if (self->is_trailing) {
        edge_store_count_trailing(object->store, 1);
    }
    return &self->reader;
}
