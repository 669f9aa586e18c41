/*
 * HTTP/2 as clients see it that keep its rules; the others are in test_h2_guard.c.
 */
#include "h2_client.h"

struct h2_fixture {
    struct fixture *base;
    struct client client;
};

static int h2_set_up(void **state)
{
    struct h2_fixture *h2 = FB_NEW(struct h2_fixture);
    void *base = NULL;

    set_up(&base);
    h2->base = base;
    client_init(&h2->client, &h2->base->wire, 0);
    *state = h2;
    return 0;
}

static int h2_tear_down(void **state)
{
    struct h2_fixture *h2 = *state;
    void *base = h2->base;

    client_done(&h2->client);
    tear_down(&base);
    fb_free(h2);
    return 0;
}

#define H2_TEST(test) cmocka_unit_test_setup_teardown(test, h2_set_up, h2_tear_down)

static void body_is(const struct reply *reply, const char *text)
{
    assert_true(fb_str_equal(fb_buf_str(&reply->body), fb_str_from(text)));
}

/* ---- requests and responses ---------------------------------------------- */

static void get_is_answered_and_the_connection_stays(void **state)
{
    struct h2_fixture *h2 = *state;

    for (int i = 0; i < 2; i++) {
        struct reply *reply = client_get(&h2->client, "/");
        assert_int_equal(reply->status, 200);
        body_is(reply, "hello");
        assert_string_equal(reply->fields.ptr, "server: test\n"
                                               "date: Thu, 01 Jan 2026 00:00:00 GMT\n"
                                               "content-length: 5\n");
        assert_true(reply->is_closed);
        assert_int_equal(reply->error, NGHTTP2_NO_ERROR);
        assert_int_equal(h2->base->outcome.result, FB_OK);
        assert_int_equal(h2->base->outcome.body_bytes, 5);
    }
    assert_int_equal(h2->base->wire.end, FB_OK);
}

static void a_preface_in_pieces_is_understood(void **state)
{
    struct h2_fixture *h2 = *state;
    struct fb_buf bytes = {0};

    fb_buf_append(&bytes, PREFACE);
    frame_add(&bytes, NGHTTP2_HEADERS, 5, 1, GET_BLOCK);
    for (size_t i = 0; i < bytes.len; i++) {
        wire_send_bytes(&h2->base->wire, (struct fb_str){bytes.ptr + i, 1});
    }
    assert_int_equal(fb_metrics_sum(h2->base->metrics, "http_connections"), 1);
    assert_int_equal(h2->base->n_finished, 1);
    assert_int_equal(h2->base->outcome.result, FB_OK);
    fb_buf_done(&bytes);
}

static void a_preface_after_a_request_of_http_1_is_refused(void **state)
{
    struct h2_fixture *h2 = *state;

    wire_send(&h2->base->wire, GET("/"));
    wire_send_bytes(&h2->base->wire, PREFACE);
    has(h2->base, "HTTP/1.1 505 ");
    assert_int_equal(h2->base->n_finished, 1);
}

static void requests_at_once_are_all_answered(void **state)
{
    struct h2_fixture *h2 = *state;

    for (int i = 0; i < 40; i++) {
        (void)client_ask(&h2->client, "GET", "/", NULL, NULL, NULL);
    }
    client_turn(&h2->client);
    for (size_t i = 0; i < 40; i++) {
        body_is(&h2->client.replies[i], "hello");
        assert_true(h2->client.replies[i].is_closed);
    }
}

static void head_gets_the_length_and_no_content(void **state)
{
    struct h2_fixture *h2 = *state;
    struct reply *reply = client_ask(&h2->client, "HEAD", "/", NULL, NULL, NULL);

    client_turn(&h2->client);
    assert_non_null(strstr(reply->fields.ptr, "content-length: 5\n"));
    assert_int_equal(reply->body.len, 0);
    assert_true(reply->has_ended);
    assert_int_equal(h2->base->outcome.result, FB_OK);
}

