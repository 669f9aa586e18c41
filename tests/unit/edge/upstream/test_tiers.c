#include "uplink_fixture.h"

/* Two regional nodes, and an origin. */
static const struct edge_upstream_spec tiers[N_SERVERS] = {
    {.url = FB_STR("http://a:1"), .tier = EDGE_TIER_REGIONAL},
    {.url = FB_STR("http://b:2"), .tier = EDGE_TIER_REGIONAL},
    {.url = FB_STR("http://o:3")}};

static int set_up(void **state)
{
    *state = set_up_with((struct edge_upstreams_options){.eject_after = 2, .slow_start_ms = 10000},
                         tiers);
    return 0;
}

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

static int set_up_breaking(void **state)
{
    *state = set_up_with((struct edge_upstreams_options){.eject_after = 1000,
                                                         .failure_share = 50,
                                                         .max_requests = 1},
                         tiers);
    return 0;
}

/* A key whose first choice is the regional node `server`. */
static void take_key_of(struct fixture *f, unsigned server)
{
    static const char *const keys[] = {"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"};

    plan(200, 200, 200);
    for (size_t i = 0; i < FB_ARRAY_LEN(keys); i++) {
        f->key = fb_str_from(keys[i]);
        assert_int_equal(fetch(f), 200);
        if (f->fetch.upstream == server) {
            return;
        }
    }
    fail();
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

/* ---- tiers ------------------------------------------------------------- */

static void a_key_stays_with_its_node(void **state)
{
    struct fixture *f = *state;

    for (unsigned server = 0; server < 2; server++) {
        take_key_of(f, server);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(fetch(f), 200);
            assert_int_equal(f->fetch.upstream, server);
            assert_int_equal(asked[2], 0);
        }
    }
}

static void without_a_key_the_target_does(void **state)
{
    struct fixture *f = *state;
    unsigned seen = 0;

    plan(200, 200, 200);
    f->key = FB_STR_NONE;
    for (int i = 0; i < 16; i++) {
        char target[8];
        (void)snprintf(target, sizeof(target), "/%d", i);
        f->request.target = fb_str_from(target);
        assert_int_equal(fetch(f), 200);
        seen |= 1U << f->fetch.upstream;
    }
    assert_int_equal(seen, 3);
    f->request.target = FB_STR("/x");
}

static void a_node_that_fails_is_followed_by_the_next_then_by_the_origin(void **state)
{
    static const int failures[] = {-ECONNREFUSED, FB_E_CLOSED, 429, 500, 502, 503, 504, 507, 508};

    for (size_t i = 0; i < FB_ARRAY_LEN(failures); i++) {
        struct fixture *f = *state;
        take_key_of(f, 1);
        plan(200, failures[i], 200);
        assert_int_equal(fetch(f), 200);
        assert_int_equal(f->fetch.upstream, 0);
        plan(failures[i], failures[i], 200);
        assert_int_equal(fetch(f), 200);
        assert_int_equal(f->fetch.upstream, 2);
        assert_int_equal(asked[0] + asked[1] + asked[2], 3);
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
    }
}

static void a_504_to_only_if_cached_is_an_answer(void **state)
{
    struct fixture *f = *state;
    static struct fb_header header = {FB_STR("Cache-Control"), FB_STR("max-age=0, only-if-cached")};

    take_key_of(f, 0);
    f->request.headers = (struct fb_headers){.items = &header, .n = 1};
    plan(504, 200, 200);
    assert_int_equal(fetch(f), 504);
    assert_int_equal(asked[1] + asked[2], 0);
}

