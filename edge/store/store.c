#include "edge/store/store.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/disk/memory.h"
#include "base/metrics/metrics.h"
#include "edge/store/store_internal.h"

enum { SHARD_FIRST_BUCKETS = 64 };

/* So many extents, and records of each, are looked at for what a new object replaces. */
enum { PUBLISH_PROBES = 8 };

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
    [STORE_DECLINED] = {"edge_store_declined_total", FB_METRIC_COUNTER, NULL,
                        "Extents that were not worth a write, or for which there was no room."},
};

/* ---- shards ------------------------------------------------------------ */

struct store_shard *edge_store_shard(struct edge_store *store, uint64_t hash)
{
    return &store->shards[hash >> 58]; /* the top six bits; buckets use the low ones */
}

static struct edge_object **shard_bucket(const struct store_shard *shard, uint64_t hash)
{
    return &shard->buckets[hash & (shard->n_buckets - 1)];
}

static void shard_resize(struct store_shard *shard, size_t n_buckets)
{
    struct edge_object **old = shard->buckets;
    size_t n_old = shard->n_buckets;

    shard->n_buckets = n_buckets;
    shard->buckets = fb_alloc_array(n_buckets, sizeof(struct edge_object *));
    for (size_t i = 0; i < n_old; i++) {
        for (struct edge_object *at = old[i], *next = NULL; at != NULL; at = next) {
            struct edge_object **tail = shard_bucket(shard, at->hash);
            while (*tail != NULL) { /* appending keeps the newest first */
                tail = &(*tail)->next;
            }
            next = at->next;
            at->next = NULL;
            *tail = at;
        }
    }
    fb_free(old);
}

/* Under the shard's lock, as the next. */
static void shard_link(struct edge_store *store, struct store_shard *shard,
                       struct edge_object *object)
{
    if (shard->n_objects >= shard->n_buckets) {
        shard_resize(shard, 2 * shard->n_buckets);
    }
    struct edge_object **bucket = shard_bucket(shard, object->hash);
    object->next = *bucket;
    *bucket = object;
    object->is_indexed = true;
    fb_list_append(&object->body->heads, &object->of_body);
    shard->n_objects++;
    atomic_fetch_add_explicit(&store->n_indexed, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->indexed_bytes, object->charge, memory_order_relaxed);
    edge_store_count(store, STORE_OBJECTS, 1);
}

void edge_store_unlink(struct edge_store *store, struct store_shard *shard,
                       struct edge_object *object)
{
    struct edge_object **at = shard_bucket(shard, object->hash);

    while (*at != object) {
        at = &(*at)->next;
    }
    *at = object->next;
    object->next = NULL;
    object->is_indexed = false;
    fb_list_remove(&object->of_body);
    shard->n_objects--;
    if (shard->n_buckets > SHARD_FIRST_BUCKETS && shard->n_objects < shard->n_buckets / 4) {
        shard_resize(shard, shard->n_buckets / 2);
    }
    atomic_fetch_sub_explicit(&store->n_indexed, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&store->indexed_bytes, object->charge, memory_order_relaxed);
    edge_store_count(store, STORE_OBJECTS, -1);
}

static bool object_has_key(const struct edge_object *object, uint64_t hash, struct fb_str key)
{
    return object->hash == hash && fb_str_equal(object->head.key, key);
}

/* Under the shard's lock: true if nothing but the index has the body's heads. */
static bool body_is_unused(const struct edge_body *body)
{
    unsigned n_heads = 0;

    FB_LIST_EACH(node, &body->heads) {
        const struct edge_object *head = FB_CONTAINER_OF(node, struct edge_object, of_body);
        if (atomic_load_explicit(&head->refs, memory_order_relaxed) > 1) {
            return false;
        }
        n_heads++;
    }
    return atomic_load_explicit(&body->refs, memory_order_relaxed) == n_heads;
}

struct edge_object *edge_store_unlink_body(struct edge_store *store, struct edge_body *body,
                                           bool only_unused)
{
    struct store_shard *shard = edge_store_shard(store, body->hash);
    struct edge_object *chain = NULL;
    struct fb_list *node = NULL;

    (void)pthread_mutex_lock(&shard->lock);
    if (!only_unused || body_is_unused(body)) {
        while ((node = fb_list_first(&body->heads)) != NULL) {
            struct edge_object *head = FB_CONTAINER_OF(node, struct edge_object, of_body);
            edge_store_unlink(store, shard, head);
            head->next = chain;
            chain = head;
        }
    }
    (void)pthread_mutex_unlock(&shard->lock);
    return chain;
}

