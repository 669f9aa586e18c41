/* Eviction beside a naive twin, and its books, under random operations. */
#include "policy_fixture.h"

#include <string.h>

enum { N_IDS = 40, N_STEPS = 20000, MAX_HITS = 3 };

/* ---- a naive twin ------------------------------------------------------ */

struct twin_entry {
    uint64_t id;
    uint64_t size;
    unsigned hits;
};

/* Oldest first. */
struct twin_queue {
    struct twin_entry items[1024];
    size_t n;
};

struct twin {
    enum edge_policy_kind kind;
    struct twin_queue small;
    struct twin_queue main;
    struct twin_queue ghost;
};

static uint64_t twin_bytes(const struct twin_queue *queue)
{
    uint64_t n_bytes = 0;

    for (size_t i = 0; i < queue->n; i++) {
        n_bytes += queue->items[i].size;
    }
    return n_bytes;
}

static struct twin_entry *twin_find(struct twin_queue *queue, uint64_t id)
{
    for (size_t i = 0; i < queue->n; i++) {
        if (queue->items[i].id == id) {
            return &queue->items[i];
        }
    }
    return NULL;
}

static void twin_push(struct twin_queue *queue, struct twin_entry entry)
{
    queue->items[queue->n++] = entry;
}

static struct twin_entry twin_take(struct twin_queue *queue, const struct twin_entry *at)
{
    struct twin_entry entry = *at;
    size_t place = (size_t)(at - queue->items);

    memmove(&queue->items[place], &queue->items[place + 1], (queue->n - place - 1) * sizeof(entry));
    queue->n--;
    return entry;
}

static void twin_remember(struct twin *twin, struct twin_entry entry)
{
    struct twin_entry *known = twin_find(&twin->ghost, entry.id);

    if (entry.size > CAPACITY - CAPACITY / 10) {
        return;
    }
    if (known != NULL) {
        (void)twin_take(&twin->ghost, known);
    }
    while (twin_bytes(&twin->ghost) + entry.size > CAPACITY - CAPACITY / 10) {
        (void)twin_take(&twin->ghost, &twin->ghost.items[0]);
    }
    twin_push(&twin->ghost, entry);
}

static void twin_insert(struct twin *twin, uint64_t id, uint64_t size)
{
    struct twin_entry entry = {.id = id, .size = size};
    struct twin_entry *known = twin_find(&twin->ghost, id);

    if (known != NULL) {
        (void)twin_take(&twin->ghost, known);
    }
    twin_push(twin->kind == EDGE_POLICY_LRU || known != NULL ? &twin->main : &twin->small, entry);
}

static void twin_hit(struct twin *twin, uint64_t id)
{
    struct twin_entry *in_small = twin_find(&twin->small, id);
    struct twin_entry *in_main = twin_find(&twin->main, id);
    struct twin_entry *entry = in_small != NULL ? in_small : in_main;

    if (entry == NULL) {
        return;
    }
    if (twin->kind == EDGE_POLICY_LRU) {
        twin_push(&twin->main, twin_take(&twin->main, entry));
    } else if (entry->hits < MAX_HITS) {
        entry->hits++;
    }
}

static void twin_remove(struct twin *twin, uint64_t id)
{
    struct twin_queue *const queues[] = {&twin->small, &twin->main};

    for (size_t i = 0; i < FB_ARRAY_LEN(queues); i++) {
        struct twin_entry *entry = twin_find(queues[i], id);
        if (entry != NULL) {
            (void)twin_take(queues[i], entry);
        }
    }
}

/* The identity to go, 0 if there is none. */
static uint64_t twin_evict(struct twin *twin)
{
    while (twin->small.n + twin->main.n > 0) {
        bool from_small =
            twin->small.n > 0 && (twin->main.n == 0 || twin_bytes(&twin->small) >= CAPACITY / 10);
        struct twin_queue *queue = from_small ? &twin->small : &twin->main;
        struct twin_entry oldest = twin_take(queue, &queue->items[0]);
        if (twin->kind == EDGE_POLICY_LRU) {
            return oldest.id;
        }
        if (from_small && oldest.hits < 2) {
            twin_remember(twin, oldest);
            return oldest.id;
        }
        if (!from_small && oldest.hits == 0) {
            return oldest.id;
        }
        oldest.hits = from_small ? 0 : oldest.hits - 1;
        twin_push(&twin->main, oldest);
    }
    return 0;
}

