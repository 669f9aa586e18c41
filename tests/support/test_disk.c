#include "tests/support/test_disk.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/disk/queue.h"
#include "tests/support/test_image.h"
#include "tests/support/test_random.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

enum { N_VERBS = FB_DISK_SYNC + 1, SECTOR = 512 };

struct event {
    struct test_disk_event what;
    struct test_block **blocks; /* a write: what it wrote; owned, counted */
    struct test_image durable;  /* a sync: what is durable since */
};

struct test_disk {
    struct fb_disk_ops ops; /* first */
    pthread_mutex_t lock;
    uint64_t size;
    struct test_image now;
    struct test_image start; /* what was durable before the first event kept */
    struct event *events;    /* owned */
    size_t n_events;
    size_t max_events;
    size_t n_forgotten; /* came before `start` */
    bool has_history;

    struct test_disk_fault faults[N_VERBS];
    bool is_failing[N_VERBS];
    bool is_absent;
    struct test_disk_counts counts;

    bool is_holding[N_VERBS];
    struct fb_disk_io **held; /* owned array */
    size_t n_held;
};

/* ---- events ------------------------------------------------------------ */

static void event_done(struct event *event)
{
    for (size_t i = 0; event->blocks != NULL && i < event->what.n / FB_DISK_BLOCK; i++) {
        test_block_unref(event->blocks[i]);
    }
    fb_free(event->blocks);
    test_image_done(&event->durable);
}

static struct event *event_add(struct test_disk *disk, enum fb_disk_verb verb, uint64_t offset,
                               size_t n)
{
    if (disk->n_events == disk->max_events) {
        disk->max_events = disk->max_events == 0 ? 64 : disk->max_events * 2;
        disk->events = fb_realloc(disk->events, disk->max_events * sizeof(struct event));
    }
    struct event *event = &disk->events[disk->n_events++];
    *event = (struct event){.what = {verb, offset, n}};
    return event;
}

static void events_forget(struct test_disk *disk)
{
    for (size_t i = 0; i < disk->n_events; i++) {
        event_done(&disk->events[i]);
    }
    disk->n_forgotten += disk->n_events;
    disk->n_events = 0;
}

static void disk_write(struct test_disk *disk, uint64_t offset, const uint8_t *bytes, size_t n)
{
    size_t n_blocks = n / FB_DISK_BLOCK;
    struct event *event = event_add(disk, FB_DISK_WRITE, offset, n);

    event->blocks = fb_alloc_array(n_blocks, sizeof(struct test_block *));
    for (size_t i = 0; i < n_blocks; i++) {
        event->blocks[i] = test_block_new(bytes + i * FB_DISK_BLOCK);
        test_image_put(&disk->now, offset / FB_DISK_BLOCK + i, event->blocks[i]);
    }
}

static void disk_sync(struct test_disk *disk)
{
    struct event *event = event_add(disk, FB_DISK_SYNC, 0, 0);

    if (disk->has_history) {
        event->durable = test_image_copy(&disk->now);
        return;
    }
    events_forget(disk);
    test_image_done(&disk->start);
    disk->start = test_image_copy(&disk->now);
}

/* The last sync among the first `n_events`, or NULL. */
static struct event *last_sync(const struct test_disk *disk, size_t n_events)
{
    while (n_events > 0) {
        if (disk->events[--n_events].what.verb == FB_DISK_SYNC) {
            return &disk->events[n_events];
        }
    }
    return NULL;
}

/* ---- faults ------------------------------------------------------------ */

/* Whether this attempt is one that does not go well. */
static bool fault_strikes(struct test_disk *disk, enum fb_disk_verb verb)
{
    struct test_disk_fault *fault = &disk->faults[verb];

    if (!disk->is_failing[verb] || fault->n_good-- > 0) {
        return false;
    }
    fault->n_good = 0;
    disk->is_failing[verb] = fault->for_ever;
    disk->counts.n_faults++;
    return true;
}

