/* The pace of writers: one that is far ahead of all who read its body waits for them. */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/store/reader_internal.h"
#include "edge/store/store_internal.h"
#include "edge/store/writer_internal.h"

/* Under the lock: is any reader less than AHEAD - `margin` behind? One that waits
 * before the writer counts as well. */
static bool writer_is_followed(const struct edge_writer *writer, uint64_t margin)
{
    FB_LIST_EACH(node, &writer->object->body->readers) {
        const struct body_reader *reader = FB_CONTAINER_OF(node, struct body_reader, link);
        if (reader->offset < reader->end && reader->offset <= writer->offset + EDGE_WRITER_AHEAD &&
            reader->offset + EDGE_WRITER_AHEAD > writer->offset + margin) {
            return true;
        }
    }
    return false;
}

/* Under the lock: does anybody read what this writer brought? */
static bool writer_has_readers(const struct edge_writer *writer)
{
    FB_LIST_EACH(node, &writer->object->body->readers) {
        const struct body_reader *reader = FB_CONTAINER_OF(node, struct body_reader, link);
        if (reader->offset < reader->end && reader->offset <= writer->offset &&
            reader->offset + EDGE_WRITER_AHEAD >= writer->begin) {
            return true;
        }
    }
    return false;
}

/* Under the lock. */
static bool writer_must_wait(const struct edge_writer *writer, uint64_t margin)
{
    return edge_body_is_long(writer->object->body) && !writer->is_done &&
           writer->offset - writer->begin >= EDGE_WRITER_AHEAD &&
           !writer_is_followed(writer, margin);
}

bool edge_writer_is_ahead(const struct edge_writer *writer)
{
    struct edge_body *body = writer->object->body;

    if (!edge_body_is_long(body)) {
        return false;
    }
    (void)pthread_mutex_lock(&body->lock);
    bool is_ahead = writer_must_wait(writer, 0);
    (void)pthread_mutex_unlock(&body->lock);
    return is_ahead;
}

void edge_writers_release(struct edge_body *body)
{
    if (body->n_paced == 0) {
        return;
    }
    FB_LIST_EACH(node, &body->writers) {
        struct edge_writer *writer = FB_CONTAINER_OF(node, struct edge_writer, link);
        if (writer->is_waiting && !writer_must_wait(writer, EDGE_CHUNK_BYTES)) {
            writer->is_waiting = false;
            body->n_paced--;
            writer->is_posted = true;
            fb_loop_post(writer->loop, &writer->post);
        }
    }
}

/* Takes the writer off the body's hands. False if mail is under way. */
static bool writer_stop_waiting(struct edge_writer *writer)
{
    struct edge_body *body = writer->object->body;

    (void)pthread_mutex_lock(&body->lock);
    bool was_waiting = writer->is_waiting;
    if (was_waiting) {
        writer->is_waiting = false;
        body->n_paced--;
    }
    (void)pthread_mutex_unlock(&body->lock);
    return was_waiting;
}

static void writer_end_wait(struct edge_writer *writer, int result)
{
    struct fb_op *waiter = writer->waiter;

    writer->waiter = NULL;
    fb_timer_clear(&writer->patience);
    fb_op_finish(waiter, result);
}

static void wait_cancel(struct fb_op *op)
{
    struct edge_writer *writer = op->provider;

    (void)writer_stop_waiting(writer); /* mail to nobody does no harm */
    writer_end_wait(writer, FB_E_CANCELED);
}

static void wait_on_patience(struct fb_timer *timer)
{
    struct edge_writer *writer = FB_CONTAINER_OF(timer, struct edge_writer, patience);
    struct edge_body *body = writer->object->body;

    (void)pthread_mutex_lock(&body->lock);
    bool has_readers = writer_has_readers(writer);
    (void)pthread_mutex_unlock(&body->lock);
    if (has_readers || !writer_stop_waiting(writer)) {
        fb_timer_set(timer, EDGE_WRITER_PATIENCE_MS);
        return;
    }
    writer_end_wait(writer, FB_E_CLOSED);
}

void edge_writer_wait(struct edge_writer *writer, struct fb_op *op)
{
    struct edge_body *body = writer->object->body;

    FB_REQUIRE(writer->waiter == NULL);
    fb_op_begin(op, wait_cancel);
    op->provider = writer;
    (void)pthread_mutex_lock(&body->lock);
    bool must_wait = writer_must_wait(writer, 0);
    if (must_wait && !writer->is_posted) { /* else that mail will do */
        writer->is_waiting = true;
        body->n_paced++;
    }
    (void)pthread_mutex_unlock(&body->lock);
    if (!must_wait) {
        fb_op_finish(op, FB_OK);
        return;
    }
    writer->waiter = op;
    fb_timer_set(&writer->patience, EDGE_WRITER_PATIENCE_MS);
}

static void writer_on_mail(struct fb_post *post)
{
    struct edge_writer *writer = FB_CONTAINER_OF(post, struct edge_writer, post);

    if (writer->is_closed) {
        edge_object_unref(writer->object);
        fb_free(writer);
        return;
    }
    struct edge_body *body = writer->object->body;
    (void)pthread_mutex_lock(&body->lock);
    writer->is_posted = false;
    (void)pthread_mutex_unlock(&body->lock);
    if (writer->waiter != NULL) {
        writer_end_wait(writer, FB_OK);
    }
}

void edge_writer_init_pace(struct edge_writer *writer)
{
    fb_timer_init(&writer->patience, writer->loop, wait_on_patience);
    writer->post.run = writer_on_mail;
}
