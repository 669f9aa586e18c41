/*
 * What the tests of one volume share: a world of a loop that is turned by hand, a disk in
 * memory with small zones, a volume on it, and extents whose bytes follow from key and
 * version, so that any byte that comes back can be judged.
 */
#pragma once

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/mix.h"
#include "base/disk/queue.h"
#include "base/loop/loop.h"
#include "edge/format/format.h"
#include "edge/volume/volume.h"
#include "tests/support/test_clock.h"
#include "tests/support/test_disk.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    KIB = 1024,
    BLOCK = EDGE_FORMAT_BLOCK,
    SMALL_ZONE = 512 * KIB,
    SMALL_ZONES = 8,
    KEY_MAX = 32,
    MAX_TURNS = 20000
};

struct world {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_disk_queue *queue;
    struct test_disk *disk;
    struct fb_disk *opened;
    struct edge_superblock superblock;
    struct edge_volume *volume;
    uint64_t daily_bytes;
    uint64_t scrub_rate;

    unsigned n_given; /* chunks that the volume took, and has not given back */
    unsigned n_failed;
    int fail_err;
};

/* A number from the environment, to make a sampled sweep complete. */
static inline uint64_t test_option(const char *name, uint64_t usual)
{
    uint64_t value = 0;

    return fb_str_to_u64(fb_str_from(getenv(name)), &value) == FB_OK ? value : usual;
}

/* ---- extents ---------------------------------------------------------------- */

static inline uint64_t mix(uint64_t x)
{
    return fb_draw(&x);
}

/* Versions differ in their upper half, which is what an index compares. */
static inline struct edge_extent_id id_of(unsigned key, unsigned version, uint32_t number)
{
    return (struct edge_extent_id){
        .fingerprint = mix(key + 1),
        .version = version == 0 ? 0 : (uint64_t)version << 32 | (mix(version) & UINT32_MAX),
        .number = number,
    };
}

static inline unsigned version_of(uint64_t version)
{
    return (unsigned)(version >> 32);
}

static inline struct fb_str key_of(unsigned key, char *text)
{
    int len = snprintf(text, KEY_MAX, "/key/%u", key);
    return (struct fb_str){text, (size_t)len};
}

/* The first bytes differ from block to block, the rest is cheap. */
static inline void fill_bytes(char *bytes, size_t n, unsigned key, unsigned version, uint64_t chunk)
{
    memset(bytes, (int)(version & 0x7f), n);
    for (size_t at = 0; at + sizeof(uint64_t) <= n; at += 512) {
        uint64_t word = mix((uint64_t)key << 40 ^ (uint64_t)version << 16 ^ chunk ^ at << 20);
        memcpy(bytes + at, &word, sizeof(word));
    }
}

static inline bool bytes_are(struct fb_str bytes, unsigned key, unsigned version, uint64_t chunk)
{
    char *wanted = fb_alloc(bytes.len);
    fill_bytes(wanted, bytes.len, key, version, chunk);
    bool are = memcmp(wanted, bytes.ptr, bytes.len) == 0;
    fb_free(wanted);
    return are;
}

struct given {
    struct world *world;
    char *chunks[EDGE_EXTENT_CHUNKS];
};

static inline void on_release(void *owner)
{
    struct given *given = owner;
    given->world->n_given--;
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        fb_free(given->chunks[i]);
    }
    fb_free(given);
}

struct extent {
    unsigned key;
    unsigned version;
    uint32_t number;
    uint64_t length; /* of the object */
    uint8_t mask;    /* 0: all that the object has of it */
};

static inline int give(struct world *w, const struct extent *extent)
{
    char text[KEY_MAX];
    struct given *given = FB_NEW(struct given);
    struct edge_volume_write write = {
        .head =
            {
                .id = id_of(extent->key, extent->version, extent->number),
                .key = key_of(extent->key, text),
                .meta = FB_STR("meta"),
                .length = extent->length,
                .title = extent->key,
                .wall_ms = w->clock.wall_now_ms,
            },
        .release = on_release,
        .owner = given,
    };

    given->world = w;
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        uint64_t chunk = (uint64_t)extent->number * EDGE_EXTENT_CHUNKS + i;
        uint32_t n = edge_chunk_bytes(extent->length, chunk);
        if (n > 0 && (extent->mask == 0 || (extent->mask >> i & 1) != 0)) {
            given->chunks[i] = fb_alloc(n);
            fill_bytes(given->chunks[i], n, extent->key, extent->version, chunk);
            write.chunks[i] = (struct fb_str){given->chunks[i], n};
            write.head.mask |= (uint8_t)(1U << i);
        }
    }
    w->n_given++;
    int err = edge_volume_write(w->volume, &write);
    if (err < 0) {
        on_release(given);
    }
    return err;
}

