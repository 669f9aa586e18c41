#include "upstream.h"

/* How long connections are kept, and how many may wait for one. */

static void limit(struct fixture *f, struct fb_client_limits limits)
{
    fb_client_close(f->client);
    f->client = fb_client_new(f->loop, &limits, f->metrics);
}

static void get_some(struct fixture *f, int n)
{
    for (int i = 0; i < n; i++) {
        FB_AUTO(fb_buf_done) struct fb_buf got = {0};
        assert_int_equal(get_all(f, &got), FB_E_END);
    }
}

static void a_connection_serves_no_more_than_its_requests(void **state)
{
    struct fixture *f = *state;

    limit(f, (struct fb_client_limits){.max_reuses = 3});
    get_some(f, 7);
    assert_int_equal(f->n_peers, 3);
    UNTIL(f, f->n_ended == 2);
    assert_int_equal(f->peers[0]->end, FB_E_END); /* it is ended, not reset */
}

static void a_connection_that_is_too_old_is_not_used_again(void **state)
{
    struct fixture *f = *state;

    limit(f, (struct fb_client_limits){.max_age_ms = 10000});
    get_some(f, 1);
    test_clock_advance_ms(&f->clock, 6000);
    quiet(f);
    get_some(f, 1);
    assert_int_equal(f->n_peers, 1);
    test_clock_advance_ms(&f->clock, 4000);
    quiet(f);
    UNTIL(f, f->n_ended == 1);
    get_some(f, 1);
    assert_int_equal(f->n_peers, 2);
}

static void a_connection_goes_before_its_peer_would_close_it(void **state)
{
    static const struct {
        const char *says;
        uint64_t kept_ms;
    } peers[] = {
        {"timeout=5", 4000},   {"timeout=5, max=100", 4000}, {"max=9,timeout = 3", 2000},
        {"timeout=1", 500},    {"timeout=3600", 20000},      {"timeout=x", 20000},
        {"timeout=-1", 20000}, {"timeout", 20000},           {"timeout=99999999999", 20000}};
    struct fixture *f = *state;

    for (size_t i = 0; i < FB_ARRAY_LEN(peers); i++) {
        char answer[256];
        unsigned n_ended = f->n_ended;
        (void)snprintf(answer, sizeof(answer),
                       "HTTP/1.1 200 OK\r\nKeep-Alive: %s\r\nContent-Length: 0\r\n\r\n",
                       peers[i].says);
        f->answer = fb_str_from(answer);
        get_some(f, 1);
        test_clock_advance_ms(&f->clock, peers[i].kept_ms - 1);
        quiet(f);
        assert_int_equal(metric(f, "fb_client_connections"), 1);
        test_clock_advance_ms(&f->clock, 1);
        UNTIL(f, f->n_ended == n_ended + 1);
    }
}

static void a_peer_that_keeps_nothing_is_not_kept(void **state)
{
    struct fixture *f = *state;

    f->answer =
        FB_STR("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: 5\r\n\r\nhello");
    get_some(f, 2);
    assert_int_equal(f->n_peers, 2);
    UNTIL(f, f->n_ended == 2);
}

static void who_finds_the_queue_full_is_told_at_once(void **state)
{
    struct fixture *f = *state;
    struct get gets[5];

    limit(f, (struct fb_client_limits){.max_connections = 2, .max_queue = 2});
    for (int i = 0; i < 5; i++) {
        get_start(&gets[i], f);
    }
    UNTIL(f, gets[4].end != FB_OK);
    assert_int_equal(gets[4].end, FB_E_BUSY);
    for (int i = 0; i < 5; i++) {
        UNTIL(f, gets[i].end != FB_OK);
        assert_int_equal(gets[i].end, i < 4 ? FB_E_END : FB_E_BUSY);
        get_done(&gets[i]);
    }
    assert_int_equal(f->n_peers, 2);
}

/* Connections that end one by one serve those who wait. */
static void the_queue_is_served_by_connections_that_may_not_be_used_again(void **state)
{
    struct fixture *f = *state;
    struct get gets[6];

    limit(f, (struct fb_client_limits){.max_connections = 2, .max_reuses = 1});
    for (int i = 0; i < 6; i++) {
        get_start(&gets[i], f);
    }
    for (int i = 0; i < 6; i++) {
        UNTIL(f, gets[i].end != FB_OK);
        assert_int_equal(gets[i].end, FB_E_END);
        get_done(&gets[i]);
    }
    assert_int_equal(f->n_peers, 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_connection_serves_no_more_than_its_requests),
        TEST(a_connection_that_is_too_old_is_not_used_again),
        TEST(a_connection_goes_before_its_peer_would_close_it),
        TEST(a_peer_that_keeps_nothing_is_not_kept),
        TEST(who_finds_the_queue_full_is_told_at_once),
        TEST(the_queue_is_served_by_connections_that_may_not_be_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
