#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/grace.h"
#include "edge/store/reader_internal.h"
#include "edge/store/store_internal.h"
#include "edge/store/writer_internal.h"

#include <string.h>

/* Without a length, the first chunk doubles from here, so that a small response
 * wastes little; later ones from there. */
enum { WRITER_FIRST_BYTES = 4096, WRITER_NEXT_BYTES = 128 * 1024 };

static struct edge_body *body_of(const struct edge_writer *writer)
{
    return writer->object->body;
}

static int64_t length_of(const struct edge_body *body)
{
    return atomic_load_explicit(&body->length, memory_order_relaxed);
}

/* Bytes of the chunk at `offset`. */
static uint32_t chunk_bytes(const struct edge_body *body, uint64_t offset)
{
    int64_t length = length_of(body);

    return length == FB_LENGTH_UNKNOWN
               ? (uint32_t)EDGE_CHUNK_BYTES
               : edge_chunk_bytes((uint64_t)length, offset / EDGE_CHUNK_BYTES);
}

/* ---- room for bytes ---------------------------------------------------- */

/* A body of unknown length may not push everything else out. */
static int writer_claim_unknown(struct edge_writer *writer, uint64_t n)
{
    if (length_of(body_of(writer)) != FB_LENGTH_UNKNOWN) {
        return FB_OK;
    }
    if (writer->n_unknown + n > writer->object->store->limit / 4) {
        return FB_E_LIMIT;
    }
    writer->n_unknown += n;
    return FB_OK;
}

/* Begins the chunk at the writer's offset. */
static int writer_begin_chunk(struct edge_writer *writer)
{
    struct edge_body *body = body_of(writer);
    uint64_t chunk = writer->offset / EDGE_CHUNK_BYTES;
    uint32_t cap = chunk_bytes(body, writer->offset);
    int err = FB_OK;

    if (length_of(body) == FB_LENGTH_UNKNOWN) {
        cap = writer->offset == 0 ? WRITER_FIRST_BYTES : WRITER_NEXT_BYTES;
    }
    if (writer->extent == NULL) {
        err = edge_body_pin(body, (uint32_t)(chunk / EDGE_EXTENT_CHUNKS), &writer->extent);
    }
    if (err == FB_OK) {
        err = writer_claim_unknown(writer, cap);
    }
    if (err == FB_OK) {
        err = edge_buffer_new(body->store, cap, &writer->buffer);
    }
    if (err < 0) {
        return err;
    }
    (void)pthread_mutex_lock(&body->lock);
    struct store_chunk *place = &writer->extent->chunks[chunk % EDGE_EXTENT_CHUNKS];
    FB_REQUIRE(place->state == CHUNK_ABSENT); /* since a writer stands at it */
    writer->extent->unread |= (uint8_t)(1U << chunk % EDGE_EXTENT_CHUNKS);
    (void)edge_chunk_set(place, writer->buffer, 0, CHUNK_FILLING); /* there was none */
    (void)pthread_mutex_unlock(&body->lock);
    return FB_OK;
}

/* Doubles the buffer of a chunk whose length nobody knows. Slices keep the old one. */
static int writer_grow_chunk(struct edge_writer *writer)
{
    struct edge_body *body = body_of(writer);
    uint64_t chunk = writer->offset / EDGE_CHUNK_BYTES;
    struct store_buffer *old = writer->buffer;
    struct store_buffer *fresh = NULL;

    FB_REQUIRE(writer->extent != NULL); /* the chunk's, which has a buffer */
    int err = writer_claim_unknown(writer, old->cap);
    if (err == FB_OK) {
        err = edge_buffer_new(body->store, 2 * (size_t)old->cap, &fresh);
    }
    if (err < 0) {
        return err;
    }
    memcpy(fresh->bytes, old->bytes, old->cap);
    (void)pthread_mutex_lock(&body->lock);
    struct store_chunk *place = &writer->extent->chunks[chunk % EDGE_EXTENT_CHUNKS];
    (void)edge_chunk_set(place, fresh, place->n_filled, CHUNK_FILLING); /* that is `old` */
    (void)pthread_mutex_unlock(&body->lock);
    writer->buffer = fresh;
    fb_grace_wait();
    edge_buffer_unref(old);
    return FB_OK;
}

