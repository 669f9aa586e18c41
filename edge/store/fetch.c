#include "base/core/alloc.h"
#include "base/core/err.h"
#include "edge/store/reader_internal.h"
#include "edge/store/store_internal.h"

/* What a volume should have and does not give is looked for elsewhere so many times. */
enum { FETCH_MAX_TRIES = 3 };

/* One chunk on its way from a volume. */
struct chunk_fetch {
    struct edge_volume_read read;
    struct edge_object *object;  /* counted */
    struct store_extent *extent; /* pinned */
    struct store_buffer *buffer; /* counted */
    uint64_t chunk;
    unsigned nth;
    unsigned n_tries;
};

static bool chunk_find(struct edge_object *object, uint64_t chunk, unsigned nth,
                       struct edge_volume_place *ret_place)
{
    struct edge_store *store = object->store;
    struct edge_extent_id id = edge_body_extent_id(object->body, chunk);

    return store->volumes != NULL && id.version != 0 &&
           edge_volumes_find(store->volumes, &id, (int)(chunk % EDGE_EXTENT_CHUNKS), nth,
                             ret_place);
}

bool edge_chunk_is_on_volume(struct edge_object *object, uint64_t chunk)
{
    struct edge_volume_place place;

    return chunk_find(object, chunk, 0, &place);
}

/* ---- placing ----------------------------------------------------------- */

/* Under the body's lock. */
static void chunk_put(struct edge_body *body, struct store_extent *extent, uint64_t chunk,
                      struct store_buffer *buffer, uint32_t n)
{
    unsigned i = (unsigned)(chunk % EDGE_EXTENT_CHUNKS);

    buffer->cap = n;
    extent->unread |= (uint8_t)(1U << i); /* before a reader can come */
    (void)edge_chunk_set(&extent->chunks[i], buffer, n, CHUNK_PRESENT); /* there was none */
    edge_readers_wake(body, 0, UINT64_MAX); /* some hoped for a writer that will not come */
}

void edge_chunk_install(struct edge_object *object, uint64_t chunk, struct store_buffer *buffer,
                        uint32_t n)
{
    struct edge_body *body = object->body;
    struct store_extent *extent = NULL;

    if (edge_body_pin(body, (uint32_t)(chunk / EDGE_EXTENT_CHUNKS), &extent) < 0) {
        edge_buffer_unref(buffer);
        return;
    }
    (void)pthread_mutex_lock(&body->lock);
    bool is_free =
        edge_body_chunk_state(body, chunk) == CHUNK_ABSENT && !edge_body_has_writer_at(body, chunk);
    if (is_free) {
        edge_readers_satisfy(body, chunk);
        chunk_put(body, extent, chunk, buffer, n);
    }
    (void)pthread_mutex_unlock(&body->lock);
    edge_body_unpin(body, extent);
    if (!is_free) {
        edge_buffer_unref(buffer);
    }
}

/* ---- reading ----------------------------------------------------------- */

static void fetch_end(struct chunk_fetch *fetch)
{
    edge_body_unpin(fetch->object->body, fetch->extent);
    edge_object_unref(fetch->object);
    fb_free(fetch);
}

/* No volume gives the chunk: it is absent, and those who wait look elsewhere. */
static void fetch_give_up(struct chunk_fetch *fetch)
{
    struct edge_body *body = fetch->object->body;
    unsigned i = (unsigned)(fetch->chunk % EDGE_EXTENT_CHUNKS);

    edge_buffer_unref(fetch->buffer);
    (void)pthread_mutex_lock(&body->lock);
    (void)edge_chunk_set(&fetch->extent->chunks[i], NULL, 0, CHUNK_ABSENT); /* nor was */
    fetch->extent->unread &= (uint8_t) ~(1U << i);
    edge_readers_skip_volumes(body, fetch->chunk);
    (void)pthread_mutex_unlock(&body->lock);
    fetch_end(fetch);
}

static void fetch_succeed(struct chunk_fetch *fetch, uint32_t n)
{
    struct edge_object *object = fetch->object;
    struct edge_store *store = object->store;
    struct edge_body *body = object->body;

    fetch->buffer->bytes = fetch->buffer->memory + (fetch->read.bytes.ptr - fetch->buffer->memory);
    atomic_store_explicit(&body->is_on_volumes, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->n_loaded, 1, memory_order_relaxed);
    edge_store_count(store, STORE_LOADED, 1);
    (void)pthread_mutex_lock(&body->lock);
    chunk_put(body, fetch->extent, fetch->chunk, fetch->buffer, n);
    (void)pthread_mutex_unlock(&body->lock);
    fetch_end(fetch);
}

static bool fetch_is_right(const struct chunk_fetch *fetch)
{
    const struct edge_volume_read *read = &fetch->read;
    uint64_t length = (uint64_t)edge_object_length(fetch->object);

    return read->op.result == FB_OK && read->head.length == length &&
           read->found_chunk == fetch->chunk % EDGE_EXTENT_CHUNKS &&
           read->bytes.len == edge_chunk_bytes(length, fetch->chunk);
}

