#include "base/core/err.h"
#include "base/metrics/metrics.h"
#include "edge/store/store_internal.h"

void edge_store_count(struct edge_store *store, enum store_metric metric, int64_t n)
{
    if (store->metrics == NULL) {
        return;
    }
    if (n >= 0) {
        fb_metrics_add(store->metrics, metric, (uint64_t)n);
    } else {
        fb_metrics_sub(store->metrics, metric, (uint64_t)-n);
    }
}

void edge_store_count_trailing(struct edge_store *store, int n)
{
    atomic_fetch_add_explicit(&store->n_trailing, (uint64_t)(int64_t)n, memory_order_relaxed);
    edge_store_count(store, STORE_READERS, n);
}

/* ---- evicting ---------------------------------------------------------- */

/* What an eviction leaves behind, to be freed without the lock. */
struct room_waste {
    struct store_extent *extent;
    struct store_buffer *buffers[EDGE_EXTENT_CHUNKS];
    struct edge_object *gone; /* chain */
    struct edge_extent_id id;
    unsigned n_hits; /* that its volume has not heard of */
};

static void waste_dispose(struct edge_store *store, struct room_waste *waste)
{
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        edge_buffer_unref(waste->buffers[i]);
    }
    if (waste->extent != NULL) {
        edge_extent_free(store, waste->extent);
    }
    if (waste->n_hits > 0) {
        edge_volumes_touch(store->volumes, &waste->id, waste->n_hits);
    }
    edge_store_let_go(waste->gone);
}

/* Under the room's and the body's lock: takes the chunks that are present; what is
 * on its way stays. */
static void evict_extent(struct store_extent *extent, struct room_waste *waste)
{
    struct edge_body *body = extent->node.body;

    if (atomic_load_explicit(&body->is_on_volumes, memory_order_relaxed)) {
        waste->id = edge_body_extent_id(body, (uint64_t)extent->number * EDGE_EXTENT_CHUNKS);
        waste->n_hits = extent->n_hits;
    }
    extent->n_hits = 0;
    extent->given = 0; /* whether it got there is seen when it comes again */
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        struct store_chunk *chunk = &extent->chunks[i];
        if (chunk->state == CHUNK_PRESENT) {
            waste->buffers[i] = chunk->buffer;
            *chunk = (struct store_chunk){0};
        }
    }
    if (extent->n_pins == 0) {
        edge_body_remove(body, extent);
        waste->extent = extent;
    }
}

/* Under the room's lock. */
static void anchor_link(struct edge_body *body)
{
    if (!edge_policy_is_linked(&body->anchor.node)) {
        edge_policy_insert(body->store->policy, &body->anchor.node);
    }
}

/* Under the room's lock. False if there is nothing to evict. */
static bool room_evict(struct edge_store *store, struct room_waste *waste)
{
    struct edge_policy_node *found = edge_policy_evict(store->policy);

    if (found == NULL) {
        return false;
    }
    struct store_node *node = FB_CONTAINER_OF(found, struct store_node, node);
    struct edge_body *body = node->body;
    (void)pthread_mutex_lock(&body->lock);
    if (node->extent != NULL) {
        evict_extent(node->extent, waste);
    }
    bool is_bare = body->n_extents == 0;
    (void)pthread_mutex_unlock(&body->lock);

    if (is_bare) {
        /* Heads in use wait for chunks to come back, but not for ever. */
        waste->gone = edge_store_unlink_body(store, body, node->extent != NULL);
        if (waste->gone == NULL && node->extent != NULL) {
            anchor_link(body);
        }
    }
    edge_store_count(store, STORE_EVICTIONS, 1);
    return true;
}

/* ---- claiming ---------------------------------------------------------- */

/* Under the room's lock: could evicting ever make room for `n` bytes? What is
 * in use and cannot be evicted cannot be hurried. */
static bool room_is_possible(const struct edge_store *store, uint64_t n)
{
    uint64_t used = atomic_load_explicit(&store->used, memory_order_relaxed);
    uint64_t evictable = edge_policy_bytes(store->policy) +
                         atomic_load_explicit(&store->indexed_bytes, memory_order_relaxed);
    return used - FB_MIN(used, evictable) + n <= store->limit;
}

