/* News for the readers of a body, from whoever brings its chunks or cannot. */
#include "edge/store/reader_internal.h"
#include "edge/store/store_internal.h"

static void reader_wake(struct body_reader *self)
{
    if (self->is_waiting) {
        self->is_waiting = false;
        self->is_posted = true;
        fb_loop_post(self->loop, &self->post);
    }
}

void edge_readers_wake(struct edge_body *body, uint64_t from, uint64_t to)
{
    FB_LIST_EACH(node, &body->readers) {
        struct body_reader *reader = FB_CONTAINER_OF(node, struct body_reader, link);
        if (reader->offset >= from && reader->offset < to) {
            reader_wake(reader);
        }
    }
}

void edge_readers_satisfy(struct edge_body *body, uint64_t chunk)
{
    FB_LIST_EACH(node, &body->readers) {
        struct body_reader *reader = FB_CONTAINER_OF(node, struct body_reader, link);
        if (reader->asked == chunk) {
            reader->asked = READER_NO_CHUNK;
        }
    }
}

void edge_readers_fail(struct edge_body *body, uint64_t chunk, int err)
{
    edge_readers_satisfy(body, chunk);
    FB_LIST_EACH(node, &body->readers) {
        struct body_reader *reader = FB_CONTAINER_OF(node, struct body_reader, link);
        if (reader->needs == chunk) {
            reader->error = err;
        }
        reader_wake(reader); /* the others may have hoped for the same fetch */
    }
}

void edge_readers_skip_volumes(struct edge_body *body, uint64_t chunk)
{
    FB_LIST_EACH(node, &body->readers) {
        struct body_reader *reader = FB_CONTAINER_OF(node, struct body_reader, link);
        if (reader->needs == chunk) {
            reader->skips = chunk;
        }
        reader_wake(reader); /* the others may have hoped for a writer before this chunk */
    }
}

void edge_object_fail(struct edge_object *object, uint64_t offset, int err)
{
    struct edge_body *body = object->body;

    (void)pthread_mutex_lock(&body->lock);
    edge_readers_fail(body, offset / EDGE_CHUNK_BYTES, err);
    (void)pthread_mutex_unlock(&body->lock);
}
