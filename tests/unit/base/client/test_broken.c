#include "base/client/client.h"
#include "upstream.h"

#include <errno.h>

/* ---- failures ------------------------------------------------------------ */

static void nobody_listening_is_a_failure_to_connect(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};

    fb_listener_close(f->listener);
    f->listener = NULL;
    quiet(f);
    assert_int_equal(get_all(f, &got), -ECONNREFUSED);
    assert_int_equal(metric(f, "fb_client_failures_total"), 1);
}

static void a_response_cut_anywhere_never_passes_for_whole(void **state)
{
    struct fixture *f = *state;
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\nT: v\r\n\r\n",
    };

    f->closes = true;
    for (size_t i = 0; i < FB_ARRAY_LEN(answers); i++) {
        struct fb_str whole = fb_str_from(answers[i]);
        size_t n_head = (size_t)(strstr(answers[i], "\r\n\r\n") - answers[i]) + 4;
        for (size_t n = 0; n <= whole.len; n++) {
            FB_AUTO(fb_buf_done) struct fb_buf got = {0};
            f->answer = fb_str_first(whole, n);
            int end = get_all(f, &got);
            assert_int_equal(end, n == whole.len ? FB_E_END : FB_E_CLOSED);
            assert_true(got.len <= 5 &&
                        memcmp(got.ptr != NULL ? got.ptr : "", "hello", got.len) == 0);
            assert_true(n >= n_head || got.len == 0);
            /* The fixture's table of peers is small. */
            UNTIL(f, f->n_ended == f->n_peers);
            for (unsigned p = 0; p < f->n_peers; p++) {
                peer_close(f->peers[p]);
                fb_buf_done(&f->peers[p]->in);
                fb_loop_turn(f->loop);
                fb_free(f->peers[p]);
            }
            f->n_peers = 0;
            f->n_ended = 0;
        }
    }
}

static void a_response_in_single_bytes_is_read(void **state)
{
    struct fixture *f = *state;
    static const char answer[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    struct get get;

    f->answer = FB_STR_NONE;
    get_start(&get, f);
    UNTIL(f, f->n_requests == 1);
    for (size_t i = 0; i < sizeof(answer) - 1; i++) {
        peer_send(f->peers[0], (struct fb_str){answer + i, 1});
        quiet(f);
    }
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    assert_string_equal(get.content.ptr, "hello");
    get_done(&get);
}

static void a_stalled_head_and_stalled_content_time_out(void **state)
{
    struct fixture *f = *state;
    static const char *const parts[] = {"", "HTTP/1.1 200 OK\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"};

    for (size_t i = 0; i < FB_ARRAY_LEN(parts); i++) {
        struct get get;
        unsigned n_requests = f->n_requests;
        f->answer = fb_str_from(parts[i]);
        get_start(&get, f);
        UNTIL(f, f->n_requests == n_requests + 1);
        UNTIL(f, i < 2 || get.n_done == 1);
        quiet(f);
        assert_int_equal(get.end, FB_OK);
        test_clock_advance_ms(&f->clock, 30000);
        UNTIL(f, get.end != FB_OK);
        assert_int_equal(get.end, FB_E_TIMEOUT);
        get_done(&get);
    }
    assert_int_equal(metric(f, "fb_client_failures_total"), 4);
}

static void a_caller_that_does_not_ask_is_not_timed_out(void **state)
{
    struct fixture *f = *state;
    struct get get;

    get_init(&get, f);
    get.by_hand = true;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.n_done == 1);
    test_clock_advance_ms(&f->clock, 100000);
    quiet(f);
    get_read(&get);
    assert_int_equal(get.end, FB_E_END);
    assert_string_equal(get.content.ptr, "hello");
    get_done(&get);
}

static void an_oversized_head_is_refused(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf head = {0};
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};

    fb_buf_append(&head, FB_STR("HTTP/1.1 200 OK\r\nX: "));
    memset(fb_buf_reserve(&head, 70000), 'x', 70000);
    fb_buf_add(&head, 70000);
    f->answer = fb_buf_str(&head);
    assert_int_equal(get_all(f, &got), FB_E_LIMIT);
}

static void endless_interim_responses_are_refused(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf answer = {0};
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};

    for (int i = 0; i < 50; i++) {
        fb_buf_append(&answer, FB_STR("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    f->answer = fb_buf_str(&answer);
    assert_int_equal(get_all(f, &got), FB_E_MALFORMED);
}

static void interim_responses_are_counted_however_slowly_they_come(void **state)
{
    struct fixture *f = *state;
    struct get get;

    f->answer = FB_STR_NONE;
    get_start(&get, f);
    UNTIL(f, f->n_requests == 1);
    for (int i = 0; i < 50 && get.end == FB_OK; i++) {
        peer_send(f->peers[0], FB_STR("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"));
        quiet(f);
    }
    assert_int_equal(get.end, FB_E_MALFORMED);
    get_done(&get);
}

static void what_nobody_asked_for_or_understands_is_malformed(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < FB_ARRAY_LEN(answers); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf got = {0};
        f->answer = fb_str_from(answers[i]);
        assert_int_equal(get_all(f, &got), FB_E_MALFORMED);
    }
}

static void trailers_are_dropped_and_too_many_are_refused(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf answer = {0};
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct get get;

    f->answer = FB_STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: ETag\r\n\r\n"
                       "2\r\nok\r\n0\r\nETag: \"t\"\r\nContent-Length: 9\r\n\r\n");
    get_start(&get, f);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    assert_string_equal(get.content.ptr, "ok");
    assert_null(fb_headers_find(&get.fetch.response.headers, FB_STR("etag")).ptr);
    get_done(&get);

    fb_buf_append(&answer, FB_STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "2\r\nok\r\n0\r\n"));
    for (int i = 0; i < 1000; i++) {
        fb_buf_append(&answer, FB_STR("Trailer-Field: x\r\n"));
    }
    fb_buf_append(&answer, FB_STR("\r\n"));
    f->answer = fb_buf_str(&answer);
    assert_int_equal(get_all(f, &got), FB_E_MALFORMED);
}

