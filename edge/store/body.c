#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "edge/store/reader_internal.h"
#include "edge/store/store_internal.h"
#include "edge/store/writer_internal.h"

#include <errno.h>

/* ---- buffers ----------------------------------------------------------- */

enum { BUFFER_RUN_BYTES = 512 * 1024, BUFFER_PAGE_BYTES = 4096 };

static size_t whole_pages(size_t n)
{
    return (n + BUFFER_PAGE_BYTES - 1) / BUFFER_PAGE_BYTES * BUFFER_PAGE_BYTES;
}

static size_t page_cost(size_t n)
{
    return n < FB_ALLOC_MAPPED_BYTES ? n : whole_pages(n);
}

size_t edge_buffer_cost(size_t cap)
{
    return page_cost(sizeof(struct store_buffer) + cap + STORE_BLOCK_OVERHEAD);
}

static void buffer_init(struct store_buffer *buffer, struct edge_store *store, size_t charge)
{
    *buffer = (struct store_buffer){.store = store, .charge = charge};
    atomic_init(&buffer->refs, 1);
}

/* Large ones are runs: they are nearly all of one length, so that what one leaves fits
 * the next. */
static bool buffer_is_run(const struct edge_store *store, size_t n)
{
    return store->memory != NULL && n >= BUFFER_RUN_BYTES;
}

static int buffer_new_run(struct edge_store *store, size_t n, struct store_buffer **ret_buffer)
{
    size_t own = edge_buffer_cost(0);
    char *run = NULL;

    int err = edge_room_claim_run(store, own, n, &run);
    if (err < 0) {
        return err;
    }
    struct store_buffer *buffer = FB_NEW(struct store_buffer);
    buffer_init(buffer, store, own + n);
    buffer->bytes = run;
    buffer->memory = run;
    buffer->n_run = n;
    *ret_buffer = buffer;
    return FB_OK;
}

/* The bytes follow the header. */
static int buffer_new_block(struct edge_store *store, size_t cap, struct store_buffer **ret_buffer)
{
    size_t charge = edge_buffer_cost(cap);

    int err = edge_room_claim(store, charge);
    if (err < 0) {
        return err;
    }
    struct store_buffer *buffer = fb_try_alloc(sizeof(*buffer) + cap);
    if (buffer == NULL) {
        edge_room_release(store, charge);
        return -ENOMEM;
    }
    buffer_init(buffer, store, charge);
    buffer->bytes = (char *)(buffer + 1);
    *ret_buffer = buffer;
    return FB_OK;
}

int edge_buffer_new(struct edge_store *store, size_t cap, struct store_buffer **ret_buffer)
{
    bool is_run = buffer_is_run(store, cap);
    struct store_buffer *buffer = NULL;

    int err = is_run ? buffer_new_run(store, whole_pages(cap), &buffer)
                     : buffer_new_block(store, cap, &buffer);
    if (err < 0) {
        return err;
    }
    buffer->cap = (uint32_t)cap;
    *ret_buffer = buffer;
    return FB_OK;
}

int edge_buffer_new_aligned(struct edge_store *store, size_t n, struct store_buffer **ret_buffer)
{
    /* fb_disk_buffer() takes as much as a block before the bytes it gives. */
    size_t charge = edge_buffer_cost(0) + page_cost(n + FB_DISK_BLOCK + STORE_BLOCK_OVERHEAD);

    if (buffer_is_run(store, n)) {
        return buffer_new_run(store, n, ret_buffer);
    }
    int err = edge_room_claim(store, charge);
    if (err < 0) {
        return err;
    }
    struct store_buffer *buffer = FB_NEW(struct store_buffer);
    buffer_init(buffer, store, charge);
    buffer->memory = fb_disk_buffer(n);
    *ret_buffer = buffer;
    return FB_OK;
}

int edge_buffer_new_frozen(struct edge_store *store, struct fb_str bytes,
                           const struct store_extent *extent, struct store_buffer **ret_buffer)
{
    size_t charge = edge_buffer_cost(0) + fb_frozen_cost(bytes.len);
    struct fb_slice_file file;

    int err = edge_room_claim_beside(store, charge, extent);
    if (err < 0) {
        return err;
    }
    err = fb_frozen_take(store->frozen, bytes, &file);
    if (err < 0) {
        edge_room_release(store, charge);
        return err;
    }
    struct store_buffer *buffer = FB_NEW(struct store_buffer);
    buffer_init(buffer, store, charge);
    buffer->cap = (uint32_t)bytes.len;
    buffer->file = file;
    *ret_buffer = buffer;
    return FB_OK;
}

struct store_buffer *edge_buffer_ref(struct store_buffer *buffer)
{
    atomic_fetch_add_explicit(&buffer->refs, 1, memory_order_relaxed);
    return buffer;
}

