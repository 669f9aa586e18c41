#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/grace.h"
#include "edge/store/reader_internal.h"
#include "edge/store/store_internal.h"
#include "edge/store/writer_internal.h"

/* ---- the table of extents ---------------------------------------------- */

enum { BODY_EXTENTS_PER_BUCKET = 4, BODY_GROWTH = 4 };

typedef struct store_extent *_Atomic extent_link;

/* The first of a chain, or who follows. */
static struct store_extent *link_get(extent_link *link)
{
    return atomic_load_explicit(link, memory_order_acquire);
}

/* Under the body's lock: who comes here from now on finds `extent`, made before. */
static void link_set(extent_link *link, struct store_extent *extent)
{
    atomic_store_explicit(link, extent, memory_order_release);
}

static struct store_table *body_table(const struct edge_body *body)
{
    return atomic_load_explicit(&body->table, memory_order_acquire);
}

static extent_link *table_bucket(const struct store_table *table, uint32_t number)
{
    return &table->buckets[number & (table->n_buckets - 1)];
}

static struct store_extent *body_find(const struct edge_body *body, uint32_t number)
{
    struct store_extent *at = link_get(table_bucket(body_table(body), number));

    while (at != NULL && at->number != number) {
        at = link_get(&at->next);
    }
    return at;
}

struct store_extent *edge_body_extent(const struct edge_body *body, uint64_t chunk)
{
    return body_find(body, (uint32_t)(chunk / EDGE_EXTENT_CHUNKS));
}

uint32_t edge_extent_shown(const struct store_extent *extent, uint64_t chunk,
                           struct store_buffer **ret_buffer)
{
    struct store_buffer *buffer = atomic_load_explicit(
        &extent->chunks[chunk % EDGE_EXTENT_CHUNKS].buffer, memory_order_acquire);

    if (ret_buffer != NULL) {
        *ret_buffer = buffer;
    }
    return buffer != NULL ? atomic_load_explicit(&buffer->n_shown, memory_order_acquire) : 0;
}

/* A section may not last long. */
enum { SKIP_AT_ONCE = 64 };

uint64_t edge_body_skip_shown(const struct edge_body *body, uint64_t first, uint64_t end)
{
    uint64_t chunk = first;
    bool is_shown = true;

    while (is_shown && chunk < end) {
        uint64_t until = FB_MIN(end, chunk + SKIP_AT_ONCE);
        fb_grace_enter();
        while (is_shown && chunk < until) {
            const struct store_extent *extent = edge_body_extent(body, chunk);
            is_shown = extent != NULL && edge_extent_shown(extent, chunk, NULL) > 0;
            chunk += is_shown ? 1 : 0;
        }
        fb_grace_leave();
    }
    return chunk;
}

struct store_chunk *edge_body_chunk(const struct edge_body *body, uint64_t chunk)
{
    struct store_extent *extent = edge_body_extent(body, chunk);

    return extent != NULL ? &extent->chunks[chunk % EDGE_EXTENT_CHUNKS] : NULL;
}

enum chunk_state edge_body_chunk_state(const struct edge_body *body, uint64_t chunk)
{
    const struct store_chunk *found = edge_body_chunk(body, chunk);

    return found != NULL ? (enum chunk_state)found->state : CHUNK_ABSENT;
}

struct store_buffer *edge_chunk_set(struct store_chunk *chunk, struct store_buffer *buffer,
                                    uint32_t n_filled, enum chunk_state state)
{
    struct store_buffer *old = atomic_load_explicit(&chunk->buffer, memory_order_relaxed);

    if (state == CHUNK_PRESENT) {
        atomic_store_explicit(&buffer->n_shown, n_filled, memory_order_relaxed);
    }
    chunk->n_filled = n_filled;
    chunk->state = (uint8_t)state;
    atomic_store_explicit(&chunk->buffer, buffer, memory_order_release);
    return old;
}

void edge_chunk_show(struct store_chunk *chunk)
{
    struct store_buffer *buffer = atomic_load_explicit(&chunk->buffer, memory_order_relaxed);

    chunk->state = CHUNK_PRESENT;
    atomic_store_explicit(&buffer->n_shown, chunk->n_filled, memory_order_release);
}

struct edge_extent_id edge_body_extent_id(const struct edge_body *body, uint64_t chunk)
{
    return (struct edge_extent_id){
        .fingerprint = body->fingerprint,
        .version = atomic_load_explicit(&body->version, memory_order_relaxed),
        .number = (uint32_t)(chunk / EDGE_EXTENT_CHUNKS),
    };
}

void edge_body_remove(struct edge_body *body, struct store_extent *extent)
{
    extent_link *at = table_bucket(body_table(body), extent->number);

    while (link_get(at) != extent) {
        at = &link_get(at)->next;
    }
    link_set(at, link_get(&extent->next)); /* who stands at it goes on from there */
    body->n_extents--;
}

