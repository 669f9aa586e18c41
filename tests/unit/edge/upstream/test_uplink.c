#include "base/core/clock.h"
#include "base/http/date.h"
#include "uplink_fixture.h"

static const struct edge_upstream_spec origins[N_SERVERS] = {{.url = FB_STR("http://a:1")},
                                                             {.url = FB_STR("http://b:2")},
                                                             {.url = FB_STR("http://c:3")}};

static int set_up(void **state)
{
    *state = set_up_with((struct edge_upstreams_options){.eject_after = 2, .slow_start_ms = 60000},
                         origins);
    return 0;
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

static void an_answer_that_nobody_understands_is_told_as_such(void **state)
{
    plan(-ECONNREFUSED, -ECONNREFUSED, FB_E_MALFORMED);
    assert_int_equal(fetch(*state), FB_E_MALFORMED);
    plan(FB_E_MALFORMED, -ECONNREFUSED, FB_E_LIMIT);
    assert_int_equal(fetch(*state), FB_E_MALFORMED);
    plan(FB_E_MALFORMED, FB_E_MALFORMED, -ECONNREFUSED);
    assert_int_equal(fetch(*state), FB_E_UNAVAILABLE);
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
    assert_true(is_up(f, 0));
    assert_int_equal(fetch(f), 200);
    assert_false(is_up(f, 0));
    assert_int_equal(status_of(f, 0).until_ms, fb_clock_wall_ms(&f->clock.clock) + 1000);
    assert_string_equal(status_of(f, 0).error, fb_err_text(-ECONNREFUSED));

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
    assert_int_equal(status_of(f, 0).state, EDGE_UPSTREAM_UP); /* all of it at once */
    assert_int_equal(fetch(f), 200);
    assert_int_equal(asked[0], 1);
}

static void with_all_ejected_all_are_still_tried(void **state)
{
    struct fixture *f = *state;

    plan(-ECONNREFUSED, -ECONNREFUSED, -ECONNREFUSED);
    (void)fetch(f);
    (void)fetch(f);
    assert_false(is_up(f, 2));
    plan(-ECONNREFUSED, 200, -ECONNREFUSED);
    assert_int_equal(fetch(f), 200);
    assert_true(is_up(f, 1));
}

static void an_answer_is_not_given_up_for_one_that_is_ejected(void **state)
{
    struct fixture *f = *state;

    plan(200, -ECONNREFUSED, -ECONNREFUSED);
    plans[0] = 502;
    (void)fetch(f);
    (void)fetch(f);
    assert_false(is_up(f, 1));
    assert_int_equal(fetch(f), 502);
    assert_int_equal(asked[1] + asked[2], 0);
}

static void a_body_that_breaks_counts_as_a_failure(void **state)
{
    struct fixture *f = *state;
    struct fb_slice slice;

    plan(200, 200, 200);
    for (int i = 0; i < 2; i++) {
        assert_true(is_up(f, 0));
        begin(f);
        fb_loop_turn(f->loop);
        fb_loop_turn(f->loop);
        assert_int_equal(f->n_done, 1);
        assert_int_equal(fb_reader_next(f->fetch.body, &slice), FB_E_CLOSED);
        assert_int_equal(fb_reader_next(f->fetch.body, &slice), FB_E_CLOSED);
        fb_reader_close(f->fetch.body);
    }
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_upstream_failures_total"), 2);
    assert_false(is_up(f, 0));
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
    assert_true(is_up(f, 0));
}

static void is_left_alone_for_5_s(struct fixture *f)
{
    plan(503, 200, 200);
    assert_int_equal(fetch(f), 200);
    struct edge_upstream_status status = status_of(f, 0);
    assert_int_equal(status.state, EDGE_UPSTREAM_RESTING);
    assert_int_equal(status.until_ms, fb_clock_wall_ms(&f->clock.clock) + 5000);
    assert_string_equal(status.error, "answered 503");
    plan(200, 200, 200);
    pass(f, 3900);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(asked[0], 0);
    pass(f, 1100);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(asked[0], 1);
    assert_int_equal(status_of(f, 0).until_ms, 0);
}

static void one_that_asks_to_be_left_alone_is_tried_last(void **state)
{
    retry_after = (struct fb_header){FB_STR("Retry-After"), FB_STR("5")};
    is_left_alone_for_5_s(*state);
}

static void one_that_is_back_at_a_date_is_tried_last_until_then(void **state)
{
    struct fixture *f = *state;
    char date[FB_DATE_MAX];
    int64_t now_s = fb_clock_wall_ms(&f->clock.clock) / 1000;

    retry_after = (struct fb_header){FB_STR("Retry-After"), fb_date_format(now_s + 5, date)};
    is_left_alone_for_5_s(f);
}

static void nobody_is_left_alone_for_ever_nor_if_there_is_nobody_else(void **state)
{
    struct fixture *f = *state;

    retry_after = (struct fb_header){FB_STR("Retry-After"), FB_STR("99999999999")};
    plan(503, 503, 503);
    assert_int_equal(fetch(f), 503);
    plan(200, 503, 503);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(asked[0], 1);
    pass(f, 10 * 60 * 1000);
    assert_int_equal(status_of(f, 0).state, EDGE_UPSTREAM_UP);
}

static void what_cannot_be_an_upstream_is_refused(void **state)
{
    static const char *const urls[] = {"ftp://a", "http://a/path", "a:80", "http://"};

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
        TEST(an_answer_that_nobody_understands_is_told_as_such),
        TEST(what_does_harm_twice_is_sent_once),
        TEST(one_that_keeps_failing_is_ejected_and_probed),
        TEST(with_all_ejected_all_are_still_tried),
        TEST(an_answer_is_not_given_up_for_one_that_is_ejected),
        TEST(a_body_that_breaks_counts_as_a_failure),
        TEST(an_avoided_server_is_asked_last),
        TEST(a_canceled_fetch_asks_nobody_else),
        TEST(one_that_asks_to_be_left_alone_is_tried_last),
        TEST(one_that_is_back_at_a_date_is_tried_last_until_then),
        TEST(nobody_is_left_alone_for_ever_nor_if_there_is_nobody_else),
        TEST(what_cannot_be_an_upstream_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
