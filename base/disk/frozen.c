#include "base/disk/frozen.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/disk/forbid_internal.h"
#include "base/sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Since Linux 5.14, which the C library's headers may not know. */
enum { FROZEN_POPULATE_WRITE = 23 };

enum { FROZEN_TABLE_BYTES = 2048, FROZEN_PER_INDEX = 64, FROZEN_MAX_SETTING = 4096 };

#define FROZEN_SETTINGS "/sys/kernel/mm/transparent_hugepage/"

struct fb_frozen_pool {
    pthread_mutex_t lock;
    int fd;
    size_t page;
    char *space; /* address space that is kept for `bytes` */
    size_t n_space;
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
    return (n + FB_FROZEN_SMALL - 1) / FB_FROZEN_SMALL * FB_FROZEN_SMALL;
}

size_t fb_frozen_cost(size_t n)
{
    size_t pages = whole_pages(n);

    return pages + pages / FROZEN_PER_INDEX + FROZEN_TABLE_BYTES;
}

/* ---- what the system allows ---------------------------------------------- */

static bool setting_is(struct fb_str setting, struct fb_str word)
{
    size_t begin = fb_str_find(setting, '[');
    struct fb_str chosen = fb_str_skip(setting, FB_MIN(begin + 1, setting.len));

    return fb_str_equal(fb_str_first(chosen, fb_str_find(chosen, ']')), word);
}

static bool setting_allows(struct fb_str setting)
{
    return setting_is(setting, FB_STR("always")) || setting_is(setting, FB_STR("within_size")) ||
           setting_is(setting, FB_STR("advise"));
}

size_t fb_frozen_page_of(struct fb_str own, struct fb_str all)
{
    bool inherits = setting_is(own, FB_STR("inherit"));
    bool is_forced = setting_is(all, FB_STR("force"));
    bool is_large = inherits ? setting_allows(all) || is_forced
                             : setting_allows(own) && !is_forced; /* which regards those alone */

    return is_large && !setting_is(all, FB_STR("deny")) ? FB_FROZEN_LARGE : FB_FROZEN_SMALL;
}

size_t fb_frozen_system_page(void)
{
    FB_AUTO(fb_buf_done) struct fb_buf own = {0};
    FB_AUTO(fb_buf_done) struct fb_buf all = {0};

    if (fb_file_read_path(FROZEN_SETTINGS "hugepages-64kB/shmem_enabled", FROZEN_MAX_SETTING, &own,
                          NULL) < 0 ||
        fb_file_read_path(FROZEN_SETTINGS "shmem_enabled", FROZEN_MAX_SETTING, &all, NULL) < 0) {
        return FB_FROZEN_SMALL; /* a kernel before 6.11, or one without */
    }
    return fb_frozen_page_of(fb_buf_str(&own), fb_buf_str(&all));
}

/* ---- life -------------------------------------------------------------- */

/* An address that is a multiple of the large page but not of twice that, as offsets in the file
 * are: the kernel gives a place in a mapping no page that is not aligned in both. */
static char *pool_place(const struct fb_frozen_pool *pool)
{
    const uintptr_t twice = (uintptr_t)2 * FB_FROZEN_LARGE;
    uintptr_t begin = (uintptr_t)pool->space;

    return pool->space + ((begin + twice - 1) / twice * twice - begin) + FB_FROZEN_LARGE;
}

/* Address space for slots costs nothing until there is something in them. */
static bool pool_map(struct fb_frozen_pool *pool)
{
    size_t n = pool->n_slots * FB_FROZEN_MAX;
    int advice = pool->page == FB_FROZEN_LARGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;

    pool->fd = memfd_create("frozen", MFD_CLOEXEC);
    if (pool->fd < 0 || ftruncate(pool->fd, (off_t)n) < 0) {
        return false;
    }
    size_t n_space = n + (size_t)4 * FB_FROZEN_LARGE;
    void *space =
        mmap(NULL, n_space, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED) {
        return false;
    }
    pool->space = space;
    pool->n_space = n_space;
    void *mapped = mmap(pool_place(pool), n, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_NORESERVE | MAP_FIXED, pool->fd, 0);
    if (mapped == MAP_FAILED) {
        return false;
    }
    pool->bytes = mapped;
    /* A kernel that has no huge pages at all does not know the word. */
    return madvise(pool->bytes, n, advice) == 0 || errno == EINVAL;
}

