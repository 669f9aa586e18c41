/*
 * Clients of HTTP/2 that are too slow, or ask for what is too large or not HTTP.
 */
#include "h2_client.h"

#define LIMIT_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* ---- too slow ------------------------------------------------------------ */

static void a_head_that_does_not_end_times_out(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();

    frame_add(&bytes, NGHTTP2_HEADERS, 1, 1, GET_BLOCK);
    send_frames(f, &bytes);
    wire_advance_ms(&f->wire, 9000);
    assert_int_equal(f->wire.end, FB_OK);
    wire_advance_ms(&f->wire, 3000);
    assert_int_equal(f->wire.end, FB_E_END);
    assert_int_equal(fb_metrics_sum(f->metrics, "http_timeouts_total"), 1);
}

static void content_that_does_not_come_times_out(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();

    add_post(&bytes);
    send_frames(f, &bytes);
    for (int i = 0; i < 17; i++) {
        wire_advance_ms(&f->wire, 2000);
    }
    assert_int_equal(f->echo_err, FB_E_TIMEOUT);
    assert_int_equal(f->outcome.status, 400);
    assert_int_equal(f->outcome.result, FB_OK);
}

static void a_window_that_stays_shut_ends_its_response(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_init(&client, &f->wire, 1);
    struct reply *reply = client_get(&client, "/");
    assert_int_equal(reply->body.len, 1);
    for (int i = 0; i < 14; i++) {
        client_advance_ms(&client, 2000);
    }
    assert_int_equal(f->n_finished, 0);
    for (int i = 0; i < 3; i++) {
        client_advance_ms(&client, 2000);
    }
    assert_int_equal(f->outcome.result, FB_E_TIMEOUT);
    assert_int_equal(f->outcome.body_bytes, 1);
    assert_true(reply->is_closed);
    assert_int_equal(f->wire.end, FB_OK);
    assert_int_equal(fb_metrics_sum(f->metrics, "http_timeouts_total"), 1);
    client_done(&client);
}

/* Turns the loop, but takes nothing of what the server sends. */
static void turn_without_taking(struct fixture *f, uint64_t ms)
{
    test_clock_advance_ms(&f->wire.clock, ms);
    for (int i = 0; i < WIRE_TURNS; i++) {
        fb_loop_turn(f->wire.loop);
    }
}

static void who_takes_nothing_is_cut(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();

    wire_hang_up(&f->wire);
    f->wire.capacity = 20000;
    wire_connect(&f->wire);
    frame_add(&bytes, NGHTTP2_SETTINGS, 0, 0, FB_STR("\0\4\x7f\xff\xff\xff"));
    frame_add(&bytes, NGHTTP2_WINDOW_UPDATE, 0, 0, FB_STR("\x7f\0\0\0"));
    frame_add(&bytes, NGHTTP2_HEADERS, 5, 1,
              FB_STR("\x82\x86\x44\x06/large\x41\x01"
                     "a"));
    f->wire.piece = fb_buf_str(&bytes);
    f->wire.write.pieces = &f->wire.piece;
    f->wire.write.n_pieces = 1;
    fb_op_init(&f->wire.write.op, f->wire.loop, wire_on_written);
    fb_stream_write(f->wire.client, &f->wire.write);
    turn_without_taking(f, 0);
    assert_int_equal(f->n_requests, 1);
    for (int i = 0; i < 14; i++) {
        turn_without_taking(f, 2000);
    }
    assert_int_equal(f->n_finished, 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "http_slow_clients_total"), 1);
    turn_without_taking(f, 2000);
    assert_int_equal(f->n_finished, 1);
    assert_true(f->outcome.result < 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "http_timeouts_total"), 1);
    fb_buf_done(&bytes);
}

/* ---- too large ----------------------------------------------------------- */

static void what_a_head_may_be_is_limited(void **state)
{
    struct fixture *f = *state;
    struct client client;
    char *value = fb_alloc(40001);

    client_init(&client, &f->wire, 0);
    memset(value, 'a', 40000);
    struct reply *fields = client_ask(&client, "GET", "/", "x", value, NULL);
    value[0] = '/';
    struct reply *path = client_ask(&client, "GET", value, NULL, NULL, NULL);
    struct reply *content = client_ask(&client, "POST", "/", "content-length", "200001", NULL);
    client_turn(&client);
    assert_int_equal(fields->status, 431);
    assert_int_equal(path->status, 414);
    assert_int_equal(content->error, NGHTTP2_PROTOCOL_ERROR); /* for there is none */
    assert_int_equal(f->n_requests, 0);
    assert_int_equal(client_get(&client, "/")->status, 200);
    client_done(&client);
    fb_free(value);
}

static void requests_are_as_strict_as_those_of_http_1(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_init(&client, &f->wire, 0);
    assert_int_equal(client_get(&client, "/a#b")->status, 400);
    struct reply *host = client_ask(&client, "GET", "/", "host", "b", NULL);
    struct reply *expect = client_ask(&client, "GET", "/", "expect", "200-ok", NULL);
    struct reply *options = client_ask(&client, "OPTIONS", "*", NULL, NULL, NULL);
    client_turn(&client);
    assert_int_equal(host->status, 400);
    assert_int_equal(expect->status, 417);
    assert_int_equal(options->status, 200);
    assert_int_equal(f->n_requests, 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "http_refused_total"), 3);
    client_done(&client);
}

static void names_in_capitals_reset_their_stream(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();

    frame_add(&bytes, NGHTTP2_HEADERS, 5, 1,
              FB_STR("\x82\x86\x84\x41\x01"
                     "a\x40\x01X\x01y"));
    send_frames(f, &bytes);
    assert_int_equal(frame_error(&f->wire, NGHTTP2_RST_STREAM), NGHTTP2_PROTOCOL_ERROR);
    assert_int_equal(f->n_requests, 0);
    assert_int_equal(f->wire.end, FB_OK);
}

static void values_with_control_bytes_are_refused(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();

    frame_add(&bytes, NGHTTP2_HEADERS, 5, 1,
              FB_STR("\x82\x86\x84\x41\x01"
                     "a\x40\x01x\x01\x01"));
    send_frames(f, &bytes);
    assert_int_equal(f->n_requests, 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "http_refused_total"), 1);
    assert_int_equal(f->wire.end, FB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMIT_TEST(a_head_that_does_not_end_times_out),
        LIMIT_TEST(content_that_does_not_come_times_out),
        LIMIT_TEST(a_window_that_stays_shut_ends_its_response),
        LIMIT_TEST(who_takes_nothing_is_cut),
        LIMIT_TEST(what_a_head_may_be_is_limited),
        LIMIT_TEST(requests_are_as_strict_as_those_of_http_1),
        LIMIT_TEST(names_in_capitals_reset_their_stream),
        LIMIT_TEST(values_with_control_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