static void a_node_that_comes_back_takes_a_growing_share(void **state)
{
    struct fixture *f = *state;

    take_key_of(f, 1);
    plan(200, -ECONNREFUSED, 200);
    (void)fetch(f);
    (void)fetch(f);
    assert_int_equal(status_of(f, 1).state, EDGE_UPSTREAM_EJECTED);
    plan(200, 200, 200);
    pass(f, 1000);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(f->fetch.upstream, 1); /* the probe */
    assert_int_equal(status_of(f, 1).state, EDGE_UPSTREAM_SLOW_START);
    assert_true(is_up(f, 1));

    unsigned n_before = 0;
    unsigned n_half = 0;
    for (int i = 0; i < 200; i++) {
        char key[8];
        (void)snprintf(key, sizeof(key), "s%d", i);
        f->key = fb_str_from(key);
        assert_int_equal(fetch(f), 200);
        n_before += f->fetch.upstream;
    }
    pass(f, 5000);
    for (int i = 0; i < 200; i++) {
        char key[8];
        (void)snprintf(key, sizeof(key), "s%d", i);
        f->key = fb_str_from(key);
        assert_int_equal(fetch(f), 200);
        n_half += f->fetch.upstream;
    }
    assert_in_range(n_before, 0, 20);
    assert_in_range(n_half, 30, 70);
    pass(f, 5000);
    assert_int_equal(status_of(f, 1).state, EDGE_UPSTREAM_UP);
}

/* ---- budgets and breakers ---------------------------------------------- */

static void an_outage_does_not_multiply_the_load(void **state)
{
    struct fixture *f = *state;
    unsigned n_asked = 0;

    plan(-ECONNREFUSED, -ECONNREFUSED, -ECONNREFUSED);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(fetch(f), FB_E_UNAVAILABLE);
        n_asked += asked[0] + asked[1] + asked[2];
    }
    assert_in_range(n_asked, 1000, 1000 + 256);
    assert_true(fb_metrics_sum(f->metrics, "edge_upstream_retries_refused_total") > 700);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_upstream_retries_total"), 256);
}

static void one_that_fails_often_is_open_then_probed(void **state)
{
    struct fixture *f = *state;

    take_key_of(f, 0);
    for (int i = 0; i < 40; i++) {
        plan(i % 3 == 0 ? 200 : 502, 200, 200);
        assert_int_equal(fetch(f), 200);
    }
    assert_int_equal(status_of(f, 0).state, EDGE_UPSTREAM_OPEN);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_upstream_out"), 1);
    assert_int_equal(asked[0], 0);

    plan(502, 200, 200);
    pass(f, 1000);
    begin(f);
    assert_int_equal(status_of(f, 0).state, EDGE_UPSTREAM_PROBING);
    turn(f);
    assert_int_equal(outcome(f), 200);
    assert_int_equal(status_of(f, 0).state, EDGE_UPSTREAM_OPEN); /* for twice as long */
    plan(200, 200, 200);
    pass(f, 1999);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(asked[0], 0);
    pass(f, 1);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(asked[0], 1);
    assert_int_equal(status_of(f, 0).state, EDGE_UPSTREAM_UP);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_upstream_out"), 0);
}

static void on_other_fetched(struct fb_op *op)
{
    assert_int_equal(op->result, FB_E_CANCELED);
}

static void a_full_server_is_passed_over_and_if_all_are_it_is_busy(void **state)
{
    struct fixture *f = *state;
    struct edge_fetch others[N_SERVERS];

    plan(NEVER, NEVER, NEVER);
    for (size_t i = 0; i < N_SERVERS; i++) {
        others[i] = (struct edge_fetch){.request = &f->request, .arena = &f->arena};
        fb_op_init(&others[i].op, f->loop, on_other_fetched);
        edge_uplink_fetch(f->uplink, &others[i]);
    }
    turn(f);
    for (size_t i = 0; i < N_SERVERS; i++) {
        assert_int_equal(asked[i], 1);
        assert_int_equal(status_of(f, i).n_requests, 1);
        assert_int_equal(status_of(f, i).state, EDGE_UPSTREAM_FULL);
    }
    assert_int_equal(fetch(f), FB_E_BUSY);
    f->content = fb_reader_of_slice((struct fb_slice){.bytes = FB_STR("content")});
    assert_int_equal(fetch(f), FB_E_BUSY); /* and its content is closed */
    f->content = NULL;
    for (size_t i = 0; i < N_SERVERS; i++) {
        fb_op_cancel(&others[i].op);
    }
    turn(f);
    assert_int_equal(status_of(f, 0).state, EDGE_UPSTREAM_UP);
}

