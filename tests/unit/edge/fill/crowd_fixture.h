/*
 * What the tests with threads share: loops of their own that use one store and one table of
 * fills, with clients that come and go, and bodies that arrive by themselves.
 *
 * Threads    A bench and all on it belong to its loop's thread; the crowd to the test's.
 */
#pragma once

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "base/loop/thread.h"
#include "edge/fill/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N_LOOPS = 3 };

struct crowd;

/* A loop, with its clients. */
struct bench {
    struct crowd *crowd;
    struct fb_loop *loop;
    struct fb_thread *thread;
    struct fb_post post;
    struct fb_op drain;
    unsigned n_clients; /* that are not done yet */
};

struct crowd {
    struct edge_store *store;
    struct edge_fill_table *table;
    struct bench benches[N_LOOPS];
    _Atomic unsigned n_fetches;
};

static inline uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return *seed >> 33;
}

/* ---- bodies that arrive by themselves ------------------------------------ */

/* First in what the test allocates for a body; closing frees it. `next` of the test's
 * reader tells from `n_turns` how much has come. */
struct auto_body {
    struct fb_reader reader;
    struct fb_loop *loop;
    struct fb_op *waiter;
    struct fb_post post;
    unsigned n_turns; /* that somebody waited for */
    bool is_posted;
    bool is_closed;
};

static inline void auto_on_mail(struct fb_post *post)
{
    struct auto_body *body = FB_CONTAINER_OF(post, struct auto_body, post);
    struct fb_op *waiter = body->waiter;

    if (body->is_closed) {
        fb_free(body);
        return;
    }
    body->is_posted = false;
    body->waiter = NULL;
    body->n_turns++;
    if (waiter != NULL) {
        fb_op_finish(waiter, FB_OK);
    }
}

static inline void auto_cancel(struct fb_op *op)
{
    struct auto_body *body = op->provider;
    body->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static inline void auto_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct auto_body *body = FB_CONTAINER_OF(reader, struct auto_body, reader);

    fb_op_begin(op, auto_cancel);
    op->provider = body;
    body->waiter = op;
    if (!body->is_posted) {
        body->is_posted = true;
        fb_loop_post(body->loop, &body->post);
    }
}

static inline void auto_close(struct fb_reader *reader)
{
    struct auto_body *body = FB_CONTAINER_OF(reader, struct auto_body, reader);

    body->is_closed = true;
    if (!body->is_posted) {
        fb_free(body);
    }
}

static inline void auto_init(struct auto_body *body, struct fb_loop *loop,
                             const struct fb_reader_ops *ops)
{
    body->reader.ops = ops;
    body->loop = loop;
    body->post.run = auto_on_mail;
}

/* ---- loops --------------------------------------------------------------- */

static inline void bench_on_drained(struct fb_op *op)
{
    fb_loop_stop(FB_CONTAINER_OF(op, struct bench, drain)->loop);
}

/* One client less; with the last one the loop ends. */
static inline void bench_leave(struct bench *bench)
{
    if (--bench->n_clients == 0) {
        fb_op_init(&bench->drain, bench->loop, bench_on_drained);
        edge_fill_drain(bench->crowd->table, bench->loop, &bench->drain);
    }
}

/* A number of its own for client `i` of a bench. */
static inline uint64_t bench_seed(const struct bench *bench, unsigned i)
{
    return (uint64_t)(bench - bench->crowd->benches) * bench->n_clients + i;
}

/* Runs `begin` on every loop, until the last client of each has left. */
static inline void crowd_run(struct crowd *crowd, void (*begin)(struct fb_post *post),
                             uint64_t memory, unsigned max_fills,
                             void (*fetch)(void *ctx, struct edge_fetch *fetch))
{
    fb_log_open(2, FB_LOG_FORMAT_TEXT, FB_LOG_NEVER);
    crowd->store = edge_store_new(
        &(struct edge_store_options){.memory_bytes = memory, .clock = fb_clock_system()});
    crowd->table = edge_fill_table_new(
        &(struct edge_fill_options){.store = crowd->store, .fetch = fetch, .max_fills = max_fills});
    for (unsigned i = 0; i < N_LOOPS; i++) {
        struct bench *bench = &crowd->benches[i];
        bench->crowd = crowd;
        bench->post.run = begin;
        assert_int_equal(fb_loop_new(fb_clock_system(), &bench->loop), FB_OK);
        assert_int_equal(fb_thread_start("bench", bench->loop, &bench->thread), FB_OK);
        fb_loop_post(bench->loop, &bench->post);
    }
    for (unsigned i = 0; i < N_LOOPS; i++) {
        fb_thread_join(crowd->benches[i].thread);
    }
    for (unsigned i = 0; i < N_LOOPS; i++) {
        for (unsigned n = 0; n < 4; n++) {
            fb_loop_turn(crowd->benches[i].loop); /* mail to whoever was closed */
        }
        fb_loop_free(crowd->benches[i].loop);
    }
    assert_int_equal(edge_fill_count(crowd->table), 0);
    edge_fill_table_free(crowd->table);
    edge_store_free(crowd->store);
}
