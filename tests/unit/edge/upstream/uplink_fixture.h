/*
 * What the tests of uplinks share. The client below is a fake: each server has a
 * plan, and every fetch is answered by the plan of the port it goes to.
 */
#pragma once

#include "base/client/client.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/metrics/metrics.h"
#include "edge/upstream/upstream.h"
#include "tests/support/test_clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N_SERVERS = 3, NEVER = 1, N_TURNS = 10 };

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_metrics *metrics;
    struct edge_upstreams *upstreams;
    struct edge_uplink *uplink;
    struct fb_arena arena;
    struct fb_request_head request;
    struct edge_fetch fetch;
    const struct edge_pool *pool; /* NULL: the node's */
    struct fb_reader *content;    /* of the request; NULL: none */
    struct fb_str key;
    unsigned avoided;
    unsigned n_done;
};

/* ---- the client -------------------------------------------------------- */

/* What its servers do: a status, an error, or NEVER. */
static int plans[N_SERVERS];
static unsigned asked[N_SERVERS];
static unsigned canceled[N_SERVERS];
static unsigned n_open_bodies;
static struct fb_header retry_after; /* of answers 503; no name: none */
static struct fb_fetch *unanswered[N_SERVERS];

struct fb_client {
    int unused;
};

static struct fb_client fake_client;

struct fb_client *fb_client_new(struct fb_loop *loop, const struct fb_client_limits *limits,
                                struct fb_metrics *metrics)
{
    (void)loop;
    (void)limits;
    (void)metrics;
    return &fake_client;
}

void fb_client_close(struct fb_client *client)
{
    assert_ptr_equal(client, &fake_client);
}

static inline int fake_body_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    (void)reader;
    (void)ret_slice;
    return FB_E_CLOSED; /* cut at once */
}

static inline void fake_body_close(struct fb_reader *reader)
{
    (void)reader;
    n_open_bodies--;
}

static const struct fb_reader_ops fake_body_ops = {.next = fake_body_next,
                                                   .close = fake_body_close};
static struct fb_reader fake_body = {.ops = &fake_body_ops};

static inline void fake_cancel(struct fb_op *op)
{
    for (size_t i = 0; i < N_SERVERS; i++) {
        if (unanswered[i] != NULL && &unanswered[i]->op == op) {
            unanswered[i] = NULL;
            canceled[i]++;
        }
    }
    fb_op_finish(op, FB_E_CANCELED);
}

/* Answers with a status, or an error. */
static inline void fake_answer(struct fb_fetch *fetch, int plan)
{
    if (plan > 0) {
        fetch->response = (struct fb_response_head){.status = (unsigned)plan};
        if (plan == 503 && retry_after.name.len > 0) {
            fetch->response.headers = (struct fb_headers){.items = &retry_after, .n = 1};
        }
        fetch->length = 5;
        fetch->body = &fake_body;
        n_open_bodies++;
    }
    fb_op_finish(&fetch->op, plan > 0 ? FB_OK : plan);
}

void fb_client_fetch(struct fb_client *client, struct fb_fetch *fetch)
{
    assert_ptr_equal(client, &fake_client);
    unsigned server = fetch->url.port - 1U;

    asked[server]++;
    fb_reader_close(fetch->request_body);
    fb_op_begin(&fetch->op, fake_cancel);
    if (plans[server] == NEVER) {
        unanswered[server] = fetch;
        return;
    }
    fake_answer(fetch, plans[server]);
}

static inline void answer_late(size_t server, int plan)
{
    struct fb_fetch *fetch = unanswered[server];

    unanswered[server] = NULL;
    fake_answer(fetch, plan);
}

/* ---- fixture ----------------------------------------------------------- */

static inline void *set_up_with(struct edge_upstreams_options options,
                                const struct edge_upstream_spec *servers)
{
    static struct fixture f;
    const struct edge_pool *pool = NULL;

    f = (struct fixture){.request = {.method = FB_METHOD_GET, .target = FB_STR("/x")}};
    memset(asked, 0, sizeof(asked));
    memset(canceled, 0, sizeof(canceled));
    memset((void *)unanswered, 0, sizeof(unanswered));
    retry_after = (struct fb_header){0};
    f.clock = test_clock_at_start();
    assert_int_equal(fb_loop_new(&f.clock.clock, &f.loop), FB_OK);
    f.metrics = fb_metrics_new();
    options.node = FB_STR("box-1");
    f.upstreams = edge_upstreams_new(&options, &f.clock.clock, f.metrics);
    assert_int_equal(edge_upstreams_pool(f.upstreams, servers, N_SERVERS, &pool, NULL), FB_OK);
    edge_upstreams_use(f.upstreams, NULL, &pool, 1);
    f.uplink = edge_uplink_new(f.upstreams, f.loop);
    return &f;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    struct edge_upstream_status status;

    assert_int_equal(n_open_bodies, 0);
    for (size_t i = 0; edge_upstreams_status(f->upstreams, i, &status); i++) {
        assert_int_equal(status.n_requests, 0);
    }
    edge_uplink_close(f->uplink);
    edge_upstreams_free(f->upstreams);
    fb_metrics_free(f->metrics);
    fb_arena_done(&f->arena);
    fb_loop_free(f->loop);
    return 0;
}

static inline void plan(int a, int b, int c)
{
    plans[0] = a;
    plans[1] = b;
    plans[2] = c;
}

static inline struct edge_upstream_status status_of(struct fixture *f, size_t index)
{
    struct edge_upstream_status status;

    assert_true(edge_upstreams_status(f->upstreams, index, &status));
    return status;
}

static inline bool is_up(struct fixture *f, size_t index)
{
    return status_of(f, index).is_up;
}

static inline void on_fetched(struct fb_op *op)
{
    FB_CONTAINER_OF(op, struct fixture, fetch.op)->n_done++;
}

static inline void begin(struct fixture *f)
{
    memset(asked, 0, sizeof(asked));
    memset(canceled, 0, sizeof(canceled));
    f->n_done = 0;
    f->fetch = (struct edge_fetch){.request = &f->request,
                                   .pool = f->pool,
                                   .key = f->key,
                                   .request_body = f->content,
                                   .request_length = f->content != NULL ? 7 : 0,
                                   .arena = &f->arena,
                                   .avoided = f->avoided};
    fb_op_init(&f->fetch.op, f->loop, on_fetched);
    edge_uplink_fetch(f->uplink, &f->fetch);
}

static inline void turn(struct fixture *f)
{
    for (int i = 0; i < N_TURNS; i++) {
        fb_loop_turn(f->loop);
    }
}

static inline void pass(struct fixture *f, uint64_t ms)
{
    test_clock_advance_ms(&f->clock, ms);
    turn(f);
}

/* The status, or the error, of a fetch that is over. */
static inline int outcome(struct fixture *f)
{
    assert_int_equal(f->n_done, 1);
    if (f->fetch.op.result < 0) {
        return f->fetch.op.result;
    }
    fb_reader_close(f->fetch.body);
    return (int)f->fetch.response.status;
}

static inline int fetch(struct fixture *f)
{
    begin(f);
    turn(f);
    return outcome(f);
}
