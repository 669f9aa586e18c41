#include "edge/policy/policy.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "edge/policy/ghost.h"
#include "edge/policy/rate.h"
#include "edge/policy/recency.h"

enum policy_queue { QUEUE_NONE, QUEUE_SMALL, QUEUE_MAIN, N_QUEUES, QUEUE_RATE, QUEUE_RECENCY };

enum {
    POLICY_MAX_HITS = 3,
    POLICY_PROMOTING_HITS = 2, /* in the small queue, to move to main */
    POLICY_SMALL_SHARE = 10    /* the small queue is a tenth */
};

struct queue {
    struct fb_list nodes; /* youngest first */
    uint64_t n_bytes;
};

struct edge_policy {
    enum edge_policy_kind kind; /* read by hits: apart from what each change writes */
    uint64_t capacity;
    _Alignas(64) struct queue queues[N_QUEUES];
    size_t n_nodes;
    struct edge_ghost ghost;
    struct edge_rate rate;       /* holds all nodes of RATE and RECENT, which have no queues */
    struct edge_recency recency; /* those of LRU */
};

/* ---- queues ------------------------------------------------------------ */

static void queue_put(struct edge_policy *policy, struct edge_policy_node *node,
                      enum policy_queue queue)
{
    node->queue = (uint8_t)queue;
    fb_list_prepend(&policy->queues[queue].nodes, &node->link);
    policy->queues[queue].n_bytes += node->size;
    policy->n_nodes++;
}

static void queue_take(struct edge_policy *policy, struct edge_policy_node *node)
{
    policy->queues[node->queue].n_bytes -= node->size;
    policy->n_nodes--;
    node->queue = QUEUE_NONE;
    fb_list_remove(&node->link);
}

static struct edge_policy_node *queue_oldest(struct queue *queue)
{
    return fb_list_empty(&queue->nodes)
               ? NULL
               : FB_CONTAINER_OF(queue->nodes.prev, struct edge_policy_node, link);
}

/* ---- S3-FIFO ----------------------------------------------------------- */

/* The oldest of the small queue moves to main if it earned it; else it goes. */
static struct edge_policy_node *small_evict(struct edge_policy *policy,
                                            struct edge_policy_node *node)
{
    uint8_t hits = atomic_load_explicit(&node->hits, memory_order_relaxed);

    queue_take(policy, node);
    if (hits >= POLICY_PROMOTING_HITS) {
        atomic_store_explicit(&node->hits, 0, memory_order_relaxed);
        queue_put(policy, node, QUEUE_MAIN);
        return NULL;
    }
    edge_ghost_add(&policy->ghost, node->id, node->size);
    return node;
}

/* The oldest of main goes round again for each hit it had. */
static struct edge_policy_node *main_evict(struct edge_policy *policy,
                                           struct edge_policy_node *node)
{
    uint8_t hits = atomic_load_explicit(&node->hits, memory_order_relaxed);

    queue_take(policy, node);
    if (hits > 0) {
        atomic_store_explicit(&node->hits, (uint8_t)(hits - 1), memory_order_relaxed);
        queue_put(policy, node, QUEUE_MAIN);
        return NULL;
    }
    return node;
}

static struct edge_policy_node *s3fifo_evict(struct edge_policy *policy)
{
    struct queue *small = &policy->queues[QUEUE_SMALL];
    struct edge_policy_node *victim = NULL;

    while (victim == NULL && policy->n_nodes > 0) {
        struct edge_policy_node *in_small = queue_oldest(small);
        struct edge_policy_node *in_main = queue_oldest(&policy->queues[QUEUE_MAIN]);
        bool small_is_full = small->n_bytes >= policy->capacity / POLICY_SMALL_SHARE;
        if (in_small != NULL && (in_main == NULL || small_is_full)) {
            victim = small_evict(policy, in_small);
        } else {
            FB_REQUIRE(in_main != NULL); /* every node is in one of the two */
            victim = main_evict(policy, in_main);
        }
    }
    return victim;
}

/* ---- the interface ----------------------------------------------------- */

enum edge_policy_kind edge_policy_resolve(enum edge_policy_kind kind, bool is_above_volumes)
{
    if (kind != EDGE_POLICY_AUTO) {
        return kind;
    }
    return is_above_volumes ? EDGE_POLICY_RECENT : EDGE_POLICY_RATE;
}

static bool policy_draws(const struct edge_policy *policy)
{
    return policy->kind == EDGE_POLICY_RATE || policy->kind == EDGE_POLICY_RECENT;
}

struct edge_policy *edge_policy_new(enum edge_policy_kind kind, uint64_t capacity)
{
    struct edge_policy *policy = fb_alloc_apart(sizeof(*policy));