void edge_store_let_go(struct edge_object *chain)
{
    while (chain != NULL) {
        struct edge_object *next = chain->next;
        chain->next = NULL;
        edge_object_unref(chain);
        chain = next;
    }
}

size_t edge_store_let_purged_go(struct edge_store *store, struct edge_object *chain)
{
    size_t n = 0;

    for (const struct edge_object *at = chain; at != NULL; at = at->next) {
        edge_note_key(store, at->body->fingerprint, EDGE_CAUSE_PURGED);
        n++;
    }
    edge_store_count(store, STORE_PURGED, (int64_t)n);
    edge_store_let_go(chain);
    return n;
}

/* ---- finding ----------------------------------------------------------- */

struct edge_object *edge_store_find(struct edge_store *store, struct fb_str key,
                                    const struct fb_headers *request)
{
    uint64_t hash = fb_str_hash(key, store->seed);
    struct store_shard *shard = edge_store_shard(store, hash);
    struct edge_object *found = NULL;
    struct edge_object *purged = NULL;

    (void)pthread_mutex_lock(&shard->lock);
    for (struct edge_object *at = *shard_bucket(shard, hash), *next = NULL;
         at != NULL && found == NULL; at = next) {
        next = at->next;
        if (!object_has_key(at, hash, key) || !edge_object_suits(at, request)) {
            continue;
        }
        if (edge_object_is_gone(at)) {
            edge_store_unlink(store, shard, at);
            at->next = purged;
            purged = at;
        } else {
            found = edge_object_ref(at);
        }
    }
    (void)pthread_mutex_unlock(&shard->lock);
    FB_IGNORE(edge_store_let_purged_go(store, purged)); /* how many is all one */

    if (found != NULL && edge_object_state(found) == EDGE_OBJECT_BROKEN) {
        edge_object_unref(found); /* about to leave the index */
        return NULL;
    }
    return found;
}

bool edge_store_has(struct edge_store *store, struct fb_str key)
{
    uint64_t hash = fb_str_hash(key, store->seed);
    struct store_shard *shard = edge_store_shard(store, hash);

    (void)pthread_mutex_lock(&shard->lock);
    struct edge_object *at = *shard_bucket(shard, hash);
    while (at != NULL && (!object_has_key(at, hash, key) || edge_object_is_gone(at))) {
        at = at->next;
    }
    (void)pthread_mutex_unlock(&shard->lock);
    return at != NULL || edge_store_may_load(store, key, 0);
}

/* ---- coming and going -------------------------------------------------- */

void edge_store_remove(struct edge_store *store, struct edge_object *object)
{
    struct store_shard *shard = edge_store_shard(store, object->hash);

    (void)pthread_mutex_lock(&shard->lock);
    bool was_indexed = object->is_indexed;
    if (was_indexed) {
        edge_store_unlink(store, shard, object);
    }
    (void)pthread_mutex_unlock(&shard->lock);
    if (was_indexed) {
        edge_object_unref(object);
    }
}

/* Under the shard's lock. */
static bool object_is_same_variant(const struct edge_object *a, const struct edge_object *b)
{
    return fb_str_equal(a->head.vary, b->head.vary) &&
           fb_str_equal(a->head.variant, b->head.variant);
}

/* Under the shard's lock: who has to give way to `object`. */
static struct edge_object *publish_rival(const struct store_shard *shard,
                                         const struct edge_object *object)
{
    struct edge_object *oldest = NULL;
    unsigned n_variants = 0;

    for (struct edge_object *at = *shard_bucket(shard, object->hash); at != NULL; at = at->next) {
        if (!object_has_key(at, object->hash, object->head.key)) {
            continue;
        }
        if (object_is_same_variant(at, object)) {
            return at;
        }
        oldest = at;
        n_variants++;
    }
    return n_variants >= EDGE_STORE_MAX_VARIANTS ? oldest : NULL;
}

/* What `fresh` replaces must not come back from a volume, unless it is the same. */
static void publish_over(struct edge_store *store, struct fb_loop *loop, struct edge_object *fresh,
                         struct edge_object *rival)
{
    struct edge_body *body = rival->body;
    uint64_t version = atomic_load_explicit(&fresh->body->version, memory_order_relaxed);