void edge_buffer_unref(struct store_buffer *buffer)
{
    if (buffer == NULL || atomic_fetch_sub_explicit(&buffer->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct edge_store *store = buffer->store;
    size_t charge = buffer->charge;
    size_t n_run = buffer->n_run;
    char *memory = buffer->memory;
    if (buffer->file.begin != NULL) {
        fb_frozen_give(store->frozen, &buffer->file, buffer->cap);
    }
    fb_free(buffer);
    if (n_run > 0) {
        edge_room_release_run(store, charge - n_run, n_run, memory);
    } else {
        fb_free(memory);
        edge_room_release(store, charge);
    }
}

/* ---- the table of extents ---------------------------------------------- */

enum { BODY_EXTENTS_PER_BUCKET = 4, BODY_GROWTH = 4 };

static struct store_extent **body_bucket(const struct edge_body *body, uint32_t number)
{
    return &body->buckets[number & (body->n_buckets - 1)];
}

static struct store_extent *body_find(const struct edge_body *body, uint32_t number)
{
    struct store_extent *at = *body_bucket(body, number);

    while (at != NULL && at->number != number) {
        at = at->next;
    }
    return at;
}

struct store_extent *edge_body_extent(const struct edge_body *body, uint64_t chunk)
{
    return body_find(body, (uint32_t)(chunk / EDGE_EXTENT_CHUNKS));
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
    struct store_extent **at = body_bucket(body, extent->number);

    while (*at != extent) {
        at = &(*at)->next;
    }
    *at = extent->next;
    extent->next = NULL;
    body->n_extents--;
}

static uint64_t table_cost(uint32_t n_buckets)
{
    return n_buckets * sizeof(struct store_extent *) + STORE_BLOCK_OVERHEAD;
}

/* Moves the extents into `fresh`, of `n` empty buckets. Returns the old table, of
 * *ret_n, or NULL if that was the body's own. */
static struct store_extent **body_rehash(struct edge_body *body, struct store_extent **fresh,
                                         uint32_t n, uint32_t *ret_n)
{
    struct store_extent **old = body->buckets;

    *ret_n = body->n_buckets;
    body->buckets = fresh;
    body->n_buckets = n;
    for (uint32_t i = 0; i < *ret_n; i++) {
        for (struct store_extent *at = old[i], *next = NULL; at != NULL; at = next) {
            struct store_extent **bucket = body_bucket(body, at->number);
            next = at->next;
            at->next = *bucket;
            *bucket = at;
        }
    }
    return old != &body->bucket ? old : NULL;
}

/* Makes the table larger if it is full. One that cannot be had is gone without:
 * chains grow instead. */
static void body_grow(struct edge_body *body)
{
    uint32_t n_old = 0;

    (void)pthread_mutex_lock(&body->lock);
    uint32_t n = body->n_buckets;
    bool is_full = body->n_extents >= n * BODY_EXTENTS_PER_BUCKET;
    (void)pthread_mutex_unlock(&body->lock);
    n *= BODY_GROWTH;
    if (!is_full || edge_room_claim(body->store, table_cost(n)) < 0) {
        return;
    }
    struct store_extent **waste = fb_alloc_array(n, sizeof(struct store_extent *));
    uint64_t waste_cost = table_cost(n);
    (void)pthread_mutex_lock(&body->lock);
    if (body->n_buckets < n) { /* else somebody was faster */
        waste = body_rehash(body, waste, n, &n_old);
        waste_cost = waste != NULL ? table_cost(n_old) : 0;
    }
    (void)pthread_mutex_unlock(&body->lock);
    fb_free(waste);
    edge_room_release(body->store, waste_cost);
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
        const struct store_buffer *buffer = extent->chunks[i].buffer;
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
        edge_buffer_unref(extent->chunks[i].buffer);
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
        struct store_extent **bucket = body_bucket(body, number);
        extent->next = *bucket;
        *bucket = extent;
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
    body->buckets = &body->bucket;
    body->n_buckets = 1;
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
    struct store_extent *all = NULL;

    (void)pthread_mutex_lock(&store->room_lock);
    edge_policy_remove(store->policy, &body->anchor.node);
    for (uint32_t i = 0; i < body->n_buckets; i++) {
        for (struct store_extent *at = body->buckets[i], *next = NULL; at != NULL; at = next) {
            next = at->next;
            edge_policy_remove(store->policy, &at->node.node);
            at->next = all;
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
    FB_REQUIRE(fb_list_empty(&body->readers) && fb_list_empty(&body->writers));
    for (struct store_extent *at = body_leave_policy(body), *next = NULL; at != NULL; at = next) {
        next = at->next;
        edge_extent_free(store, at);
    }
    if (body->buckets != &body->bucket) {
        fb_free(body->buckets);
        edge_room_release(store, table_cost(body->n_buckets));
    }
    (void)pthread_mutex_destroy(&body->lock);
    fb_free(body);
    edge_room_release(store, edge_body_cost());
}
