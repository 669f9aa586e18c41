/* The index: objects by the hash of their key, in shards with a lock each for those who change
 * them. */
#include "base/core/alloc.h"
#include "base/loop/grace.h"
#include "edge/store/store_internal.h"

/* ---- shards ------------------------------------------------------------ */

struct store_shard *edge_store_shard(struct edge_store *store, uint64_t hash)
{
    return &store->shards[hash >> 58]; /* the top six bits; buckets use the low ones */
}

typedef struct edge_object *_Atomic object_link;

static struct edge_object *link_get(object_link *link)
{
    return atomic_load_explicit(link, memory_order_acquire);
}

/* Under the shard's lock: who comes here from now on finds `object`, made before. */
static void link_set(object_link *link, struct edge_object *object)
{
    atomic_store_explicit(link, object, memory_order_release);
}

struct shard_table *edge_shard_table(const struct store_shard *shard)
{
    return atomic_load_explicit(&shard->table, memory_order_acquire);
}

static object_link *table_bucket(struct shard_table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->n_buckets - 1)];
}

struct edge_object *edge_shard_first(const struct store_shard *shard, uint64_t hash)
{
    return link_get(table_bucket(edge_shard_table(shard), hash));
}

static struct shard_table *table_new(size_t n_buckets)
{
    struct shard_table *table = fb_alloc(sizeof(*table) + n_buckets * sizeof(object_link));

    table->n_buckets = n_buckets;
    return table;
}

void edge_shard_init(struct store_shard *shard)
{
    (void)pthread_mutex_init(&shard->lock, NULL);
    atomic_init(&shard->table, table_new(SHARD_FIRST_BUCKETS));
}

void edge_shard_done(struct store_shard *shard)
{
    fb_free(edge_shard_table(shard));
    (void)pthread_mutex_destroy(&shard->lock);
}

/* Who walks along a chain meanwhile may come to the end of another and find nothing; but of two
 * objects of one key, never the older one alone. */
static void shard_resize(struct store_shard *shard, size_t n_buckets)
{
    struct shard_table *old = edge_shard_table(shard);
    struct shard_table *fresh = table_new(n_buckets);

    for (size_t i = 0; i < old->n_buckets; i++) {
        for (struct edge_object *at = link_get(&old->buckets[i]), *next = NULL; at != NULL;
             at = next) {
            object_link *tail = table_bucket(fresh, at->hash);
            while (link_get(tail) != NULL) { /* appending keeps the newest first */
                tail = &link_get(tail)->next;
            }
            next = edge_object_next(at);
            link_set(&at->next, NULL);
            link_set(tail, at);
        }
    }
    atomic_store_explicit(&shard->table, fresh, memory_order_release);
    fb_grace_wait();
    fb_free(old);
}

void edge_store_link(struct edge_store *store, struct store_shard *shard,
                     struct edge_object *object)
{
    size_t n_buckets = edge_shard_table(shard)->n_buckets;

    if (shard->n_objects >= n_buckets) {
        shard_resize(shard, 2 * n_buckets);
    }
    object_link *bucket = table_bucket(edge_shard_table(shard), object->hash);
    object->is_indexed = true;
    link_set(&object->next, link_get(bucket));
    link_set(bucket, object);
    fb_list_append(&object->body->heads, &object->of_body);
    shard->n_objects++;
    atomic_fetch_add_explicit(&store->n_indexed, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->indexed_bytes, object->charge, memory_order_relaxed);
    edge_store_count(store, STORE_OBJECTS, 1);
}

void edge_store_unlink(struct edge_store *store, struct store_shard *shard,
                       struct edge_object *object)
{
    size_t n_buckets = edge_shard_table(shard)->n_buckets;
    object_link *at = table_bucket(edge_shard_table(shard), object->hash);

    while (link_get(at) != object) {
        at = &link_get(at)->next;
    }
    link_set(at, edge_object_next(object));
    object->is_indexed = false;
    fb_list_remove(&object->of_body);
    shard->n_objects--;
    if (n_buckets > SHARD_FIRST_BUCKETS && shard->n_objects < n_buckets / 4) {
        shard_resize(shard, n_buckets / 2);
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
            head->left = chain;
            chain = head;
        }
    }
    (void)pthread_mutex_unlock(&shard->lock);
    return chain;
}