    if (body != fresh->body && object_is_same_variant(rival, fresh) &&
        atomic_load_explicit(&body->is_on_volumes, memory_order_relaxed)) {
        if (version == atomic_load_explicit(&body->version, memory_order_relaxed)) {
            atomic_store_explicit(&fresh->body->is_on_volumes, true, memory_order_relaxed);
        } else {
            edge_store_forget(store, loop, body->fingerprint);
        }
    }
    edge_object_unref(rival);
}

/* How many records of `version` (any if 0) the volumes have of the first extents of a key. */
static unsigned count_records(struct edge_store *store, uint64_t fingerprint, uint64_t version)
{
    struct edge_volume_place place;
    unsigned n = 0;

    for (uint32_t number = 0; number < PUBLISH_PROBES; number++) {
        struct edge_extent_id id = {
            .fingerprint = fingerprint, .version = version, .number = number};
        for (unsigned nth = 0;
             nth < PUBLISH_PROBES && edge_volumes_find(store->volumes, &id, -1, nth, &place);
             nth++) {
            n++;
        }
    }
    return n;
}

/* A response without variants is the only one of its key: what volumes have of others, and could
 * not be loaded, must not come back. */
static void publish_alone(struct edge_store *store, struct fb_loop *loop,
                          const struct edge_object *fresh)
{
    const struct edge_body *body = fresh->body;
    uint64_t version = atomic_load_explicit(&body->version, memory_order_relaxed);
    uint64_t fingerprint = body->fingerprint;

    if (store->volumes == NULL || fresh->head.vary.len > 0 ||
        atomic_load_explicit(&body->is_on_volumes, memory_order_relaxed)) {
        return;
    }
    unsigned n = count_records(store, fingerprint, 0);
    if (n > 0 && (version == 0 || n > count_records(store, fingerprint, version))) {
        edge_store_forget(store, loop, fingerprint);
    }
}

void edge_store_publish(struct edge_store *store, struct fb_loop *loop, struct edge_object *object)
{
    struct store_shard *shard = edge_store_shard(store, object->hash);

    (void)pthread_mutex_lock(&shard->lock);
    FB_REQUIRE(!object->is_indexed);
    bool is_gone = edge_object_is_gone(object);
    bool is_right = !is_gone && edge_object_state(object) != EDGE_OBJECT_BROKEN;
    struct edge_object *rival = is_right ? publish_rival(shard, object) : NULL;
    if (rival != NULL) {
        edge_store_unlink(store, shard, rival);
    }
    if (is_right) {
        shard_link(store, shard, edge_object_ref(object));
    }
    (void)pthread_mutex_unlock(&shard->lock);
    if (rival != NULL) {
        publish_over(store, loop, object, rival);
    } else if (is_right) {
        publish_alone(store, loop, object);
    }
    if (is_right) {
        edge_room_anchor(object->body);
    } else if (is_gone) {
        edge_note_key(store, object->body->fingerprint, EDGE_CAUSE_PURGED);
    }
}

struct edge_object *edge_store_publish_loaded(struct edge_store *store, struct edge_object *object,
                                              uint64_t n_purges)
{
    struct store_shard *shard = edge_store_shard(store, object->hash);
    struct edge_object *rival = NULL;
    struct edge_object *found = NULL;

    (void)pthread_mutex_lock(&shard->lock);
    if (shard->n_purges == n_purges) {
        rival = publish_rival(shard, object);
        bool is_there = rival != NULL && object_is_same_variant(rival, object) &&
                        edge_object_state(rival) != EDGE_OBJECT_BROKEN;
        found = edge_object_ref(is_there ? rival : object);
        rival = is_there ? NULL : rival;
        if (rival != NULL) {
            edge_store_unlink(store, shard, rival);
        }
        if (!is_there) {
            shard_link(store, shard, edge_object_ref(object));
        }
    }
    (void)pthread_mutex_unlock(&shard->lock);
    edge_object_unref(rival);
    if (found == object) {
        edge_room_anchor(object->body);
    }
    return found;
}

/* Takes one variant of `key` out and returns it with the index' reference. */
static struct edge_object *purge_one(struct edge_store *store, struct fb_str key, uint64_t hash)
{
    struct store_shard *shard = edge_store_shard(store, hash);
    struct edge_object *found = NULL;

    (void)pthread_mutex_lock(&shard->lock);
    found = *shard_bucket(shard, hash);
    while (found != NULL && !object_has_key(found, hash, key)) {
        found = found->next;
    }
    shard->n_purges++;
    if (found != NULL) {
        atomic_store(&found->is_dropped, true);
        edge_store_unlink(store, shard, found);
    }
    (void)pthread_mutex_unlock(&shard->lock);
    return found;
}

