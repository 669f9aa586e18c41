#include "base/metrics/metrics.h"
#include "base/server/server.h"
#include "wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* ---- a reader that tests turn by hand ------------------------------------ */

struct fake_body {
    struct fb_reader reader;
    struct fb_op *waiter;
    struct fb_str pieces[8];
    size_t n_pieces;
    size_t n_given;
    int after; /* FB_E_LATER, FB_E_END or why it broke */
    bool is_closed;
};

static int fake_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct fake_body *body = FB_CONTAINER_OF(reader, struct fake_body, reader);

    if (body->n_given == body->n_pieces) {
        return body->after;
    }
    *ret_slice = (struct fb_slice){.bytes = body->pieces[body->n_given++]};
    return FB_OK;
}

static void fake_cancel(struct fb_op *op)
{
    struct fake_body *body = op->provider;
    body->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static void fake_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct fake_body *body = FB_CONTAINER_OF(reader, struct fake_body, reader);

    fb_op_begin(op, fake_cancel);
    op->provider = body;
    body->waiter = op;
}

static void fake_close(struct fb_reader *reader)
{
    struct fake_body *body = FB_CONTAINER_OF(reader, struct fake_body, reader);

    assert_null(body->waiter);
    assert_false(body->is_closed);
    body->is_closed = true;
}

static const struct fb_reader_ops fake_ops = {fake_next, fake_wait, fake_close};

static void fake_give(struct fake_body *body, const char *piece, int after)
{
    struct fb_op *waiter = body->waiter;

    if (piece != NULL) {
        body->pieces[body->n_pieces++] = fb_str_from(piece);
    }
    body->after = after;
    if (waiter != NULL) {
        body->waiter = NULL;
        fb_op_finish(waiter, FB_OK);
    }
}

/* ---- fixture ------------------------------------------------------------- */

struct fixture {
    struct wire wire;
    struct fb_metrics *metrics;
    struct fake_body body;
    struct fb_exchange *pending; /* of /later */
    unsigned n_requests;
    unsigned n_finished;
    unsigned n_aborted;
    struct fb_exchange_outcome outcome;

    /* of /echo */
    struct fb_exchange *echoing;
    struct fb_buf echo;
    struct fb_op echo_wait;
    int echo_err;
};

static void on_finished(void *ctx, const struct fb_exchange_outcome *outcome)
{
    struct fixture *f = ctx;
    f->n_finished++;
    f->outcome = *outcome;
}

static void on_aborted(void *ctx)
{
    struct fixture *f = ctx;
    f->n_aborted++;
}

static void respond_text(struct fb_exchange *exchange, const char *text)
{
    struct fb_slice slice = {.bytes = fb_str_from(text)};
    struct fb_response response = {.status = 200, .length = (int64_t)slice.bytes.len};

    response.body = slice.bytes.len > 0 ? fb_reader_of_slice(slice) : NULL;
    fb_exchange_respond(exchange, &response);
}

static void respond_fake(struct fixture *f, struct fb_exchange *exchange, int64_t length)
{
    struct fb_response response = {.status = 200, .length = length, .body = &f->body.reader};

    f->body.reader.ops = &fake_ops;
    fb_exchange_respond(exchange, &response);
}

static void echo_read(struct fixture *f)
{
    struct fb_reader *body = fb_exchange_body(f->echoing);

    for (;;) {
        struct fb_slice slice;
        int err = fb_reader_next(body, &slice);
        if (err == FB_E_LATER) {
            fb_reader_wait(body, &f->echo_wait);
            return;
        }
        if (err < 0) {
            f->echo_err = err;
            break;
        }
        fb_buf_append(&f->echo, slice.bytes);
        fb_slice_release(&slice);
    }
    if (f->echo_err != FB_E_END) {
        fb_exchange_problem(f->echoing, 400, NULL, "broken");
        return;
    }
    respond_text(f->echoing, f->echo.ptr);
}

static void echo_on_content(struct fb_op *op)
{
    echo_read(FB_CONTAINER_OF(op, struct fixture, echo_wait));
}

