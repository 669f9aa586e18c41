/*
 * What the tests of edge/store share: a store, a loop that is turned by hand, and
 * bodies that all hold the same pattern.
 */
#pragma once

#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "base/metrics/metrics.h"
#include "edge/store/store.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { LIMIT = 8 * 1024 * 1024, KIB = 1024, MIB = 1024 * KIB, PATTERN = 32 * MIB };

static char pattern[PATTERN]; /* what every body of these tests holds */

static inline char byte_at(uint64_t offset)
{
    return (char)((offset * 131 + (offset >> 8)) & 0x7f);
}

static inline void make_pattern(void)
{
    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = byte_at(i);
    }
}

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_metrics *metrics;
    struct edge_store *store;
    struct fb_arena arena;
    struct fb_headers none;
    struct fb_op op; /* a wait */
    unsigned n_done;
    int result;
};

static inline void set_up_with(struct fixture *f, enum edge_policy_kind policy)
{
    *f = (struct fixture){.clock = test_clock_at_start()};
    if (pattern[1] == 0) {
        make_pattern();
    }
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    f->metrics = fb_metrics_new();
    f->store = edge_store_new(&(struct edge_store_options){
        .memory_bytes = LIMIT,
        .policy = policy,
        .seed = 42,
        .clock = &f->clock.clock,
        .metrics = f->metrics,
    });
}

static inline int set_up(void **state)
{
    static struct fixture f;

    set_up_with(&f, EDGE_POLICY_S3FIFO);
    *state = &f;
    return 0;
}

static inline int set_up_lru(void **state)
{
    static struct fixture f;

    set_up_with(&f, EDGE_POLICY_LRU);
    *state = &f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_loop_turn(f->loop);
    assert_int_equal(edge_store_stats(f->store).n_trailing, 0);
    edge_store_free(f->store); /* requires that all memory came back */
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_store_bytes"), 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_store_objects"), 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_readers"), 0);
    fb_metrics_free(f->metrics);
    fb_loop_free(f->loop);
    fb_arena_done(&f->arena);
    return 0;
}

/* ---- making objects ---------------------------------------------------- */

static inline struct edge_object *create_with(struct fixture *f, const char *key, int64_t length,
                                              const struct fb_headers *response,
                                              const struct fb_headers *request)
{
    struct edge_object *object = NULL;
    struct edge_object_spec spec = {.key = fb_str_from(key),
                                    .request = request,
                                    .status = 200,
                                    .headers = response,
                                    .terms = {.lifetime_ms = 1000},
                                    .length = length};

    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_OK);
    return object;
}

static inline struct edge_object *create(struct fixture *f, const char *key, int64_t length)
{
    return create_with(f, key, length, &f->none, &f->none);
}

static inline struct edge_writer *write_from(struct fixture *f, struct edge_object *object,
                                             uint64_t offset)
{
    struct edge_writer *writer = NULL;

    assert_int_equal(edge_object_write(object, f->loop, offset, &writer), FB_OK);
    return writer;
}

static inline int try_append(struct edge_writer *writer, size_t n)
{
    uint64_t offset = edge_writer_offset(writer);

    assert_true(offset + n <= PATTERN);
    return edge_writer_append(writer, (struct fb_str){pattern + offset, n});
}

static inline void append(struct edge_writer *writer, size_t n)
{
    assert_int_equal(try_append(writer, n), FB_OK);
}

/* A whole object in the index, with no reference left to the caller. */
static inline void put(struct fixture *f, const char *key, size_t n)
{
    struct edge_object *object = create(f, key, (int64_t)n);
    struct edge_writer *writer = write_from(f, object, 0);

    edge_store_publish(f->store, f->loop, object);
    append(writer, n);
    edge_writer_finish(writer, FB_OK);
    edge_object_unref(object);
}

static inline struct edge_object *find(struct fixture *f, const char *key)
{
    return edge_store_find(f->store, fb_str_from(key), &f->none);
}

/* In memory, with all its bytes; does not count as a use. */
static inline bool is_there(struct fixture *f, const char *key)
{
    struct edge_object *object = find(f, key);
    bool is_held = object != NULL && edge_object_holds(object, 0, FB_LENGTH_UNKNOWN);

    edge_object_unref(object);
    return is_held;
}

/* Reads what is there, checks it, and returns what came after it. */
static inline int read_on(struct fb_reader *reader, uint64_t *offset)
{
    struct fb_slice slice;
    int err = FB_OK;

    while ((err = fb_reader_next(reader, &slice)) == FB_OK) {
        if (memcmp(slice.bytes.ptr, pattern + *offset, slice.bytes.len) != 0) {
            fail_msg("bytes after %llu are wrong", (unsigned long long)*offset);
        }
        *offset += slice.bytes.len;
        fb_slice_release(&slice);
    }
    return err;
}

static inline void assert_reads(struct fixture *f, struct edge_object *object, uint64_t from,
                                int64_t length, uint64_t want_end, int want)
{
    struct fb_reader *reader = edge_object_reader(object, f->loop, from, length, NULL);
    uint64_t offset = from;

    assert_int_equal(read_on(reader, &offset), want);
    assert_int_equal(offset, want_end);
    fb_reader_close(reader);
}

static inline void on_wait(struct fb_op *op)
{
    struct fixture *f = FB_CONTAINER_OF(op, struct fixture, op);
    f->n_done++;
    f->result = op->result;
}

static inline void start_wait(struct fixture *f, struct fb_reader *reader)
{
    fb_op_init(&f->op, f->loop, on_wait);
    fb_reader_wait(reader, &f->op);
}

/* A few turns, for mail and what it brings about. */
static inline void turn(struct fixture *f)
{
    for (unsigned i = 0; i < 3; i++) {
        fb_loop_turn(f->loop);
    }
}

static inline uint64_t used(struct fixture *f)
{
    return edge_store_stats(f->store).memory_bytes;
}

/* What of it is there from the start. */
static inline uint64_t own(struct fixture *f)
{
    return edge_store_stats(f->store).own_bytes;
}

static inline void on_purged(struct fb_op *op)
{
    (void)op;
}

/* Returns how many objects there were. */
static inline size_t purge(struct fixture *f, const char *key)
{
    struct edge_store_purge purge = {.key = fb_str_from(key)};

    fb_op_init(&purge.op, f->loop, on_purged);
    edge_store_purge(f->store, &purge);
    while (!fb_op_is_idle(&purge.op)) {
        fb_loop_turn(f->loop);
    }
    assert_int_equal(purge.op.result, FB_OK);
    return purge.n_objects;
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
