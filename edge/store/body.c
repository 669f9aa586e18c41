#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/store/reader_internal.h"
#include "edge/store/store_internal.h"

#include <errno.h>
#include <string.h>

/* ---- where bytes lie --------------------------------------------------- */

/* An announced length is cut into chunks of one size, the last sized to fit.
 * Without one, the first chunks double from 4 KiB, so that a small response
 * wastes little: 4 8 16 32 64, then 128 KiB each. */
enum { RAMP_BYTES = BODY_FIRST_CHUNK_BYTES * ((1 << BODY_N_RAMP) - 1) };

static struct body_place ramp_place(uint64_t offset)
{
    size_t chunk = 0;
    size_t size = BODY_FIRST_CHUNK_BYTES;
    size_t rest = (size_t)offset;

    while (rest >= size) {
        rest -= size;
        size *= 2;
        chunk++;
    }
    return (struct body_place){.chunk = chunk, .offset = rest, .n_left = size - rest};
}

struct body_place edge_body_place(const struct edge_body *body, uint64_t offset)
{
    size_t n_before = 0;
    uint64_t rest = offset;

    if (body->is_ramped && offset < RAMP_BYTES) {
        return ramp_place(offset);
    }
    if (body->is_ramped) {
        n_before = BODY_N_RAMP;
        rest -= RAMP_BYTES;
    }
    size_t within = (size_t)(rest % BODY_CHUNK_BYTES);
    return (struct body_place){.chunk = n_before + (size_t)(rest / BODY_CHUNK_BYTES),
                               .offset = within,
                               .n_left = BODY_CHUNK_BYTES - within};
}

/* ---- life -------------------------------------------------------------- */

static size_t table_bytes(size_t n)
{
    return sizeof(struct body_table) + n * sizeof(char *);
}

static size_t chunks_of(int64_t length)
{
    return (size_t)(((uint64_t)length + BODY_CHUNK_BYTES - 1) / BODY_CHUNK_BYTES);
}

uint64_t edge_body_cost(int64_t length)
{
    uint64_t own = sizeof(struct edge_body) + STORE_BLOCK_OVERHEAD;

    if (length == FB_LENGTH_UNKNOWN) {
        return own;
    }
    size_t n = chunks_of(length);
    return own + table_bytes(n) + (uint64_t)(n + 1) * STORE_BLOCK_OVERHEAD + (uint64_t)length;
}

uint64_t edge_body_charge(const struct edge_body *body)
{
    return atomic_load_explicit(&body->charge, memory_order_relaxed);
}

struct edge_body *edge_body_new(struct edge_store *store, int64_t length, uint64_t charge)
{
    struct edge_body *body = FB_NEW(struct edge_body);

    body->store = store;
    body->is_ramped = length == FB_LENGTH_UNKNOWN;
    atomic_init(&body->refs, 1);
    atomic_init(&body->charge, charge);
    atomic_init(&body->filled, 0);
    atomic_init(&body->length, length);
    atomic_init(&body->state, EDGE_OBJECT_FILLING);
    (void)pthread_mutex_init(&body->lock, NULL);
    fb_list_init(&body->waiters);
    if (!body->is_ramped) {
        size_t n = chunks_of(length);
        struct body_table *table = fb_alloc(table_bytes(n));
        table->n = n;
        atomic_init(&body->table, table);
    }
    return body;
}

struct edge_body *edge_body_ref(struct edge_body *body)
{
    atomic_fetch_add_explicit(&body->refs, 1, memory_order_relaxed);
    return body;
}