size_t edge_store_purge_memory(struct edge_store *store, struct fb_str key)
{
    uint64_t hash = fb_str_hash(key, store->seed);
    struct edge_object *object = NULL;
    size_t n = 0;

    /* More than the limit of variants were published meanwhile: left to those
     * who published them, or a purge might never end. */
    while (n < EDGE_STORE_MAX_VARIANTS && (object = purge_one(store, key, hash)) != NULL) {
        edge_object_unref(object);
        n++;
    }
    return n;
}

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

    return sizeof(struct edge_store) + n_buckets * sizeof(struct edge_object *) +
           edge_policy_most_bytes(options->policy, options->memory_bytes);
}

/* In a small store, pages of which a few bytes are in use would be much of it. */
static bool uses_huge_pages(const struct edge_store_options *options)
{
    uint64_t from = options->huge_from != 0 ? options->huge_from : EDGE_STORE_HUGE_FROM;

    return options->memory_bytes >= from;
}

struct edge_store *edge_store_new(const struct edge_store_options *options)
{
    FB_REQUIRE(options->memory_bytes >= EDGE_STORE_MIN_BYTES);
    struct edge_store *store = FB_NEW(struct edge_store);

    store->seed = options->seed;
    store->notes = edge_notes_new(options->memory_bytes);
    store->limit = options->memory_bytes;
    store->rules = options->purges;
    store->policy = edge_policy_new(options->policy, options->memory_bytes);
    store->clock = options->clock;
    store->volumes = options->volumes;
    store->memory = uses_huge_pages(options) ? fb_disk_memory_new() : NULL;
    (void)pthread_mutex_init(&store->purge_lock, NULL);
    fb_list_init(&store->purges);
    (void)pthread_mutex_init(&store->admission_lock, NULL);
    if (options->metrics != NULL) {
        store->metrics =
            fb_metrics_table_new(options->metrics, store_rows, FB_ARRAY_LEN(store_rows), NULL);
    }
    (void)pthread_mutex_init(&store->room_lock, NULL);
    store->own_bytes = own_bytes(options) + edge_notes_bytes(store->notes);
    atomic_init(&store->used, store->own_bytes);
    edge_store_count(store, STORE_BYTES, (int64_t)store->own_bytes);
    for (size_t i = 0; i < STORE_N_SHARDS; i++) {
        struct store_shard *shard = &store->shards[i];
        (void)pthread_mutex_init(&shard->lock, NULL);
        shard->n_buckets = SHARD_FIRST_BUCKETS;
        shard->buckets = fb_alloc_array(SHARD_FIRST_BUCKETS, sizeof(struct edge_object *));
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
            struct edge_object *object = shard->buckets[n & (shard->n_buckets - 1)];
            if (object != NULL) {
                edge_store_remove(store, object);
            }
        }
    }
    if (store->memory != NULL) {
        edge_room_release(store, fb_disk_memory_held(store->memory));
        fb_disk_memory_free(store->memory);
    }
    edge_room_release(store, store->own_bytes);
    FB_REQUIRE(atomic_load(&store->used) == 0);
    edge_notes_free(store->notes);
    edge_policy_free(store->policy);
    edge_admission_free(store->admission);
    (void)pthread_mutex_destroy(&store->admission_lock);
    (void)pthread_mutex_destroy(&store->purge_lock);
    for (size_t i = 0; i < STORE_N_SHARDS; i++) {
        fb_free(store->shards[i].buckets);
        (void)pthread_mutex_destroy(&store->shards[i].lock);
    }
    (void)pthread_mutex_destroy(&store->room_lock);
    fb_free(store);
}

struct edge_store_stats edge_store_stats(const struct edge_store *store)
{
    return (struct edge_store_stats){
        .memory_bytes = atomic_load_explicit(&store->used, memory_order_relaxed),
        .memory_limit = store->limit,
        .own_bytes = store->own_bytes,
        .n_objects = atomic_load_explicit(&store->n_indexed, memory_order_relaxed),
        .n_trailing = atomic_load_explicit(&store->n_trailing, memory_order_relaxed),
        .n_loaded = atomic_load_explicit(&store->n_loaded, memory_order_relaxed),
        .n_offered = atomic_load_explicit(&store->n_offered, memory_order_relaxed),
        .n_declined = atomic_load_explicit(&store->n_declined, memory_order_relaxed),
    };
}
