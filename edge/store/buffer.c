/* Buffers: the memory of chunks, claimed before it is taken. */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "edge/store/store_internal.h"

#include <errno.h>

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