/* ---- time --------------------------------------------------------------------- */

/* Turns until what is going on has come to rest, without letting time pass. */
static inline void turn_all(struct world *w)
{
    for (int i = 0; i < 40; i++) {
        fb_loop_turn(w->loop);
    }
}

static inline void pass_ms(struct world *w, uint64_t ms)
{
    turn_all(w);
    test_clock_advance_ms(&w->clock, ms);
    turn_all(w);
}

/* An op that a test waits for. */
struct waiting {
    struct fb_op op;
    bool is_done;
};

static inline void on_waited(struct fb_op *op)
{
    FB_CONTAINER_OF(op, struct waiting, op)->is_done = true;
}

/* Turns until `is_done`; time passes when nothing else happens. */
static inline void await_flag(struct world *w, const bool *is_done)
{
    for (int i = 0; i < MAX_TURNS && !*is_done; i++) {
        fb_loop_turn(w->loop);
        if (i % 50 == 49) {
            test_clock_advance_ms(&w->clock, 50);
        }
    }
    assert_true(*is_done);
}

/* ---- the volume ------------------------------------------------------------------ */

static inline void on_failed(void *ctx, int err)
{
    struct world *w = ctx;
    w->n_failed++;
    w->fail_err = err;
}

static inline struct edge_superblock small_superblock(uint64_t zone_bytes, uint32_t n_zones)
{
    struct edge_superblock superblock = {
        .uuid = {7, 1, 2, 3},
        .node = "node",
        .zone_bytes = zone_bytes,
        .n_zones = n_zones,
        .checkpoint_offset = 2 * BLOCK,
        .checkpoint_bytes = 64 * KIB,
    };
    superblock.zones_offset = superblock.checkpoint_offset + 2 * superblock.checkpoint_bytes;
    superblock.size = superblock.zones_offset + n_zones * zone_bytes;
    return superblock;
}

static inline struct world world_on(struct test_disk *disk,
                                    const struct edge_superblock *superblock)
{
    return (struct world){.clock = test_clock_at_start(), .disk = disk, .superblock = *superblock};
}

/* A loop, a queue and the disk; the struct stays where it is from here on. */
static inline void world_begin(struct world *w)
{
    assert_int_equal(fb_loop_new(&w->clock.clock, &w->loop), FB_OK);
    assert_int_equal(fb_disk_queue_new(
                         w->loop, &(struct fb_disk_queue_options){.without_ring = true}, &w->queue),
                     FB_OK);
    w->opened = test_disk_open(w->disk);
}

static inline void make_volume(struct world *w)
{
    w->volume = edge_volume_new(&(struct edge_volume_options){
        .loop = w->loop,
        .queue = w->queue,
        .disk = w->opened,
        .superblock = &w->superblock,
        .daily_bytes = w->daily_bytes,
        .scrub_rate = w->scrub_rate,
        .failed = on_failed,
        .ctx = w,
    });
}

static inline int recover(struct world *w)
{
    struct waiting waiting = {0};
    fb_op_init(&waiting.op, w->loop, on_waited);
    edge_volume_recover(w->volume, &waiting.op);
    await_flag(w, &waiting.is_done);
    return waiting.op.result;
}

static inline int drain(struct world *w)
{
    struct waiting waiting = {0};
    fb_op_init(&waiting.op, w->loop, on_waited);
    edge_volume_drain(w->volume, &waiting.op);
    await_flag(w, &waiting.is_done);
    return waiting.op.result;
}

static inline void suspend(struct world *w)
{
    struct waiting waiting = {0};
    fb_op_init(&waiting.op, w->loop, on_waited);
    edge_volume_suspend(w->volume, &waiting.op);
    await_flag(w, &waiting.is_done);
    assert_int_equal(waiting.op.result, FB_OK);
}

static inline int resume(struct world *w)
{
    struct waiting waiting = {0};
    fb_op_init(&waiting.op, w->loop, on_waited);
    edge_volume_resume(w->volume, w->opened, &waiting.op);
    await_flag(w, &waiting.is_done);
    return waiting.op.result;
}

