#include "tiers_fixture.h"

static int set_up(void **state)
{
    *state = set_up_with((struct edge_upstreams_options){.eject_after = 2, .slow_start_ms = 10000},
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
        TEST(a_site_s_pool_shares_the_health_of_its_servers, set_up),
        TEST(what_is_configured_anew_counts_for_new_fetches, set_up),
        TEST(a_pool_with_a_bad_url_is_refused, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