static int writer_make_room(struct edge_writer *writer)
{
    if (writer->buffer == NULL) {
        return writer_begin_chunk(writer);
    }
    if (writer->offset % EDGE_CHUNK_BYTES == writer->buffer->cap) {
        return writer_grow_chunk(writer);
    }
    return FB_OK;
}

/* ---- appending --------------------------------------------------------- */

/* Under the lock: the chunk is complete. Goes on to the next one unless that is there or
 * somebody else brings it. */
static int writer_complete_chunk(struct edge_writer *writer, struct store_chunk *place)
{
    struct edge_body *body = body_of(writer);
    uint64_t next = writer->offset / EDGE_CHUNK_BYTES + 1;
    int64_t length = length_of(body);

    edge_chunk_show(place);
    writer->buffer = NULL;
    writer->offset += place->n_filled - writer->offset % EDGE_CHUNK_BYTES;
    if (writer->offset == (uint64_t)length || writer->offset >= writer->end) {
        writer->is_done = true;
        return FB_OK;
    }
    bool is_alone = true;
    FB_LIST_EACH(node, &body->writers) {
        const struct edge_writer *other = FB_CONTAINER_OF(node, struct edge_writer, link);
        is_alone &= other == writer || other->is_done || other->offset / EDGE_CHUNK_BYTES != next;
    }
    if (is_alone && edge_body_chunk_state(body, next) == CHUNK_ABSENT) {
        edge_readers_satisfy(body, next);
        return FB_OK;
    }
    writer->is_done = true;
    edge_readers_wake(body, 0, UINT64_MAX); /* some hoped that it would come to them */
    return FB_E_EXISTS;
}

/* Shows `n` bytes to readers that stand in the buffer. */
static int writer_publish(struct edge_writer *writer, size_t n)
{
    struct edge_body *body = body_of(writer);
    uint64_t from = writer->offset;
    unsigned i = (unsigned)(from / EDGE_CHUNK_BYTES % EDGE_EXTENT_CHUNKS);
    struct store_extent *left = NULL;
    int err = FB_OK;

    (void)pthread_mutex_lock(&body->lock);
    struct store_chunk *place = &writer->extent->chunks[i];
    place->n_filled += (uint32_t)n;
    if (place->n_filled == chunk_bytes(body, from)) {
        err = writer_complete_chunk(writer, place);
        if (writer->is_done || i + 1 == EDGE_EXTENT_CHUNKS) {
            left = writer->extent;
            writer->extent = NULL;
        }
    } else {
        writer->offset += n;
    }
    edge_readers_wake(body, from, from + n);
    (void)pthread_mutex_unlock(&body->lock);
    if (left != NULL) {
        edge_body_unpin(body, left);
        edge_extent_offer(writer->object, from / EDGE_EXTENT_BYTES);
    }
    return err;
}

int edge_writer_append(struct edge_writer *writer, struct fb_str bytes)
{
    int64_t length = length_of(body_of(writer));
    int err = FB_OK;

    if (!edge_object_is_needed(writer->object)) {
        return FB_E_CANCELED;
    }
    if (length != FB_LENGTH_UNKNOWN && bytes.len > (uint64_t)length - writer->offset) {
        return FB_E_MALFORMED;
    }
    while (bytes.len > 0 && err == FB_OK) {
        err = writer->is_done ? FB_E_EXISTS : writer_make_room(writer);
        if (err < 0) {
            break;
        }
        size_t within = (size_t)(writer->offset % EDGE_CHUNK_BYTES);
        size_t n = FB_MIN(bytes.len, writer->buffer->cap - within);
        memcpy(writer->buffer->bytes + within, bytes.ptr, n);
        bytes = fb_str_skip(bytes, n);
        err = writer_publish(writer, n);
    }
    return err;
}

