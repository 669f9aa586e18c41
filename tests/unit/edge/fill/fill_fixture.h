/*
 * What the tests of edge/fill share: a table and a store on one loop, joiners, and an
 * upstream that answers by hand.
 */
#pragma once

#include "base/core/check.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "edge/fill/fill.h"
#include "fake_upstream.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The store's; tests of large bodies want more of it. */
#ifndef FIXTURE_MEMORY
#define FIXTURE_MEMORY LIMIT
#endif

/* The table's, beside what all have. */
#ifndef FIXTURE_VERIFIES
#define FIXTURE_VERIFIES false
#endif
#ifndef FIXTURE_PERCENT
#define FIXTURE_PERCENT 0
#endif
#ifndef FIXTURE_MISSING
#define FIXTURE_MISSING 0
#endif

enum { MAX_JOINERS = 8, MAX_FILLS = 4, LIMIT = 4 * 1024 * 1024 };

#define KEEP "Cache-Control: max-age=60\n"

struct joiner {
    struct edge_fill_join join;
    struct fb_request_head request;
    unsigned n_done;
    int result;
};

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_metrics *metrics;
    struct edge_store *store;
    struct edge_fill_table *table;
    struct fake_upstream upstream;
    struct fb_arena arena;
    struct joiner joiners[MAX_JOINERS];
    struct fb_op drain;
    unsigned n_drained;
};

static inline void assert_store_is_empty(const struct edge_store *store)
{
    struct edge_store_stats stats = edge_store_stats(store);

    assert_int_equal(stats.memory_bytes, stats.own_bytes);
}

static inline int set_up(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    f.clock = test_clock_at_start();
    fb_log_open(2, FB_LOG_FORMAT_TEXT, FB_LOG_NEVER);
    assert_int_equal(fb_loop_new(&f.clock.clock, &f.loop), FB_OK);
    f.metrics = fb_metrics_new();
    f.store = edge_store_new(&(struct edge_store_options){
        .memory_bytes = FIXTURE_MEMORY, .clock = &f.clock.clock, .metrics = f.metrics});
    f.table = edge_fill_table_new(&(struct edge_fill_options){.store = f.store,
                                                              .max_fills = MAX_FILLS,
                                                              .verifies_digests = FIXTURE_VERIFIES,
                                                              .complete_percent = FIXTURE_PERCENT,
                                                              .complete_missing = FIXTURE_MISSING,
                                                              .fetch = fake_fetch,
                                                              .metrics = f.metrics});
    *state = &f;
    return 0;
}

static inline void turn(struct fixture *f)
{
    for (unsigned i = 0; i < 4; i++) {
        fb_loop_turn(f->loop);
    }
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    turn(f);
    assert_int_equal(edge_fill_count(f->table), 0);
    assert_int_equal(f->upstream.n_bodies_open, 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_readers"), 0);
    edge_fill_table_free(f->table);
    edge_store_free(f->store);
    fb_metrics_free(f->metrics);
    fb_loop_free(f->loop);
    fb_arena_done(&f->arena);
    return 0;
}

/* ---- joiners ----------------------------------------------------------- */

static inline void on_joined(struct fb_op *op)
{
    struct joiner *joiner = FB_CONTAINER_OF(op, struct joiner, join.op);
    joiner->n_done++;
    joiner->result = op->result;
}

/* Joiner `i` asks for `key`, with one field "Name: value" or none. */
static inline struct joiner *join(struct fixture *f, unsigned i, const char *key, const char *field,
                                  struct edge_object *stale)
{
    struct joiner *joiner = &f->joiners[i];

    joiner->request = (struct fb_request_head){.method = FB_METHOD_GET};
    if (field != NULL) {
        struct fb_str line = fb_str_from(field);
        size_t colon = fb_str_find(line, ':');
        fb_headers_add(&joiner->request.headers, &f->arena, fb_str_first(line, colon),
                       fb_str_trim(fb_str_skip(line, colon + 1)));
    }
    joiner->n_done = 0;
    fb_op_init(&joiner->join.op, f->loop, on_joined);
    joiner->join.ask = (struct edge_fill_ask){.key = fb_str_from(key),
                                              .request = &joiner->request,
                                              .stale = stale,
                                              .upstream = &f->upstream};
    edge_fill_join(f->table, &joiner->join);
    return joiner;
}

static inline void assert_outcome(const struct joiner *joiner, enum edge_fill_outcome outcome)
{
    assert_int_equal(joiner->n_done, 1);
    assert_int_equal(joiner->result, FB_OK);
    assert_int_equal(joiner->join.outcome, outcome);
}

static inline void assert_failed(const struct joiner *joiner, int err)
{
    assert_int_equal(joiner->n_done, 1);
    assert_int_equal(joiner->result, err);
}

static inline struct edge_object *take_object(struct joiner *joiner)
{
    struct edge_object *object = joiner->join.object;

    assert_outcome(joiner, EDGE_FILL_OBJECT);
    assert_non_null(object);
    joiner->join.object = NULL;
    return object;
}

static inline void drop_object(struct joiner *joiner)
{
    edge_object_unref(take_object(joiner));
}

static inline void drop_pass(struct joiner *joiner)
{
    assert_outcome(joiner, EDGE_FILL_PASS);
    assert_non_null(joiner->join.pass);
    edge_pass_free(joiner->join.pass);
    joiner->join.pass = NULL;
}

/* Reads all that is there as text, and returns what came after it. */
static inline int read_text(struct fb_reader *reader, char text[64])
{
    struct fb_slice slice;
    size_t len = 0;
    int err = FB_OK;

    while ((err = fb_reader_next(reader, &slice)) == FB_OK) {
        FB_REQUIRE(len + slice.bytes.len < 64);
        memcpy(text + len, slice.bytes.ptr, slice.bytes.len);
        len += slice.bytes.len;
        fb_slice_release(&slice);
    }
    text[len] = '\0';
    return err;
}

static inline void assert_text(struct fb_reader *reader, const char *want, int end)
{
    char text[64];

    assert_int_equal(read_text(reader, text), end);
    assert_string_equal(text, want);
}

static inline void assert_body(struct fixture *f, struct edge_object *object, const char *want,
                               int end)
{
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);

    assert_text(reader, want, end);
    fb_reader_close(reader);
}

static inline struct edge_object *find(struct fixture *f, const char *key)
{
    struct fb_headers none = {0};
    return edge_store_find(f->store, fb_str_from(key), &none);
}

static inline bool is_stored(struct fixture *f, const char *key)
{
    struct edge_object *object = find(f, key);
    bool is_found = object != NULL;

    edge_object_unref(object);
    return is_found;
}

static inline struct fb_str sent(struct fixture *f, unsigned i, const char *name)
{
    return fb_headers_find(&f->upstream.fetches[i]->request->headers, fb_str_from(name));
}

static inline void on_drained(struct fb_op *op)
{
    FB_CONTAINER_OF(op, struct fixture, drain)->n_drained++;
}

static inline void drain(struct fixture *f)
{
    fb_op_init(&f->drain, f->loop, on_drained);
    edge_fill_drain(f->table, f->loop, &f->drain);
}

#define FILL_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