static uint64_t table_cost(uint32_t n_buckets)
{
    return sizeof(struct store_table) + n_buckets * sizeof(extent_link) + STORE_BLOCK_OVERHEAD;
}

static struct store_table *table_new(uint32_t n_buckets)
{
    struct store_table *table = fb_alloc(sizeof(*table) + n_buckets * sizeof(extent_link));

    table->n_buckets = n_buckets;
    table->buckets = (extent_link *)(void *)(table + 1);
    return table;
}

/* Moves the extents into `fresh`, which is empty, and puts it in the old one's place. Who walks
 * along a chain meanwhile may come to the end of another and find nothing. */
static void body_rehash(struct edge_body *body, struct store_table *fresh)
{
    const struct store_table *old = body_table(body);

    for (uint32_t i = 0; i < old->n_buckets; i++) {
        for (struct store_extent *at = link_get(&old->buckets[i]), *next = NULL; at != NULL;
             at = next) {
            extent_link *bucket = table_bucket(fresh, at->number);
            next = link_get(&at->next);
            link_set(&at->next, link_get(bucket));
            link_set(bucket, at);
        }
    }
    atomic_store_explicit(&body->table, fresh, memory_order_release);
}

/* Makes the table larger if it is full. One that cannot be had is gone without:
 * chains grow instead. */
static void body_grow(struct edge_body *body)
{
    (void)pthread_mutex_lock(&body->lock);
    uint32_t n = body_table(body)->n_buckets;
    bool is_full = body->n_extents >= n * BODY_EXTENTS_PER_BUCKET;
    (void)pthread_mutex_unlock(&body->lock);
    n *= BODY_GROWTH;
    if (!is_full || edge_room_claim(body->store, table_cost(n)) < 0) {
        return;
    }
    struct store_table *waste = table_new(n);
    (void)pthread_mutex_lock(&body->lock);
    struct store_table *old = body_table(body);
    if (old->n_buckets < n) { /* else somebody was faster */
        body_rehash(body, waste);
        waste = old;
    }
    (void)pthread_mutex_unlock(&body->lock);
    if (waste != &body->first) {
        uint64_t cost = table_cost(waste->n_buckets);
        fb_grace_wait();
        fb_free(waste);
        edge_room_release(body->store, cost);
    }
}

/* ---- extents ----------------------------------------------------------- */

/* Of one without chunks, and of its node in the policy. */
static uint64_t extent_cost(void)
{
    return sizeof(struct store_extent) + STORE_BLOCK_OVERHEAD + EDGE_POLICY_NODE_BYTES;
}

uint64_t edge_extent_charge(const struct store_extent *extent)
{
    uint64_t charge = extent_cost();

    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        const struct store_buffer *buffer =
            atomic_load_explicit(&extent->chunks[i].buffer, memory_order_relaxed);
        charge += buffer != NULL ? buffer->charge : 0;
    }
    return charge;
}

bool edge_extent_is_empty(const struct store_extent *extent)
{
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        if (extent->chunks[i].state != CHUNK_ABSENT) {
            return false;
        }
    }
    return true;
}

void edge_extent_free(struct edge_store *store, struct store_extent *extent)
{
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        edge_buffer_unref(atomic_load_explicit(&extent->chunks[i].buffer, memory_order_relaxed));
    }
    fb_free(extent);
    edge_room_release(store, extent_cost());
}

static struct store_extent *extent_new(struct edge_body *body, uint32_t number)
{
    struct store_extent *extent = FB_NEW(struct store_extent);
    uint64_t id[] = {body->fingerprint, number};

    extent->node.node.id = fb_str_hash((struct fb_str){(const char *)id, sizeof(id)}, 0);
    fb_list_init(&extent->node.node.link);
    extent->node.body = body;
    extent->node.extent = extent;
    extent->number = number;
    return extent;
}

static struct store_extent *body_pin_old(struct edge_body *body, uint32_t number)
{
    (void)pthread_mutex_lock(&body->lock);
    struct store_extent *extent = body_find(body, number);
    if (extent != NULL) {
        extent->n_pins++;
    }
    (void)pthread_mutex_unlock(&body->lock);
    return extent;
}

int edge_body_pin(struct edge_body *body, uint32_t number, struct store_extent **ret_extent)
{
    struct store_extent *extent = body_pin_old(body, number);
    struct store_extent *waste = NULL;

    if (extent != NULL) {
        *ret_extent = extent;
        return FB_OK;
    }
    int err = edge_room_claim(body->store, extent_cost());
    if (err < 0) {
        return err;
    }
    body_grow(body);
    extent = extent_new(body, number);
    (void)pthread_mutex_lock(&body->lock);
    struct store_extent *rival = body_find(body, number);
    if (rival != NULL) {
        waste = extent;
        extent = rival;
    } else {
        extent_link *bucket = table_bucket(body_table(body), number);
        link_set(&extent->next, link_get(bucket));
        link_set(bucket, extent);
        body->n_extents++;
    }
    extent->n_pins++;
    (void)pthread_mutex_unlock(&body->lock);
    if (waste != NULL) {
        edge_extent_free(body->store, waste);
    }
    *ret_extent = extent;
    return FB_OK;
}