/* As after a crash: nothing is written any more. */
static inline void crash(struct world *w)
{
    suspend(w);
    FB_IGNORE(drain(w));
    edge_volume_free(w->volume);
    w->volume = NULL;
    assert_int_equal(w->n_given, 0);
}

static inline void world_end(struct world *w)
{
    if (w->volume != NULL) {
        FB_IGNORE(drain(w));
        edge_volume_free(w->volume);
    }
    assert_int_equal(w->n_given, 0);
    fb_disk_close(w->opened);
    fb_disk_queue_free(w->queue);
    fb_loop_free(w->loop);
}

/* ---- requests ---------------------------------------------------------------------- */

struct asking {
    struct edge_volume_request request;
    bool is_done;
};

static inline void on_asked(struct fb_op *op)
{
    struct edge_volume_request *request = FB_CONTAINER_OF(op, struct edge_volume_request, op);
    FB_CONTAINER_OF(request, struct asking, request)->is_done = true;
}

static inline int flush(struct world *w)
{
    struct asking asking = {0};
    fb_op_init(&asking.request.op, w->loop, on_asked);
    edge_volume_flush(w->volume, &asking.request);
    await_flag(w, &asking.is_done);
    return asking.request.op.result;
}

static inline int purge(struct world *w, unsigned key)
{
    struct asking asking = {.request.fingerprint = id_of(key, 0, 0).fingerprint};
    fb_op_init(&asking.request.op, w->loop, on_asked);
    edge_volume_purge(w->volume, &asking.request);
    await_flag(w, &asking.is_done);
    return asking.request.op.result;
}

struct reading {
    struct edge_volume_read read;
    bool is_done;
    char *memory;
    char key[KEY_MAX];
};

static inline void on_was_read(struct fb_op *op)
{
    struct edge_volume_read *read = FB_CONTAINER_OF(op, struct edge_volume_read, op);
    FB_CONTAINER_OF(read, struct reading, read)->is_done = true;
}

static inline void start_read(struct world *w, struct reading *reading, unsigned key,
                              const struct edge_extent_id *id, int chunk,
                              const struct edge_place *place)
{
    *reading = (struct reading){0};
    reading->memory = fb_disk_buffer(edge_volume_read_bytes(place));
    reading->read = (struct edge_volume_read){
        .place.place = *place,
        .id = *id,
        .key = key_of(key, reading->key),
        .chunk = chunk,
        .memory = reading->memory,
    };
    fb_op_init(&reading->read.op, w->loop, on_was_read);
    edge_volume_read(w->volume, w->queue, &reading->read);
}

/* Reads chunk `chunk` of the newest extent of the key. Whatever comes back is what was written
 * once under that key. Returns the version, or 0: nothing to be had, with the reason. */
static inline unsigned look(struct world *w, unsigned key, uint32_t number, int chunk,
                            int *ret_result)
{
    struct edge_extent_id id = id_of(key, 0, number);
    struct edge_place place;
    struct reading reading;
    unsigned version = 0;

    *ret_result = FB_E_NOT_FOUND;
    if (!edge_volume_find(w->volume, &id, chunk, 0, &place)) {
        return 0;
    }
    start_read(w, &reading, key, &id, chunk, &place);
    await_flag(w, &reading.is_done);
    *ret_result = reading.read.op.result;
    if (*ret_result == FB_OK) {
        uint64_t found = (uint64_t)number * EDGE_EXTENT_CHUNKS + (uint64_t)reading.read.found_chunk;
        version = version_of(reading.read.head.id.version);
        assert_true(chunk < 0 || (unsigned)chunk == reading.read.found_chunk);
        assert_true(fb_str_equal(reading.read.head.meta, FB_STR("meta")));
        assert_int_equal(reading.read.bytes.len, edge_chunk_bytes(reading.read.head.length, found));
        assert_true(bytes_are(reading.read.bytes, key, version, found));
    }
    fb_free(reading.memory);
    return version;
}

/* As look(), of chunk 0. */
static inline unsigned version_read(struct world *w, unsigned key)
{
    int result = FB_OK;
    return look(w, key, 0, 0, &result);
}

static inline int give_small(struct world *w, unsigned key, unsigned version, uint64_t length)
{
    struct extent extent = {.key = key, .version = version, .length = length};
    return give(w, &extent);
}