static void an_empty_response_is_one_frame(void **state)
{
    struct h2_fixture *h2 = *state;
    struct reply *reply = client_get(&h2->client, "/empty");

    assert_non_null(strstr(reply->fields.ptr, "content-length: 0\n"));
    assert_true(reply->is_closed);
}

static void content_of_unknown_length_comes_as_it_is_there(void **state)
{
    struct h2_fixture *h2 = *state;
    struct reply *reply = client_get(&h2->client, "/stream");

    fake_give(&h2->base->body, "one", FB_E_LATER);
    client_turn(&h2->client);
    body_is(reply, "one");
    assert_false(reply->has_ended);
    fake_give(&h2->base->body, "two", FB_E_END);
    client_turn(&h2->client);
    body_is(reply, "onetwo");
    assert_true(reply->has_ended);
    assert_true(h2->base->body.is_closed);
    assert_null(strstr(reply->fields.ptr, "content-length"));
}

static void a_request_does_not_wait_for_another(void **state)
{
    struct h2_fixture *h2 = *state;
    struct reply *later = client_get(&h2->client, "/later");
    struct reply *reply = client_get(&h2->client, "/");

    body_is(reply, "hello");
    assert_int_equal(later->status, 0);
    respond_text(h2->base->pending, "at last");
    client_turn(&h2->client);
    body_is(later, "at last");
}

static void content_is_read_whatever_its_size(void **state)
{
    struct h2_fixture *h2 = *state;
    struct fb_buf content = {0};

    memset(fb_buf_reserve(&content, 150000), 'x', 150000);
    fb_buf_add(&content, 150000);
    struct fb_str bytes = fb_buf_str(&content);
    struct reply *reply = client_ask(&h2->client, "POST", "/echo", NULL, NULL, &bytes);
    client_turn(&h2->client);
    assert_int_equal(reply->status, 200);
    assert_true(fb_str_equal(fb_buf_str(&reply->body), bytes));
    fb_buf_done(&content);
}

static void leave_to_send_is_given_to_who_waits_for_it(void **state)
{
    struct h2_fixture *h2 = *state;
    struct fb_str content = FB_STR("x");
    struct reply *reply =
        client_ask(&h2->client, "POST", "/echo", "expect", "100-continue", &content);

    client_turn(&h2->client);
    assert_int_equal(reply->status, 200);
    body_is(reply, "x");
}

static void content_that_nobody_reads_is_not_asked_for(void **state)
{
    struct h2_fixture *h2 = *state;
    static char zeros[150000];
    struct fb_str content = {zeros, sizeof(zeros)};
    struct reply *reply = client_ask(&h2->client, "POST", "/", NULL, NULL, &content);

    client_turn(&h2->client);
    body_is(reply, "hello");
    assert_true(reply->is_closed);
    assert_int_equal(reply->error, NGHTTP2_NO_ERROR);
    body_is(client_get(&h2->client, "/"), "hello");
}

static void the_more_urgent_overtakes(void **state)
{
    struct h2_fixture *h2 = *state;
    struct reply *slow = client_ask(&h2->client, "GET", "/large", "priority", "u=5", NULL);
    struct reply *urgent = client_ask(&h2->client, "GET", "/large", "priority", "u=1", NULL);

    client_turn(&h2->client);
    assert_int_equal(slow->body.len, LARGE_BYTES);
    assert_int_equal(urgent->body.len, LARGE_BYTES);
    assert_int_equal(h2->client.first_ended, urgent->id);
}

/* ---- the end of streams -------------------------------------------------- */

