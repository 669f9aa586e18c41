#include "server_fixture.h"

/* ---- requests and responses ---------------------------------------------- */

static void get_is_answered_and_the_connection_stays(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, GET("/"));
    has(f, "HTTP/1.1 200 OK\r\n");
    has(f, "Server: test\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n");
    has(f, "Content-Length: 5\r\n\r\nhello");
    assert_int_equal(f->wire.end, FB_OK);
    assert_int_equal(f->outcome.result, FB_OK);
    assert_int_equal(f->outcome.body_bytes, 5);

    wire_send(&f->wire, GET("/"));
    assert_int_equal(wire_count(&f->wire, "hello"), 2);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, GET("/later") GET("/") GET("/empty"));
    assert_int_equal(f->n_requests, 1);
    respond_text(f->pending, "first");
    wire_turn(&f->wire);
    assert_int_equal(f->n_requests, 3);
    has(f, "first");
    assert_true(strstr(f->wire.received.ptr, "first") < strstr(f->wire.received.ptr, "hello"));
    has(f, "Content-Length: 0\r\n\r\n");
}

static void head_gets_the_length_and_no_content(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" GET("/empty"));
    has(f, "Content-Length: 5\r\n\r\nHTTP/1.1 200");
    assert_false(wire_has(&f->wire, "hello"));
}

static void unknown_length_is_sent_in_chunks(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, GET("/stream"));
    fake_give(&f->body, "0123456789abcdef", FB_E_LATER);
    wire_turn(&f->wire);
    fake_give(&f->body, "x", FB_E_END);
    wire_turn(&f->wire);
    has(f, "Transfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\n\r\n");
    assert_true(f->body.is_closed);
    assert_int_equal(f->wire.end, FB_OK);
}

static void http_1_0_gets_no_chunks_and_a_close(void **state)
{
    struct fixture *f = *state;

    fake_give(&f->body, "abc", FB_E_END);
    wire_send(&f->wire, "GET /stream HTTP/1.0\r\n\r\n");
    has(f, "Connection: close\r\n\r\nabc");
    assert_int_equal(f->wire.end, FB_E_END);
}

static void http_1_0_keeps_alive_when_asked(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    has(f, "Connection: keep-alive\r\n");
    wire_send(&f->wire, "GET / HTTP/1.0\r\n\r\n");
    assert_int_equal(wire_count(&f->wire, "hello"), 2);
    assert_int_equal(f->wire.end, FB_E_END);
}

static void a_broken_body_resets_the_connection(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, GET("/ten"));
    fake_give(&f->body, "12345", FB_E_LATER);
    wire_turn(&f->wire);
    fake_give(&f->body, NULL, FB_E_CLOSED);
    wire_turn(&f->wire);
    assert_int_equal(f->outcome.result, FB_E_CLOSED);
    assert_int_equal(f->wire.end, -ECONNRESET);
    assert_true(f->body.is_closed);
}

static void a_body_shorter_than_its_length_resets_the_connection(void **state)
{
    struct fixture *f = *state;

    fake_give(&f->body, "12345", FB_E_END);
    wire_send(&f->wire, GET("/ten"));
    assert_int_equal(f->outcome.result, FB_E_CORRUPT);
    assert_int_equal(f->wire.end, -ECONNRESET);
}

static void a_body_longer_than_its_length_is_never_sent(void **state)
{
    struct fixture *f = *state;

    fake_give(&f->body, "123456789012", FB_E_END);
    wire_send(&f->wire, GET("/ten"));
    assert_int_equal(f->outcome.result, FB_E_CORRUPT);
    assert_false(wire_has(&f->wire, "12345"));
}

/* ---- what is refused ----------------------------------------------------- */

static void malformed_bytes_get_400_and_a_close(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "GET / HTTP/1.1\r\nHost : a\r\n\r\n" GET("/"));
    has(f, "HTTP/1.1 400 Bad Request\r\n");
    has(f, "application/problem+json");
    has(f, "\"title\":\"Bad Request\",\"status\":400");
    has(f, "Connection: close");
    assert_int_equal(f->wire.end, FB_E_END);
    assert_int_equal(f->n_requests, 0);
}

