#include "edge/policy/recency.h"

#include "base/core/alloc.h"

enum { RECENCY_FIRST_NODES = 64 }; /* the first size of the table */

/* ---- the heap ------------------------------------------------------------ */

static void heap_put(struct edge_recency *recency, struct edge_policy_node *node, size_t place)
{
    recency->nodes[place] = node;
    node->place = (uint32_t)place;
}

/* Puts `node` at `place` or above. */
static void heap_rise(struct edge_recency *recency, struct edge_policy_node *node, size_t place)
{
    while (place > 0) {
        struct edge_policy_node *above = recency->nodes[(place - 1) / 2];
        if (above->placed <= node->placed) {
            break;
        }
        heap_put(recency, above, place);
        place = (place - 1) / 2;
    }
    heap_put(recency, node, place);
}

/* Puts `node` at `place` or below. */
static void heap_sink(struct edge_recency *recency, struct edge_policy_node *node, size_t place)
{
    size_t below = 0;

    while ((below = 2 * place + 1) < recency->n_nodes) {
        if (below + 1 < recency->n_nodes &&
            recency->nodes[below + 1]->placed < recency->nodes[below]->placed) {
            below++;
        }
        if (node->placed <= recency->nodes[below]->placed) {
            break;
        }
        heap_put(recency, recency->nodes[below], place);
        place = below;
    }
    heap_put(recency, node, place);
}

static void heap_resize(struct edge_recency *recency, size_t max_nodes)
{
    recency->max_nodes = max_nodes;
    recency->nodes = fb_realloc(recency->nodes, max_nodes * sizeof(struct edge_policy_node *));
}

/* ---- the interface ------------------------------------------------------- */

void edge_recency_done(struct edge_recency *recency)
{
    fb_free(recency->nodes);
    *recency = (struct edge_recency){0};
}

void edge_recency_hit(struct edge_recency *recency, struct edge_policy_node *node)
{
    uint64_t number = 1 + atomic_fetch_add_explicit(&recency->n_uses, 1, memory_order_relaxed);

    atomic_store_explicit(&node->used, number, memory_order_relaxed);
}

void edge_recency_insert(struct edge_recency *recency, struct edge_policy_node *node)
{
    if (recency->n_nodes == recency->max_nodes) {
        heap_resize(recency,
                    recency->max_nodes == 0 ? RECENCY_FIRST_NODES : 2 * recency->max_nodes);
    }
    edge_recency_hit(recency, node);
    node->placed = atomic_load_explicit(&node->used, memory_order_relaxed);
    recency->n_nodes++;
    recency->n_bytes += node->size;
    heap_rise(recency, node, recency->n_nodes - 1);
}

void edge_recency_remove(struct edge_recency *recency, struct edge_policy_node *node)
{
    recency->n_nodes--;
    recency->n_bytes -= node->size;
    struct edge_policy_node *last = recency->nodes[recency->n_nodes];
    if (last != node) {
        heap_rise(recency, last, node->place);
        heap_sink(recency, last, last->place);
    }
    if (recency->max_nodes > RECENCY_FIRST_NODES && recency->n_nodes < recency->max_nodes / 4) {
        heap_resize(recency, recency->max_nodes / 2);
    }
}

struct edge_policy_node *edge_recency_evict(struct edge_recency *recency)
{
    while (recency->n_nodes > 0) {
        struct edge_policy_node *node = recency->nodes[0];
        uint64_t used = atomic_load_explicit(&node->used, memory_order_relaxed);
        if (used == node->placed) {
            edge_recency_remove(recency, node);
            return node;
        }
        node->placed = used;
        heap_sink(recency, node, 0);
    }
    return NULL;
}