/* How much of `n` bytes is moved, and in *ret_err why not all. */
static size_t disk_allows(struct test_disk *disk, enum fb_disk_verb verb, size_t n, int *ret_err)
{
    size_t half = n / FB_DISK_BLOCK / 2 * FB_DISK_BLOCK;

    *ret_err = FB_OK;
    if (disk->is_absent) {
        *ret_err = -ENODEV;
        return 0;
    }
    if (!fault_strikes(disk, verb)) {
        return n;
    }
    *ret_err = disk->faults[verb].err;
    if (*ret_err == FB_OK) {
        return FB_MAX(half, (size_t)FB_MIN(n, (size_t)FB_DISK_BLOCK));
    }
    return disk->faults[verb].is_torn ? half : 0;
}

/* ---- the disk's operations --------------------------------------------- */

static void disk_count(struct test_disk *disk, enum fb_disk_verb verb, size_t n)
{
    disk->counts.n_reads += verb == FB_DISK_READ;
    disk->counts.n_writes += verb == FB_DISK_WRITE;
    disk->counts.n_syncs += verb == FB_DISK_SYNC;
    disk->counts.read_bytes += verb == FB_DISK_READ ? n : 0;
    disk->counts.written_bytes += verb == FB_DISK_WRITE ? n : 0;
}

static ssize_t transfer_locked(struct test_disk *disk, enum fb_disk_verb verb, uint64_t offset,
                               uint8_t *bytes, size_t n)
{
    int err = FB_OK;

    n = disk_allows(disk, verb, n, &err);
    disk_count(disk, verb, n);
    if (verb == FB_DISK_WRITE && n > 0) {
        disk_write(disk, offset, bytes, n);
    }
    if (err < 0) {
        return err;
    }
    if (verb == FB_DISK_SYNC) {
        disk_sync(disk);
        return 0;
    }
    for (size_t i = 0; verb == FB_DISK_READ && i < n / FB_DISK_BLOCK; i++) {
        memcpy(bytes + i * FB_DISK_BLOCK, test_image_get(&disk->now, offset / FB_DISK_BLOCK + i),
               FB_DISK_BLOCK);
    }
    return (ssize_t)n;
}

static ssize_t disk_transfer(struct fb_disk_ops *ops, enum fb_disk_verb verb, uint64_t offset,
                             void *bytes, size_t n)
{
    struct test_disk *disk = FB_CONTAINER_OF(ops, struct test_disk, ops);

    (void)pthread_mutex_lock(&disk->lock);
    ssize_t moved = transfer_locked(disk, verb, offset, bytes, n);
    (void)pthread_mutex_unlock(&disk->lock);
    return moved;
}

static bool disk_hold(struct fb_disk_ops *ops, struct fb_disk_io *io)
{
    struct test_disk *disk = FB_CONTAINER_OF(ops, struct test_disk, ops);

    (void)pthread_mutex_lock(&disk->lock);
    bool is_held = disk->is_holding[io->verb];
    if (is_held) {
        disk->held = fb_realloc(disk->held, (disk->n_held + 1) * sizeof(struct fb_disk_io *));
        disk->held[disk->n_held++] = io;
    }
    (void)pthread_mutex_unlock(&disk->lock);
    return is_held;
}

static bool disk_is_present(struct fb_disk_ops *ops)
{
    struct test_disk *disk = FB_CONTAINER_OF(ops, struct test_disk, ops);

    (void)pthread_mutex_lock(&disk->lock);
    bool is_present = !disk->is_absent;
    (void)pthread_mutex_unlock(&disk->lock);
    return is_present;
}

/* ---- life -------------------------------------------------------------- */

/* Takes `image`. */
static struct test_disk *disk_of(struct test_image image, uint64_t size)
{
    struct test_disk *disk = FB_NEW(struct test_disk);

    disk->ops = (struct fb_disk_ops){
        .transfer = disk_transfer, .hold = disk_hold, .is_present = disk_is_present};
    (void)pthread_mutex_init(&disk->lock, NULL);
    disk->size = size;
    disk->now = image;
    disk->start = test_image_copy(&image);
    return disk;
}

struct test_disk *test_disk_new(uint64_t size)
{
    FB_REQUIRE(size % FB_DISK_BLOCK == 0);
    return disk_of(test_image_new(size), size);
}

