/*
 * The client below is a fake: each server has a plan, and every fetch is
 * answered by the plan of the port it goes to.
 */
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
#include <string.h>

#include <cmocka.h>

enum { N_SERVERS = 3, NEVER = 1 };

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_metrics *metrics;
    struct edge_upstreams *upstreams;
    struct edge_uplink *uplink;
    struct fb_arena arena;
    struct fb_request_head request;
    struct edge_fetch fetch;
    unsigned avoided;
    unsigned n_done;
};

/* What the fake client's servers do: a status, an error, or NEVER. */
static int plans[N_SERVERS];
static unsigned asked[N_SERVERS];
static unsigned n_open_bodies;
static struct fb_fetch *unanswered;

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

static int body_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    (void)reader;
    (void)ret_slice;
    return FB_E_CLOSED; /* cut at once */
}

static void body_close(struct fb_reader *reader)
{
    (void)reader;
    n_open_bodies--;
}

static const struct fb_reader_ops body_ops = {.next = body_next, .close = body_close};
static struct fb_reader fake_body = {.ops = &body_ops};

static void fake_cancel(struct fb_op *op)
{
    unanswered = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

void fb_client_fetch(struct fb_client *client, struct fb_fetch *fetch)
{
    assert_ptr_equal(client, &fake_client);
    unsigned server = fetch->url.port - 1U;
    int plan = plans[server];

    asked[server]++;
    fb_reader_close(fetch->request_body);
    fb_op_begin(&fetch->op, fake_cancel);
    if (plan == NEVER) {
        unanswered = fetch;
        return;
    }
    if (plan > 0) {
        fetch->response = (struct fb_response_head){.status = (unsigned)plan};
        fetch->length = 5;
        fetch->body = &fake_body;
        n_open_bodies++;
    }
    fb_op_finish(&fetch->op, plan > 0 ? FB_OK : plan);
}

static int set_up(void **state)
{
    static struct fixture f;
    struct fb_str urls[N_SERVERS] = {FB_STR("http://a:1"), FB_STR("http://b:2"),
                                     FB_STR("http://c:3")};

    f = (struct fixture){.request = {.method = FB_METHOD_GET, .target = FB_STR("/x")}};
    memset(asked, 0, sizeof(asked));
    f.clock = test_clock_at_start();
    assert_int_equal(fb_loop_new(&f.clock.clock, &f.loop), FB_OK);
    f.metrics = fb_metrics_new();
    struct edge_upstreams_options options = {
        .urls = urls, .n_urls = N_SERVERS, .node = FB_STR("box-1"), .eject_after = 2};
    assert_int_equal(edge_upstreams_new(&options, &f.clock.clock, f.metrics, &f.upstreams, NULL),
                     FB_OK);
    f.uplink = edge_uplink_new(f.upstreams, f.loop);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(n_open_bodies, 0);
    edge_uplink_close(f->uplink);
    edge_upstreams_free(f->upstreams);
    fb_metrics_free(f->metrics);
    fb_arena_done(&f->arena);
    fb_loop_free(f->loop);
    return 0;
}

static void plan(int a, int b, int c)
{
    plans[0] = a;
    plans[1] = b;
    plans[2] = c;
}

static void on_fetched(struct fb_op *op)
{
    FB_CONTAINER_OF(op, struct fixture, fetch.op)->n_done++;
}

static void begin(struct fixture *f)
{
    memset(asked, 0, sizeof(asked));
    f->n_done = 0;
    f->fetch =
        (struct edge_fetch){.request = &f->request, .arena = &f->arena, .avoided = f->avoided};
    fb_op_init(&f->fetch.op, f->loop, on_fetched);
    edge_uplink_fetch(f->uplink, &f->fetch);
}

/* The status, or the error. */
static int fetch(struct fixture *f)
{
    begin(f);
    for (int i = 0; i < 10; i++) {
        fb_loop_turn(f->loop);
    }
    assert_int_equal(f->n_done, 1);
    if (f->fetch.op.result < 0) {
        return f->fetch.op.result;
    }
    fb_reader_close(f->fetch.body);
    return (int)f->fetch.response.status;
}

static void the_first_in_service_is_asked(void **state)
{
    plan(200, 200, 200);
    assert_int_equal(fetch(*state), 200);
    assert_int_equal(asked[0], 1);
    assert_int_equal(asked[1] + asked[2], 0);
}

static void the_next_stands_in_for_one_that_fails(void **state)
{
    static const int failures[] = {-ECONNREFUSED, FB_E_TIMEOUT, FB_E_CLOSED, 502, 503, 504};

    for (size_t i = 0; i < FB_ARRAY_LEN(failures); i++) {
        plan(failures[i], 200, 200);
        assert_int_equal(fetch(*state), 200);
        assert_int_equal(asked[1], 1);
    }
}

static void other_answers_stand(void **state)
{
    static const int answers[] = {200, 304, 404, 500, 501};

    for (size_t i = 0; i < FB_ARRAY_LEN(answers); i++) {
        plan(answers[i], 200, 200);
        assert_int_equal(fetch(*state), answers[i]);
        assert_int_equal(asked[1], 0);
    }
}

static void the_last_answer_stands_whatever_it_is(void **state)
{
    plan(502, -ECONNREFUSED, 504);
    assert_int_equal(fetch(*state), 504);
}

static void without_any_answer_the_last_failure_counts(void **state)
{
    plan(-ECONNREFUSED, FB_E_TIMEOUT, -ECONNREFUSED);
    assert_int_equal(fetch(*state), FB_E_UNAVAILABLE);
    plan(-ECONNREFUSED, -ECONNREFUSED, FB_E_TIMEOUT);
    assert_int_equal(fetch(*state), FB_E_TIMEOUT);
}

static void what_does_harm_twice_is_sent_once(void **state)
{
    struct fixture *f = *state;

    plan(-ECONNREFUSED, 200, 200);
    f->request.method = FB_METHOD_POST;
    assert_int_equal(fetch(f), FB_E_UNAVAILABLE);
    assert_int_equal(asked[0], 1);
    assert_int_equal(asked[1], 0);
}

static void one_that_keeps_failing_is_ejected_and_probed(void **state)
{
    struct fixture *f = *state;

    plan(-ECONNREFUSED, 200, 200);
    assert_int_equal(fetch(f), 200);
    assert_true(edge_upstreams_is_up(f->upstreams, 0));
    assert_int_equal(fetch(f), 200);
    assert_false(edge_upstreams_is_up(f->upstreams, 0));

    assert_int_equal(fetch(f), 200);
    assert_int_equal(asked[0], 0);

    test_clock_advance_ms(&f->clock, 1000);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(asked[0], 1); /* a probe, which failed: twice as long now */
    test_clock_advance_ms(&f->clock, 1999);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(asked[0], 0);

    plan(200, 200, 200);
    test_clock_advance_ms(&f->clock, 1);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(asked[0], 1);
    assert_true(edge_upstreams_is_up(f->upstreams, 0));
}

static void with_all_ejected_all_are_still_tried(void **state)
{
    struct fixture *f = *state;

    plan(-ECONNREFUSED, -ECONNREFUSED, -ECONNREFUSED);
    (void)fetch(f);
    (void)fetch(f);
    assert_false(edge_upstreams_is_up(f->upstreams, 2));
    plan(-ECONNREFUSED, 200, -ECONNREFUSED);
    assert_int_equal(fetch(f), 200);
    assert_true(edge_upstreams_is_up(f->upstreams, 1));
}

static void an_answer_is_not_given_up_for_one_that_is_ejected(void **state)
{
    struct fixture *f = *state;

    plan(200, -ECONNREFUSED, -ECONNREFUSED);
    plans[0] = 502;
    (void)fetch(f);
    (void)fetch(f);
    assert_false(edge_upstreams_is_up(f->upstreams, 1));
    assert_int_equal(fetch(f), 502);
    assert_int_equal(asked[1] + asked[2], 0);
}

static void a_body_that_breaks_counts_as_a_failure(void **state)
{
    struct fixture *f = *state;
    struct fb_slice slice;

    plan(200, 200, 200);
    for (int i = 0; i < 2; i++) {
        assert_true(edge_upstreams_is_up(f->upstreams, 0));
        begin(f);
        fb_loop_turn(f->loop);
        fb_loop_turn(f->loop);
        assert_int_equal(f->n_done, 1);
        assert_int_equal(fb_reader_next(f->fetch.body, &slice), FB_E_CLOSED);
        assert_int_equal(fb_reader_next(f->fetch.body, &slice), FB_E_CLOSED);
        fb_reader_close(f->fetch.body);
    }
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_upstream_failures_total"), 2);
    assert_false(edge_upstreams_is_up(f->upstreams, 0));
}

static void an_avoided_server_is_asked_last(void **state)
{
    struct fixture *f = *state;

    plan(200, 200, 200);
    f->avoided = 1U << 0;
    assert_int_equal(fetch(f), 200);
    assert_int_equal(f->fetch.upstream, 1);
    assert_int_equal(asked[0], 0);

    plan(200, -ECONNREFUSED, -ECONNREFUSED);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(f->fetch.upstream, 0);
    assert_int_equal(asked[1] + asked[2], 2);
}

static void a_canceled_fetch_asks_nobody_else(void **state)
{
    struct fixture *f = *state;

    plan(NEVER, 200, 200);
    begin(f);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_done, 0);
    fb_op_cancel(&f->fetch.op);
    fb_loop_turn(f->loop);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_done, 1);
    assert_int_equal(f->fetch.op.result, FB_E_CANCELED);
    assert_int_equal(asked[1], 0);
    assert_true(edge_upstreams_is_up(f->upstreams, 0));
}

static void what_cannot_be_an_upstream_is_refused(void **state)
{
    static const char *const urls[] = {"https://a", "ftp://a", "http://a/path", "a:80", "http://"};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(urls); i++) {
        struct fb_diag diag = {0};
        assert_true(edge_upstream_check_url(fb_str_from(urls[i]), &diag) < 0);
        assert_true(strlen(diag.text) > 0);
    }
    assert_int_equal(edge_upstream_check_url(FB_STR("http://[::1]:81"), NULL), FB_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_in_service_is_asked),
        TEST(the_next_stands_in_for_one_that_fails),
        TEST(other_answers_stand),
        TEST(the_last_answer_stands_whatever_it_is),
        TEST(without_any_answer_the_last_failure_counts),
        TEST(what_does_harm_twice_is_sent_once),
        TEST(one_that_keeps_failing_is_ejected_and_probed),
        TEST(with_all_ejected_all_are_still_tried),
        TEST(an_answer_is_not_given_up_for_one_that_is_ejected),
        TEST(a_body_that_breaks_counts_as_a_failure),
        TEST(an_avoided_server_is_asked_last),
        TEST(a_canceled_fetch_asks_nobody_else),
        TEST(what_cannot_be_an_upstream_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
