/*
 * Many fetches at once over servers that do anything: whatever comes, each fetch ends once, its
 * body can be closed, and nothing is left under way.
 */
#include "base/client/client.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/loop/loop.h"
#include "base/metrics/metrics.h"
#include "edge/upstream/upstream.h"
#include "tests/support/test_clock.h"
#include "tests/support/test_random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N_SERVERS = 4, N_FETCHES = 24, N_STEPS = 3000, N_RUNS = 20, MAX_PENDING = 2 * N_FETCHES };

/* ---- the client: it answers when the dice say so ----------------------- */

struct fb_client {
    int unused;
};

static struct fb_client fake_client;
static struct fb_fetch *pending[MAX_PENDING];
static size_t n_pending;
static unsigned n_open_bodies;

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
    (void)client;
}

static void pending_remove(size_t i)
{
    pending[i] = pending[--n_pending];
}

static void fake_cancel(struct fb_op *op)
{
    for (size_t i = 0; i < n_pending; i++) {
        if (&pending[i]->op == op) {
            pending_remove(i);
            break;
        }
    }
    fb_op_finish(op, FB_E_CANCELED);
}

void fb_client_fetch(struct fb_client *client, struct fb_fetch *fetch)
{
    (void)client;
    assert_true(n_pending < MAX_PENDING);
    fb_op_begin(&fetch->op, fake_cancel);
    pending[n_pending++] = fetch;
}

static int body_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    (void)reader;
    (void)ret_slice;
    return n_open_bodies % 3 == 0 ? FB_E_CLOSED : FB_E_END;
}

static void body_close(struct fb_reader *reader)
{
    (void)reader;
    n_open_bodies--;
}

static const struct fb_reader_ops body_ops = {.next = body_next, .close = body_close};
static struct fb_reader fake_body = {.ops = &body_ops};

static void answer(size_t i, unsigned dice)
{
    static const int outcomes[] = {200,          200,         200,      200, 404,
                                   502,          503,         504,      508, -ECONNREFUSED,
                                   FB_E_TIMEOUT, FB_E_CLOSED, FB_E_BUSY};
    struct fb_fetch *fetch = pending[i];
    int outcome = outcomes[dice % FB_ARRAY_LEN(outcomes)];

    pending_remove(i);
    if (outcome > 0) {
        fetch->response = (struct fb_response_head){.status = (unsigned)outcome};
        fetch->body = &fake_body;
        n_open_bodies++;
    }
    fb_op_finish(&fetch->op, outcome > 0 ? FB_OK : outcome);
}

/* ---- fetches ----------------------------------------------------------- */

struct caller {
    struct edge_fetch fetch;
    struct fb_arena arena;
    bool is_running;
    bool has_body;
};

static struct fb_request_head request = {.method = FB_METHOD_GET, .target = FB_STR("/x")};

static void on_fetched(struct fb_op *op)
{
    struct caller *caller = FB_CONTAINER_OF(op, struct caller, fetch.op);

    assert_true(caller->is_running);
    caller->is_running = false;
    caller->has_body = op->result == FB_OK;
    assert_true(op->result == FB_OK || op->result == FB_E_CANCELED || op->result == FB_E_BUSY ||
                op->result == FB_E_TIMEOUT || op->result == FB_E_UNAVAILABLE);
}

static void caller_begin(struct caller *caller, struct edge_uplink *uplink, struct fb_loop *loop,
                         unsigned dice)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e"};

    fb_arena_done(&caller->arena);
    caller->is_running = true;
    caller->fetch = (struct edge_fetch){.request = &request,
                                        .key = fb_str_from(keys[dice % FB_ARRAY_LEN(keys)]),
                                        .avoided = dice % 7 == 0 ? 1U << dice / 7 % 4 : 0,
                                        .arena = &caller->arena};
    fb_op_init(&caller->fetch.op, loop, on_fetched);
    edge_uplink_fetch(uplink, &caller->fetch);
}