/* ---- life -------------------------------------------------------------- */

/* Under the lock: may a writer begin at `offset`? */
static int write_check(const struct edge_body *body, uint64_t offset)
{
    int64_t length = length_of(body);
    uint64_t chunk = offset / EDGE_CHUNK_BYTES;

    if (atomic_load_explicit(&body->state, memory_order_relaxed) == EDGE_OBJECT_BROKEN) {
        return body->result;
    }
    if (length == FB_LENGTH_UNKNOWN) {
        FB_REQUIRE(offset == 0);
        return fb_list_empty(&body->writers) ? FB_OK : FB_E_EXISTS;
    }
    if (length == 0 && offset == 0) {
        return FB_OK;
    }
    if (offset >= (uint64_t)length) {
        return FB_E_MALFORMED;
    }
    return edge_body_chunk_state(body, chunk) != CHUNK_ABSENT ||
                   edge_body_has_writer_at(body, chunk)
               ? FB_E_EXISTS
               : FB_OK;
}

int edge_object_write(struct edge_object *object, struct fb_loop *loop, uint64_t offset,
                      struct edge_writer **ret_writer)
{
    struct edge_body *body = object->body;
    struct edge_writer *writer = FB_NEW(struct edge_writer);

    FB_REQUIRE(offset % EDGE_CHUNK_BYTES == 0);
    writer->object = object;
    writer->loop = loop;
    edge_writer_init_pace(writer);
    writer->begin = offset;
    writer->end = UINT64_MAX;
    writer->offset = offset;
    fb_list_init(&writer->link);

    (void)pthread_mutex_lock(&body->lock);
    int err = write_check(body, offset);
    if (err == FB_OK) {
        writer->is_done = length_of(body) == 0;
        edge_readers_satisfy(body, offset / EDGE_CHUNK_BYTES);
        fb_list_append(&body->writers, &writer->link);
        atomic_fetch_add_explicit(&body->n_writing, 1, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&body->lock);
    if (err < 0) {
        fb_free(writer);
        return err;
    }
    (void)edge_object_ref(object);
    atomic_fetch_add_explicit(&object->n_writers, 1, memory_order_relaxed);
    *ret_writer = writer;
    return FB_OK;
}

void edge_writer_set_end(struct edge_writer *writer, uint64_t end)
{
    struct edge_body *body = body_of(writer);

    (void)pthread_mutex_lock(&body->lock);
    writer->end = end;
    edge_readers_wake(body, end, UINT64_MAX); /* some hoped that it would come to them */
    (void)pthread_mutex_unlock(&body->lock);
}

void edge_writer_set_unproven(struct edge_writer *writer)
{
    if (!writer->is_unproven) {
        writer->is_unproven = true;
        atomic_fetch_add_explicit(&body_of(writer)->n_unproven, 1, memory_order_relaxed);
    }
}

bool edge_writer_is_fresh(const struct edge_writer *writer)
{
    return writer->offset == writer->begin;
}

bool edge_writer_has_clients(const struct edge_writer *writer)
{
    return edge_object_has_clients(writer->object);
}

struct edge_object *edge_writer_object(const struct edge_writer *writer)
{
    return writer->object;
}

uint64_t edge_writer_offset(const struct edge_writer *writer)
{
    return writer->offset;
}

/* Under the lock: the end of a body that tells its length by ending. What came of a broken
 * one stays for those who read it. */
static void finish_unknown(struct edge_writer *writer, int result)
{
    struct edge_body *body = body_of(writer);
    uint64_t chunk = writer->offset / EDGE_CHUNK_BYTES;

    if (writer->buffer != NULL) {
        edge_chunk_show(&writer->extent->chunks[chunk % EDGE_EXTENT_CHUNKS]);
    }
    body->result = result;
    if (result == FB_OK) {
        atomic_store_explicit(&body->length, (int64_t)writer->offset, memory_order_relaxed);
    }
    atomic_store_explicit(&body->state, result == FB_OK ? EDGE_OBJECT_READY : EDGE_OBJECT_BROKEN,
                          memory_order_release);
}

/* Under the lock. Returns the buffer of a chunk that will not be complete. */
static struct store_buffer *finish_known(struct edge_writer *writer, int result)
{
    struct edge_body *body = body_of(writer);
    uint64_t chunk = writer->offset / EDGE_CHUNK_BYTES;
    struct store_buffer *waste = NULL;