static void content_after_a_status_that_has_none_costs_the_connection(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"};
    struct fixture *f = *state;

    for (size_t i = 0; i < FB_ARRAY_LEN(answers); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf got = {0};
        unsigned n_ended = f->n_ended;
        f->answer = fb_str_from(answers[i]);
        assert_int_equal(get_all(f, &got), FB_E_END);
        assert_int_equal(got.len, 0);
        UNTIL(f, f->n_ended == n_ended + 1);
    }
}

/* ---- leaving early ------------------------------------------------------- */

static void a_fetch_can_be_canceled_at_any_turn(void **state)
{
    struct fixture *f = *state;

    for (int n = 0; n < 12; n++) {
        struct get get;
        get_start(&get, f);
        for (int i = 0; i < n; i++) {
            fb_loop_turn(f->loop);
        }
        bool was_done = get.n_done == 1;
        fb_op_cancel(&get.fetch.op);
        UNTIL(f, get.end != FB_OK);
        assert_int_equal(get.n_done, 1);
        assert_true(was_done || get.end == FB_E_CANCELED || get.end == FB_E_END);
        get_done(&get);
        quiet(f);
    }
}

static void a_fetch_can_be_canceled_in_the_queue(void **state)
{
    struct fixture *f = *state;
    struct get gets[5];

    f->answer = FB_STR_NONE;
    for (int i = 0; i < 5; i++) {
        get_start(&gets[i], f);
    }
    UNTIL(f, f->n_requests == 3);
    for (int i = 4; i >= 0; i--) {
        fb_op_cancel(&gets[i].fetch.op);
    }
    quiet(f);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(gets[i].end, FB_E_CANCELED);
        get_done(&gets[i]);
    }
    UNTIL(f, f->n_ended == 3);
    assert_int_equal(f->peers[0]->end, -ECONNRESET);
    assert_int_equal(metric(f, "fb_client_failures_total"), 0);
}

static void content_closed_early_costs_the_connection_unless_little_is_left(void **state)
{
    struct fixture *f = *state;
    struct get get;

    f->answer = FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhello");
    get_init(&get, f);
    get.by_hand = true;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.n_done == 1);
    fb_reader_close(get.fetch.body);
    get_done(&get);
    UNTIL(f, f->n_ended == 1);
    assert_int_equal(f->peers[0]->end, -ECONNRESET);

    f->answer = FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    get_init(&get, f);
    get.by_hand = true;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.n_done == 1);
    fb_reader_close(get.fetch.body);
    get_done(&get);
    peer_send(f->peers[1], FB_STR("world"));
    quiet(f);

    f->answer = FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    assert_int_equal(get_all(f, &got), FB_E_END);
    assert_string_equal(got.ptr, "ok");
    assert_int_equal(f->n_peers, 2);
}

static void slices_outlive_the_content_and_the_connection(void **state)
{
    struct fixture *f = *state;
    struct fb_slice slices[2];
    struct get get;

    f->answer = FB_STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    get_init(&get, f);
    get.by_hand = true;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.n_done == 1);
    assert_int_equal(fb_reader_next(get.fetch.body, &slices[0]), FB_OK);
    assert_int_equal(fb_reader_next(get.fetch.body, &slices[1]), FB_OK);
    fb_reader_close(get.fetch.body);
    quiet(f);
    assert_true(fb_str_equal(slices[0].bytes, FB_STR("abc")));
    fb_slice_release(&slices[0]);
    assert_true(fb_str_equal(slices[1].bytes, FB_STR("de")));
    fb_slice_release(&slices[1]);
    get_done(&get);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_listening_is_a_failure_to_connect),
        TEST(a_response_cut_anywhere_never_passes_for_whole),
        TEST(a_response_in_single_bytes_is_read),
        TEST(a_stalled_head_and_stalled_content_time_out),
        TEST(a_caller_that_does_not_ask_is_not_timed_out),
        TEST(an_oversized_head_is_refused),
        TEST(endless_interim_responses_are_refused),
        TEST(interim_responses_are_counted_however_slowly_they_come),
        TEST(what_nobody_asked_for_or_understands_is_malformed),
        TEST(trailers_are_dropped_and_too_many_are_refused),
        TEST(content_after_a_status_that_has_none_costs_the_connection),
        TEST(a_fetch_can_be_canceled_at_any_turn),
        TEST(a_fetch_can_be_canceled_in_the_queue),
        TEST(content_closed_early_costs_the_connection_unless_little_is_left),
        TEST(slices_outlive_the_content_and_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
