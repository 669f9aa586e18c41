#include "h2_upstream.h"

#include <errno.h>

enum { MANY = 12 };

static void many_fetches_share_one_connection(void **state)
{
    struct h2_fixture f = h2_new(*state);
    struct get gets[MANY];

    h2_listen(&f);
    for (int i = 0; i < MANY; i++) {
        get_h2(&gets[i], &f, "/x");
    }
    for (int i = 0; i < MANY; i++) {
        UNTIL(f.base, gets[i].end != FB_OK);
        assert_int_equal(gets[i].end, FB_E_END);
        assert_int_equal(gets[i].fetch.response.status, 200);
        assert_int_equal(gets[i].fetch.length, 5);
        assert_string_equal(gets[i].content.ptr, "hello");
        get_done(&gets[i]);
    }
    assert_int_equal(metric(f.base, "fb_client_connections_opened_total"), 1);
    assert_int_equal(metric(f.base, "fb_client_http2_requests_total"), MANY);
    assert_int_equal(metric(f.base, "fb_client_connections_reused_total"), MANY - 1);
    assert_int_equal(metric(f.base, "fb_client_queue_waits_total"), 0);
    h2_done(&f);
}

static void more_than_the_peer_takes_go_to_another_connection(void **state)
{
    struct h2_fixture f = h2_new(*state);
    struct get gets[6];

    f.max_streams = 2;
    f.is_holding = true;
    h2_listen(&f);
    get_h2(&gets[0], &f, "/x");
    UNTIL(f.base, f.n_requests == 1);
    quiet(f.base); /* its settings have come */
    for (int i = 1; i < 6; i++) {
        get_h2(&gets[i], &f, "/x");
    }
    UNTIL(f.base, f.n_requests >= 4);
    h2_go(&f);
    for (int i = 0; i < 6; i++) {
        UNTIL(f.base, gets[i].end != FB_OK);
        assert_int_equal(gets[i].end, FB_E_END);
        get_done(&gets[i]);
    }
    assert_in_range(metric(f.base, "fb_client_connections_opened_total"), 2, 3);
    h2_done(&f);
}

