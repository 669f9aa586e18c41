/* The index: objects by the hash of their key, in shards with a lock each. */
#include "base/core/alloc.h"
#include "edge/store/store_internal.h"

/* ---- shards ------------------------------------------------------------ */

struct store_shard *edge_store_shard(struct edge_store *store, uint64_t hash)
{
    return &store->shards[hash >> 58]; /* the top six bits; buckets use the low ones */
}

struct edge_object **edge_shard_bucket(const struct store_shard *shard, uint64_t hash)
{
    return &shard->buckets[hash & (shard->n_buckets - 1)];
}

void edge_shard_init(struct store_shard *shard)
{
    (void)pthread_mutex_init(&shard->lock, NULL);
    shard->n_buckets = SHARD_FIRST_BUCKETS;
    shard->buckets = fb_alloc_array(SHARD_FIRST_BUCKETS, sizeof(struct edge_object *));
}

void edge_shard_done(struct store_shard *shard)
{
    fb_free(shard->buckets);
    (void)pthread_mutex_destroy(&shard->lock);
}

static void shard_resize(struct store_shard *shard, size_t n_buckets)
{
    struct edge_object **old = shard->buckets;
    size_t n_old = shard->n_buckets;

    shard->n_buckets = n_buckets;
    shard->buckets = fb_alloc_array(n_buckets, sizeof(struct edge_object *));
    for (size_t i = 0; i < n_old; i++) {
        for (struct edge_object *at = old[i], *next = NULL; at != NULL; at = next) {
            struct edge_object **tail = edge_shard_bucket(shard, at->hash);
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

void edge_store_link(struct edge_store *store, struct store_shard *shard,
                     struct edge_object *object)
{
    if (shard->n_objects >= shard->n_buckets) {
        shard_resize(shard, 2 * shard->n_buckets);
    }
    struct edge_object **bucket = edge_shard_bucket(shard, object->hash);
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
    struct edge_object **at = edge_shard_bucket(shard, object->hash);

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

bool edge_object_has_key(const struct edge_object *object, uint64_t hash, struct fb_str key)
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
    for (struct edge_object *at = *edge_shard_bucket(shard, hash), *next = NULL;
         at != NULL && found == NULL; at = next) {
        next = at->next;
        if (!edge_object_has_key(at, hash, key) || !edge_object_suits(at, request)) {
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
    struct edge_object *at = *edge_shard_bucket(shard, hash);
    while (at != NULL && (!edge_object_has_key(at, hash, key) || edge_object_is_gone(at))) {
        at = at->next;
    }
    (void)pthread_mutex_unlock(&shard->lock);
    return at != NULL || edge_store_may_load(store, key, 0);
}

/* ---- taking out -------------------------------------------------------- */

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

/* Takes one variant of `key` out and returns it with the index' reference. */
static struct edge_object *purge_one(struct edge_store *store, struct fb_str key, uint64_t hash)
{
    struct store_shard *shard = edge_store_shard(store, hash);
    struct edge_object *found = NULL;

    (void)pthread_mutex_lock(&shard->lock);
    found = *edge_shard_bucket(shard, hash);
    while (found != NULL && !edge_object_has_key(found, hash, key)) {
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
