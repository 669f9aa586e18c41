/* Who is in the index, and who gives way. */
#include "base/core/check.h"
#include "edge/store/store_internal.h"

/* So many extents, and records of each, are looked at for what a new object replaces. */
enum { PUBLISH_PROBES = 8 };

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

    for (struct edge_object *at = edge_shard_first(shard, object->hash); at != NULL;
         at = edge_object_next(at)) {
        if (!edge_object_has_key(at, object->hash, object->head.key)) {
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
    edge_store_let_go(rival);
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
    if (is_right) { /* first, so that who reads without the lock finds one of them */
        edge_store_link(store, shard, edge_object_ref(object));
    }
    if (rival != NULL) {
        edge_store_unlink(store, shard, rival);
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
        if (!is_there) {
            edge_store_link(store, shard, edge_object_ref(object));
        }
        if (rival != NULL) {
            edge_store_unlink(store, shard, rival);
        }
    }
    (void)pthread_mutex_unlock(&shard->lock);
    edge_store_let_go(rival);
    if (found == object) {
        edge_room_anchor(object->body);
    }
    return found;
}
