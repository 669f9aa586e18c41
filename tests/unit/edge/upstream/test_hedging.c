#include "tiers_fixture.h"

static int set_up_hedging(void **state)
{
    *state = set_up_with(
        (struct edge_upstreams_options){.hedge_after = EDGE_HEDGE_P95, .hedge_share = 10}, tiers);
    return 0;
}

static int set_up_hedging_soon(void **state)
{
    *state = set_up_with(
        (struct edge_upstreams_options){.hedge_after = EDGE_HEDGE_FIXED, .hedge_share = 10}, tiers);
    return 0;
}

static int set_up_hedging_always(void **state)
{
    *state = set_up_with((struct edge_upstreams_options){.hedge_after = EDGE_HEDGE_FIXED,
                                                         .hedge_share = 100,
                                                         .failure_share = 50},
                         tiers);
    return 0;
}

/* So many times of a few milliseconds that a quantile is known. */
static void make_known(struct fixture *f, unsigned server)
{
    for (int i = 0; i < 30; i++) {
        plans[server] = NEVER;
        begin(f);
        turn(f);
        pass(f, 4);
        answer_late(server, 200);
        turn(f);
        assert_int_equal(outcome(f), 200);
    }
}

/* Server 0 is late for so long that 1 is asked as well. */
static void begin_hedged(struct fixture *f)
{
    take_key_of(f, 0);
    make_known(f, 0);
    plan(NEVER, NEVER, 200);
    begin(f);
    turn(f);
    pass(f, 60);
}

static void a_late_head_is_asked_of_the_next_too(void **state)
{
    struct fixture *f = *state;

    take_key_of(f, 0);
    make_known(f, 0);
    plan(NEVER, NEVER, 200);
    begin(f);
    turn(f);
    pass(f, 49); /* not before the least */
    assert_int_equal(asked[1], 0);
    pass(f, 1);
    assert_int_equal(asked[1], 1);
    answer_late(1, 200);
    turn(f);
    assert_int_equal(outcome(f), 200);
    assert_int_equal(f->fetch.upstream, 1);
    assert_int_equal(canceled[0], 1);
    assert_int_equal(asked[2], 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_upstream_hedges_total"), 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_upstream_hedges_won_total"), 1);
    assert_true(is_up(f, 0));
}

static void the_first_may_still_win(void **state)
{
    struct fixture *f = *state;

    begin_hedged(f);
    answer_late(0, 200);
    turn(f);
    assert_int_equal(outcome(f), 200);
    assert_int_equal(f->fetch.upstream, 0);
    assert_int_equal(canceled[1], 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_upstream_hedges_won_total"), 0);
}

static void heads_of_both_at_once_leave_nothing_open(void **state)
{
    struct fixture *f = *state;

    begin_hedged(f);
    answer_late(1, 200);
    answer_late(0, 200);
    turn(f);
    assert_int_equal(outcome(f), 200);
    assert_int_equal(f->fetch.upstream, 1);
}

static void an_unusable_head_does_not_win(void **state)
{
    static const int bad[] = {502, 503, FB_E_CLOSED};

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        struct fixture *f = *state;
        begin_hedged(f);
        answer_late(1, bad[i]);
        turn(f);
        assert_int_equal(f->n_done, 0);
        assert_int_equal(asked[2], 0);
        answer_late(0, 200);
        turn(f);
        assert_int_equal(outcome(f), 200);
        assert_int_equal(f->fetch.upstream, 0);
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up_hedging(state), 0);
    }
}

static void when_both_fail_the_rest_are_tried(void **state)
{
    struct fixture *f = *state;

    begin_hedged(f);
    answer_late(0, FB_E_CLOSED);
    turn(f);
    answer_late(1, -ECONNRESET);
    turn(f);
    assert_int_equal(outcome(f), 200);
    assert_int_equal(f->fetch.upstream, 2);
}

