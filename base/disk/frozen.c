#include "base/disk/frozen.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/disk/forbid_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Since Linux 5.14, which the C library's headers may not know. */
enum { FROZEN_POPULATE_WRITE = 23 };

enum { FROZEN_PAGE_BYTES = 4096, FROZEN_TABLE_BYTES = 2048, FROZEN_PER_INDEX = 64 };

struct fb_frozen_pool {
    pthread_mutex_t lock;
    int fd;
    char *bytes; /* mapped; n_slots of FB_FROZEN_MAX */
    size_t n_slots;
    size_t n_opened; /* slots that were taken once */
    uint32_t *free;  /* owned; of those, the ones that are not now */
    size_t n_free;
    size_t free_cap;
    size_t n_lost; /* whose pages could not be cut out: never used again */
};

static size_t whole_pages(size_t n)
{
    return (n + FROZEN_PAGE_BYTES - 1) / FROZEN_PAGE_BYTES * FROZEN_PAGE_BYTES;
}

size_t fb_frozen_cost(size_t n)
{
    size_t pages = whole_pages(n);

    return pages + pages / FROZEN_PER_INDEX + FROZEN_TABLE_BYTES;
}

/* ---- life -------------------------------------------------------------- */

/* Address space for slots costs nothing until there is something in them. */
static bool pool_map(struct fb_frozen_pool *pool)
{
    size_t n = pool->n_slots * FB_FROZEN_MAX;

    pool->fd = memfd_create("frozen", MFD_CLOEXEC);
    if (pool->fd < 0 || ftruncate(pool->fd, (off_t)n) < 0) {
        return false;
    }
    void *mapped = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, pool->fd, 0);
    if (mapped == MAP_FAILED) {
        return false;
    }
    pool->bytes = mapped;
    /* A kernel that has no huge pages at all does not know the word. */
    return madvise(pool->bytes, n, MADV_NOHUGEPAGE) == 0 || errno == EINVAL;
}

struct fb_frozen_pool *fb_frozen_pool_new(uint64_t max_bytes)
{
    struct fb_frozen_pool *pool = FB_NEW(struct fb_frozen_pool);

    (void)pthread_mutex_init(&pool->lock, NULL);
    pool->n_slots = (size_t)FB_MIN(max_bytes / FB_FROZEN_MIN + 1, (uint64_t)UINT32_MAX);
    if (!pool_map(pool)) {
        fb_frozen_pool_free(pool);
        return NULL;
    }
    return pool;
}

void fb_frozen_pool_free(struct fb_frozen_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    FB_REQUIRE(pool->n_free + pool->n_lost == pool->n_opened);
    if (pool->bytes != NULL) {
        fb_disk_forbid(pool->bytes, pool->n_opened * FB_FROZEN_MAX, false);
        (void)munmap(pool->bytes, pool->n_slots * FB_FROZEN_MAX);
    }
    if (pool->fd >= 0) {
        (void)close(pool->fd);
    }
    fb_free(pool->free);
    (void)pthread_mutex_destroy(&pool->lock);
    fb_free(pool);
}

/* ---- slots ------------------------------------------------------------- */

/* False if all are taken. */
static bool slot_take(struct fb_frozen_pool *pool, size_t *ret_slot)
{
    bool is_found = true;

    (void)pthread_mutex_lock(&pool->lock);
    if (pool->n_free > 0) {
        *ret_slot = pool->free[--pool->n_free];
    } else if (pool->n_opened < pool->n_slots) {
        *ret_slot = pool->n_opened++;
    } else {
        is_found = false;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return is_found;
}

/* Cuts the first `n` bytes of a slot out of the file, and lets it be used again. */
static void slot_give(struct fb_frozen_pool *pool, size_t slot, size_t n)
{
    off_t offset = (off_t)(slot * FB_FROZEN_MAX);
    int err = fallocate(pool->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
                        (off_t)whole_pages(n));

    (void)pthread_mutex_lock(&pool->lock);
    if (err < 0) {
        pool->n_lost++; /* the kernel may have its pages: they stay as they are */
    } else {
        if (pool->n_free == pool->free_cap) {
            pool->free_cap = pool->free_cap == 0 ? FROZEN_PER_INDEX : 2 * pool->free_cap;
            pool->free = fb_realloc(pool->free, pool->free_cap * sizeof(*pool->free));
        }
        pool->free[pool->n_free++] = (uint32_t)slot;
    }
    (void)pthread_mutex_unlock(&pool->lock);
}

/* ---- copies ------------------------------------------------------------ */

int fb_frozen_take(struct fb_frozen_pool *pool, struct fb_str bytes, struct fb_slice_file *ret_file)
{
    size_t slot = 0;

    FB_REQUIRE(bytes.len >= FB_FROZEN_MIN && bytes.len <= FB_FROZEN_MAX);
    if (!slot_take(pool, &slot)) {
        return -ENOMEM;
    }
    char *place = pool->bytes + slot * FB_FROZEN_MAX;
    /* All pages at once. An older kernel brings them one by one. */
    if (madvise(place, whole_pages(bytes.len), FROZEN_POPULATE_WRITE) < 0 && errno != EINVAL) {
        slot_give(pool, slot, bytes.len);
        return -ENOMEM;
    }
    fb_disk_forbid(place, bytes.len, false);
    memcpy(place, bytes.ptr, bytes.len);
    *ret_file = (struct fb_slice_file){
        .fd = pool->fd, .offset = (uint64_t)slot * FB_FROZEN_MAX, .begin = place};
    return FB_OK;
}

void fb_frozen_give(struct fb_frozen_pool *pool, const struct fb_slice_file *file, size_t n)
{
    fb_disk_forbid(file->begin, n, true);
    slot_give(pool, (size_t)(file->offset / FB_FROZEN_MAX), n);
}
