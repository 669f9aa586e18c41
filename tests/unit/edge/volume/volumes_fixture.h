/*
 * What the tests of the set share: disks in memory behind the paths "0", "1" …, one or two
 * loops turned by hand, and extents whose bytes follow from their key.
 */
#pragma once

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "edge/volume/opening.h"
#include "edge/volume/volumes.h"
#include "tests/support/test_clock.h"
#include "tests/support/test_disk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum {
    MIB = 1024 * 1024,
    MAX_DISKS = 4,
    N_LOOPS = 2,
    BODY = 5000,
    KEY_MAX = 32,
    PATIENCE_MS = 20000, /* of the real clock, for what threads do */
    QUIET_TURNS = 30
};

struct drive {
    struct test_disk *disk;
    bool is_out;         /* atomic: opening finds nothing */
    int open_err;        /* atomic: what opening fails with; FB_OK: it does not */
    uint64_t size;       /* atomic: that the last opening asked for */
    unsigned n_openings; /* atomic */
};

struct bank {
    struct test_clock clock;
    struct fb_loop *loops[N_LOOPS];
    struct edge_volumes *volumes;
    struct drive drives[MAX_DISKS];
    struct edge_volume_spec specs[MAX_DISKS];
    size_t n;
    unsigned n_given; /* extents that were taken, and have not been released */
};

static inline int bank_open(void *ctx, const char *path, const struct fb_disk_options *options,
                            struct fb_disk **ret_disk, struct fb_diag *diag)
{
    struct bank *bank = ctx;
    struct drive *drive = &bank->drives[path[0] - '0'];
    int err = __atomic_load_n(&drive->open_err, __ATOMIC_SEQ_CST);

    __atomic_store_n(&drive->size, options->size, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&drive->n_openings, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&drive->is_out, __ATOMIC_SEQ_CST)) {
        err = -ENOENT;
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "open '%s': %s", path, fb_err_text(err));
    }
    *ret_disk = test_disk_open(__atomic_load_n(&drive->disk, __ATOMIC_SEQ_CST));
    return FB_OK;
}

/* ---- time ---------------------------------------------------------------------- */

static inline void turn(struct bank *bank)
{
    for (size_t i = 0; i < N_LOOPS; i++) {
        fb_loop_turn(bank->loops[i]);
    }
}

static inline int64_t real_ms(void)
{
    return (int64_t)(fb_clock_mono_ms(fb_clock_system()));
}

/* Turns until `is_so`, or fails the test. With `passes` time goes by meanwhile. */
static inline void await(struct bank *bank, bool (*is_so)(void *ctx), void *ctx, bool passes)
{
    int64_t end_ms = real_ms() + PATIENCE_MS;

    while (!is_so(ctx)) {
        assert_true(real_ms() < end_ms);
        for (int i = 0; i < QUIET_TURNS; i++) {
            turn(bank);
        }
        if (passes) {
            test_clock_advance_ms(&bank->clock, 20);
        }
    }
}

static inline bool is_set(void *ctx)
{
    return *(const bool *)ctx;
}

static inline void await_flag(struct bank *bank, bool *flag)
{
    await(bank, is_set, flag, true);
}

/* ---- the set --------------------------------------------------------------------- */

static inline struct edge_volume_status status_of(struct bank *bank, size_t i)
{
    struct edge_volume_status status;

    edge_volumes_status(bank->volumes, i, &status);
    return status;
}

struct state_wanted {
    struct bank *bank;
    size_t i;
    enum edge_volume_state state;
};

static inline bool has_state(void *ctx)
{
    const struct state_wanted *wanted = ctx;

    return status_of(wanted->bank, wanted->i).state == wanted->state;
}

static inline void await_state(struct bank *bank, size_t i, enum edge_volume_state state)
{
    struct state_wanted wanted = {bank, i, state};

    await(bank, has_state, &wanted, true);
}

