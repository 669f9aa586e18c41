#include "edge/store/store_internal.h"

void edge_store_sweep_init(struct edge_store *store, struct edge_store_sweep *sweep)
{
    *sweep = (struct edge_store_sweep){.epoch = edge_store_epoch(store)};
}

/* Takes what is gone of the next few buckets out, chained by `next`. */
static struct edge_object *sweep_some(struct edge_store *store, struct edge_store_sweep *sweep,
                                      size_t *n_looked)
{
    struct store_shard *shard = &store->shards[sweep->shard];
    struct edge_object *chain = NULL;

    (void)pthread_mutex_lock(&shard->lock);
    /* Should the table grow meanwhile, a bucket's other half comes later: none is left out. */
    size_t end = FB_MIN(sweep->bucket + EDGE_STORE_SWEEP_LOCKED, shard->n_buckets);
    for (; sweep->bucket < end; sweep->bucket++) {
        for (struct edge_object *at = shard->buckets[sweep->bucket], *next = NULL; at != NULL;
             at = next) {
            next = at->next;
            (*n_looked)++;
            if (edge_object_is_gone(at)) {
                edge_store_unlink(store, shard, at);
                at->next = chain;
                chain = at;
            }
        }
    }
    if (sweep->bucket == shard->n_buckets) {
        sweep->bucket = 0;
        sweep->shard++;
    }
    (void)pthread_mutex_unlock(&shard->lock);
    return chain;
}

bool edge_store_sweep_step(struct edge_store *store, struct edge_store_sweep *sweep,
                           size_t *ret_n_looked)
{
    size_t n_looked = 0;
    size_t n_buckets = 0;

    while (sweep->shard < STORE_N_SHARDS && n_looked < EDGE_STORE_SWEEP_STEP &&
           n_buckets < EDGE_STORE_SWEEP_STEP) {
        struct edge_object *chain = sweep_some(store, sweep, &n_looked);
        sweep->n_freed += edge_store_let_purged_go(store, chain);
        n_buckets += EDGE_STORE_SWEEP_LOCKED;
    }
    if (ret_n_looked != NULL) {
        *ret_n_looked = n_looked;
    }
    return sweep->shard < STORE_N_SHARDS;
}