    FB_REQUIRE(kind != EDGE_POLICY_AUTO);
    policy->kind = kind;
    policy->capacity = capacity;
    for (unsigned i = 0; i < N_QUEUES; i++) {
        fb_list_init(&policy->queues[i].nodes);
    }
    edge_ghost_init(&policy->ghost, capacity - capacity / POLICY_SMALL_SHARE);
    policy->ghost.max_entries = edge_ghost_entries(capacity);
    edge_rate_init(&policy->rate, capacity, kind == EDGE_POLICY_RECENT);
    return policy;
}

uint64_t edge_policy_most_bytes(enum edge_policy_kind kind, uint64_t capacity)
{
    bool remembers = kind == EDGE_POLICY_RATE || kind == EDGE_POLICY_S3FIFO;
    uint64_t n_bytes = sizeof(struct edge_policy) + EDGE_POLICY_FIRST_BYTES;

    return n_bytes + (remembers ? edge_ghost_most_bytes(edge_ghost_entries(capacity)) : 0);
}

void edge_policy_free(struct edge_policy *policy)
{
    if (policy != NULL) {
        FB_REQUIRE(edge_policy_count(policy) == 0);
        edge_ghost_done(&policy->ghost);
        edge_rate_done(&policy->rate);
        edge_recency_done(&policy->recency);
        fb_free(policy);
    }
}

void edge_policy_insert(struct edge_policy *policy, struct edge_policy_node *node)
{
    FB_REQUIRE(node->queue == QUEUE_NONE);
    if (policy_draws(policy)) {
        node->queue = QUEUE_RATE;
        edge_rate_insert(&policy->rate, node);
        return;
    }
    if (policy->kind == EDGE_POLICY_LRU) {
        node->queue = QUEUE_RECENCY;
        edge_recency_insert(&policy->recency, node);
        return;
    }
    fb_list_init(&node->link);
    atomic_store_explicit(&node->hits, 0, memory_order_relaxed);
    if (edge_ghost_take(&policy->ghost, node->id)) {
        queue_put(policy, node, QUEUE_MAIN);
    } else {
        queue_put(policy, node, QUEUE_SMALL);
    }
}

void edge_policy_hit(struct edge_policy *policy, struct edge_policy_node *node)
{
    if (policy_draws(policy)) {
        edge_rate_hit(&policy->rate, node);
    } else if (policy->kind == EDGE_POLICY_S3FIFO) {
        /* Two hits at once may count as one; a node that is often asked for is
         * only read, so its cache line is shared. */
        uint8_t hits = atomic_load_explicit(&node->hits, memory_order_relaxed);
        if (hits < POLICY_MAX_HITS) {
            atomic_store_explicit(&node->hits, (uint8_t)(hits + 1), memory_order_relaxed);
        }
    } else {
        edge_recency_hit(&policy->recency, node);
    }
}

bool edge_policy_is_linked(const struct edge_policy_node *node)
{
    return node->queue != QUEUE_NONE;
}

void edge_policy_remove(struct edge_policy *policy, struct edge_policy_node *node)
{
    if (node->queue == QUEUE_RATE) {
        node->queue = QUEUE_NONE;
        edge_rate_remove(&policy->rate, node);
    } else if (node->queue == QUEUE_RECENCY) {
        node->queue = QUEUE_NONE;
        edge_recency_remove(&policy->recency, node);
    } else if (node->queue != QUEUE_NONE) {
        queue_take(policy, node);
    }
}

void edge_policy_resize(struct edge_policy *policy, struct edge_policy_node *node, uint64_t size)
{
    if (node->queue == QUEUE_RATE) {
        policy->rate.n_bytes += size - node->size;
    } else if (node->queue == QUEUE_RECENCY) {
        policy->recency.n_bytes += size - node->size;
    } else if (node->queue != QUEUE_NONE) {
        policy->queues[node->queue].n_bytes += size - node->size;
    }
    node->size = size;
}

struct edge_policy_node *edge_policy_evict(struct edge_policy *policy)
{
    struct edge_policy_node *victim = NULL;

    switch (policy->kind) {
    case EDGE_POLICY_RATE:
    case EDGE_POLICY_RECENT:
        victim = edge_rate_evict(&policy->rate);
        if (victim != NULL) {
            victim->queue = QUEUE_NONE;
        }
        break;
    case EDGE_POLICY_S3FIFO:
        victim = s3fifo_evict(policy);
        break;
    case EDGE_POLICY_LRU:
        victim = edge_recency_evict(&policy->recency);
        if (victim != NULL) {
            victim->queue = QUEUE_NONE;
        }
        break;
    case EDGE_POLICY_AUTO: /* was resolved */
        break;
    }
    return victim;
}

uint64_t edge_policy_bytes(const struct edge_policy *policy)
{
    return policy->queues[QUEUE_SMALL].n_bytes + policy->queues[QUEUE_MAIN].n_bytes +
           policy->rate.n_bytes + policy->recency.n_bytes;
}

size_t edge_policy_count(const struct edge_policy *policy)
{
    return policy->n_nodes + policy->rate.n_nodes + policy->recency.n_nodes;
}