static inline struct bank *bank_new(size_t n, const uint64_t *sizes)
{
    static const char *const paths[MAX_DISKS] = {"0", "1", "2", "3"};
    struct bank *bank = FB_NEW(struct bank);

    bank->clock = test_clock_at_start();
    bank->n = n;
    for (size_t i = 0; i < N_LOOPS; i++) {
        assert_int_equal(fb_loop_new(&bank->clock.clock, &bank->loops[i]), FB_OK);
    }
    for (size_t i = 0; i < n; i++) {
        bank->drives[i].disk = test_disk_new(sizes[i]);
        bank->specs[i] = (struct edge_volume_spec){.path = paths[i], .size = sizes[i]};
    }
    return bank;
}

/* Makes the set and attaches the loops. */
static inline void bank_make(struct bank *bank, size_t n)
{
    bank->volumes = edge_volumes_new(&(struct edge_volumes_options){
        .volumes = bank->specs,
        .n = n,
        .node = FB_STR("box-1"),
        .clock = &bank->clock.clock,
        .open = bank_open,
        .open_ctx = bank,
    });
    for (size_t i = 0; i < N_LOOPS; i++) {
        assert_int_equal(edge_volumes_attach(bank->volumes, bank->loops[i]), FB_OK);
    }
}

static inline void bank_start(struct bank *bank, size_t n)
{
    bank_make(bank, n);
    edge_volumes_start(bank->volumes);
}

/* The first `n` serve. */
static inline void bank_serve(struct bank *bank, size_t n)
{
    bank_start(bank, n);
    for (size_t i = 0; i < n; i++) {
        await_state(bank, i, EDGE_VOLUME_ONLINE);
    }
}

struct waiting {
    struct fb_op op;
    bool is_done;
};

static inline void on_waited(struct fb_op *op)
{
    FB_CONTAINER_OF(op, struct waiting, op)->is_done = true;
}

/* One loop after the other, as whoever has several threads may not. */
static inline void bank_stop(struct bank *bank)
{
    for (size_t i = 0; i < N_LOOPS; i++) {
        struct waiting waiting = {0};

        fb_op_init(&waiting.op, bank->loops[i], on_waited);
        edge_volumes_drain(bank->volumes, bank->loops[i], &waiting.op);
        await_flag(bank, &waiting.is_done);
        assert_int_equal(waiting.op.result, FB_OK);
    }
    edge_volumes_free(bank->volumes);
    bank->volumes = NULL;
    assert_int_equal(bank->n_given, 0);
}

static inline void bank_free(struct bank *bank)
{
    if (bank->volumes != NULL) {
        bank_stop(bank);
    }
    for (size_t i = 0; i < N_LOOPS; i++) {
        fb_loop_free(bank->loops[i]);
    }
    for (size_t i = 0; i < bank->n; i++) {
        test_disk_free(bank->drives[i].disk);
    }
    fb_free(bank);
}

static inline void pull(struct bank *bank, size_t i)
{
    __atomic_store_n(&bank->drives[i].is_out, true, __ATOMIC_SEQ_CST);
    test_disk_set_present(bank->drives[i].disk, false);
}

static inline void put_back(struct bank *bank, size_t i)
{
    test_disk_set_present(bank->drives[i].disk, true);
    __atomic_store_n(&bank->drives[i].is_out, false, __ATOMIC_SEQ_CST);
}

/* ---- extents ------------------------------------------------------------------------ */

static inline struct fb_str key_of(unsigned key, char *text)
{
    int len = snprintf(text, KEY_MAX, "/key/%u", key);

    return (struct fb_str){text, (size_t)len};
}

static inline struct edge_extent_id id_of(unsigned key)
{
    char text[KEY_MAX];

    return (struct edge_extent_id){.fingerprint = edge_fingerprint_of(key_of(key, text)),
                                   .version = (uint64_t)(key + 1) << 32};
}

struct given {
    struct bank *bank;
    char bytes[BODY];
};

static inline void on_release(void *owner)
{
    struct given *given = owner;

    given->bank->n_given--;
    fb_free(given);
}

/* Writes the extent of `key`: one chunk of bytes that say so. */
static inline int give(struct bank *bank, unsigned key)
{
    char text[KEY_MAX];
    struct given *given = FB_NEW(struct given);
    struct edge_volume_write write = {
        .head = {.id = id_of(key),
                 .key = key_of(key, text),
                 .meta = FB_STR("meta"),
                 .length = BODY,
                 .mask = 1,
                 .wall_ms = bank->clock.wall_now_ms},
        .chunks = {{given->bytes, BODY}},
        .release = on_release,
        .owner = given,
    };

    given->bank = bank;
    memset(given->bytes, (int)(key % 251), BODY);
    bank->n_given++;
    int err = edge_volumes_write(bank->volumes, &write);
    if (err < 0) {
        on_release(given);
    }
    return err;
}

