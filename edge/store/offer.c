#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "edge/store/meta.h"
#include "edge/store/store_internal.h"

/* What lives shorter is not worth a write. */
enum { OFFER_MIN_LIFETIME_MS = 60000 };

/* An extent on its way to a volume: keeps its chunks alive. */
struct offer {
    struct store_buffer *buffers[EDGE_EXTENT_CHUNKS]; /* counted; NULL: not offered */
    uint32_t n_bytes[EDGE_EXTENT_CHUNKS];
};

static void offer_release(void *owner)
{
    struct offer *offer = owner;

    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        edge_buffer_unref(offer->buffers[i]);
    }
    fb_free(offer);
}

/* ---- what it is ------------------------------------------------------------ */

/* True if its bytes may be on volumes at all. */
static bool offer_is_allowed(const struct edge_object *object)
{
    const struct edge_terms *terms = &object->head.terms;

    return object->store->volumes != NULL && terms->refusal == NULL &&
           terms->class != EDGE_CLASS_MANIFEST && terms->lifetime_ms >= OFFER_MIN_LIFETIME_MS &&
           !terms->always_validate &&
           atomic_load_explicit(&object->body->n_unproven, memory_order_relaxed) == 0 &&
           edge_object_state(object) == EDGE_OBJECT_READY &&
           atomic_load_explicit(&object->body->version, memory_order_relaxed) != 0;
}

/* What the object is a part of: its path without the last two components, and without query.
 * "a/v/7/720p/3.m4s" is of "a/v/7". */
static uint32_t offer_title(struct fb_str key)
{
    struct fb_str path = fb_str_first(key, fb_str_find(key, '?'));
    size_t end = path.len;

    for (unsigned n = 0; n < 2 && end > 0; n++) {
        do {
            end--;
        } while (end > 0 && path.ptr[end] != '/');
    }
    return (uint32_t)fb_str_hash(end > 0 ? fb_str_first(path, end) : path, 0);
}

static uint64_t offer_id(const struct edge_extent_id *id)
{
    uint64_t parts[] = {id->fingerprint, id->number};

    return fb_str_hash((struct fb_str){(const char *)parts, sizeof(parts)}, 0);
}

/* Under the body's lock. */
static struct store_extent *offer_extent(const struct edge_object *object,
                                         const struct edge_extent_id *id)
{
    return edge_body_extent(object->body, (uint64_t)id->number * EDGE_EXTENT_CHUNKS);
}

static void offer_note(struct edge_object *object, const struct edge_extent_id *id,
                       enum extent_verdict verdict, uint8_t given)
{
    (void)pthread_mutex_lock(&object->body->lock);
    struct store_extent *extent = offer_extent(object, id);
    if (extent != NULL) {
        extent->verdict = (uint8_t)verdict;
        extent->given |= given;
    }
    (void)pthread_mutex_unlock(&object->body->lock);
}

/* Takes hold of what is in memory of the extent and was not given yet. */
static enum extent_verdict offer_hold(struct offer *offer, const struct edge_object *object,
                                      const struct edge_extent_id *id)
{
    enum extent_verdict verdict = EXTENT_DECLINED;

    (void)pthread_mutex_lock(&object->body->lock);
    const struct store_extent *extent = offer_extent(object, id);
    for (unsigned i = 0; extent != NULL && i < EDGE_EXTENT_CHUNKS; i++) {
        if (extent->chunks[i].state == CHUNK_PRESENT && (extent->given >> i & 1) == 0) {
            offer->buffers[i] = edge_buffer_ref(
                atomic_load_explicit(&extent->chunks[i].buffer, memory_order_relaxed));
            offer->n_bytes[i] = extent->chunks[i].n_filled;
        }
        verdict = (enum extent_verdict)extent->verdict;
    }
    (void)pthread_mutex_unlock(&object->body->lock);
    return verdict;
}

/* Lets go of what is on a volume already. Returns the bytes of the rest. */
static uint64_t offer_reduce(struct offer *offer, const struct edge_object *object,
                             const struct edge_extent_id *id)
{
    struct edge_volume_place place;
    uint64_t n_bytes = 0;

    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        if (offer->buffers[i] == NULL) {
            continue;
        }
        if (edge_volumes_find(object->store->volumes, id, (int)i, 0, &place)) {
            edge_buffer_unref(offer->buffers[i]);
            offer->buffers[i] = NULL;
        } else {
            n_bytes += offer->n_bytes[i];
        }
    }
    return n_bytes;
}

/* ---- asking -------------------------------------------------------------- */

/* Under admission's lock: its memory depends on the size of the volumes, which is known once
 * they are there. False while none is. */
static bool offer_prepare(struct edge_store *store)
{
    uint64_t n_bytes = 0;

    for (size_t i = 0; store->admission == NULL && i < edge_volumes_count(store->volumes); i++) {
        struct edge_volume_status status;
        edge_volumes_status(store->volumes, i, &status);
        n_bytes += status.state == EDGE_VOLUME_REFUSED ? 0 : status.size;
    }
    if (n_bytes > 0) {
        store->admission = edge_admission_new(n_bytes);
    }
    return store->admission != NULL;
}

