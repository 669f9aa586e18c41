#include "base/disk/memory.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/disk/disk.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#ifdef FB_SANITIZED
#include <sanitizer/asan_interface.h>
#endif

enum {
    REGION_BYTES = 32 << 20,
    HUGE_BYTES = 2 << 20,
    N_HUGE = REGION_BYTES / HUGE_BYTES,
    N_BLOCKS = REGION_BYTES / FB_DISK_BLOCK,
    BLOCKS_PER_HUGE = HUGE_BYTES / FB_DISK_BLOCK,
    WORD_BITS = 64,
    N_WORDS = N_BLOCKS / WORD_BITS,
    IDLE_BYTES = 16 << 20,
    IDLE_SHARE = 64
};

struct region {
    char *bytes;            /* mapped; REGION_BYTES, aligned to that */
    unsigned max_run;       /* no run of free blocks is longer; may be less long */
    uint16_t is_resident;   /* bit: the huge page has been taken from */
    uint64_t used[N_WORDS]; /* bit: the block is taken */
};

struct fb_disk_memory {
    pthread_mutex_t lock;
    struct region **regions; /* owned, each; by address; all stay until the end */
    size_t n_regions;
    size_t taken_bytes;
    size_t resident_bytes;
};

/* Lets AddressSanitizer see who uses what has been given back. */
static void forbid(const char *bytes, size_t n, bool is_forbidden)
{
#ifdef FB_SANITIZED
    if (is_forbidden) {
        ASAN_POISON_MEMORY_REGION(bytes, n);
    } else {
        ASAN_UNPOISON_MEMORY_REGION(bytes, n);
    }
#endif
    (void)bytes;
    (void)n;
    (void)is_forbidden;
}

/* ---- blocks of a region ------------------------------------------------ */

static bool is_used(const struct region *region, unsigned block)
{
    return (region->used[block / WORD_BITS] >> block % WORD_BITS & 1) != 0;
}

/* The first block at or after `block` that is used (or free, if not `used`). */
static unsigned next_block(const struct region *region, unsigned block, bool used)
{
    while (block < N_BLOCKS) {
        uint64_t word = region->used[block / WORD_BITS];
        uint64_t rest = (used ? word : ~word) >> block % WORD_BITS;
        if (rest != 0) {
            return block + (unsigned)__builtin_ctzll(rest);
        }
        block += WORD_BITS - block % WORD_BITS;
    }
    return N_BLOCKS;
}

static void mark(struct region *region, unsigned first, unsigned n, bool used)
{
    for (unsigned block = first; block < first + n;) {
        unsigned shift = block % WORD_BITS;
        unsigned n_here = FB_MIN((unsigned)WORD_BITS - shift, first + n - block);
        uint64_t bits = (n_here == WORD_BITS ? UINT64_MAX : (1ULL << n_here) - 1) << shift;
        if (used) {
            region->used[block / WORD_BITS] |= bits;
        } else {
            region->used[block / WORD_BITS] &= ~bits;
        }
        block += n_here;
    }
}

/* The first run of `n` free blocks, or N_BLOCKS, and then max_run is exact. */
static unsigned find_run(struct region *region, unsigned n)
{
    unsigned longest = 0;
    unsigned first = next_block(region, 0, false);

    while (first < N_BLOCKS) {
        unsigned end = next_block(region, first, true);
        if (end - first >= n) {
            return first;
        }
        longest = FB_MAX(longest, end - first);
        first = next_block(region, end, false);
    }
    region->max_run = longest;
    return N_BLOCKS;
}

/* ---- huge pages -------------------------------------------------------- */

static void touch(struct fb_disk_memory *memory, struct region *region, unsigned first, unsigned n)
{
    unsigned last = (first + n - 1) / BLOCKS_PER_HUGE;

    for (unsigned huge = first / BLOCKS_PER_HUGE; huge <= last; huge++) {
        if ((region->is_resident >> huge & 1) == 0) {
            region->is_resident |= (uint16_t)(1U << huge);
            memory->resident_bytes += HUGE_BYTES;
        }
    }
}

/* Gives whole huge pages back to the system while too much lies idle. */
static void release(struct fb_disk_memory *memory, struct region *region, unsigned first,
                    unsigned n)
{
    unsigned last = (first + n - 1) / BLOCKS_PER_HUGE;
    size_t allowed = IDLE_BYTES + memory->taken_bytes / IDLE_SHARE;

    for (unsigned huge = first / BLOCKS_PER_HUGE; huge <= last; huge++) {
        unsigned block = huge * BLOCKS_PER_HUGE;
        if (memory->resident_bytes - memory->taken_bytes <= allowed) {
            return;
        }
        if (next_block(region, block, true) >= block + BLOCKS_PER_HUGE) {
            (void)madvise(region->bytes + (size_t)huge * HUGE_BYTES, HUGE_BYTES, MADV_DONTNEED);
            region->is_resident &= (uint16_t) ~(1U << huge);
            memory->resident_bytes -= HUGE_BYTES;
        }
    }
}

/* ---- regions ----------------------------------------------------------- */