static inline int flush(struct bank *bank)
{
    struct waiting waiting = {0};

    fb_op_init(&waiting.op, bank->loops[0], on_waited);
    edge_volumes_flush(bank->volumes, &waiting.op);
    await_flag(bank, &waiting.is_done);
    return waiting.op.result;
}

static inline void give_many(struct bank *bank, unsigned n)
{
    for (unsigned key = 0; key < n; key++) {
        assert_int_equal(give(bank, key), FB_OK);
    }
    assert_int_equal(flush(bank), FB_OK);
}

struct purging {
    struct edge_volumes_purge purge;
    bool is_done;
};

static inline void on_purged(struct fb_op *op)
{
    struct edge_volumes_purge *purge = FB_CONTAINER_OF(op, struct edge_volumes_purge, op);

    FB_CONTAINER_OF(purge, struct purging, purge)->is_done = true;
}

static inline void start_purge(struct bank *bank, struct purging *purging, size_t loop,
                               unsigned key)
{
    *purging = (struct purging){.purge.fingerprint = id_of(key).fingerprint};
    fb_op_init(&purging->purge.op, bank->loops[loop], on_purged);
    edge_volumes_purge(bank->volumes, &purging->purge);
}

static inline int purge(struct bank *bank, unsigned key, size_t *ret_n)
{
    struct purging purging;

    start_purge(bank, &purging, 1, key);
    await_flag(bank, &purging.is_done);
    *ret_n = purging.purge.n_extents;
    return purging.purge.op.result;
}

struct reading {
    struct edge_volume_read read;
    char key[KEY_MAX];
    bool is_done;
};

static inline void on_read(struct fb_op *op)
{
    struct edge_volume_read *read = FB_CONTAINER_OF(op, struct edge_volume_read, op);

    FB_CONTAINER_OF(read, struct reading, read)->is_done = true;
}

static inline bool find(struct bank *bank, unsigned key, struct edge_volume_place *ret_place)
{
    struct edge_extent_id id = id_of(key);

    return edge_volumes_find(bank->volumes, &id, 0, 0, ret_place);
}

static inline void start_read(struct bank *bank, struct reading *reading, size_t loop, unsigned key,
                              const struct edge_volume_place *place)
{
    *reading = (struct reading){0};
    reading->read = (struct edge_volume_read){
        .place = *place,
        .id = id_of(key),
        .key = key_of(key, reading->key),
        .memory = fb_disk_buffer(edge_volumes_read_bytes(place)),
    };
    fb_op_init(&reading->read.op, bank->loops[loop], on_read);
    edge_volumes_read(bank->volumes, &reading->read);
}

/* Looks up and reads; what comes back is what was written. */
static inline int get(struct bank *bank, size_t loop, unsigned key)
{
    struct edge_volume_place place;
    struct reading reading;

    if (!find(bank, key, &place)) {
        return FB_E_NOT_FOUND;
    }
    start_read(bank, &reading, loop, key, &place);
    await_flag(bank, &reading.is_done);
    if (reading.read.op.result == FB_OK) {
        assert_int_equal(reading.read.bytes.len, BODY);
        for (size_t i = 0; i < BODY; i++) {
            assert_int_equal((unsigned char)reading.read.bytes.ptr[i], key % 251);
        }
        assert_true(fb_str_equal(reading.read.head.meta, FB_STR("meta")));
    }
    fb_free(reading.read.memory);
    return reading.read.op.result;
}

/* How many of the first `n` keys are found on volume `i`; all of them if it is negative. */
static inline unsigned count_found(struct bank *bank, unsigned n, int i)
{
    unsigned found = 0;

    for (unsigned key = 0; key < n; key++) {
        struct edge_volume_place place;

        if (find(bank, key, &place) && (i < 0 || place.volume == (unsigned)i)) {
            found++;
        }
    }
    return found;
}