/* ---- random operations against the twin -------------------------------- */

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return *seed >> 33;
}

static void run_model(enum edge_policy_kind kind, uint64_t seed)
{
    static struct twin twin;
    static struct edge_policy_node nodes[N_IDS];
    struct edge_policy *policy = edge_policy_new(kind, CAPACITY);
    uint64_t random = seed;

    memset(&twin, 0, sizeof(twin));
    twin.kind = kind;
    memset(nodes, 0, sizeof(nodes));
    for (unsigned step = 0; step < N_STEPS; step++) {
        uint64_t pick = next_random(&random) % N_IDS;
        struct edge_policy_node *node = &nodes[pick];
        bool is_in =
            twin_find(&twin.small, pick + 1) != NULL || twin_find(&twin.main, pick + 1) != NULL;
        uint64_t choice = next_random(&random) % 16;
        if (!is_in) {
            node->id = pick + 1;
            node->size = 1 + next_random(&random) % 120;
            edge_policy_insert(policy, node);
            twin_insert(&twin, node->id, node->size);
        } else if (choice == 0) {
            edge_policy_remove(policy, node);
            twin_remove(&twin, node->id);
        } else {
            edge_policy_hit(policy, node);
            twin_hit(&twin, node->id);
        }
        while (edge_policy_bytes(policy) > CAPACITY) {
            uint64_t want = twin_evict(&twin);
            const struct edge_policy_node *got = edge_policy_evict(policy);
            if (got == NULL || got->id != want) {
                fail_msg("seed %llu, step %u", (unsigned long long)seed, step);
            }
        }
        if (edge_policy_bytes(policy) != twin_bytes(&twin.small) + twin_bytes(&twin.main) ||
            edge_policy_count(policy) != twin.small.n + twin.main.n) {
            fail_msg("seed %llu, step %u: counts differ", (unsigned long long)seed, step);
        }
    }
    empty_out(policy);
}

static void s3fifo_does_as_its_naive_twin(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        run_model(EDGE_POLICY_S3FIFO, seed);
    }
}

static void lru_does_as_its_naive_twin(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        run_model(EDGE_POLICY_LRU, seed);
    }
}

static void by_rate_books_balance_under_random_operations(void **state)
{
    static struct edge_policy_node nodes[N_IDS];
    struct edge_policy *policy = edge_policy_new(EDGE_POLICY_RATE, CAPACITY);
    uint64_t random = 7;

    (void)state;
    memset(nodes, 0, sizeof(nodes));
    for (unsigned step = 0; step < N_STEPS; step++) {
        struct edge_policy_node *node = &nodes[next_random(&random) % N_IDS];
        uint64_t choice = next_random(&random) % 16;
        if (!edge_policy_is_linked(node)) {
            node->id = (uint64_t)(node - nodes) + 1;
            node->size = 1 + next_random(&random) % 120;
            edge_policy_insert(policy, node);
        } else if (choice == 0) {
            edge_policy_remove(policy, node);
        } else if (choice == 1) {
            edge_policy_resize(policy, node, 1 + next_random(&random) % 120);
        } else {
            edge_policy_hit(policy, node);
        }
        while (edge_policy_bytes(policy) > CAPACITY) {
            assert_false(edge_policy_is_linked(edge_policy_evict(policy)));
        }
        uint64_t n_bytes = 0;
        size_t n_linked = 0;
        for (size_t i = 0; i < N_IDS; i++) {
            n_bytes += edge_policy_is_linked(&nodes[i]) ? nodes[i].size : 0;
            n_linked += edge_policy_is_linked(&nodes[i]) ? 1 : 0;
        }
        assert_int_equal(edge_policy_bytes(policy), n_bytes);
        assert_int_equal(edge_policy_count(policy), n_linked);
    }
    empty_out(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s3fifo_does_as_its_naive_twin),
        cmocka_unit_test(lru_does_as_its_naive_twin),
        cmocka_unit_test(by_rate_books_balance_under_random_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
