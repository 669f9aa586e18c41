#include "edge/upstream/checks.h"
#include "uplink_fixture.h"

static const struct edge_upstream_spec servers[N_SERVERS] = {
    {.url = FB_STR("http://a:1"), .tier = EDGE_TIER_REGIONAL},
    {.url = FB_STR("http://b:9"), .check = FB_STR("http://b:2/readyz")},
    {.url = FB_STR("http://c:3")}};

static struct edge_checks *checks;

static int set_up(void **state)
{
    struct fixture *f = set_up_with((struct edge_upstreams_options){.check_path = FB_STR("/health"),
                                                                    .check_interval_ms = 1000,
                                                                    .check_healthy = 2,
                                                                    .check_unhealthy = 3},
                                    servers);
    checks = edge_checks_new(f->upstreams, f->loop);
    *state = f;
    return 0;
}

static int tear_down_checks(void **state)
{
    edge_checks_close(checks);
    turn(*state);
    return tear_down(state);
}

/* So long that each server was checked `n` times, at most twice as often. */
static void pass_checks(struct fixture *f, int n)
{
    for (int i = 0; i < n * 13; i++) {
        pass(f, 100);
    }
}

static void all_are_asked_where_their_health_is_told(void **state)
{
    plan(200, 204, 200);
    pass_checks(*state, 1);
    for (size_t i = 0; i < N_SERVERS; i++) {
        assert_in_range(asked[i], 1, 2);
        assert_true(is_up(*state, i));
    }
}

static void one_that_fails_some_in_a_row_is_out_until_it_passes_some(void **state)
{
    static const int failures[] = {404, 302, 500, FB_E_TIMEOUT, -ECONNREFUSED};

    for (size_t i = 0; i < FB_ARRAY_LEN(failures); i++) {
        plan(200, failures[i], 200);
        pass_checks(*state, 1);
        assert_true(is_up(*state, 1));
        pass_checks(*state, 3);
        assert_false(is_up(*state, 1));
        assert_int_equal(status_of(*state, 1).state, EDGE_UPSTREAM_EJECTED);
        plan(200, 200, 200);
        pass_checks(*state, 3);
        assert_true(is_up(*state, 1));
    }
}

static void an_answer_to_a_request_does_not_bring_it_back(void **state)
{
    struct fixture *f = *state;

    plan(500, 500, 500);
    pass_checks(f, 4);
    assert_false(is_up(f, 0));
    plan(200, 200, 200);
    assert_int_equal(fetch(f), 200); /* none is refused when all are out */
    assert_false(is_up(f, 0));
}

static void servers_that_come_and_go_are_noticed(void **state)
{
    struct fixture *f = *state;
    const struct edge_pool *pool = NULL;

    plan(500, 500, 200);
    pass_checks(f, 4);
    assert_int_equal(edge_upstreams_pool(f->upstreams, &servers[2], 1, &pool, NULL), FB_OK);
    edge_upstreams_use(f->upstreams, NULL, &pool, 1);
    pass_checks(f, 1);
    memset(asked, 0, sizeof(asked));
    pass_checks(f, 2);
    assert_int_equal(asked[0] + asked[1], 0);
    assert_in_range(asked[2], 2, 4);

    /* Without checks nothing is left that could take a server back. */
    assert_int_equal(edge_upstreams_pool(f->upstreams, servers, 1, &pool, NULL), FB_OK);
    edge_upstreams_use(f->upstreams, &(struct edge_upstreams_options){0}, &pool, 1);
    assert_true(is_up(f, 0));
    memset(asked, 0, sizeof(asked));
    pass_checks(f, 8);
    assert_int_equal(asked[0], 0);
}

static void a_check_under_way_is_canceled_at_the_end(void **state)
{
    plan(NEVER, NEVER, NEVER);
    pass_checks(*state, 1);
    assert_non_null(unanswered[0]);
    assert_int_equal(asked[0], 1); /* one at a time */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_checks)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_are_asked_where_their_health_is_told),
        TEST(one_that_fails_some_in_a_row_is_out_until_it_passes_some),
        TEST(an_answer_to_a_request_does_not_bring_it_back),
        TEST(servers_that_come_and_go_are_noticed),
        TEST(a_check_under_way_is_canceled_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