static void caller_end(struct caller *caller)
{
    struct fb_slice slice;

    if (caller->has_body) {
        FB_IGNORE(fb_reader_next(caller->fetch.body, &slice));
        fb_reader_close(caller->fetch.body);
        caller->has_body = false;
    }
}

static void caller_step(struct caller *caller, struct edge_uplink *uplink, struct fb_loop *loop,
                        unsigned dice)
{
    if (caller->has_body) {
        caller_end(caller);
    } else if (!caller->is_running) {
        caller_begin(caller, uplink, loop, dice);
    } else if (dice % 4 == 0) {
        fb_op_cancel(&caller->fetch.op);
    }
}

/* ---- the test ---------------------------------------------------------- */

static void run(struct test_random *dice)
{
    static const struct edge_upstream_spec servers[N_SERVERS] = {
        {.url = FB_STR("http://a:1"), .tier = EDGE_TIER_REGIONAL},
        {.url = FB_STR("http://b:2"), .tier = EDGE_TIER_REGIONAL, .weight = 2},
        {.url = FB_STR("http://c:3")},
        {.url = FB_STR("http://d:4")}};
    struct edge_upstreams_options options = {.node = FB_STR("box-1"),
                                             .hedge_after = EDGE_HEDGE_FIXED,
                                             .hedge_least_ms = 20,
                                             .hedge_share = 100,
                                             .failure_share = 50,
                                             .slow_start_ms = 300,
                                             .retry_share = 100,
                                             .max_requests = 8};
    struct caller callers[N_FETCHES] = {0};
    struct test_clock clock = test_clock_at_start();
    struct fb_loop *loop = NULL;
    const struct edge_pool *pool = NULL;
    struct edge_upstream_status status;

    assert_int_equal(fb_loop_new(&clock.clock, &loop), FB_OK);
    struct edge_upstreams *upstreams = edge_upstreams_new(&options, &clock.clock, NULL);
    assert_int_equal(edge_upstreams_pool(upstreams, servers, N_SERVERS, &pool, NULL), FB_OK);
    edge_upstreams_use(upstreams, NULL, &pool, 1);
    struct edge_uplink *uplink = edge_uplink_new(upstreams, loop);
    for (int i = 0; i < N_STEPS; i++) {
        unsigned what = (unsigned)test_random_below(dice, 8);
        unsigned more = (unsigned)test_random_below(dice, 1000);
        if (what < 4) {
            caller_step(&callers[more % N_FETCHES], uplink, loop, more);
        } else if (what < 6 && n_pending > 0) {
            answer(more % n_pending, more / 7);
        } else if (what == 6) {
            test_clock_advance_ms(&clock, more % 60);
        }
        if (what != 7) {
            fb_loop_turn(loop);
        }
    }
    for (size_t i = 0; i < N_FETCHES; i++) {
        if (callers[i].is_running) {
            fb_op_cancel(&callers[i].fetch.op);
        }
    }
    for (int i = 0; i < 10; i++) {
        fb_loop_turn(loop);
    }
    for (size_t i = 0; i < N_FETCHES; i++) {
        assert_false(callers[i].is_running);
        caller_end(&callers[i]);
        fb_arena_done(&callers[i].arena);
    }
    assert_int_equal(n_pending, 0);
    assert_int_equal(n_open_bodies, 0);
    for (size_t i = 0; edge_upstreams_status(upstreams, i, &status); i++) {
        assert_int_equal(status.n_requests, 0);
        assert_int_not_equal(status.state, EDGE_UPSTREAM_PROBING);
    }
    edge_uplink_close(uplink);
    edge_upstreams_free(upstreams);
    fb_loop_free(loop);
}

static void every_fetch_ends_once_and_leaves_nothing(void **state)
{
    (void)state;
    struct test_random dice = test_random_new();

    fb_log_open(2, FB_LOG_FORMAT_TEXT, FB_LOG_NEVER);
    for (int i = 0; i < N_RUNS; i++) {
        run(&dice);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fetch_ends_once_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