static struct edge_admission_ask ask_of(const struct edge_object *object,
                                        const struct edge_extent_id *id)
{
    return (struct edge_admission_ask){
        .id = offer_id(id),
        .title = offer_title(object->head.key),
        .is_planned = object->head.is_planned,
        .now_ms = (int64_t)fb_clock_mono_ms(object->store->clock),
    };
}

/* False if it is not worth a write. */
static bool offer_ask(struct edge_object *object, const struct edge_extent_id *id, uint64_t n_bytes)
{
    struct edge_store *store = object->store;
    struct edge_volume_room room = edge_volumes_room(store->volumes, id->fingerprint);
    struct edge_admission_ask ask = ask_of(object, id);

    ask.size = n_bytes;
    ask.has_room = !room.was_full;
    ask.pressure = room.pressure / 1000.0;
    (void)pthread_mutex_lock(&store->admission_lock);
    bool is_admitted =
        room.is_in_service && offer_prepare(store) && edge_admission_ask(store->admission, &ask);
    (void)pthread_mutex_unlock(&store->admission_lock);
    offer_note(object, id, is_admitted ? EXTENT_ADMITTED : EXTENT_DECLINED, 0);
    return is_admitted;
}

void edge_extent_seen(struct edge_object *object, uint64_t number)
{
    struct edge_store *store = object->store;
    struct edge_extent_id id = edge_body_extent_id(object->body, number * EDGE_EXTENT_CHUNKS);
    struct edge_admission_ask ask = ask_of(object, &id);

    (void)pthread_mutex_lock(&store->admission_lock);
    if (offer_prepare(store)) {
        edge_admission_seen(store->admission, &ask);
    }
    (void)pthread_mutex_unlock(&store->admission_lock);
    offer_note(object, &id, EXTENT_ADMITTED, 0);
}

/* ---- writing ------------------------------------------------------------- */

/* Gives the offer to its volume, unless the object has left the index: what is purged must not
 * follow its purge. The shard's lock keeps a purge away meanwhile. */
static int offer_write(struct edge_object *object, const struct edge_volume_write *write)
{
    struct edge_store *store = object->store;
    struct store_shard *shard = edge_store_shard(store, object->hash);
    int err = FB_E_NOT_FOUND;

    (void)pthread_mutex_lock(&shard->lock);
    if (!fb_list_empty(&object->body->heads)) {
        atomic_store_explicit(&object->body->is_on_volumes, true, memory_order_relaxed);
        err = edge_volumes_write(store->volumes, write);
    }
    (void)pthread_mutex_unlock(&shard->lock);
    return err;
}

static int offer_submit(struct offer *offer, struct edge_object *object,
                        const struct edge_extent_id *id)
{
    FB_AUTO(fb_buf_done) struct fb_buf meta = {0};
    struct edge_volume_write write = {.release = offer_release, .owner = offer};
    struct edge_moment now = edge_moment_now(object->store->clock);

    edge_meta_encode(&object->head, object->birth, now, &meta);
    if (meta.len > EDGE_META_MAX) {
        return FB_E_LIMIT;
    }
    write.head = (struct edge_extent_head){
        .id = *id,
        .key = object->head.key,
        .meta = fb_buf_str(&meta),
        .length = (uint64_t)edge_object_length(object),
        .title = offer_title(object->head.key),
        .wall_ms = now.wall_ms,
    };
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        if (offer->buffers[i] != NULL) {
            write.head.mask |= (uint8_t)(1U << i);
            write.chunks[i] =
                (struct fb_str){edge_buffer_bytes(offer->buffers[i]), offer->n_bytes[i]};
        }
    }
    int err = offer_write(object, &write);
    if (err == FB_OK) {
        offer_note(object, id, EXTENT_ADMITTED, write.head.mask);
    }
    return err;
}

void edge_extent_offer(struct edge_object *object, uint64_t number)
{
    struct edge_store *store = object->store;

    if (!offer_is_allowed(object)) {
        return;
    }
    struct offer *offer = FB_NEW(struct offer);
    struct edge_extent_id id = edge_body_extent_id(object->body, number * EDGE_EXTENT_CHUNKS);
    enum extent_verdict verdict = offer_hold(offer, object, &id);
    uint64_t n_bytes = offer_reduce(offer, object, &id);
    if (n_bytes == 0) {
        offer_release(offer);
        return;
    }
    bool is_wanted = verdict == EXTENT_ADMITTED ||
                     (verdict == EXTENT_UNASKED && offer_ask(object, &id, n_bytes));
    bool is_given = is_wanted && offer_submit(offer, object, &id) == FB_OK;
    if (!is_given) {
        offer_release(offer);
    }
    atomic_fetch_add_explicit(is_given ? &store->n_offered : &store->n_declined, 1,
                              memory_order_relaxed);
    edge_store_count(store, is_given ? STORE_OFFERED : STORE_DECLINED, 1);
}
