#include "edge/store/store_internal.h"

void edge_store_sweep_init(struct edge_store *store, struct edge_store_sweep *sweep)
{
    *sweep = (struct edge_store_sweep){.epoch = edge_store_epoch(store)};
}

/* Takes what is gone of one bucket out, onto `*chain`. False if the table shrank at that: then
 * there are other buckets now. */
static bool sweep_bucket(struct edge_store *store, struct store_shard *shard, size_t bucket,
                         struct edge_object **chain, size_t *n_looked)
{
    size_t n_buckets = edge_shard_table(shard)->n_buckets;

    for (struct edge_object *at = edge_shard_first(shard, bucket), *next = NULL; at != NULL;
         at = next) {
        next = edge_object_next(at);
        (*n_looked)++;
        if (edge_object_is_gone(at)) {
            edge_store_unlink(store, shard, at);
            at->left = *chain;
            *chain = at;
        }
        if (edge_shard_table(shard)->n_buckets != n_buckets) {
            return false;
        }
    }
    return true;
}

/* Takes what is gone of the next few buckets out, chained by `left`. Should the table grow
 * meanwhile, a bucket's other half comes later; once it shrank, the shard is begun anew. */
static struct edge_object *sweep_some(struct edge_store *store, struct edge_store_sweep *sweep,
                                      size_t *n_looked)
{
    struct store_shard *shard = &store->shards[sweep->shard];
    struct edge_object *chain = NULL;
    bool is_same = true;

    (void)pthread_mutex_lock(&shard->lock);
    size_t n_buckets = edge_shard_table(shard)->n_buckets;
    sweep->bucket = n_buckets < sweep->n_buckets ? 0 : sweep->bucket;
    sweep->n_buckets = n_buckets;
    size_t end = FB_MIN(sweep->bucket + EDGE_STORE_SWEEP_LOCKED, n_buckets);
    while (is_same && sweep->bucket < end) {
        is_same = sweep_bucket(store, shard, sweep->bucket, &chain, n_looked);
        sweep->bucket++;
    }
    if (is_same && sweep->bucket == n_buckets) {
        sweep->bucket = 0;
        sweep->n_buckets = 0;
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