static void handle(void *ctx, struct fb_exchange *exchange)
{
    struct fixture *f = ctx;
    struct fb_str path = fb_exchange_request(exchange)->path;
    struct fb_exchange_hooks hooks = {f, on_aborted, on_finished};

    f->n_requests++;
    fb_exchange_set_hooks(exchange, &hooks);
    if (fb_str_equal(path, FB_STR("/later"))) {
        f->pending = exchange;
    } else if (fb_str_equal(path, FB_STR("/stream"))) {
        respond_fake(f, exchange, FB_LENGTH_UNKNOWN);
    } else if (fb_str_equal(path, FB_STR("/ten"))) {
        respond_fake(f, exchange, 10);
    } else if (fb_str_equal(path, FB_STR("/echo"))) {
        f->echoing = exchange;
        f->echo_err = FB_OK;
        fb_buf_clear(&f->echo);
        fb_op_init(&f->echo_wait, f->wire.loop, echo_on_content);
        echo_read(f);
    } else if (fb_str_equal(path, FB_STR("/empty"))) {
        respond_text(exchange, "");
    } else {
        respond_text(exchange, "hello");
    }
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->metrics = fb_metrics_new();
    struct fb_server_options options = {
        .name = "test",
        .limits = {.max_connections = 2, .max_body_bytes = 200000, .max_requests = 50},
        .metrics = f->metrics,
        .handle = handle,
        .ctx = f,
    };

    f->body.after = FB_E_LATER;
    wire_init(&f->wire, &options);
    wire_connect(&f->wire);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(wire_done(&f->wire), 0);
    assert_int_equal(f->n_finished, f->n_requests);
    fb_metrics_free(f->metrics);
    fb_buf_done(&f->echo);
    fb_free(f);
    return 0;
}

static void has(struct fixture *f, const char *text)
{
    if (!wire_has(&f->wire, text)) {
        fail_msg("'%s' is not in:\n%s", text, f->wire.received.len > 0 ? f->wire.received.ptr : "");
    }
}

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

static void draining_waits_for_requests_and_then_cuts(void **state)
{
    struct fixture *f = *state;
    struct fb_op drain;

    wire_send(&f->wire, GET("/later"));
    fb_op_init(&drain, f->wire.loop, drain_on_done);
    fb_server_drain(f->wire.server, 1000, &drain);
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
    fb_op_init(&drain, f->wire.loop, drain_on_done);
    fb_server_drain(f->wire.server, 1000, &drain);
    respond_text(f->pending, "hello");
    wire_turn(&f->wire);
    has(f, "Connection: close");
    wire_hang_up(&f->wire);
    assert_true(fb_op_is_idle(&drain));
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(get_is_answered_and_the_connection_stays),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(head_gets_the_length_and_no_content),
        TEST(unknown_length_is_sent_in_chunks),
        TEST(http_1_0_gets_no_chunks_and_a_close),
        TEST(http_1_0_keeps_alive_when_asked),
        TEST(a_broken_body_resets_the_connection),
        TEST(a_body_shorter_than_its_length_resets_the_connection),
        TEST(a_body_longer_than_its_length_is_never_sent),
        TEST(content_with_a_length_is_read),
        TEST(chunked_content_is_read),
        TEST(continue_is_sent_when_the_handler_reads),
        TEST(a_handler_that_does_not_read_sends_no_continue_and_closes),
        TEST(another_expectation_is_refused),
        TEST(unread_content_is_drained),
        TEST(long_unread_content_closes_the_connection),
        TEST(content_over_the_limit_is_refused),
        TEST(content_that_breaks_reaches_the_handler),
        TEST(malformed_bytes_get_400_and_a_close),
        TEST(a_long_target_gets_414_and_long_fields_431),
        TEST(a_slow_head_gets_408),
        TEST(an_idle_connection_is_closed_without_a_word),
        TEST(slow_content_times_out),
        TEST(a_client_that_takes_nothing_is_cut),
        TEST(a_client_that_resets_aborts_the_handler),
        TEST(a_client_that_only_stops_sending_gets_its_response),
        TEST(a_client_that_leaves_during_the_response_ends_it),
        TEST(draining_waits_for_requests_and_then_cuts),
        TEST(draining_closes_after_the_response),
        TEST(connections_over_the_limit_are_closed),
        TEST(the_last_request_of_a_connection_says_so),
        TEST(what_happens_is_counted),
        TEST(a_request_cut_anywhere_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