/* ---- hedging ----------------------------------------------------------- */

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

    take_key_of(f, 0);
    make_known(f, 0);
    plan(NEVER, NEVER, 200);
    begin(f);
    turn(f);
    pass(f, 60);
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

    take_key_of(f, 0);
    make_known(f, 0);
    plan(NEVER, NEVER, 200);
    begin(f);
    turn(f);
    pass(f, 60);
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
        take_key_of(f, 0);
        make_known(f, 0);
        plan(NEVER, NEVER, 200);
        begin(f);
        turn(f);
        pass(f, 60);
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

    take_key_of(f, 0);
    make_known(f, 0);
    plan(NEVER, NEVER, 200);
    begin(f);
    turn(f);
    pass(f, 60);
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

    take_key_of(f, 0);
    make_known(f, 0);
    plan(NEVER, NEVER, 200);
    begin(f);
    turn(f);
    pass(f, 60);
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

/* ---- other pools ------------------------------------------------------- */

static void a_site_s_pool_shares_the_health_of_its_servers(void **state)
{
    struct fixture *f = *state;
    static const struct edge_upstream_spec site[2] = {{.url = FB_STR("http://b:2")},
                                                      {.url = FB_STR("http://o:3")}};
    const struct edge_pool *pool = NULL;
    const struct edge_pool *again = NULL;

    assert_int_equal(edge_upstreams_pool(f->upstreams, site, 2, &pool, NULL), FB_OK);
    assert_int_equal(edge_upstreams_pool(f->upstreams, site, 2, &again, NULL), FB_OK);
    assert_ptr_equal(pool, again);
    f->pool = pool;
    plan(200, -ECONNREFUSED, 200);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(f->fetch.upstream, 1);
    assert_int_equal(asked[0], 0);
    assert_false(is_up(f, 1)); /* as the node's own pool has it */
}

static void what_is_configured_anew_counts_for_new_fetches(void **state)
{
    struct fixture *f = *state;
    static const struct edge_upstream_spec news[2] = {{.url = FB_STR("http://o:3")},
                                                      {.url = FB_STR("http://a:1")}};
    const struct edge_pool *pool = NULL;

    take_key_of(f, 0);
    plan(NEVER, 200, 200);
    begin(f);
    turn(f);
    assert_int_equal(edge_upstreams_pool(f->upstreams, news, 2, &pool, NULL), FB_OK);
    edge_upstreams_use(f->upstreams, &(struct edge_upstreams_options){.eject_after = 9}, &pool, 1);
    assert_int_equal(edge_upstreams_count(f->upstreams), 2);
    assert_string_equal(status_of(f, 1).url.ptr, "http://a:1");
    assert_int_equal(status_of(f, 1).n_requests, 1); /* the one that began before */
    answer_late(0, 200);
    turn(f);
    assert_int_equal(outcome(f), 200);

    plan(200, 200, 200);
    assert_int_equal(fetch(f), 200);
    assert_int_equal(asked[2], 1);
    assert_int_equal(f->fetch.upstream, 0);
}

static void a_pool_with_a_bad_url_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct edge_upstream_spec bad[2] = {
        {.url = FB_STR("http://b:2")}, {.url = FB_STR("http://c"), .check = FB_STR("c/ready")}};
    const struct edge_pool *pool = NULL;
    struct fb_diag diag = {0};

    assert_true(edge_upstreams_pool(f->upstreams, bad, 2, &pool, &diag) < 0);
    assert_non_null(strstr(diag.text, "http://c"));
    assert_null(pool);
}

#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_stays_with_its_node, set_up),
        TEST(without_a_key_the_target_does, set_up),
        TEST(a_node_that_fails_is_followed_by_the_next_then_by_the_origin, set_up),
        TEST(a_504_to_only_if_cached_is_an_answer, set_up),
        TEST(a_node_that_comes_back_takes_a_growing_share, set_up),
        TEST(an_outage_does_not_multiply_the_load, set_up),
        TEST(one_that_fails_often_is_open_then_probed, set_up_breaking),
        TEST(a_full_server_is_passed_over_and_if_all_are_it_is_busy, set_up_breaking),
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
        TEST(a_site_s_pool_shares_the_health_of_its_servers, set_up),
        TEST(what_is_configured_anew_counts_for_new_fetches, set_up),
        TEST(a_pool_with_a_bad_url_is_refused, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
