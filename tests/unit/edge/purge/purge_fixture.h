/*
 * What the tests of purges share: a log in a folder of its own, on a clock that is turned.
 */
#pragma once

#include "base/core/err.h"
#include "base/loop/loop.h"
#include "edge/purge/purge.h"
#include "tests/support/test_clock.h"
#include "tests/support/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct test_clock clock;
    struct test_folder folder;
    struct fb_loop *loop;
    struct edge_purges *purges;
    size_t max_rules;
};

static inline void open_purges(struct fixture *f, bool is_durable)
{
    struct fb_diag diag = {0};

    int err =
        edge_purges_open(&(struct edge_purges_options){.folder = is_durable ? f->folder.path : NULL,
                                                       .clock = &f->clock.clock,
                                                       .seed = 7,
                                                       .max_rules = f->max_rules},
                         &f->purges, &diag);
    if (err < 0) {
        fail_msg("%s", diag.text);
    }
}

static inline void reopen(struct fixture *f)
{
    edge_purges_close(f->purges);
    f->purges = NULL;
    open_purges(f, true);
}

static inline int set_up(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    f.clock = test_clock_at_start();
    f.folder = test_folder_new();
    assert_int_equal(fb_loop_new(&f.clock.clock, &f.loop), FB_OK);
    open_purges(&f, true);
    test_clock_advance_ms(&f.clock, 1000);
    *state = &f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    edge_purges_close(f->purges);
    fb_loop_free(f->loop);
    test_folder_done(&f->folder);
    return 0;
}

struct call {
    struct edge_purges_add add;
    bool is_done;
};

static inline void on_added(struct fb_op *op)
{
    FB_CONTAINER_OF(op, struct call, add.op)->is_done = true;
}

static inline int add_all(struct fixture *f, const struct edge_purge *purges, size_t n,
                          uint64_t *ret_epoch)
{
    struct call call = {.add = {.purges = purges, .n = n}};

    fb_op_init(&call.add.op, f->loop, on_added);
    edge_purges_add(f->purges, &call.add);
    while (!call.is_done) {
        fb_loop_turn_waiting(f->loop);
    }
    *ret_epoch = call.add.epoch;
    return call.add.op.result;
}

static inline uint64_t add(struct fixture *f, enum edge_purge_kind kind, bool is_soft,
                           const char *text)
{
    struct edge_purge purge = {.kind = kind, .is_soft = is_soft, .text = fb_str_from(text)};
    uint64_t epoch = 0;

    assert_int_equal(add_all(f, &purge, 1, &epoch), FB_OK);
    assert_int_equal(edge_purges_epoch(f->purges), epoch);
    return epoch;
}

static inline enum edge_purge_verdict judge(struct fixture *f, const char *key, const char *tags,
                                            uint64_t birth)
{
    struct edge_purge_subject subject = {
        .key = fb_str_from(key), .tags = fb_str_from(tags), .birth = birth};

    return edge_purges_judge(f->purges, &subject, NULL);
}

#define PURGE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
