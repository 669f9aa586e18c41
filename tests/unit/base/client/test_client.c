#include "base/client/client.h"
#include "upstream.h"

#include <errno.h>

/* ---- requests and responses ---------------------------------------------- */

static void a_get_brings_head_and_content(void **state)
{
    struct fixture *f = *state;
    const struct fb_header headers[] = {{FB_STR("Accept"), FB_STR("*/*")}};
    struct get get;

    f->answer = FB_STR("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello");
    get_init(&get, f);
    get.fetch.headers = headers;
    get.fetch.n_headers = 1;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    assert_int_equal(get.fetch.response.status, 404);
    assert_int_equal(get.fetch.length, 5);
    struct fb_str value = fb_headers_find(&get.fetch.response.headers, FB_STR("x-a"));
    assert_true(fb_str_equal(value, FB_STR("b")));
    assert_string_equal(get.content.ptr, "hello");
    get_done(&get);

    char expected[128];
    (void)snprintf(expected, sizeof(expected),
                   "GET /x HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept: */*\r\n\r\n",
                   (unsigned)f->port);
    assert_string_equal(f->peers[0]->in.ptr, expected);
}

static void framing_is_read_every_way(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *answer;
        const char *content;
        bool keeps;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", true},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
         "abcde", true},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
         "ok", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", "ok", false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", "ok", false},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf got = {0};
        unsigned n_ended = f->n_ended;
        f->answer = fb_str_from(cases[i].answer);
        assert_int_equal(get_all(f, &got), FB_E_END);
        assert_string_equal(got.ptr != NULL ? got.ptr : "", cases[i].content);
        if (!cases[i].keeps) {
            UNTIL(f, f->n_ended == n_ended + 1);
        }
        quiet(f);
        assert_int_equal(f->n_ended, n_ended + !cases[i].keeps);
    }
}

static void content_may_end_with_the_connection(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};

    f->answer = FB_STR("HTTP/1.1 200 OK\r\n\r\nall of it");
    f->closes = true;
    assert_int_equal(get_all(f, &got), FB_E_END);
    assert_string_equal(got.ptr, "all of it");
}

static void a_head_request_has_no_content(void **state)
{
    struct fixture *f = *state;
    struct get get;

    get_init(&get, f);
    get.fetch.method = FB_METHOD_HEAD;
    f->answer = FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    assert_int_equal(get.fetch.length, 0);
    get_done(&get);
    assert_memory_equal(f->peers[0]->in.ptr, "HEAD /x", 7);
    quiet(f);
    assert_int_equal(f->n_ended, 0);
}

static void what_would_be_no_request_is_refused(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 5; i++) {
        struct get get;
        get_init(&get, f);
        switch (i) {
        case 0:
            get.fetch.url.scheme = FB_STR("https");
            break;
        case 1:
            get.fetch.url.target = FB_STR("/a b");
            break;
        case 2:
            get.fetch.url.target = FB_STR("/a\r\nX: y");
            break;
        case 3:
            get.fetch.host_header = FB_STR("a\nb");
            break;
        default:
            get.fetch.method = FB_METHOD_OTHER;
            break;
        }
        get.fetch.request_body = fb_reader_of_slice((struct fb_slice){.bytes = FB_STR("x")});
        fb_client_fetch(f->client, &get.fetch);
        UNTIL(f, get.end != FB_OK);
        assert_int_equal(get.end, i == 0 ? FB_E_UNSUPPORTED : FB_E_MALFORMED);
        get_done(&get);
    }
    assert_int_equal(f->n_peers, 0);
}

/* ---- kept connections ---------------------------------------------------- */

static void a_connection_is_used_again(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 5; i++) {
        FB_AUTO(fb_buf_done) struct fb_buf got = {0};
        assert_int_equal(get_all(f, &got), FB_E_END);
    }
    assert_int_equal(f->n_peers, 1);
    assert_int_equal(metric(f, "fb_client_connections_opened_total"), 1);
    assert_int_equal(metric(f, "fb_client_connections_reused_total"), 4);
}

static void an_idle_connection_that_its_peer_closes_is_forgotten(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    FB_AUTO(fb_buf_done) struct fb_buf second = {0};

    assert_int_equal(get_all(f, &first), FB_E_END);
    peer_close(f->peers[0]);
    UNTIL(f, metric(f, "fb_client_connections") == 0);
    assert_int_equal(get_all(f, &second), FB_E_END);
    assert_int_equal(metric(f, "fb_client_retries_total"), 0);
}

static void an_idle_connection_goes_after_its_time(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};

    assert_int_equal(get_all(f, &got), FB_E_END);
    test_clock_advance_ms(&f->clock, 19999);
    quiet(f);
    assert_int_equal(f->n_ended, 0);
    test_clock_advance_ms(&f->clock, 1);
    UNTIL(f, f->n_ended == 1);
    assert_int_equal(f->peers[0]->end, FB_E_END);
}

