/*
 * Chunks that are sent often, without a copy.
 *
 * What comes into memory lies in huge pages, where transfers from disks are cheapest. A copy into
 * frozen memory, whose pages have to be made anew each time, costs as much as a few responses gain
 * by it: so it is made of what a few have asked for who can use it.
 */
#include "base/core/err.h"
#include "base/loop/grace.h"
#include "edge/store/store_internal.h"

/* Readers that came after the first. */
enum { FREEZE_FROM_HITS = 4 };

bool edge_chunk_is_hot(const struct edge_store *store, const struct store_extent *extent,
                       const struct store_buffer *buffer, uint32_t n)
{
    return atomic_load_explicit(&extent->n_hits, memory_order_relaxed) >= FREEZE_FROM_HITS &&
           store->frozen != NULL && buffer->file.begin == NULL && n >= FB_FROZEN_MIN;
}

/* The chunk's buffer with a reference, or NULL if there is nothing to freeze any more. */
static struct store_buffer *freeze_hold(struct edge_body *body, struct store_extent *extent,
                                        unsigned i, uint32_t *ret_n)
{
    struct store_buffer *buffer = NULL;
    struct store_buffer *held = NULL;

    (void)pthread_mutex_lock(&body->lock);
    uint32_t n = edge_extent_shown(extent, i, &buffer);
    if (n > 0 && edge_chunk_is_hot(body->store, extent, buffer, n)) {
        held = edge_buffer_ref(buffer);
        *ret_n = n;
    }
    (void)pthread_mutex_unlock(&body->lock);
    return held;
}

/* Returns the buffer that is not needed any more: the old one, or if the chunk has changed
 * meanwhile, the new one. */
static struct store_buffer *freeze_swap(struct edge_body *body, struct store_extent *extent,
                                        unsigned i, struct store_buffer *old,
                                        struct store_buffer *fresh)
{
    struct store_chunk *chunk = &extent->chunks[i];
    struct store_buffer *waste = fresh;

    (void)pthread_mutex_lock(&body->lock);
    if (chunk->state == CHUNK_PRESENT &&
        atomic_load_explicit(&chunk->buffer, memory_order_relaxed) == old) {
        waste = edge_chunk_set(chunk, fresh, chunk->n_filled, CHUNK_PRESENT);
    }
    (void)pthread_mutex_unlock(&body->lock);
    return waste;
}

bool edge_chunk_freeze(struct edge_object *object, uint64_t chunk)
{
    struct edge_body *body = object->body;
    struct store_extent *extent = NULL;
    struct store_buffer *fresh = NULL;
    unsigned i = (unsigned)(chunk % EDGE_EXTENT_CHUNKS);
    uint32_t n = 0;

    if (edge_body_pin(body, (uint32_t)(chunk / EDGE_EXTENT_CHUNKS), &extent) < 0) {
        return false;
    }
    struct store_buffer *old = freeze_hold(body, extent, i, &n);
    int err = FB_OK;
    if (old != NULL) {
        err = edge_buffer_new_frozen(body->store, (struct fb_str){edge_buffer_bytes(old), n},
                                     extent, &fresh);
    }
    if (fresh != NULL) {
        struct store_buffer *waste = freeze_swap(body, extent, i, old, fresh);
        fb_grace_wait();
        edge_buffer_unref(waste);
        edge_store_count(body->store, STORE_FROZEN, 1);
    }
    edge_buffer_unref(old);
    edge_body_unpin(body, extent);
    return err == FB_OK;
}