int edge_room_claim(struct edge_store *store, uint64_t n)
{
    int err = FB_OK;

    (void)pthread_mutex_lock(&store->room_lock);
    while (atomic_load_explicit(&store->used, memory_order_relaxed) + n > store->limit) {
        struct room_waste waste = {0};
        if (!room_is_possible(store, n) || !room_evict(store, &waste)) {
            err = FB_E_BUSY;
            break;
        }
        (void)pthread_mutex_unlock(&store->room_lock);
        waste_dispose(store, &waste);
        (void)pthread_mutex_lock(&store->room_lock);
    }
    if (err == FB_OK) {
        atomic_fetch_add_explicit(&store->used, n, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&store->room_lock);
    if (err == FB_OK) {
        edge_store_count(store, STORE_BYTES, (int64_t)n);
    }
    return err;
}

void edge_room_release(struct edge_store *store, uint64_t n)
{
    atomic_fetch_sub_explicit(&store->used, n, memory_order_relaxed);
    edge_store_count(store, STORE_BYTES, -(int64_t)n);
}

/* ---- what the policy knows ----------------------------------------------- */

void edge_room_anchor(struct edge_body *body)
{
    struct edge_store *store = body->store;

    (void)pthread_mutex_lock(&store->room_lock);
    (void)pthread_mutex_lock(&body->lock);
    bool is_bare = body->n_extents == 0;
    (void)pthread_mutex_unlock(&body->lock);
    if (is_bare) {
        anchor_link(body);
    }
    (void)pthread_mutex_unlock(&store->room_lock);
}

/* Under the room's and the body's lock. */
static void room_settle(struct edge_body *body, struct store_extent *extent)
{
    struct edge_policy *policy = body->store->policy;
    bool is_filling =
        atomic_load_explicit(&body->state, memory_order_relaxed) == EDGE_OBJECT_FILLING;

    if (edge_policy_is_linked(&extent->node.node)) {
        edge_policy_resize(policy, &extent->node.node, edge_extent_charge(extent));
    } else if (extent->n_pins == 0 && !is_filling) {
        extent->node.node.size = edge_extent_charge(extent);
        edge_policy_insert(policy, &extent->node.node);
    }
}

void edge_body_unpin(struct edge_body *body, struct store_extent *extent)
{
    struct edge_store *store = body->store;
    struct store_extent *waste = NULL;

    (void)pthread_mutex_lock(&store->room_lock);
    (void)pthread_mutex_lock(&body->lock);
    extent->n_pins--;
    if (extent->n_pins == 0 && edge_extent_is_empty(extent)) {
        edge_policy_remove(store->policy, &extent->node.node);
        edge_body_remove(body, extent);
        waste = extent;
    } else {
        room_settle(body, extent);
    }
    bool is_bare = body->n_extents == 0;
    (void)pthread_mutex_unlock(&body->lock);
    if (is_bare) {
        anchor_link(body);
    }
    (void)pthread_mutex_unlock(&store->room_lock);
    if (waste != NULL) {
        edge_extent_free(store, waste);
    }
}

void edge_body_settle(struct edge_body *body)
{
    struct edge_store *store = body->store;

    (void)pthread_mutex_lock(&store->room_lock);
    (void)pthread_mutex_lock(&body->lock);
    for (uint32_t i = 0; i < body->n_buckets; i++) {
        for (struct store_extent *at = body->buckets[i]; at != NULL; at = at->next) {
            room_settle(body, at);
        }
    }
    (void)pthread_mutex_unlock(&body->lock);
    (void)pthread_mutex_unlock(&store->room_lock);
}

void edge_room_hit(struct edge_body *body, uint64_t number)
{
    struct edge_store *store = body->store;
    bool is_free = edge_policy_hit_is_free(store->policy);

    if (!is_free) {
        (void)pthread_mutex_lock(&store->room_lock);
    }
    (void)pthread_mutex_lock(&body->lock);
    struct store_extent *extent = edge_body_extent(body, number * EDGE_EXTENT_CHUNKS);
    struct store_node *node = extent != NULL ? &extent->node : &body->anchor;
    edge_policy_hit(store->policy, &node->node);
    (void)pthread_mutex_unlock(&body->lock);
    if (!is_free) {
        (void)pthread_mutex_unlock(&store->room_lock);
    }
}