void test_disk_free(struct test_disk *disk)
{
    if (disk == NULL) {
        return;
    }
    FB_REQUIRE(disk->n_held == 0);
    events_forget(disk);
    fb_free(disk->events);
    fb_free(disk->held);
    test_image_done(&disk->now);
    test_image_done(&disk->start);
    (void)pthread_mutex_destroy(&disk->lock);
    fb_free(disk);
}

struct fb_disk *test_disk_open(struct test_disk *disk)
{
    return fb_disk_new(&disk->ops, "/dev/test", disk->size);
}

/* ---- what happened ----------------------------------------------------- */

struct test_disk_counts test_disk_counts(struct test_disk *disk)
{
    (void)pthread_mutex_lock(&disk->lock);
    struct test_disk_counts counts = disk->counts;
    (void)pthread_mutex_unlock(&disk->lock);
    return counts;
}

void test_disk_keep_history(struct test_disk *disk)
{
    disk->has_history = true;
}

size_t test_disk_n_events(struct test_disk *disk)
{
    (void)pthread_mutex_lock(&disk->lock);
    size_t n = disk->n_forgotten + disk->n_events;
    (void)pthread_mutex_unlock(&disk->lock);
    return n;
}

struct test_disk_event test_disk_event(struct test_disk *disk, size_t n)
{
    (void)pthread_mutex_lock(&disk->lock);
    FB_REQUIRE(n >= disk->n_forgotten && n < disk->n_forgotten + disk->n_events);
    struct test_disk_event event = disk->events[n - disk->n_forgotten].what;
    (void)pthread_mutex_unlock(&disk->lock);
    return event;
}

/* ---- power ------------------------------------------------------------- */

enum fate { KEPT, LOST, TORN };

static const enum fate fates[] = {KEPT, LOST, TORN};

/* Some sectors of the new block, the others as they are. */
static void tear_block(struct test_image *image, uint64_t n, const struct test_block *block,
                       uint64_t sectors)
{
    uint8_t mixed[FB_DISK_BLOCK];

    memcpy(mixed, test_image_get(image, n), FB_DISK_BLOCK);
    for (size_t i = 0; i < FB_DISK_BLOCK / SECTOR; i++) {
        if ((sectors >> i & 1) != 0) {
            memcpy(mixed + i * SECTOR, test_block_bytes(block) + i * SECTOR, SECTOR);
        }
    }
    struct test_block *torn = test_block_new(mixed);
    test_image_put(image, n, torn);
    test_block_unref(torn);
}

static void settle_block(struct test_image *image, uint64_t n, struct test_block *block,
                         enum fate fate, struct test_random *chance)
{
    if (fate == KEPT) {
        test_image_put(image, n, block);
    } else if (fate == TORN) {
        tear_block(image, n, block, test_random_next(chance));
    }
}

/* A write is kept, lost, kept up to a point where it is torn, or each of its
 * blocks fares for itself. */
static void settle_write(struct test_image *image, const struct event *event,
                         struct test_random *chance)
{
    uint64_t first = event->what.offset / FB_DISK_BLOCK;
    size_t n = event->what.n / FB_DISK_BLOCK;
    uint64_t manner = test_random_below(chance, 4);
    size_t end = manner == 0 ? n : manner == 1 ? 0 : (size_t)test_random_below(chance, n);

    for (size_t i = 0; i < n; i++) {
        enum fate fate = i < end ? KEPT : LOST;
        if (manner == 2 && i == end) {
            fate = TORN;
        } else if (manner == 3) {
            fate = fates[test_random_below(chance, FB_ARRAY_LEN(fates))];
        }
        settle_block(image, first + i, event->blocks[i], fate, chance);
    }
}

static struct test_disk *cut_locked(const struct test_disk *disk, size_t n_events, uint64_t seed)
{
    struct test_random chance = {seed};
    const struct event *sync = last_sync(disk, n_events);
    size_t next = sync == NULL ? 0 : (size_t)(sync - disk->events) + 1;
    struct test_image image = test_image_copy(sync == NULL ? &disk->start : &sync->durable);

