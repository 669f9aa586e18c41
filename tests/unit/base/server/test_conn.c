#include "server_fixture.h"

/* ---- time ---------------------------------------------------------------- */

static void a_slow_head_gets_408(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "GET / HTTP/1.1\r\n");
    wire_advance_ms(&f->wire, 9000);
    wire_send(&f->wire, "Host: a\r\n");
    wire_advance_ms(&f->wire, 1001);
    has(f, "HTTP/1.1 408 ");
    assert_int_equal(f->wire.end, FB_E_END);
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, GET("/"));
    fb_buf_clear(&f->wire.received);
    wire_advance_ms(&f->wire, 60001);
    assert_int_equal(f->wire.received.len, 0);
    assert_int_equal(f->wire.end, FB_E_END);
    assert_int_equal(fb_server_connections(f->wire.server), 0);
}

static void slow_content_times_out(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    wire_advance_ms(&f->wire, 30001);
    assert_int_equal(f->echo_err, FB_E_TIMEOUT);
}

static void a_client_that_takes_nothing_is_cut(void **state)
{
    struct fixture *f = *state;
    static char big[WIRE_CAPACITY + 1000];

    memset(big, 'x', sizeof(big) - 1);
    wire_send(&f->wire, GET("/later"));
    respond_text(f->pending, big);
    for (int i = 0; i < 4; i++) {
        fb_loop_turn(f->wire.loop); /* and the client takes nothing */
    }
    test_clock_advance_ms(&f->wire.clock, 30001);
    for (int i = 0; i < 4; i++) {
        fb_loop_turn(f->wire.loop);
    }
    assert_int_equal(f->n_finished, 1);
    assert_true(f->outcome.result < 0);
}

/* ---- clients that are wrong here ----------------------------------------- */

static void a_client_that_speaks_tls_is_told_that_nobody_does(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "\x16\x03\x01\x02\x01\x01");
    has(f, "HTTP/1.1 400 ");
    has(f, "use http instead");
    assert_int_equal(f->wire.end, FB_E_END);
}

static void the_first_byte_of_tls_says_nothing_later(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, GET("/"));
    wire_send(&f->wire, "\x16\x03\x01");
    has(f, "not well-formed");
}

/* ---- clients that leave -------------------------------------------------- */

static void a_client_that_resets_aborts_the_handler(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, GET("/later"));
    fb_stream_reset(f->wire.client);
    f->wire.client = NULL;
    wire_turn(&f->wire);
    assert_int_equal(f->n_aborted, 1);
    assert_int_equal(f->n_finished, 0);
    respond_text(f->pending, "into the void");
    assert_int_equal(f->n_finished, 0); /* never inside the call */
    wire_turn(&f->wire);
    assert_int_equal(f->n_finished, 1);
}

static void a_client_that_only_stops_sending_gets_its_response(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, GET("/later"));
    fb_stream_shut(f->wire.client);
    wire_turn(&f->wire);
    assert_int_equal(f->n_aborted, 0);
    respond_text(f->pending, "hello");
    wire_turn(&f->wire);
    has(f, "hello");
    assert_int_equal(f->wire.end, FB_E_END);
}

static void a_client_that_stops_sending_while_it_waits_has_left(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, GET("/later"));
    wire_advance_ms(&f->wire, 1000);
    assert_int_equal(f->n_aborted, 0);
    fb_stream_shut(f->wire.client);
    wire_turn(&f->wire);
    assert_int_equal(f->n_aborted, 1);
    respond_text(f->pending, "into the void");
    wire_turn(&f->wire);
    assert_int_equal(f->n_finished, 1);
    assert_false(wire_has(&f->wire, "into the void"));
}

static void a_client_that_stops_sending_while_a_body_stalls_has_left(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, GET("/stream"));
    wire_advance_ms(&f->wire, 1000);
    assert_int_equal(f->n_finished, 0);
    fb_stream_shut(f->wire.client);
    wire_turn(&f->wire);
    assert_int_equal(f->n_finished, 1);
    assert_true(f->body.is_closed);
    assert_true(f->outcome.result < 0);
}

static void a_client_that_leaves_during_the_response_ends_it(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, GET("/stream"));
    fb_stream_reset(f->wire.client);
    f->wire.client = NULL;
    wire_turn(&f->wire);
    assert_int_equal(f->n_finished, 1);
    assert_true(f->body.is_closed);
    assert_true(f->outcome.result < 0);
}

static void drain_on_done(struct fb_op *op)
{
    (void)op;
}

static void drain_begin(struct fixture *f, struct fb_op *drain)
{
    fb_op_init(drain, f->wire.loop, drain_on_done);
    fb_server_drain(f->wire.server, 1000, drain);
}

static void retreat_begin(struct fixture *f, struct fb_op *retreat)
{
    fb_op_init(retreat, f->wire.loop, drain_on_done);
    fb_server_retreat(f->wire.server, 1000, retreat);
}

