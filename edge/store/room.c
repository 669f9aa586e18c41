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

/* Under the room's lock: could evicting ever make room for `n` bytes? What is
 * out of the index but still read cannot be hurried. */
static bool room_is_possible(const struct edge_store *store, uint64_t n)
{
    uint64_t used = atomic_load_explicit(&store->used, memory_order_relaxed);
    uint64_t evictable = edge_policy_bytes(store->policy);
    return used - FB_MIN(used, evictable) + n <= store->limit;
}

/* Under the room's lock. False if there is nothing to evict. */
static bool room_evict(struct edge_store *store)
{
    struct edge_policy_node *node = edge_policy_evict(store->policy);

    if (node == NULL) {
        return false;
    }
    struct edge_object *victim = FB_CONTAINER_OF(node, struct edge_object, node);
    if (edge_store_unlink(store, victim)) {
        edge_store_count(store, STORE_EVICTIONS, 1);
        edge_object_unref(victim);
    }
    return true;
}

int edge_room_claim(struct edge_store *store, uint64_t n)
{
    int err = FB_OK;

    (void)pthread_mutex_lock(&store->room_lock);
    while (atomic_load_explicit(&store->used, memory_order_relaxed) + n > store->limit) {
        if (!room_is_possible(store, n) || !room_evict(store)) {
            err = FB_E_BUSY;
            break;
        }
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