static bool fetch_is_unwanted(void *ctx, const struct edge_extent_head *head)
{
    struct chunk_fetch *fetch = ctx;
    struct edge_store *store = fetch->object->store;
    bool is_gone = edge_store_record_is_gone(store, head);

    if (is_gone) { /* the same version again, from before a purge */
        edge_note_extent(store, &head->id, EDGE_CAUSE_PURGED);
    }
    return is_gone;
}

static void fetch_on_read(struct fb_op *op);

static void fetch_start(struct chunk_fetch *fetch)
{
    struct edge_volume_read *read = &fetch->read;

    read->id = edge_body_extent_id(fetch->object->body, fetch->chunk);
    read->key = fetch->object->head.key;
    read->is_unwanted = fetch_is_unwanted;
    read->ctx = fetch;
    read->chunk = (int)(fetch->chunk % EDGE_EXTENT_CHUNKS);
    read->memory = fetch->buffer->memory;
    fb_op_init(&read->op, read->op.loop, fetch_on_read);
    edge_volumes_read(fetch->object->store->volumes, read);
}

static bool place_is_same(const struct edge_volume_place *a, const struct edge_volume_place *b)
{
    return a->volume == b->volume && a->place.zone == b->place.zone &&
           a->place.block == b->place.block;
}

/* Looks for another copy; what was rotten is not found any more, what was only out of
 * reach or another's is. */
static bool fetch_retry(struct chunk_fetch *fetch)
{
    struct edge_volume_place last = fetch->read.place;

    edge_store_count(fetch->object->store, STORE_LOAD_MISSES, 1);
    if (fetch->read.op.result < 0 && fetch->read.op.result != FB_E_NOT_FOUND) {
        edge_note_extent(fetch->object->store, &fetch->read.id,
                         edge_cause_of_read(fetch->read.op.result));
    }
    if (++fetch->n_tries == FETCH_MAX_TRIES) {
        return false;
    }
    bool is_found = chunk_find(fetch->object, fetch->chunk, fetch->nth, &fetch->read.place);
    if (is_found && place_is_same(&last, &fetch->read.place)) {
        fetch->nth++;
        is_found = chunk_find(fetch->object, fetch->chunk, fetch->nth, &fetch->read.place);
    }
    if (!is_found) {
        return false;
    }
    edge_buffer_unref(fetch->buffer);
    fetch->buffer = NULL;
    return edge_buffer_new_aligned(fetch->object->store,
                                   edge_volumes_read_bytes(&fetch->read.place),
                                   &fetch->buffer) == FB_OK;
}

static void fetch_on_read(struct fb_op *op)
{
    struct chunk_fetch *fetch = FB_CONTAINER_OF(op, struct chunk_fetch, read.op);

    if (fetch_is_right(fetch)) {
        fetch_succeed(fetch, (uint32_t)fetch->read.bytes.len);
    } else if (fetch_retry(fetch)) {
        fetch_start(fetch);
    } else {
        fetch_give_up(fetch);
    }
}

/* ---- the beginning ----------------------------------------------------- */

/* False if the chunk is there or somebody else brings it. */
static bool fetch_take_chunk(struct edge_body *body, struct store_extent *extent, uint64_t chunk,
                             bool *ret_is_first)
{
    unsigned i = (unsigned)(chunk % EDGE_EXTENT_CHUNKS);

    (void)pthread_mutex_lock(&body->lock);
    *ret_is_first = edge_extent_is_empty(extent);
    bool is_mine = extent->chunks[i].state == CHUNK_ABSENT && !edge_body_has_writer_at(body, chunk);
    if (is_mine) {
        extent->chunks[i].state = CHUNK_LOADING;
        edge_readers_satisfy(body, chunk);
    }
    (void)pthread_mutex_unlock(&body->lock);
    return is_mine;
}

int edge_chunk_fetch(struct edge_object *object, struct fb_loop *loop, uint64_t chunk)
{
    struct edge_volume_place place;
    struct store_extent *extent = NULL;
    struct store_buffer *buffer = NULL;
    bool is_first = false;

    if (!chunk_find(object, chunk, 0, &place)) {
        return FB_E_NOT_FOUND;
    }
    int err = edge_buffer_new_aligned(object->store, edge_volumes_read_bytes(&place), &buffer);
    if (err == FB_OK) {
        err = edge_body_pin(object->body, (uint32_t)(chunk / EDGE_EXTENT_CHUNKS), &extent);
    }
    if (err != FB_OK) {
        edge_buffer_unref(buffer);
        return err;
    }
    if (!fetch_take_chunk(object->body, extent, chunk, &is_first)) {
        edge_body_unpin(object->body, extent);
        edge_buffer_unref(buffer);
        return FB_OK;
    }
    struct chunk_fetch *fetch = FB_NEW(struct chunk_fetch);
    fetch->object = edge_object_ref(object);
    fetch->extent = extent;
    fetch->buffer = buffer;
    fetch->chunk = chunk;
    fetch->read.place = place;
    fetch->read.op.loop = loop;
    if (is_first) {
        edge_extent_seen(object, chunk / EDGE_EXTENT_CHUNKS);
    }
    fetch_start(fetch);
    return FB_OK;
}
