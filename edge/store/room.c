#include "base/core/err.h"
#include "base/disk/memory.h"
#include "base/loop/grace.h"
#include "base/metrics/metrics.h"
#include "edge/store/store_internal.h"

void edge_store_count(struct edge_store *store, enum store_metric metric, int64_t n)
{
    if (store->metrics == NULL || n == 0) { /* a line that all loops share is left alone */
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

/* What an eviction leaves behind, to be freed without the lock once nobody can come to it. */
struct room_waste {
    struct store_extent *extent;
    struct store_buffer *buffers[EDGE_EXTENT_CHUNKS];
    struct edge_object *gone; /* chain */
    struct edge_extent_id id;
    unsigned n_hits; /* that its volume has not heard of */
    bool is_noted;   /* that `id` left, and how it stood with the volumes */
    bool is_on_volumes;
    bool was_declined;
};

static void waste_dispose(struct edge_store *store, struct room_waste *waste)
{
    fb_grace_wait();
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        edge_buffer_unref(waste->buffers[i]);
    }
    if (waste->extent != NULL) {
        edge_extent_free(store, waste->extent);
    }
    if (waste->is_noted) {
        edge_note_left_memory(store, &waste->id, waste->is_on_volumes, waste->was_declined);
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

    waste->id = edge_body_extent_id(body, (uint64_t)extent->number * EDGE_EXTENT_CHUNKS);
    waste->is_on_volumes = extent->verdict == EXTENT_ADMITTED &&
                           atomic_load_explicit(&body->is_on_volumes, memory_order_relaxed);
    waste->was_declined = extent->verdict == EXTENT_DECLINED;
    waste->is_noted = true;
    if (atomic_load_explicit(&body->is_on_volumes, memory_order_relaxed)) {
        waste->n_hits = atomic_load_explicit(&extent->n_hits, memory_order_relaxed);
    }
    atomic_store_explicit(&extent->n_hits, 0, memory_order_relaxed);
    extent->given = 0; /* whether it got there is seen when it comes again */
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        struct store_chunk *chunk = &extent->chunks[i];
        if (chunk->state == CHUNK_PRESENT) {
            waste->buffers[i] = edge_chunk_set(chunk, NULL, 0, CHUNK_ABSENT);
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

/* What somebody wants: bytes that will be allocated, and a run of the huge pages. */
struct room_claim {
    uint64_t n_bytes;
    size_t n_run;                     /* 0: none */
    const struct store_extent *keeps; /* not worth this one; or NULL */
    char *run;                        /* out */
};

/* Under the room's lock. False if there is nothing to evict for this. */
static bool room_evict(struct edge_store *store, const struct room_claim *claim,
                       struct room_waste *waste)
{
    struct edge_policy_node *found = edge_policy_evict(store->policy);

    if (found == NULL) {
        return false;
    }
    struct store_node *node = FB_CONTAINER_OF(found, struct store_node, node);
    struct edge_body *body = node->body;
    if (node->extent != NULL && node->extent == claim->keeps) {
        edge_policy_insert(store->policy, found);
        return false;
    }
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

static uint64_t room_used(const struct edge_store *store)
{
    return atomic_load_explicit(&store->used, memory_order_relaxed);
}

/* Under the room's lock: claims, if that stays within the bound. A run costs what it adds to the
 * huge pages that are held: all of them are counted, idle or not. */
static bool room_grant(struct edge_store *store, struct room_claim *claim)
{
    uint64_t used = room_used(store);
    size_t n_pages = 0;

    if (used + claim->n_bytes > store->limit) {
        return false;
    }
    if (claim->n_run > 0) {
        claim->run = fb_disk_memory_take_within(store->memory, claim->n_run,
                                                store->limit - used - claim->n_bytes, &n_pages);
        if (claim->run == NULL) {
            return false;
        }
    }
    atomic_fetch_add_explicit(&store->used, claim->n_bytes + n_pages, memory_order_relaxed);
    edge_store_count(store, STORE_BYTES, (int64_t)(claim->n_bytes + n_pages));
    return true;
}

/* Under the room's lock: has huge pages given back that lie idle. False if there are none. */
static bool room_trim(struct edge_store *store, const struct room_claim *claim)
{
    if (store->memory == NULL) {
        return false;
    }
    size_t n = fb_disk_memory_trim(store->memory, claim->n_bytes + claim->n_run);
    edge_room_release(store, n);
    return n > 0;
}

/* Under the room's lock: could evicting ever make room? What is in use and cannot be evicted
 * cannot be hurried; what lies idle becomes whole pages as what lies between goes. */
static bool room_is_possible(const struct edge_store *store, const struct room_claim *claim)
{
    uint64_t used = room_used(store);
    uint64_t evictable = edge_policy_bytes(store->policy) +
                         atomic_load_explicit(&store->indexed_bytes, memory_order_relaxed);
    if (store->memory != NULL) {
        evictable += fb_disk_memory_idle(store->memory);
    }
    return used - FB_MIN(used, evictable) + claim->n_bytes + claim->n_run <= store->limit;
}

/* Under the room's lock, which is let go of meanwhile. False if there is nothing to evict. */
static bool room_make(struct edge_store *store, const struct room_claim *claim)
{
    struct room_waste waste = {0};

    if (!room_evict(store, claim, &waste)) {
        return false;
    }
    store->n_evicting++;
    (void)pthread_mutex_unlock(&store->room_lock);
    waste_dispose(store, &waste);
    (void)pthread_mutex_lock(&store->room_lock);
    store->n_evicting--;
    (void)pthread_cond_broadcast(&store->room_made);
    return true;
}

static int room_claim(struct edge_store *store, struct room_claim *claim)
{
    int err = FB_OK;

    (void)pthread_mutex_lock(&store->room_lock);
    while (!room_grant(store, claim)) {
        if (room_trim(store, claim) ||
            (room_is_possible(store, claim) && room_make(store, claim))) {
            continue;
        }
        if (store->n_evicting == 0) {
            err = FB_E_BUSY;
            break;
        }
        /* What others are freeing is used no more, and not to be evicted either. It takes them
         * about as long as they would hold the lock for it. */
        (void)pthread_cond_wait(&store->room_made, &store->room_lock);
    }
    (void)pthread_mutex_unlock(&store->room_lock);
    return err;
}

int edge_room_claim(struct edge_store *store, uint64_t n)
{
    struct room_claim claim = {.n_bytes = n};

    return room_claim(store, &claim);
}

int edge_room_claim_beside(struct edge_store *store, uint64_t n, const struct store_extent *extent)
{
    struct room_claim claim = {.n_bytes = n, .keeps = extent};

    return room_claim(store, &claim);
}

int edge_room_claim_run(struct edge_store *store, uint64_t n, size_t n_run, char **ret_run)
{
    struct room_claim claim = {.n_bytes = n, .n_run = n_run};

    int err = room_claim(store, &claim);
    if (err == FB_OK) {
        *ret_run = claim.run;
    }
    return err;
}

void edge_room_release(struct edge_store *store, uint64_t n)
{
    atomic_fetch_sub_explicit(&store->used, n, memory_order_relaxed);
    edge_store_count(store, STORE_BYTES, -(int64_t)n);
}

void edge_room_release_run(struct edge_store *store, uint64_t n, size_t n_run, char *run)
{
    edge_room_release(store, n + fb_disk_memory_give(store->memory, run, n_run));
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
        fb_grace_wait();
        edge_extent_free(store, waste);
    }
}

void edge_body_settle(struct edge_body *body)
{
    struct edge_store *store = body->store;

    (void)pthread_mutex_lock(&store->room_lock);
    (void)pthread_mutex_lock(&body->lock);
    const struct store_table *table = atomic_load_explicit(&body->table, memory_order_relaxed);
    for (uint32_t i = 0; i < table->n_buckets; i++) {
        for (struct store_extent *at =
                 atomic_load_explicit(&table->buckets[i], memory_order_relaxed);
             at != NULL; at = atomic_load_explicit(&at->next, memory_order_relaxed)) {
            room_settle(body, at);
        }
    }
    (void)pthread_mutex_unlock(&body->lock);
    (void)pthread_mutex_unlock(&store->room_lock);
}

void edge_room_hit(struct edge_body *body, uint64_t number)
{
    struct edge_store *store = body->store;

    fb_grace_enter();
    struct store_extent *extent = edge_body_extent(body, number * EDGE_EXTENT_CHUNKS);
    struct store_node *node = extent != NULL ? &extent->node : &body->anchor;
    edge_policy_hit(store->policy, &node->node);
    fb_grace_leave();
}
