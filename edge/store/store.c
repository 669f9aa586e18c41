#include "edge/store/store.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/disk/memory.h"
#include "base/metrics/metrics.h"
#include "edge/store/store_internal.h"

static const struct fb_metric store_rows[STORE_N_METRICS] = {
    [STORE_BYTES] = {"edge_store_bytes", FB_METRIC_GAUGE, NULL,
                     "Memory that stored responses take, overhead included."},
    [STORE_OBJECTS] = {"edge_store_objects", FB_METRIC_GAUGE, NULL,
                       "Responses that the index knows."},
    [STORE_EVICTIONS] = {"edge_store_evictions_total", FB_METRIC_COUNTER, NULL,
                         "Extents that had to make room for others in memory."},
    [STORE_READERS] = {"edge_fill_readers", FB_METRIC_GAUGE, NULL,
                       "Requests that wait for a fill or read what it brings."},
    [STORE_LOADED] = {"edge_store_loaded_total", FB_METRIC_COUNTER, NULL,
                      "Chunks that came from volumes."},
    [STORE_LOAD_MISSES] = {"edge_store_load_misses_total", FB_METRIC_COUNTER, NULL,
                           "Chunks that a volume should have had and did not give."},
    [STORE_OFFERED] = {"edge_store_admitted_total", FB_METRIC_COUNTER, NULL,
                       "Extents given to volumes to write."},
    [STORE_PURGED] = {"edge_store_purged_total", FB_METRIC_COUNTER, NULL,
                      "Responses that left memory because of a purge."},
    [STORE_FROZEN] = {"edge_store_frozen_total", FB_METRIC_COUNTER, NULL,
                      "Chunks that were put where they are sent from without a copy."},
    [STORE_DECLINED] = {"edge_store_declined_total", FB_METRIC_COUNTER, NULL,
                        "Extents that were not worth a write, or for which there was no room."},
};

/* ---- objects ----------------------------------------------------------- */

int edge_store_create(struct edge_store *store, const struct edge_object_spec *spec,
                      struct edge_object **ret_object)
{
    uint64_t head_cost = edge_object_cost(spec);

    if (spec->length > 0 && (uint64_t)spec->length > EDGE_BODY_MAX_BYTES) {
        return FB_E_LIMIT;
    }
    int err = edge_room_claim(store, head_cost + edge_body_cost());
    if (err < 0) {
        return err;
    }
    struct edge_body *body = edge_body_new(store, spec->key, spec->length);
    *ret_object = edge_object_new(store, spec, head_cost, body);
    if (store->volumes != NULL && spec->length != FB_LENGTH_UNKNOWN) {
        edge_object_set_version(*ret_object);
    }
    return FB_OK;
}

int edge_store_renew(struct edge_store *store, const struct edge_object_spec *spec,
                     struct edge_object *old, struct edge_object **ret_object)
{
    struct edge_object_spec renewed = *spec;

    renewed.tags = spec->tags.ptr != NULL ? spec->tags : old->head.tags;
    renewed.is_planned = old->head.is_planned;
    renewed.is_prefetched = old->head.is_prefetched;
    uint64_t head_cost = edge_object_cost(&renewed);

    int err = edge_room_claim(store, head_cost);
    if (err < 0) {
        return err;
    }
    *ret_object = edge_object_new(store, &renewed, head_cost, edge_body_ref(old->body));
    return FB_OK;
}

/* ---- life -------------------------------------------------------------- */

/* What an empty store takes, and what its policy may come to remember. */
static uint64_t own_bytes(const struct edge_store_options *options)
{
    uint64_t n_buckets = (uint64_t)STORE_N_SHARDS * SHARD_FIRST_BUCKETS;

    return sizeof(struct edge_store) + STORE_N_SHARDS * sizeof(struct shard_table) +
           n_buckets * sizeof(struct edge_object *) +
           edge_policy_most_bytes(options->policy, options->memory_bytes);
}

/* In a small store, pages of which a few bytes are in use would be much of it. */
static bool uses_huge_pages(const struct edge_store_options *options)
{
    uint64_t from = options->huge_from != 0 ? options->huge_from : EDGE_STORE_HUGE_FROM;

    return options->memory_bytes >= from;
}