void edge_store_let_go(struct edge_object *chain)
{
    if (chain != NULL) {
        fb_grace_wait(); /* for those who found it before and are about to take a reference */
    }
    while (chain != NULL) {
        struct edge_object *next = chain->left;
        chain->left = NULL;
        edge_object_unref(chain);
        chain = next;
    }
}

size_t edge_store_let_purged_go(struct edge_store *store, struct edge_object *chain)
{
    size_t n = 0;

    for (const struct edge_object *at = chain; at != NULL; at = at->left) {
        edge_note_key(store, at->body->fingerprint, EDGE_CAUSE_PURGED);
        n++;
    }
    edge_store_count(store, STORE_PURGED, (int64_t)n);
    edge_store_let_go(chain);
    return n;
}

/* ---- finding ----------------------------------------------------------- */

/* Of what is sought. */
struct shard_sought {
    struct fb_str key;
    uint64_t hash;
    const struct fb_headers *request;
};

/* In a section, or under the shard's lock: `at`, or the first after it that is sought. */
static struct edge_object *shard_seek(struct edge_object *at, const struct shard_sought *sought)
{
    while (at != NULL && !(edge_object_has_key(at, sought->hash, sought->key) &&
                           edge_object_suits(at, sought->request))) {
        at = edge_object_next(at);
    }
    return at;
}

/* What is sought as a reference, if it is there for certain, and no purge came since it was judged:
 * else NULL, and the lock tells. */
static struct edge_object *shard_find_freely(const struct store_shard *shard,
                                             const struct shard_sought *sought)
{
    fb_grace_enter();
    struct edge_object *found = shard_seek(edge_shard_first(shard, sought->hash), sought);
    if (found != NULL) {
        found = edge_object_is_judged(found) ? edge_object_ref(found) : NULL;
    }
    fb_grace_leave();
    return found;
}

/* The same by the lock. Takes out what purges took. */
static struct edge_object *shard_find(struct edge_store *store, struct store_shard *shard,
                                      const struct shard_sought *sought)
{
    struct edge_object *found = NULL;
    struct edge_object *purged = NULL;

    (void)pthread_mutex_lock(&shard->lock);
    struct edge_object *at = shard_seek(edge_shard_first(shard, sought->hash), sought);
    while (at != NULL && edge_object_is_gone(at)) {
        struct edge_object *next = edge_object_next(at);
        edge_store_unlink(store, shard, at);
        at->left = purged;
        purged = at;
        at = shard_seek(next, sought);
    }
    found = at != NULL ? edge_object_ref(at) : NULL;
    (void)pthread_mutex_unlock(&shard->lock);
    FB_IGNORE(edge_store_let_purged_go(store, purged)); /* how many is all one */
    return found;
}

struct edge_object *edge_store_find(struct edge_store *store, struct fb_str key,
                                    const struct fb_headers *request)
{
    uint64_t hash = fb_str_hash(key, store->seed);
    struct store_shard *shard = edge_store_shard(store, hash);
    struct shard_sought sought = {.key = key, .hash = hash, .request = request};
    struct edge_object *found = shard_find_freely(shard, &sought);

    if (found == NULL) {
        found = shard_find(store, shard, &sought);
    }
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
    struct edge_object *at = edge_shard_first(shard, hash);
    while (at != NULL && (!edge_object_has_key(at, hash, key) || edge_object_is_gone(at))) {
        at = edge_object_next(at);
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
        edge_store_let_go(object);
    }
}

/* Takes one variant of `key` out and returns it with the index' reference. */
static struct edge_object *purge_one(struct edge_store *store, struct fb_str key, uint64_t hash)
{
    struct store_shard *shard = edge_store_shard(store, hash);
    struct edge_object *found = NULL;

    (void)pthread_mutex_lock(&shard->lock);
    found = edge_shard_first(shard, hash);
    while (found != NULL && !edge_object_has_key(found, hash, key)) {
        found = edge_object_next(found);
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
        edge_store_let_go(object);
        n++;
    }
    return n;
}