static void a_canceled_fetch_takes_both_with_it(void **state)
{
    struct fixture *f = *state;

    begin_hedged(f);
    fb_op_cancel(&f->fetch.op);
    turn(f);
    assert_int_equal(outcome(f), FB_E_CANCELED);
    assert_int_equal(canceled[0] + canceled[1], 2);
    assert_int_equal(asked[2], 0);
}

static void what_does_harm_twice_is_not_hedged(void **state)
{
    struct fixture *f = *state;

    take_key_of(f, 0);
    make_known(f, 0);
    f->request.method = FB_METHOD_POST;
    plan(NEVER, 200, 200);
    begin(f);
    turn(f);
    pass(f, 5000);
    assert_int_equal(asked[1] + asked[2], 0);
    answer_late(0, 200);
    turn(f);
    assert_int_equal(outcome(f), 200);
}

/* Else a server that comes back, but slower than the others, would never be seen to. */
static void a_probe_has_time_to_connect_before_it_is_hedged(void **state)
{
    struct fixture *f = *state;

    take_key_of(f, 0);
    plan(-ECONNREFUSED, 200, 200);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fetch(f), 200);
    }
    assert_false(is_up(f, 0));
    pass(f, 1000);
    plan(NEVER, 200, 200);
    begin(f);
    turn(f);
    pass(f, 1999);
    assert_int_equal(asked[0], 1);
    assert_int_equal(asked[1], 0);
    pass(f, 1);
    assert_int_equal(outcome(f), 200);
    assert_int_equal(f->fetch.upstream, 1);
    assert_int_equal(status_of(f, 0).state, EDGE_UPSTREAM_EJECTED);

    pass(f, 2000); /* it took that for a failure: twice as long */
    begin(f);
    turn(f);
    pass(f, 500);
    answer_late(0, 200);
    turn(f);
    assert_int_equal(outcome(f), 200);
    assert_int_equal(f->fetch.upstream, 0);
    assert_true(is_up(f, 0));
}

static void one_that_is_mostly_overtaken_is_open(void **state)
{
    struct fixture *f = *state;

    take_key_of(f, 0);
    for (int i = 0; i < 30 && is_up(f, 0); i++) {
        plan(NEVER, 200, 200);
        begin(f);
        turn(f);
        pass(f, 50);
        assert_int_equal(outcome(f), 200);
    }
    assert_int_equal(status_of(f, 0).state, EDGE_UPSTREAM_OPEN);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(asked[0], 0);
}

static void only_a_share_is_hedged(void **state)
{
    struct fixture *f = *state;
    unsigned n = 0;

    take_key_of(f, 0);
    for (int i = 0; i < 100; i++) {
        plan(NEVER, 200, 200);
        begin(f);
        turn(f);
        pass(f, 50);
        if (asked[1] == 0) {
            answer_late(0, 200);
            turn(f);
        }
        n += asked[1];
        assert_int_equal(outcome(f), 200);
    }
    assert_in_range(n, 19, 21); /* ten in a hundred, and ten that were saved */
    assert_true(fb_metrics_sum(f->metrics, "edge_upstream_hedges_refused_total") >= 79);
}

#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_late_head_is_asked_of_the_next_too, set_up_hedging),
        TEST(the_first_may_still_win, set_up_hedging),
        TEST(heads_of_both_at_once_leave_nothing_open, set_up_hedging),
        TEST(an_unusable_head_does_not_win, set_up_hedging),
        TEST(when_both_fail_the_rest_are_tried, set_up_hedging),
        TEST(a_canceled_fetch_takes_both_with_it, set_up_hedging),
        TEST(what_does_harm_twice_is_not_hedged, set_up_hedging),
        TEST(a_probe_has_time_to_connect_before_it_is_hedged, set_up_hedging_soon),
        TEST(one_that_is_mostly_overtaken_is_open, set_up_hedging_always),
        TEST(only_a_share_is_hedged, set_up_hedging_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
