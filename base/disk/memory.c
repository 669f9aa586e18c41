#include "base/disk/memory.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/disk/disk.h"
#include "base/disk/forbid_internal.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

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

/* Where a run is looked for: where it costs nothing, and anywhere. */
enum reach { REACH_RESIDENT, REACH_ALL, N_REACHES };

struct region {
    char *bytes;                 /* mapped; REGION_BYTES, aligned to that */
    unsigned max_run[N_REACHES]; /* no run of free blocks is longer; may be less long */
    uint16_t is_resident;        /* bit: the huge page has been taken from */
    uint16_t is_idle;            /* bit: it is resident, and nothing of it is taken */
    uint64_t used[N_WORDS];      /* bit: the block is taken */
};

/* What a region costs beside its bytes, its place in the list included. */
enum { REGION_COST = sizeof(struct region) + 2 * sizeof(struct region *) + 32 };

struct fb_disk_memory {
    pthread_mutex_t lock;
    struct region **regions; /* owned, each; by address; all stay until the end */
    size_t n_regions;
    size_t taken_bytes;
    size_t resident_bytes;
    size_t n_idle; /* huge pages */
};

/* ---- blocks of a region ------------------------------------------------ */

static bool is_used(const struct region *region, unsigned block)
{
    return (region->used[block / WORD_BITS] >> block % WORD_BITS & 1) != 0;
}

/* A bit for each block that is used, or out of reach. */
static uint64_t word_of(const struct region *region, unsigned i, enum reach reach)
{
    bool is_within =
        reach == REACH_ALL || (region->is_resident >> i * WORD_BITS / BLOCKS_PER_HUGE & 1) != 0;

    return is_within ? region->used[i] : UINT64_MAX;
}