/* Twice as much is mapped, and what lies outside the aligned part given back. */
static char *map_region(void)
{
    char *mapped = mmap(NULL, (size_t)2 * REGION_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) {
        return NULL;
    }
    size_t before = REGION_BYTES - (uintptr_t)mapped % REGION_BYTES;
    char *bytes = mapped + before;
    (void)munmap(mapped, before);
    if (before < REGION_BYTES) {
        (void)munmap(bytes + REGION_BYTES, REGION_BYTES - before);
    }
    (void)madvise(bytes, REGION_BYTES, MADV_HUGEPAGE); /* small pages do as well */
    return bytes;
}

/* How many regions begin at or before `bytes`. */
static size_t count_before(const struct fb_disk_memory *memory, const char *bytes)
{
    size_t low = 0;
    size_t high = memory->n_regions;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uintptr_t)memory->regions[middle]->bytes <= (uintptr_t)bytes) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct region *region_of(const struct fb_disk_memory *memory, const char *bytes)
{
    size_t n = count_before(memory, bytes);

    FB_REQUIRE(n > 0 && (size_t)(bytes - memory->regions[n - 1]->bytes) < REGION_BYTES);
    return memory->regions[n - 1];
}

static struct region *add_region(struct fb_disk_memory *memory)
{
    char *bytes = map_region();
    if (bytes == NULL) {
        return NULL;
    }
    struct region *region = FB_NEW(struct region);
    size_t place = count_before(memory, bytes);

    region->bytes = bytes;
    region->max_run = N_BLOCKS;
    forbid(bytes, REGION_BYTES, true);
    memory->regions =
        fb_realloc(memory->regions, (memory->n_regions + 1) * sizeof(struct region *));
    memmove(memory->regions + place + 1, memory->regions + place,
            (memory->n_regions - place) * sizeof(struct region *));
    memory->regions[place] = region;
    memory->n_regions++;
    return region;
}

static char *take_locked(struct fb_disk_memory *memory, unsigned n)
{
    struct region *region = NULL;
    unsigned first = N_BLOCKS;

    for (size_t i = 0; i < memory->n_regions && first == N_BLOCKS; i++) {
        region = memory->regions[i];
        first = region->max_run < n ? (unsigned)N_BLOCKS : find_run(region, n);
    }
    if (first == N_BLOCKS) {
        region = add_region(memory);
        if (region == NULL) {
            return NULL;
        }
        first = 0;
    }
    mark(region, first, n, true);
    touch(memory, region, first, n);
    memory->taken_bytes += (size_t)n * FB_DISK_BLOCK;
    return region->bytes + (size_t)first * FB_DISK_BLOCK;
}

static void give_locked(struct fb_disk_memory *memory, const char *bytes, unsigned n)
{
    struct region *region = region_of(memory, bytes);
    unsigned first = (unsigned)((size_t)(bytes - region->bytes) / FB_DISK_BLOCK);

    FB_REQUIRE(is_used(region, first) && is_used(region, first + n - 1));
    mark(region, first, n, false);
    memory->taken_bytes -= (size_t)n * FB_DISK_BLOCK;
    region->max_run = N_BLOCKS; /* unknown until it is looked for */
    release(memory, region, first, n);
}

/* ---- for all ----------------------------------------------------------- */

struct fb_disk_memory *fb_disk_memory_new(void)
{
    struct fb_disk_memory *memory = FB_NEW(struct fb_disk_memory);

    (void)pthread_mutex_init(&memory->lock, NULL);
    return memory;
}

void fb_disk_memory_free(struct fb_disk_memory *memory)
{
    if (memory == NULL) {
        return;
    }
    FB_REQUIRE(memory->taken_bytes == 0);
    for (size_t i = 0; i < memory->n_regions; i++) {
        forbid(memory->regions[i]->bytes, REGION_BYTES, false);
        (void)munmap(memory->regions[i]->bytes, REGION_BYTES);
        fb_free(memory->regions[i]);
    }
    fb_free(memory->regions);
    (void)pthread_mutex_destroy(&memory->lock);
    fb_free(memory);
}

void *fb_disk_memory_take(struct fb_disk_memory *memory, size_t n)
{
    FB_REQUIRE(n > 0 && n % FB_DISK_BLOCK == 0 && n <= FB_DISK_MEMORY_MAX);
    (void)pthread_mutex_lock(&memory->lock);
    char *bytes = take_locked(memory, (unsigned)(n / FB_DISK_BLOCK));
    (void)pthread_mutex_unlock(&memory->lock);
    if (bytes != NULL) {
        forbid(bytes, n, false);
    }
    return bytes;
}

void fb_disk_memory_give(struct fb_disk_memory *memory, void *bytes, size_t n)
{
    if (bytes == NULL) {
        return;
    }
    forbid(bytes, n, true);
    (void)pthread_mutex_lock(&memory->lock);
    give_locked(memory, bytes, (unsigned)(n / FB_DISK_BLOCK));
    (void)pthread_mutex_unlock(&memory->lock);
}

size_t fb_disk_memory_idle(struct fb_disk_memory *memory)
{
    (void)pthread_mutex_lock(&memory->lock);
    size_t idle = memory->resident_bytes - memory->taken_bytes;
    (void)pthread_mutex_unlock(&memory->lock);
    return idle;
}