    if (writer->buffer != NULL) {
        struct store_extent *extent = writer->extent;
        waste = edge_chunk_set(&extent->chunks[chunk % EDGE_EXTENT_CHUNKS], NULL, 0, CHUNK_ABSENT);
        extent->unread &= (uint8_t) ~(1U << chunk % EDGE_EXTENT_CHUNKS);
    }
    if (result < 0 && !writer->is_done) {
        edge_readers_fail(body, chunk, result);
    }
    return waste;
}

/* What was not offered on the way: of a known length the last extent, if it is not complete;
 * of an unknown one, or one that is proven only now, all. */
static void writer_offer(struct edge_writer *writer, bool was_unknown, uint64_t last)
{
    struct edge_object *object = writer->object;

    if (was_unknown && object->store->volumes != NULL) {
        edge_object_set_version(object);
    }
    if (was_unknown || writer->is_unproven) {
        uint64_t from = writer->begin - writer->begin % EDGE_EXTENT_BYTES;
        for (uint64_t at = from; at < writer->offset; at += EDGE_EXTENT_BYTES) {
            edge_extent_offer(object, at / EDGE_EXTENT_BYTES);
        }
    } else if (last != UINT64_MAX) {
        edge_extent_offer(object, last);
    }
}

void edge_writer_finish(struct edge_writer *writer, int result)
{
    struct edge_object *object = writer->object;
    struct edge_body *body = object->body;
    struct store_buffer *waste = NULL;

    FB_REQUIRE(writer->waiter == NULL);
    (void)pthread_mutex_lock(&body->lock);
    bool is_unknown = length_of(body) == FB_LENGTH_UNKNOWN;
    if (is_unknown) {
        finish_unknown(writer, result);
    } else {
        waste = finish_known(writer, result);
    }
    writer->buffer = NULL;
    fb_list_remove(&writer->link);
    atomic_fetch_sub_explicit(&body->n_writing, 1, memory_order_relaxed);
    edge_readers_wake(body, 0, UINT64_MAX); /* some hoped that it would come to them */
    bool is_posted = writer->is_posted;
    writer->is_closed = true;
    (void)pthread_mutex_unlock(&body->lock);

    if (waste != NULL) {
        fb_grace_wait();
        edge_buffer_unref(waste);
    }
    uint64_t number = writer->extent != NULL ? writer->extent->number : UINT64_MAX;
    if (writer->extent != NULL) {
        edge_body_unpin(body, writer->extent); /* and may be gone then */
    }
    if (is_unknown) {
        edge_body_settle(body);
    }
    if (writer->is_unproven) {
        atomic_fetch_sub_explicit(&body->n_unproven, 1, memory_order_relaxed);
    }
    if (is_unknown && result < 0) {
        edge_store_let_go(edge_store_unlink_body(object->store, body, false));
    } else if (result == FB_OK || writer->is_unproven) {
        writer_offer(writer, is_unknown, number);
    }
    atomic_fetch_sub_explicit(&object->n_writers, 1, memory_order_relaxed);
    if (!is_posted) { /* else the mail does that */
        edge_object_unref(object);
        fb_free(writer);
    }
}