static void a_long_target_gets_414_and_long_fields_431(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    fb_buf_append(&text, FB_STR("GET /"));
    for (int i = 0; i < 40000; i++) {
        fb_buf_append_byte(&text, 'a');
    }
    wire_send_bytes(&f->wire, fb_buf_str(&text));
    has(f, "HTTP/1.1 414 ");

    wire_hang_up(&f->wire);
    wire_connect(&f->wire);
    fb_buf_clear(&text);
    fb_buf_append(&text, FB_STR("GET / HTTP/1.1\r\nHost: a\r\nX: "));
    for (int i = 0; i < 40000; i++) {
        fb_buf_append_byte(&text, 'a');
    }
    wire_send_bytes(&f->wire, fb_buf_str(&text));
    has(f, "HTTP/1.1 431 ");
}

static void a_refusal_has_the_fields_that_its_owner_adds(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 200001\r\n\r\n");
    has(f, "HTTP/1.1 413 ");
    has(f, "X-Asked: /big\r\n");
    assert_int_equal(f->n_refused, 1);
    assert_int_equal(f->n_refusals_ended, 1);
    assert_int_equal(f->refused_status, 413);
    wire_hang_up(&f->wire);
    wire_connect(&f->wire);
    wire_send(&f->wire, "broken\n");
    has(f, "X-Asked: \r\n");
    assert_int_equal(f->refused_status, 400);
    assert_int_equal(f->n_aborted + f->n_requests, 0);
}

static void what_a_handler_refuses_is_its_own(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx");
    has(f, "HTTP/1.1 400 ");
    assert_int_equal(f->n_refused, 0);
}

/* ---- limits -------------------------------------------------------------- */

static void connections_over_the_limit_are_closed(void **state)
{
    struct fixture *f = *state;

    wire_hang_up(&f->wire);
    wire_connect(&f->wire);
    struct fb_stream *first = f->wire.client;
    wire_connect(&f->wire);
    struct fb_stream *second = f->wire.client;
    wire_connect(&f->wire);
    wire_turn(&f->wire);
    assert_int_equal(f->wire.end, FB_E_END);
    assert_int_equal(fb_server_connections(f->wire.server), 2);
    assert_int_equal(fb_metrics_sum(f->metrics, "http_connections_refused_total"), 1);
    fb_stream_close(first);
    fb_stream_close(second);
}

static void the_last_request_of_a_connection_says_so(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 49; i++) {
        wire_send(&f->wire, GET("/"));
    }
    assert_false(wire_has(&f->wire, "Connection: close"));
    wire_send(&f->wire, GET("/"));
    has(f, "Connection: close");
    assert_int_equal(f->wire.end, FB_E_END);
}

static void what_happens_is_counted(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, GET("/") "broken\n");
    assert_int_equal(fb_metrics_sum(f->metrics, "http_requests_total"), 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "http_responses_total"), 2);
    assert_int_equal(fb_metrics_sum(f->metrics, "http_refused_total"), 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "http_connections"), 1);
    wire_hang_up(&f->wire);
    assert_int_equal(fb_metrics_sum(f->metrics, "http_connections"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(get_is_answered_and_the_connection_stays),
        SERVER_TEST(pipelined_requests_are_answered_in_order),
        SERVER_TEST(head_gets_the_length_and_no_content),
        SERVER_TEST(unknown_length_is_sent_in_chunks),
        SERVER_TEST(http_1_0_gets_no_chunks_and_a_close),
        SERVER_TEST(http_1_0_keeps_alive_when_asked),
        SERVER_TEST(a_broken_body_resets_the_connection),
        SERVER_TEST(a_body_shorter_than_its_length_resets_the_connection),
        SERVER_TEST(a_body_longer_than_its_length_is_never_sent),
        SERVER_TEST(malformed_bytes_get_400_and_a_close),
        SERVER_TEST(a_long_target_gets_414_and_long_fields_431),
        SERVER_TEST(a_refusal_has_the_fields_that_its_owner_adds),
        SERVER_TEST(what_a_handler_refuses_is_its_own),
        SERVER_TEST(connections_over_the_limit_are_closed),
        SERVER_TEST(the_last_request_of_a_connection_says_so),
        SERVER_TEST(what_happens_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