static void a_request_that_meets_a_closed_kept_connection_is_sent_again(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    struct get get;

    assert_int_equal(get_all(f, &first), FB_E_END);
    f->answer = FB_STR_NONE; /* by hand */
    get_start(&get, f);
    UNTIL(f, f->n_requests == 2);
    peer_close(f->peers[0]);
    UNTIL(f, f->n_peers == 2 && f->n_requests == 3);
    peer_send(f->peers[1], FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    assert_int_equal(metric(f, "fb_client_retries_total"), 1);
    get_done(&get);
}

static void it_is_sent_again_once_and_never_if_it_is_no_repeatable_one(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    FB_AUTO(fb_buf_done) struct fb_buf second = {0};
    struct get get;

    assert_int_equal(get_all(f, &first), FB_E_END);
    f->answer = FB_STR("");
    f->closes = true;
    assert_int_equal(get_all(f, &second), FB_E_CLOSED);
    assert_int_equal(f->n_requests, 3);

    f->answer = FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    f->closes = false;
    assert_int_equal(get_all(f, &second), FB_E_END);
    f->answer = FB_STR("");
    f->closes = true;
    get_init(&get, f);
    get.fetch.method = FB_METHOD_POST;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_CLOSED);
    assert_int_equal(f->n_requests, 5);
    get_done(&get);
}

static void no_more_than_the_limit_stay_idle(void **state)
{
    struct fixture *f = *state;
    struct get gets[3];

    for (int i = 0; i < 3; i++) {
        get_start(&gets[i], f);
    }
    for (int i = 0; i < 3; i++) {
        UNTIL(f, gets[i].end != FB_OK);
        assert_int_equal(gets[i].end, FB_E_END);
        get_done(&gets[i]);
    }
    UNTIL(f, f->n_ended == 1);
    assert_int_equal(f->n_peers, 3);
    assert_int_equal(metric(f, "fb_client_connections"), 2);
}

/* ---- the queue ----------------------------------------------------------- */

static void more_than_the_limit_wait_their_turn(void **state)
{
    struct fixture *f = *state;
    static struct get gets[20];

    for (int i = 0; i < 20; i++) {
        get_start(&gets[i], f);
    }
    for (int i = 0; i < 20; i++) {
        UNTIL(f, gets[i].end != FB_OK);
        assert_int_equal(gets[i].end, FB_E_END);
        assert_int_equal(gets[i].n_done, 1);
        get_done(&gets[i]);
    }
    assert_int_equal(f->n_peers, 3);
    assert_int_equal(metric(f, "fb_client_queue_waits_total"), 17);
}

static void the_queue_is_served_when_connections_fail(void **state)
{
    struct fixture *f = *state;
    struct get gets[9];

    f->answer = FB_STR("nonsense\r\n\r\n");
    for (int i = 0; i < 9; i++) {
        get_start(&gets[i], f);
    }
    for (int i = 0; i < 9; i++) {
        UNTIL(f, gets[i].end != FB_OK);
        assert_int_equal(gets[i].end, FB_E_MALFORMED);
        get_done(&gets[i]);
    }
    assert_int_equal(metric(f, "fb_client_failures_total"), 9);
}

static void framing_without_content_wins_no_time_for_it(void **state)
{
    const struct fb_str pieces[] = {FB_STR("2;"), FB_STR("a"), FB_STR("\r\nhi\r\n5;"), FB_STR("b")};
    struct fixture *f = *state;
    struct get get;

    f->answer = FB_STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    get_start(&get, f);
    assert_int_equal(seconds_to_the_end(f, &get, pieces, FB_ARRAY_LEN(pieces)), 2 + 30);
    assert_int_equal(get.end, FB_E_TIMEOUT);
    assert_int_equal(get.content.len, 2);
    get_done(&get);
}

static void waiting_in_the_queue_times_out(void **state)
{
    struct fixture *f = *state;
    struct get gets[4];

    f->answer = FB_STR_NONE;
    for (int i = 0; i < 3; i++) {
        get_start(&gets[i], f);
    }
    get_init(&gets[3], f);
    gets[3].fetch.head_timeout_ms = 10000;
    fb_client_fetch(f->client, &gets[3].fetch);
    UNTIL(f, f->n_requests == 3);
    test_clock_advance_ms(&f->clock, 10000);
    quiet(f);
    assert_int_equal(gets[3].end, FB_E_BUSY); /* the upstream never saw it */
    test_clock_advance_ms(&f->clock, 20000);
    quiet(f);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(gets[i].end, i < 3 ? FB_E_TIMEOUT : FB_E_BUSY);
        get_done(&gets[i]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_get_brings_head_and_content),
        TEST(framing_without_content_wins_no_time_for_it),
        TEST(framing_is_read_every_way),
        TEST(content_may_end_with_the_connection),
        TEST(a_head_request_has_no_content),
        TEST(what_would_be_no_request_is_refused),
        TEST(a_connection_is_used_again),
        TEST(an_idle_connection_that_its_peer_closes_is_forgotten),
        TEST(an_idle_connection_goes_after_its_time),
        TEST(a_request_that_meets_a_closed_kept_connection_is_sent_again),
        TEST(it_is_sent_again_once_and_never_if_it_is_no_repeatable_one),
        TEST(no_more_than_the_limit_stay_idle),
        TEST(more_than_the_limit_wait_their_turn),
        TEST(the_queue_is_served_when_connections_fail),
        TEST(waiting_in_the_queue_times_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