static void content_comes_whole_however_long(void **state)
{
    struct h2_fixture f = h2_new(*state);
    struct get get;

    h2_listen(&f);
    get_h2(&get, &f, "/size/8000000");
    UNTIL(f.base, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    assert_int_equal(get.content.len, 8000000);
    assert_memory_equal(get.content.ptr, f.content, 8000000);
    get_done(&get);
    h2_done(&f);
}

/* It gets as much as its window, and the others everything. */
static void a_reader_that_waits_holds_up_no_other(void **state)
{
    struct h2_fixture f = h2_new(*state);
    struct get slow;
    struct get fast;

    h2_listen(&f);
    get_h2_init(&slow, &f, "/size/8000000");
    slow.by_hand = true;
    fb_client_fetch(f.base->client, &slow.fetch);
    UNTIL(f.base, slow.n_done == 1);
    for (int i = 0; i < 5; i++) {
        get_h2(&fast, &f, "/size/8000000");
        UNTIL(f.base, fast.end != FB_OK);
        assert_int_equal(fast.end, FB_E_END);
        assert_int_equal(fast.content.len, 8000000);
        get_done(&fast);
    }
    struct h2_seen *seen = FB_CONTAINER_OF(f.servers[0]->seen.next, struct h2_seen, link);
    assert_int_equal(seen->part.n_gathered, 1024 * 1024);
    get_read(&slow);
    UNTIL(f.base, slow.end != FB_OK);
    assert_int_equal(slow.content.len, 8000000);
    get_done(&slow);
    assert_int_equal(f.n_servers, 1);
    h2_done(&f);
}

static void a_body_that_is_cut_is_not_taken_for_whole(void **state)
{
    struct h2_fixture f = h2_new(*state);
    struct get get;

    h2_listen(&f);
    get_h2(&get, &f, "/cut/1000");
    UNTIL(f.base, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_CLOSED);
    get_done(&get);
    h2_done(&f);
}

static void a_connection_that_goes_away_fails_bodies_and_sends_the_rest_again(void **state)
{
    struct h2_fixture f = h2_new(*state);
    struct get first;
    struct get waiting;
    struct get reading;

    h2_listen(&f);
    get_h2(&first, &f, "/x");
    UNTIL(f.base, first.end != FB_OK);
    get_done(&first);
    get_h2_init(&reading, &f, "/size/8000000");
    reading.by_hand = true;
    fb_client_fetch(f.base->client, &reading.fetch);
    UNTIL(f.base, reading.n_done == 1);
    f.is_holding = true;
    get_h2(&waiting, &f, "/x");
    UNTIL(f.base, f.n_requests == 3);
    h2_server_close(f.servers[0]);
    f.is_holding = false;
    UNTIL(f.base, waiting.end != FB_OK);
    assert_int_equal(waiting.end, FB_E_END);
    get_read(&reading);
    UNTIL(f.base, reading.end != FB_OK);
    assert_int_equal(reading.end, FB_E_CLOSED);
    assert_int_equal(metric(f.base, "fb_client_retries_total"), 1);
    get_done(&waiting);
    get_done(&reading);
    h2_done(&f);
}

static void requests_that_a_leaving_peer_has_not_seen_are_sent_again(void **state)
{
    struct h2_fixture f = h2_new(*state);
    struct get gets[8];

    f.starts_deaf = true;
    h2_listen(&f);
    for (int i = 0; i < 8; i++) {
        get_h2_init(&gets[i], &f, "/x");
        gets[i].fetch.method = i % 2 == 0 ? FB_METHOD_GET : FB_METHOD_POST;
        fb_client_fetch(f.base->client, &gets[i].fetch);
    }
    UNTIL(f.base, f.n_servers == 1);
    f.starts_deaf = false;
    fb_http2_shut_down(f.servers[0]->session, true);
    f.servers[0]->is_deaf = false;
    h2_go(&f);
    for (int i = 0; i < 8; i++) {
        UNTIL(f.base, gets[i].end != FB_OK);
        assert_int_equal(gets[i].end, FB_E_END);
        get_done(&gets[i]);
    }
    assert_int_equal(f.n_servers, 2);
    h2_done(&f);
}

static void content_of_requests_is_sent(void **state)
{
    struct h2_fixture f = h2_new(*state);

    h2_listen(&f);
    for (int i = 0; i < 2; i++) {
        struct fb_buf content = {0};
        struct get get;
        for (int n = 0; n < 300000; n++) {
            fb_buf_append(&content, FB_STR("abcdefg"));
        }
        get_h2_init(&get, &f, "/echo");
        get.fetch.method = FB_METHOD_POST;
        get.fetch.request_length = i == 0 ? (int64_t)content.len : -1;
        get.fetch.request_body = fb_reader_of_buf(&content);
        fb_client_fetch(f.base->client, &get.fetch);
        UNTIL(f.base, get.end != FB_OK);
        assert_int_equal(get.end, FB_E_END);
        assert_int_equal(get.content.len, 2100000);
        get_done(&get);
    }
    assert_int_equal(f.n_servers, 1);
    h2_done(&f);
}

static void a_silent_connection_is_left_by_those_who_come_later(void **state)
{
    struct h2_fixture f = h2_new(*state);
    struct get silent;
    struct get next;

    h2_listen(&f);
    get_h2(&next, &f, "/x");
    UNTIL(f.base, next.end != FB_OK);
    get_done(&next);
    test_clock_advance_ms(&f.base->clock, 10);
    quiet(f.base);
    get_h2_init(&silent, &f, "/silent");
    silent.fetch.head_timeout_ms = 1000;
    fb_client_fetch(f.base->client, &silent.fetch);
    UNTIL(f.base, f.n_requests == 2);
    quiet(f.base);
    test_clock_advance_ms(&f.base->clock, 1001);
    UNTIL(f.base, silent.end != FB_OK);
    assert_int_equal(silent.end, FB_E_TIMEOUT);
    get_done(&silent);
    get_h2(&next, &f, "/x");
    UNTIL(f.base, next.end != FB_OK);
    assert_int_equal(next.end, FB_E_END);
    get_done(&next);
    assert_int_equal(f.n_servers, 2);
    h2_done(&f);
}

static void an_idle_connection_is_closed_after_its_time(void **state)
{
    struct h2_fixture f = h2_new(*state);
    struct get get;

    h2_listen(&f);
    get_h2(&get, &f, "/x");
    UNTIL(f.base, get.end != FB_OK);
    get_done(&get);
    quiet(f.base);
    assert_int_equal(metric(f.base, "fb_client_connections"), 1);
    test_clock_advance_ms(&f.base->clock, 20001);
    UNTIL(f.base, f.n_gone == 1);
    assert_int_equal(metric(f.base, "fb_client_connections"), 0);
    h2_done(&f);
}

static void those_who_wait_for_a_connection_share_its_fate(void **state)
{
    struct h2_fixture f = h2_new(*state);
    struct get gets[5];

    h2_listen(&f);
    fb_listener_close(f.listener);
    f.listener = NULL;
    quiet(f.base);
    for (int i = 0; i < 5; i++) {
        get_h2(&gets[i], &f, "/x");
    }
    for (int i = 0; i < 5; i++) {
        UNTIL(f.base, gets[i].end != FB_OK);
        assert_int_equal(gets[i].end, -ECONNREFUSED);
        get_done(&gets[i]);
    }
    assert_int_equal(metric(f.base, "fb_client_connections_opened_total"), 1);
    h2_done(&f);
}

/* Given up at every turn: what is left is the loop's own to find. */
static void fetches_may_be_canceled_at_any_time(void **state)
{
    struct h2_fixture f = h2_new(*state);

    h2_listen(&f);
    for (int n_turns = 0; n_turns < 40; n_turns++) {
        struct get gets[3];
        struct fb_buf content = {0};
        fb_buf_append(&content, FB_STR("content"));
        get_h2_init(&gets[0], &f, "/echo");
        gets[0].fetch.method = FB_METHOD_POST;
        gets[0].fetch.request_length = n_turns % 2 == 0 ? (int64_t)content.len : -1;
        gets[0].fetch.request_body = fb_reader_of_buf(&content);
        fb_client_fetch(f.base->client, &gets[0].fetch);
        get_h2(&gets[1], &f, "/size/100000");
        get_h2(&gets[2], &f, "/silent");
        for (int i = 0; i < n_turns; i++) {
            fb_loop_turn(f.base->loop);
        }
        for (int i = 0; i < 3; i++) {
            fb_op_cancel(&gets[i].fetch.op);
        }
        for (int i = 0; i < 3; i++) {
            UNTIL(f.base, gets[i].end != FB_OK);
            assert_int_equal(gets[i].n_done, 1);
            get_done(&gets[i]);
        }
    }
    h2_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_fetches_share_one_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_the_peer_takes_go_to_another_connection, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(content_comes_whole_however_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_waits_holds_up_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_body_that_is_cut_is_not_taken_for_whole, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_connection_that_goes_away_fails_bodies_and_sends_the_rest_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_that_a_leaving_peer_has_not_seen_are_sent_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(content_of_requests_is_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_silent_connection_is_left_by_those_who_come_later, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_idle_connection_is_closed_after_its_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(those_who_wait_for_a_connection_share_its_fate, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(fetches_may_be_canceled_at_any_time, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