static bool may_freeze(const struct edge_store_options *options)
{
    uint64_t from = options->freeze_from != 0 ? options->freeze_from : EDGE_STORE_FREEZE_FROM;

    return options->memory_bytes >= from;
}

struct edge_store *edge_store_new(const struct edge_store_options *options)
{
    FB_REQUIRE(options->memory_bytes >= EDGE_STORE_MIN_BYTES);
    struct edge_store *store = fb_alloc_apart(sizeof(*store));

    store->seed = options->seed;
    store->notes = edge_notes_new(options->memory_bytes);
    store->limit = options->memory_bytes;
    store->rules = options->purges;
    store->policy = edge_policy_new(options->policy, options->memory_bytes);
    store->clock = options->clock;
    store->volumes = options->volumes;
    store->memory = uses_huge_pages(options) ? fb_disk_memory_new() : NULL;
    store->frozen = may_freeze(options)
                        ? fb_frozen_pool_new(options->memory_bytes, fb_frozen_system_page())
                        : NULL;
    (void)pthread_mutex_init(&store->purge_lock, NULL);
    fb_list_init(&store->purges);
    (void)pthread_mutex_init(&store->admission_lock, NULL);
    if (options->metrics != NULL) {
        store->metrics =
            fb_metrics_table_new(options->metrics, store_rows, FB_ARRAY_LEN(store_rows), NULL);
    }
    (void)pthread_mutex_init(&store->room_lock, NULL);
    (void)pthread_cond_init(&store->room_made, NULL);
    store->own_bytes = own_bytes(options) + edge_notes_bytes(store->notes);
    atomic_init(&store->used, store->own_bytes);
    edge_store_count(store, STORE_BYTES, (int64_t)store->own_bytes);
    for (size_t i = 0; i < STORE_N_SHARDS; i++) {
        edge_shard_init(&store->shards[i]);
    }
    return store;
}

void edge_store_free(struct edge_store *store)
{
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; i < STORE_N_SHARDS; i++) {
        struct store_shard *shard = &store->shards[i];
        for (size_t n = 0; shard->n_objects > 0; n++) { /* while the buckets grow fewer */
            struct edge_object *object = edge_shard_first(shard, n);
            if (object != NULL) {
                edge_store_remove(store, object);
            }
        }
    }
    if (store->memory != NULL) {
        edge_room_release(store, fb_disk_memory_held(store->memory));
        fb_disk_memory_free(store->memory);
    }
    fb_frozen_pool_free(store->frozen);
    edge_room_release(store, store->own_bytes);
    FB_REQUIRE(atomic_load(&store->used) == 0);
    edge_notes_free(store->notes);
    edge_policy_free(store->policy);
    edge_admission_free(store->admission);
    (void)pthread_mutex_destroy(&store->admission_lock);
    (void)pthread_mutex_destroy(&store->purge_lock);
    for (size_t i = 0; i < STORE_N_SHARDS; i++) {
        edge_shard_done(&store->shards[i]);
    }
    (void)pthread_cond_destroy(&store->room_made);
    (void)pthread_mutex_destroy(&store->room_lock);
    fb_free(store);
}

struct edge_store_stats edge_store_stats(const struct edge_store *store)
{
    return (struct edge_store_stats){
        .memory_bytes = atomic_load_explicit(&store->used, memory_order_relaxed),
        .memory_limit = store->limit,
        .own_bytes = store->own_bytes,
        .frozen_page_bytes = store->frozen != NULL ? fb_frozen_page(store->frozen) : 0,
        .n_objects = atomic_load_explicit(&store->n_indexed, memory_order_relaxed),
        .n_trailing = atomic_load_explicit(&store->n_trailing, memory_order_relaxed),
        .n_loaded = atomic_load_explicit(&store->n_loaded, memory_order_relaxed),
        .n_offered = atomic_load_explicit(&store->n_offered, memory_order_relaxed),
        .n_declined = atomic_load_explicit(&store->n_declined, memory_order_relaxed),
    };
}