void edge_body_unref(struct edge_body *body)
{
    if (atomic_fetch_sub_explicit(&body->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct body_table *table = atomic_load_explicit(&body->table, memory_order_relaxed);
    for (size_t i = 0; table != NULL && i < table->n; i++) {
        fb_free(table->chunks[i]);
    }
    while (table != NULL) {
        struct body_table *older = table->older;
        fb_free(table);
        table = older;
    }
    FB_REQUIRE(fb_list_empty(&body->waiters));
    (void)pthread_mutex_destroy(&body->lock);
    edge_room_release(body->store, edge_body_charge(body));
    fb_free(body);
}

/* ---- the writer -------------------------------------------------------- */

static int body_claim(struct edge_body *body, uint64_t n)
{
    if (edge_body_charge(body) + n > body->store->limit / 4) {
        return FB_E_LIMIT;
    }
    int err = edge_room_claim(body->store, n);
    if (err == FB_OK) {
        atomic_fetch_add_explicit(&body->charge, n, memory_order_relaxed);
    }
    return err;
}

/* Makes room in the table for chunk `chunk`. */
static int body_grow_table(struct edge_body *body, size_t chunk)
{
    struct body_table *old = atomic_load_explicit(&body->table, memory_order_relaxed);
    size_t n_old = old != NULL ? old->n : 0;

    if (chunk < n_old) {
        return FB_OK;
    }
    size_t n = FB_MAX(2 * n_old, (size_t)BODY_N_RAMP + 3);
    int err = body_claim(body, table_bytes(n) + STORE_BLOCK_OVERHEAD);
    if (err < 0) {
        return err;
    }
    struct body_table *table = fb_alloc(table_bytes(n));
    table->n = n;
    table->older = old;
    if (old != NULL) {
        memcpy(table->chunks, old->chunks, n_old * sizeof(char *));
    }
    atomic_store_explicit(&body->table, table, memory_order_release);
    return FB_OK;
}

/* Makes the chunk that begins at `offset`, of at most `n` bytes. */
static int body_add_chunk(struct edge_body *body, struct body_place place, uint64_t offset)
{
    size_t size = place.n_left;
    int err = FB_OK;

    if (body->is_ramped) {
        err = body_grow_table(body, place.chunk);
        if (err == FB_OK) {
            err = body_claim(body, size + STORE_BLOCK_OVERHEAD);
        }
    } else {
        uint64_t length = (uint64_t)atomic_load_explicit(&body->length, memory_order_relaxed);
        size = (size_t)FB_MIN((uint64_t)size, length - offset);
    }
    if (err < 0) {
        return err;
    }
    char *chunk = fb_try_alloc(size);
    if (chunk == NULL) {
        return -ENOMEM;
    }
    atomic_load_explicit(&body->table, memory_order_relaxed)->chunks[place.chunk] = chunk;
    return FB_OK;
}

/* Wakes everybody that ran dry. A reader whose mail is under way stays alive
 * until it has come, so posting needs no lock. */
static void body_wake(struct edge_body *body)
{
    struct fb_list woken;
    struct fb_list *node = NULL;

    fb_list_init(&woken);
    (void)pthread_mutex_lock(&body->lock);
    fb_list_splice(&woken, &body->waiters);
    FB_LIST_EACH(at, &woken) {
        FB_CONTAINER_OF(at, struct body_reader, link)->is_posted = true;
    }
    (void)pthread_mutex_unlock(&body->lock);
    while ((node = fb_list_pop(&woken)) != NULL) {
        struct body_reader *reader = FB_CONTAINER_OF(node, struct body_reader, link);
        fb_loop_post(reader->loop, &reader->post);
    }
}

int edge_body_append(struct edge_body *body, struct fb_str bytes)
{
    uint64_t filled = atomic_load_explicit(&body->filled, memory_order_relaxed);
    int64_t length = atomic_load_explicit(&body->length, memory_order_relaxed);
    int err = FB_OK;

    FB_REQUIRE(atomic_load_explicit(&body->state, memory_order_relaxed) == EDGE_OBJECT_FILLING);
    if (length != FB_LENGTH_UNKNOWN && bytes.len > (uint64_t)length - filled) {
        return FB_E_MALFORMED;
    }
    while (bytes.len > 0 && err == FB_OK) {
        struct body_place place = edge_body_place(body, filled);
        if (place.offset == 0) {
            err = body_add_chunk(body, place, filled);
            if (err < 0) {
                break;
            }
        }
        size_t n = FB_MIN(bytes.len, place.n_left);
        char *chunk = atomic_load_explicit(&body->table, memory_order_relaxed)->chunks[place.chunk];
        memcpy(chunk + place.offset, bytes.ptr, n);
        bytes = fb_str_skip(bytes, n);
        filled += n;
        /* Publishes the bytes, the chunk and the table to readers. */
        atomic_store_explicit(&body->filled, filled, memory_order_release);
    }
    body_wake(body);
    return err;
}

void edge_body_finish(struct edge_body *body, int result)
{
    uint64_t filled = atomic_load_explicit(&body->filled, memory_order_relaxed);
    int64_t length = atomic_load_explicit(&body->length, memory_order_relaxed);

    FB_REQUIRE(atomic_load_explicit(&body->state, memory_order_relaxed) == EDGE_OBJECT_FILLING);
    if (result == FB_OK && length != FB_LENGTH_UNKNOWN && filled < (uint64_t)length) {
        result = FB_E_CLOSED;
    }
    body->result = result;
    if (result == FB_OK) {
        atomic_store_explicit(&body->length, (int64_t)filled, memory_order_relaxed);
    }
    atomic_store_explicit(&body->state, result == FB_OK ? EDGE_OBJECT_WHOLE : EDGE_OBJECT_BROKEN,
                          memory_order_release);
    body_wake(body);
}