/* ---- writers, seen from the body ------------------------------------------ */

bool edge_body_has_writer_at(const struct edge_body *body, uint64_t chunk)
{
    FB_LIST_EACH(node, &body->writers) {
        const struct edge_writer *writer = FB_CONTAINER_OF(node, struct edge_writer, link);
        if (!writer->is_done && writer->offset / EDGE_CHUNK_BYTES == chunk) {
            return true;
        }
    }
    return false;
}

uint64_t edge_body_written_until(const struct edge_body *body, uint64_t chunk)
{
    uint64_t until = 0;

    FB_LIST_EACH(node, &body->writers) {
        const struct edge_writer *writer = FB_CONTAINER_OF(node, struct edge_writer, link);
        if (!writer->is_done && writer->offset / EDGE_CHUNK_BYTES == chunk) {
            until = FB_MAX(until, writer->end);
        }
    }
    return until;
}

bool edge_body_is_coming(const struct edge_body *body, uint64_t offset)
{
    FB_LIST_EACH(node, &body->writers) {
        const struct edge_writer *writer = FB_CONTAINER_OF(node, struct edge_writer, link);
        if (!writer->is_done && writer->offset <= offset && offset < writer->end &&
            offset - writer->offset <= EDGE_WRITER_AHEAD) {
            return true;
        }
    }
    return false;
}

/* ---- life -------------------------------------------------------------- */

uint64_t edge_body_cost(void)
{
    return sizeof(struct edge_body) + STORE_BLOCK_OVERHEAD + EDGE_POLICY_NODE_BYTES;
}

bool edge_body_is_long(const struct edge_body *body)
{
    return atomic_load_explicit(&body->length, memory_order_relaxed) >
           (int64_t)2 * EDGE_WRITER_AHEAD;
}

struct edge_body *edge_body_new(struct edge_store *store, struct fb_str key, int64_t length)
{
    struct edge_body *body = FB_NEW(struct edge_body);

    body->store = store;
    body->hash = fb_str_hash(key, store->seed);
    body->fingerprint = edge_fingerprint_of(key);
    atomic_init(&body->refs, 1);
    fb_list_init(&body->heads);
    body->anchor.node.id = body->fingerprint;
    body->anchor.node.size = edge_body_cost();
    fb_list_init(&body->anchor.node.link);
    body->anchor.body = body;
    atomic_init(&body->length, length);
    atomic_init(&body->state,
                length == FB_LENGTH_UNKNOWN ? EDGE_OBJECT_FILLING : EDGE_OBJECT_READY);
    (void)pthread_mutex_init(&body->lock, NULL);
    body->first = (struct store_table){.n_buckets = 1, .buckets = &body->bucket};
    atomic_init(&body->table, &body->first);
    fb_list_init(&body->readers);
    fb_list_init(&body->writers);
    return body;
}

struct edge_body *edge_body_ref(struct edge_body *body)
{
    atomic_fetch_add_explicit(&body->refs, 1, memory_order_relaxed);
    return body;
}

/* Takes everything of the body out of the policy, and returns its extents chained. */
static struct store_extent *body_leave_policy(struct edge_body *body)
{
    struct edge_store *store = body->store;
    const struct store_table *table = body_table(body);
    struct store_extent *all = NULL;

    (void)pthread_mutex_lock(&store->room_lock);
    edge_policy_remove(store->policy, &body->anchor.node);
    for (uint32_t i = 0; i < table->n_buckets; i++) {
        for (struct store_extent *at = link_get(&table->buckets[i]), *next = NULL; at != NULL;
             at = next) {
            next = link_get(&at->next);
            edge_policy_remove(store->policy, &at->node.node);
            link_set(&at->next, all);
            all = at;
        }
    }
    (void)pthread_mutex_unlock(&store->room_lock);
    return all;
}

void edge_body_unref(struct edge_body *body)
{
    if (atomic_fetch_sub_explicit(&body->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct edge_store *store = body->store;
    struct store_table *table = body_table(body);
    FB_REQUIRE(fb_list_empty(&body->readers) && fb_list_empty(&body->writers));
    /* Nobody is in it: whoever looks into a body has a reference to an object of it. */
    for (struct store_extent *at = body_leave_policy(body), *next = NULL; at != NULL; at = next) {
        next = link_get(&at->next);
        edge_extent_free(store, at);
    }
    if (table != &body->first) {
        edge_room_release(store, table_cost(table->n_buckets));
        fb_free(table);
    }
    (void)pthread_mutex_destroy(&body->lock);
    fb_free(body);
    edge_room_release(store, edge_body_cost());
}