    for (; next < n_events; next++) {
        settle_write(&image, &disk->events[next], &chance);
    }
    return disk_of(image, disk->size);
}

struct test_disk *test_disk_cut(struct test_disk *disk, uint64_t seed)
{
    (void)pthread_mutex_lock(&disk->lock);
    struct test_disk *after = cut_locked(disk, disk->n_events, seed);
    (void)pthread_mutex_unlock(&disk->lock);
    return after;
}

struct test_disk *test_disk_cut_after(struct test_disk *disk, size_t n_events, uint64_t seed)
{
    (void)pthread_mutex_lock(&disk->lock);
    FB_REQUIRE(disk->n_forgotten == 0 && n_events <= disk->n_events);
    struct test_disk *after = cut_locked(disk, n_events, seed);
    (void)pthread_mutex_unlock(&disk->lock);
    return after;
}

struct test_disk *test_disk_clone(struct test_disk *disk)
{
    (void)pthread_mutex_lock(&disk->lock);
    struct test_disk *clone = disk_of(test_image_copy(&disk->now), disk->size);
    (void)pthread_mutex_unlock(&disk->lock);
    return clone;
}

/* ---- faults from outside ----------------------------------------------- */

void test_disk_fail(struct test_disk *disk, struct test_disk_fault fault)
{
    (void)pthread_mutex_lock(&disk->lock);
    disk->faults[fault.verb] = fault;
    disk->is_failing[fault.verb] = true;
    (void)pthread_mutex_unlock(&disk->lock);
}

void test_disk_heal(struct test_disk *disk)
{
    (void)pthread_mutex_lock(&disk->lock);
    memset(disk->is_failing, 0, sizeof(disk->is_failing));
    (void)pthread_mutex_unlock(&disk->lock);
}

void test_disk_set_present(struct test_disk *disk, bool is_present)
{
    (void)pthread_mutex_lock(&disk->lock);
    disk->is_absent = !is_present;
    (void)pthread_mutex_unlock(&disk->lock);
}

static void image_flip(struct test_image *image, uint64_t offset, unsigned bit)
{
    uint8_t bytes[FB_DISK_BLOCK];

    memcpy(bytes, test_image_get(image, offset / FB_DISK_BLOCK), FB_DISK_BLOCK);
    bytes[offset % FB_DISK_BLOCK] ^= (uint8_t)(1U << bit);
    struct test_block *block = test_block_new(bytes);
    test_image_put(image, offset / FB_DISK_BLOCK, block);
    test_block_unref(block);
}

void test_disk_flip(struct test_disk *disk, uint64_t offset, unsigned bit)
{
    FB_REQUIRE(offset < disk->size && bit < 8);
    (void)pthread_mutex_lock(&disk->lock);
    struct event *sync = last_sync(disk, disk->n_events);
    image_flip(&disk->now, offset, bit);
    image_flip(sync == NULL ? &disk->start : &sync->durable, offset, bit);
    (void)pthread_mutex_unlock(&disk->lock);
}

/* ---- held requests ----------------------------------------------------- */

void test_disk_hold(struct test_disk *disk, enum fb_disk_verb verb)
{
    (void)pthread_mutex_lock(&disk->lock);
    disk->is_holding[verb] = true;
    (void)pthread_mutex_unlock(&disk->lock);
}

size_t test_disk_n_held(struct test_disk *disk)
{
    (void)pthread_mutex_lock(&disk->lock);
    size_t n = disk->n_held;
    (void)pthread_mutex_unlock(&disk->lock);
    return n;
}

void test_disk_release(struct test_disk *disk)
{
    (void)pthread_mutex_lock(&disk->lock);
    struct fb_disk_io **held = disk->held;
    size_t n_held = disk->n_held;
    memset(disk->is_holding, 0, sizeof(disk->is_holding));
    disk->held = NULL;
    disk->n_held = 0;
    (void)pthread_mutex_unlock(&disk->lock);

    for (size_t i = 0; i < n_held; i++) {
        fb_disk_resume(held[i]);
    }
    fb_free(held);
}