static void a_broken_body_resets_its_stream_alone(void **state)
{
    struct h2_fixture *h2 = *state;
    struct reply *reply = client_get(&h2->client, "/ten");

    fake_give(&h2->base->body, "12345", FB_E_LATER);
    client_turn(&h2->client);
    fake_give(&h2->base->body, NULL, FB_E_CLOSED);
    client_turn(&h2->client);
    assert_false(reply->has_ended);
    assert_int_equal(reply->error, NGHTTP2_INTERNAL_ERROR);
    assert_int_equal(h2->base->outcome.result, FB_E_CLOSED);
    assert_int_equal(h2->base->outcome.body_bytes, 5);
    assert_true(h2->base->body.is_closed);
    body_is(client_get(&h2->client, "/"), "hello");
}

static void a_body_shorter_than_its_length_resets_its_stream(void **state)
{
    struct h2_fixture *h2 = *state;

    fake_give(&h2->base->body, "12345", FB_E_END);
    struct reply *reply = client_get(&h2->client, "/ten");
    assert_int_equal(reply->error, NGHTTP2_INTERNAL_ERROR);
    assert_int_equal(h2->base->outcome.result, FB_E_CORRUPT);
}

static void a_canceled_request_is_aborted(void **state)
{
    struct h2_fixture *h2 = *state;
    struct reply *reply = client_get(&h2->client, "/later");

    (void)nghttp2_submit_rst_stream(h2->client.session, 0, reply->id, NGHTTP2_CANCEL);
    client_turn(&h2->client);
    assert_int_equal(h2->base->n_aborted, 1);
    assert_int_equal(h2->base->n_finished, 0);
    respond_text(h2->base->pending, "nobody");
    client_turn(&h2->client);
    assert_int_equal(h2->base->n_finished, 1);
    assert_int_equal(h2->base->outcome.result, FB_E_CLOSED);
    body_is(client_get(&h2->client, "/"), "hello");
}

static void a_canceled_response_lets_go_of_its_body(void **state)
{
    struct h2_fixture *h2 = *state;
    struct reply *reply = client_get(&h2->client, "/stream");

    (void)nghttp2_submit_rst_stream(h2->client.session, 0, reply->id, NGHTTP2_CANCEL);
    client_turn(&h2->client);
    assert_true(h2->base->body.is_closed);
    assert_int_equal(h2->base->outcome.result, FB_E_CLOSED);
    assert_int_equal(h2->base->n_aborted, 0);
}

static void a_request_canceled_at_once_reaches_no_handler(void **state)
{
    struct h2_fixture *h2 = *state;
    struct fb_buf bytes = {0};

    fb_buf_append(&bytes, PREFACE);
    frame_add(&bytes, NGHTTP2_HEADERS, 5, 1, GET_BLOCK);
    frame_add(&bytes, NGHTTP2_RST_STREAM, 0, 1, FB_STR("\0\0\0\10"));
    wire_send_bytes(&h2->base->wire, fb_buf_str(&bytes));
    assert_int_equal(h2->base->n_requests, 0);
    assert_int_equal(h2->base->wire.end, FB_OK);
    fb_buf_done(&bytes);
}

static void a_lost_connection_ends_all_of_its_exchanges(void **state)
{
    struct h2_fixture *h2 = *state;

    (void)client_get(&h2->client, "/stream");
    (void)client_get(&h2->client, "/later");
    wire_hang_up(&h2->base->wire);
    assert_int_equal(h2->base->n_aborted, 1);
    assert_true(h2->base->body.is_closed);
    assert_int_equal(fb_server_connections(h2->base->wire.server), 1);
    respond_text(h2->base->pending, "nobody");
    wire_turn(&h2->base->wire);
    assert_int_equal(h2->base->n_finished, 2);
    assert_int_equal(fb_server_connections(h2->base->wire.server), 0);
}

/* ---- the end of connections ---------------------------------------------- */

static void on_drained(struct fb_op *op)
{
    (void)op;
}