struct fb_frozen_pool *fb_frozen_pool_new(uint64_t max_bytes, size_t page)
{
    struct fb_frozen_pool *pool = FB_NEW(struct fb_frozen_pool);

    FB_REQUIRE(page == FB_FROZEN_SMALL || page == FB_FROZEN_LARGE);
    (void)pthread_mutex_init(&pool->lock, NULL);
    pool->fd = -1;
    pool->page = page;
    pool->n_slots = (size_t)FB_MIN(max_bytes / FB_FROZEN_MIN + 1, (uint64_t)UINT32_MAX);
    if (!pool_map(pool)) {
        fb_frozen_pool_free(pool);
        return NULL;
    }
    return pool;
}

size_t fb_frozen_page(const struct fb_frozen_pool *pool)
{
    return pool->page;
}

void fb_frozen_pool_free(struct fb_frozen_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    FB_REQUIRE(pool->n_free + pool->n_lost == pool->n_opened);
    if (pool->bytes != NULL) {
        fb_disk_forbid(pool->bytes, pool->n_opened * FB_FROZEN_MAX, false);
    }
    if (pool->space != NULL) {
        (void)munmap(pool->space, pool->n_space);
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

/* Writes where there are no pages yet. */
static bool place_fill(char *place, struct fb_str bytes)
{
    /* All pages at once. An older kernel brings them one by one. */
    if (madvise(place, whole_pages(bytes.len), FROZEN_POPULATE_WRITE) < 0 && errno != EINVAL) {
        return false;
    }
    memcpy(place, bytes.ptr, bytes.len);
    return true;
}

/* The end of a copy, through a mapping of its own in which all pages are small. */
static bool place_fill_end(const struct fb_frozen_pool *pool, size_t offset, struct fb_str bytes)
{
    size_t n = whole_pages(bytes.len);

    void *end = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, pool->fd, (off_t)offset);
    if (end == MAP_FAILED) {
        return false;
    }
    bool is_done =
        (madvise(end, n, MADV_NOHUGEPAGE) == 0 || errno == EINVAL) && place_fill(end, bytes);
    (void)munmap(end, n);
    return is_done;
}

int fb_frozen_take(struct fb_frozen_pool *pool, struct fb_str bytes, struct fb_slice_file *ret_file)
{
    size_t slot = 0;

    FB_REQUIRE(bytes.len >= FB_FROZEN_MIN && bytes.len <= FB_FROZEN_MAX);
    if (!slot_take(pool, &slot)) {
        return -ENOMEM;
    }
    size_t offset = slot * FB_FROZEN_MAX;
    size_t n_end = pool->page == FB_FROZEN_LARGE ? bytes.len % FB_FROZEN_LARGE : 0;
    size_t n_whole = bytes.len - n_end;
    char *place = pool->bytes + offset;
    fb_disk_forbid(place, bytes.len, false);
    if (!place_fill(place, fb_str_first(bytes, n_whole)) ||
        (n_end > 0 && !place_fill_end(pool, offset + n_whole, fb_str_skip(bytes, n_whole)))) {
        fb_disk_forbid(place, bytes.len, true);
        slot_give(pool, slot, bytes.len);
        return -ENOMEM;
    }
    *ret_file = (struct fb_slice_file){.fd = pool->fd, .offset = offset, .begin = place};
    return FB_OK;
}

void fb_frozen_give(struct fb_frozen_pool *pool, const struct fb_slice_file *file, size_t n)
{
    fb_disk_forbid(file->begin, n, true);
    slot_give(pool, (size_t)(file->offset / FB_FROZEN_MAX), n);
}