/* The first block at or after `block` that is used (or free, if not `used`). */
static unsigned next_block(const struct region *region, unsigned block, enum reach reach, bool used)
{
    while (block < N_BLOCKS) {
        uint64_t word = word_of(region, block / WORD_BITS, reach);
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
static unsigned find_run(struct region *region, unsigned n, enum reach reach)
{
    unsigned longest = 0;

    if (region->max_run[reach] < n) {
        return N_BLOCKS;
    }
    unsigned first = next_block(region, 0, reach, false);
    while (first < N_BLOCKS) {
        unsigned end = next_block(region, first, reach, true);
        if (end - first >= n) {
            return first;
        }
        longest = FB_MAX(longest, end - first);
        first = next_block(region, end, reach, false);
    }
    region->max_run[reach] = longest;
    return N_BLOCKS;
}

static void forget_runs(struct region *region)
{
    region->max_run[REACH_RESIDENT] = N_BLOCKS;
    region->max_run[REACH_ALL] = N_BLOCKS;
}

/* ---- huge pages -------------------------------------------------------- */

/* The huge pages of a run, a bit each. */
static uint16_t pages_of(unsigned first, unsigned n)
{
    unsigned last = (first + n - 1) / BLOCKS_PER_HUGE;

    FB_REQUIRE(last < 16);
    return (uint16_t)((2U << last) - (1U << first / BLOCKS_PER_HUGE));
}

/* Bytes that taking the run would make resident. */
static size_t cost_of(const struct region *region, unsigned first, unsigned n)
{
    unsigned absent = (unsigned)(pages_of(first, n) & ~region->is_resident);

    return (size_t)__builtin_popcount(absent) * HUGE_BYTES;
}

static void touch(struct fb_disk_memory *memory, struct region *region, unsigned first, unsigned n)
{
    uint16_t pages = pages_of(first, n);
    size_t cost = cost_of(region, first, n);

    if (cost > 0) {
        memory->resident_bytes += cost;
        region->is_resident |= pages;
        region->max_run[REACH_RESIDENT] = N_BLOCKS; /* of the rest of those pages */
    }
    memory->n_idle -= (size_t)__builtin_popcount((unsigned)(region->is_idle & pages));
    region->is_idle &= (uint16_t)~pages;
}

/* Finds out which huge pages of a run that was given back are idle now. */
static void settle(struct fb_disk_memory *memory, struct region *region, unsigned first, unsigned n)
{
    unsigned last = (first + n - 1) / BLOCKS_PER_HUGE;

    for (unsigned huge = first / BLOCKS_PER_HUGE; huge <= last; huge++) {
        unsigned block = huge * BLOCKS_PER_HUGE;
        if (next_block(region, block, REACH_ALL, true) >= block + BLOCKS_PER_HUGE) {
            region->is_idle |= (uint16_t)(1U << huge);
            memory->n_idle++;
        }
    }
}

/* Gives idle huge pages of `region` back to the system, so many bytes at least if there are. */
static size_t release(struct fb_disk_memory *memory, struct region *region, size_t n_bytes)
{
    size_t n_released = 0;

    while (region->is_idle != 0 && n_released < n_bytes) {
        unsigned huge = (unsigned)__builtin_ctz(region->is_idle);
        (void)madvise(region->bytes + (size_t)huge * HUGE_BYTES, HUGE_BYTES, MADV_DONTNEED);
        region->is_idle &= (uint16_t) ~(1U << huge);
        region->is_resident &= (uint16_t) ~(1U << huge);
        n_released += HUGE_BYTES;
    }
    memory->n_idle -= n_released / HUGE_BYTES;
    memory->resident_bytes -= n_released;
    return n_released;
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
    forget_runs(region);
    fb_disk_forbid(bytes, REGION_BYTES, true);
    memory->regions =
        fb_realloc(memory->regions, (memory->n_regions + 1) * sizeof(struct region *));
    memmove(memory->regions + place + 1, memory->regions + place,
            (memory->n_regions - place) * sizeof(struct region *));
    memory->regions[place] = region;
    memory->n_regions++;
    return region;
}

/* Where a run of `n` blocks goes at a cost of at most `max_more`; NULL: nowhere. */
static struct region *find_place(struct fb_disk_memory *memory, unsigned n, size_t max_more,
                                 unsigned *ret_first)
{
    for (unsigned reach = 0; reach < N_REACHES; reach++) {
        for (size_t i = 0; i < memory->n_regions; i++) {
            struct region *region = memory->regions[i];
            unsigned first = find_run(region, n, (enum reach)reach);
            if (first < N_BLOCKS && cost_of(region, first, n) <= max_more) {
                *ret_first = first;
                return region;
            }
        }
    }
    return NULL;
}

static char *take_locked(struct fb_disk_memory *memory, unsigned n, size_t max_more)
{
    unsigned first = 0;
    struct region *region = find_place(memory, n, max_more, &first);

    if (region == NULL) {
        size_t n_pages = (n + BLOCKS_PER_HUGE - 1) / BLOCKS_PER_HUGE;
        region = n_pages * HUGE_BYTES + REGION_COST <= max_more ? add_region(memory) : NULL;
    }
    if (region == NULL) {
        return NULL;
    }
    mark(region, first, n, true);
    touch(memory, region, first, n);
    memory->taken_bytes += (size_t)n * FB_DISK_BLOCK;
    return region->bytes + (size_t)first * FB_DISK_BLOCK;
}

static size_t give_locked(struct fb_disk_memory *memory, const char *bytes, unsigned n)
{
    struct region *region = region_of(memory, bytes);
    unsigned first = (unsigned)((size_t)(bytes - region->bytes) / FB_DISK_BLOCK);

    FB_REQUIRE(is_used(region, first) && is_used(region, first + n - 1));
    mark(region, first, n, false);
    memory->taken_bytes -= (size_t)n * FB_DISK_BLOCK;
    forget_runs(region); /* until they are looked for */
    settle(memory, region, first, n);
    size_t idle = memory->resident_bytes - memory->taken_bytes;
    size_t allowed = IDLE_BYTES + memory->taken_bytes / IDLE_SHARE;
    return idle > allowed ? release(memory, region, idle - allowed) : 0;
}

static size_t held_bytes(const struct fb_disk_memory *memory)
{
    return memory->resident_bytes + memory->n_regions * REGION_COST;
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
        fb_disk_forbid(memory->regions[i]->bytes, REGION_BYTES, false);
        (void)munmap(memory->regions[i]->bytes, REGION_BYTES);
        fb_free(memory->regions[i]);
    }
    fb_free(memory->regions);
    (void)pthread_mutex_destroy(&memory->lock);
    fb_free(memory);
}

void *fb_disk_memory_take_within(struct fb_disk_memory *memory, size_t n, size_t max_more,
                                 size_t *ret_more)
{
    FB_REQUIRE(n > 0 && n % FB_DISK_BLOCK == 0 && n <= FB_DISK_MEMORY_MAX);
    (void)pthread_mutex_lock(&memory->lock);
    size_t before = held_bytes(memory);
    char *bytes = take_locked(memory, (unsigned)(n / FB_DISK_BLOCK), max_more);
    size_t more = held_bytes(memory) - before;
    (void)pthread_mutex_unlock(&memory->lock);
    if (bytes != NULL) {
        fb_disk_forbid(bytes, n, false);
        *ret_more = more;
    }
    return bytes;
}

void *fb_disk_memory_take(struct fb_disk_memory *memory, size_t n)
{
    size_t ignored = 0;

    return fb_disk_memory_take_within(memory, n, SIZE_MAX, &ignored);
}

size_t fb_disk_memory_give(struct fb_disk_memory *memory, void *bytes, size_t n)
{
    if (bytes == NULL) {
        return 0;
    }
    fb_disk_forbid(bytes, n, true);
    (void)pthread_mutex_lock(&memory->lock);
    size_t n_released = give_locked(memory, bytes, (unsigned)(n / FB_DISK_BLOCK));
    (void)pthread_mutex_unlock(&memory->lock);
    return n_released;
}

size_t fb_disk_memory_trim(struct fb_disk_memory *memory, size_t n)
{
    size_t n_released = 0;

    (void)pthread_mutex_lock(&memory->lock);
    for (size_t i = memory->n_regions; i-- > 0 && memory->n_idle > 0 && n_released < n;) {
        n_released += release(memory, memory->regions[i], n - n_released);
    }
    (void)pthread_mutex_unlock(&memory->lock);
    return n_released;
}

size_t fb_disk_memory_idle(struct fb_disk_memory *memory)
{
    (void)pthread_mutex_lock(&memory->lock);
    size_t idle = memory->resident_bytes - memory->taken_bytes;
    (void)pthread_mutex_unlock(&memory->lock);
    return idle;
}

size_t fb_disk_memory_held(struct fb_disk_memory *memory)
{
    (void)pthread_mutex_lock(&memory->lock);
    size_t held = held_bytes(memory);
    (void)pthread_mutex_unlock(&memory->lock);
    return held;
}