/* It is over, and a drain finds nothing left to wait for. */
static void retreat_is_over(struct fixture *f, const struct fb_op *retreat)
{
    struct fb_op drain;

    assert_true(fb_op_is_idle(retreat));
    drain_begin(f, &drain);
    wire_turn(&f->wire);
    assert_true(fb_op_is_idle(&drain));
}

static void draining_waits_for_requests_and_then_cuts(void **state)
{
    struct fixture *f = *state;
    struct fb_op drain;

    wire_send(&f->wire, GET("/later"));
    drain_begin(f, &drain);
    wire_turn(&f->wire);
    assert_false(fb_op_is_idle(&drain));
    wire_advance_ms(&f->wire, 1001);
    assert_int_equal(f->n_aborted, 1);
    respond_text(f->pending, "late");
    wire_turn(&f->wire);
    assert_true(fb_op_is_idle(&drain));
}

static void draining_closes_after_the_response(void **state)
{
    struct fixture *f = *state;
    struct fb_op drain;

    wire_send(&f->wire, GET("/later"));
    drain_begin(f, &drain);
    respond_text(f->pending, "hello");
    wire_turn(&f->wire);
    has(f, "Connection: close");
    wire_hang_up(&f->wire);
    assert_true(fb_op_is_idle(&drain));
}

static void a_retreat_answers_what_comes_on_connections_that_stand(void **state)
{
    struct fixture *f = *state;
    struct fb_op retreat;

    wire_send(&f->wire, GET("/later"));
    retreat_begin(f, &retreat);
    respond_text(f->pending, "hello");
    wire_turn(&f->wire);
    has(f, "Connection: close");
    wire_hang_up(&f->wire);
    retreat_is_over(f, &retreat);
}

static void a_retreat_waits_for_who_has_not_asked_yet(void **state)
{
    struct fixture *f = *state;
    struct fb_op retreat;

    retreat_begin(f, &retreat);
    wire_turn(&f->wire);
    assert_int_equal(f->wire.end, FB_OK);
    wire_send(&f->wire, GET("/"));
    has(f, "Connection: close");
    wire_hang_up(&f->wire);
    retreat_is_over(f, &retreat);
}

static void a_retreat_ends_though_connections_stand_idle(void **state)
{
    struct fixture *f = *state;
    struct fb_op retreat;

    retreat_begin(f, &retreat);
    wire_advance_ms(&f->wire, 1001);
    assert_int_equal(f->wire.end, FB_OK);
    retreat_is_over(f, &retreat);
    assert_int_equal(f->wire.end, FB_E_END);
}

/* ---- sweep --------------------------------------------------------------- */

static void a_request_cut_anywhere_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    static const struct fb_str text =
        FB_STR("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
               "3\r\nabc\r\n0\r\n\r\n");

    for (size_t n = 1; n <= text.len; n++) {
        for (int way = 0; way < 3; way++) {
            wire_hang_up(&f->wire);
            wire_connect(&f->wire);
            wire_send_bytes(&f->wire, fb_str_first(text, n));
            if (way == 0) {
                fb_stream_shut(f->wire.client);
                wire_turn(&f->wire);
            } else if (way == 1) {
                fb_stream_reset(f->wire.client);
                f->wire.client = NULL;
                wire_turn(&f->wire);
                wire_connect(&f->wire);
            } else {
                wire_send_bytes(&f->wire, fb_str_skip(text, n));
                assert_int_equal(wire_count(&f->wire, "HTTP/1.1 200 OK"), 1);
            }
            assert_true(wire_count(&f->wire, "HTTP/1.1 ") <= 1);
            assert_int_equal(f->n_finished, f->n_requests);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(a_slow_head_gets_408),
        SERVER_TEST(an_idle_connection_is_closed_without_a_word),
        SERVER_TEST(slow_content_times_out),
        SERVER_TEST(a_client_that_takes_nothing_is_cut),
        SERVER_TEST(a_client_that_speaks_tls_is_told_that_nobody_does),
        SERVER_TEST(the_first_byte_of_tls_says_nothing_later),
        SERVER_TEST(a_client_that_resets_aborts_the_handler),
        SERVER_TEST(a_client_that_only_stops_sending_gets_its_response),
        SERVER_TEST(a_client_that_stops_sending_while_it_waits_has_left),
        SERVER_TEST(a_client_that_stops_sending_while_a_body_stalls_has_left),
        SERVER_TEST(a_client_that_leaves_during_the_response_ends_it),
        SERVER_TEST(draining_waits_for_requests_and_then_cuts),
        SERVER_TEST(draining_closes_after_the_response),
        SERVER_TEST(a_retreat_answers_what_comes_on_connections_that_stand),
        SERVER_TEST(a_retreat_waits_for_who_has_not_asked_yet),
        SERVER_TEST(a_retreat_ends_though_connections_stand_idle),
        SERVER_TEST(a_request_cut_anywhere_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