static void a_drain_warns_then_answers_what_has_come(void **state)
{
    struct h2_fixture *h2 = *state;
    struct fb_op drain;
    struct reply *later = client_get(&h2->client, "/later");

    fb_op_init(&drain, h2->base->wire.loop, on_drained);
    fb_server_drain(h2->base->wire.server, 10000, &drain);
    client_turn(&h2->client);
    assert_int_equal(h2->client.n_goaways, 1);
    assert_int_equal(h2->client.goaway_last, INT32_MAX);
    client_advance_ms(&h2->client, 600);
    assert_int_equal(h2->client.n_goaways, 2);
    assert_int_equal(h2->client.goaway_last, later->id);
    assert_int_equal(h2->client.goaway_error, NGHTTP2_NO_ERROR);
    assert_int_equal(h2->base->wire.end, FB_OK);
    respond_text(h2->base->pending, "at last");
    client_turn(&h2->client);
    body_is(later, "at last");
    assert_int_equal(h2->base->wire.end, FB_E_END);
    assert_false(fb_op_is_idle(&drain));
    wire_hang_up(&h2->base->wire);
    assert_true(fb_op_is_idle(&drain));
}

static void the_grace_of_a_drain_ends(void **state)
{
    struct h2_fixture *h2 = *state;
    struct fb_op drain;

    (void)client_get(&h2->client, "/later");
    fb_op_init(&drain, h2->base->wire.loop, on_drained);
    fb_server_drain(h2->base->wire.server, 10000, &drain);
    client_advance_ms(&h2->client, 10001);
    assert_int_equal(h2->base->wire.end, -ECONNRESET);
    assert_int_equal(h2->base->n_aborted, 1);
    respond_text(h2->base->pending, "nobody");
    wire_turn(&h2->base->wire);
    assert_true(fb_op_is_idle(&drain));
}

static void a_connection_without_requests_is_closed(void **state)
{
    struct h2_fixture *h2 = *state;

    (void)client_get(&h2->client, "/");
    client_advance_ms(&h2->client, 59000);
    assert_int_equal(h2->client.n_goaways, 0);
    client_advance_ms(&h2->client, 2000);
    assert_int_equal(h2->client.n_goaways, 1);
    assert_int_equal(h2->base->wire.end, FB_E_END);
    client_advance_ms(&h2->client, 6000);
    assert_int_equal(fb_server_connections(h2->base->wire.server), 0);
}

static void a_connection_with_enough_requests_is_closed(void **state)
{
    struct h2_fixture *h2 = *state;

    for (int i = 0; i < 50; i++) {
        body_is(client_get(&h2->client, "/"), "hello");
    }
    assert_int_equal(h2->client.n_goaways, 1);
    assert_int_equal(h2->client.goaway_last, 99);
    assert_int_equal(h2->base->wire.end, FB_E_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        H2_TEST(get_is_answered_and_the_connection_stays),
        H2_TEST(a_preface_in_pieces_is_understood),
        H2_TEST(a_preface_after_a_request_of_http_1_is_refused),
        H2_TEST(requests_at_once_are_all_answered),
        H2_TEST(head_gets_the_length_and_no_content),
        H2_TEST(an_empty_response_is_one_frame),
        H2_TEST(content_of_unknown_length_comes_as_it_is_there),
        H2_TEST(a_request_does_not_wait_for_another),
        H2_TEST(content_is_read_whatever_its_size),
        H2_TEST(leave_to_send_is_given_to_who_waits_for_it),
        H2_TEST(content_that_nobody_reads_is_not_asked_for),
        H2_TEST(the_more_urgent_overtakes),
        H2_TEST(a_broken_body_resets_its_stream_alone),
        H2_TEST(a_body_shorter_than_its_length_resets_its_stream),
        H2_TEST(a_canceled_request_is_aborted),
        H2_TEST(a_canceled_response_lets_go_of_its_body),
        H2_TEST(a_request_canceled_at_once_reaches_no_handler),
        H2_TEST(a_lost_connection_ends_all_of_its_exchanges),
        H2_TEST(a_drain_warns_then_answers_what_has_come),
        H2_TEST(the_grace_of_a_drain_ends),
        H2_TEST(a_connection_without_requests_is_closed),
        H2_TEST(a_connection_with_enough_requests_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
