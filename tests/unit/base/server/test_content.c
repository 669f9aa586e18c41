#include "server_fixture.h"

/* ---- content of requests ------------------------------------------------- */

static void content_with_a_length_is_read(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    wire_send(&f->wire, "def" GET("/"));
    has(f, "abcdef");
    has(f, "hello");
}

static void chunked_content_is_read(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "3;x=y\r\nabc\r\n2\r\nde\r");
    wire_send(&f->wire, "\n0\r\nTrailer: t\r\n\r\n" GET("/"));
    has(f, "abcde");
    has(f, "hello");
}

static void continue_is_sent_when_the_handler_reads(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                        "Expect: 100-continue\r\n\r\n");
    assert_string_equal(f->wire.received.ptr, "HTTP/1.1 100 Continue\r\n\r\n");
    wire_send(&f->wire, "abc");
    has(f, "\r\n\r\nabc");
    assert_int_equal(f->wire.end, FB_OK);
}

static void a_handler_that_does_not_read_sends_no_continue_and_closes(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                        "Expect: 100-continue\r\n\r\n");
    assert_false(wire_has(&f->wire, "100 Continue"));
    has(f, "Connection: close");
    assert_int_equal(f->wire.end, FB_E_END);
}

static void another_expectation_is_refused(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "GET / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n");
    has(f, "HTTP/1.1 417 ");
    assert_int_equal(f->n_requests, 0);
}

static void unread_content_is_drained(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
    wire_send(&f->wire, "56789" GET("/"));
    assert_int_equal(wire_count(&f->wire, "hello"), 2);
}

static void long_unread_content_closes_the_connection(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n01234");
    has(f, "Connection: close");
    assert_int_equal(f->wire.end, FB_E_END);
}

static void content_over_the_limit_is_refused(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200001\r\n\r\n");
    has(f, "HTTP/1.1 413 ");
    assert_int_equal(f->n_requests, 0);
    assert_int_equal(f->wire.end, FB_E_END);
}

static void content_that_breaks_reaches_the_handler(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx");
    assert_int_equal(f->echo_err, FB_E_MALFORMED);
    has(f, "HTTP/1.1 400 ");
    has(f, "Connection: close");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(content_with_a_length_is_read),
        SERVER_TEST(chunked_content_is_read),
        SERVER_TEST(continue_is_sent_when_the_handler_reads),
        SERVER_TEST(a_handler_that_does_not_read_sends_no_continue_and_closes),
        SERVER_TEST(another_expectation_is_refused),
        SERVER_TEST(unread_content_is_drained),
        SERVER_TEST(long_unread_content_closes_the_connection),
        SERVER_TEST(content_over_the_limit_is_refused),
        SERVER_TEST(content_that_breaks_reaches_the_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
