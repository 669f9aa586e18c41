#include "server_fixture.h"

#define UPGRADE(fields) "GET /raw HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define ASKING          "Connection: keep-alive, Upgrade\r\nUpgrade: raw\r\n"

/* Takes what the client sends after the switch until it ends. */
static void raw_read(struct fixture *f)
{
    struct fb_reader *content = fb_exchange_body(f->echoing);
    struct fb_slice slice;

    while ((f->echo_err = fb_reader_next(content, &slice)) == FB_OK) {
        fb_buf_append(&f->echo, slice.bytes);
        fb_slice_release(&slice);
    }
    if (f->echo_err == FB_E_LATER) {
        fb_reader_wait(content, &f->echo_wait);
    }
}

static void on_raw(struct fb_op *op)
{
    if (op->result == FB_OK) {
        raw_read(FB_CONTAINER_OF(op, struct fixture, echo_wait));
    }
}

static void raw_close(struct fb_reader *reader)
{
    struct fixture *f = FB_CONTAINER_OF(reader, struct fixture, body.reader);

    fake_close(reader);
    fb_op_cancel(&f->echo_wait);
}

static const struct fb_reader_ops raw_ops = {.next = fake_next,
                                             .wait = fake_wait,
                                             .close = raw_close};

static void handle_raw(void *ctx, struct fb_exchange *exchange)
{
    struct fixture *f = ctx;
    struct fb_exchange_hooks hooks = {f, on_aborted, on_finished};
    struct fb_headers headers = {0};

    if (!fb_exchange_can_upgrade(exchange, FB_STR("raw"))) {
        handle(ctx, exchange);
        return;
    }
    f->n_requests++;
    fb_exchange_set_hooks(exchange, &hooks);
    f->echoing = exchange;
    fb_op_init(&f->echo_wait, f->wire.loop, on_raw);
    f->body.reader.ops = &raw_ops;
    fb_headers_add(&headers, fb_exchange_arena(exchange), FB_STR("X-Raw"), FB_STR("yes"));
    fb_exchange_upgrade(exchange, FB_STR("raw"), &headers, &f->body.reader);
    raw_read(f);
}

static int set_up_raw(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);
    struct fb_server_options options = {
        .name = "test",
        .limits = {.max_body_bytes = 10, .body_timeout_ms = 1000, .idle_timeout_ms = 1000},
        .handle = handle_raw,
        .refusing = refusing,
        .ctx = f,
    };

    f->metrics = fb_metrics_new();
    f->body.after = FB_E_LATER;
    wire_init(&f->wire, &options);
    wire_connect(&f->wire);
    *state = f;
    return 0;
}

static int tear_down_raw(void **state)
{
    struct fixture *f = *state;

    if (f->echoing != NULL && !f->body.is_closed) {
        fake_give(&f->body, NULL, FB_E_END);
        wire_turn(&f->wire);
    }
    return tear_down(state);
}

static void after_the_switch_bytes_go_both_ways(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, UPGRADE(ASKING) "GET / HTTP/1.1");
    has(f, "HTTP/1.1 101 ");
    has(f, "X-Raw: yes\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n");
    assert_string_equal(f->echo.ptr, "GET / HTTP/1.1");
    fake_give(&f->body, "welcome", FB_E_LATER);
    wire_turn(&f->wire);
    has(f, "\r\n\r\nwelcome");
    wire_send(&f->wire, ", more than ten bytes of it");
    assert_string_equal(f->echo.ptr, "GET / HTTP/1.1, more than ten bytes of it");
    assert_int_equal(f->n_requests, 1);
}

static void silence_is_no_timeout(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, UPGRADE(ASKING));
    wire_advance_ms(&f->wire, 3600 * 1000);
    assert_int_equal(f->wire.end, FB_OK);
    fake_give(&f->body, "still here", FB_E_LATER);
    wire_turn(&f->wire);
    has(f, "still here");
    wire_advance_ms(&f->wire, 3600 * 1000);
    assert_int_equal(f->wire.end, FB_OK);
}

static void the_end_of_the_body_closes_the_connection(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, UPGRADE(ASKING));
    fake_give(&f->body, "bye", FB_E_END);
    wire_turn(&f->wire);
    has(f, "bye");
    assert_int_equal(f->wire.end, FB_E_END);
    assert_true(f->body.is_closed);
    assert_int_equal(f->outcome.result, FB_OK);
    assert_int_equal(f->outcome.status, 101);
}

static void the_clients_fin_is_the_end_of_its_bytes(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, UPGRADE(ASKING) "last");
    fb_stream_shut(f->wire.client);
    wire_turn(&f->wire);
    assert_string_equal(f->echo.ptr, "last");
    assert_int_equal(f->echo_err, FB_E_END);
    assert_false(f->body.is_closed);
    fake_give(&f->body, "answer", FB_E_END);
    wire_turn(&f->wire);
    has(f, "answer");
}

static void a_lost_connection_closes_the_body(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, UPGRADE(ASKING));
    fb_stream_reset(f->wire.client);
    f->wire.client = NULL;
    wire_turn(&f->wire);
    fake_give(&f->body, "into the void", FB_E_LATER);
    wire_turn(&f->wire);
    assert_true(f->body.is_closed);
    assert_true(f->outcome.result < 0);
}

static void on_drained(struct fb_op *op)
{
    (void)op;
}

static void a_drain_waits_for_the_body_but_not_for_ever(void **state)
{
    struct fixture *f = *state;
    struct fb_op drain;

    wire_send(&f->wire, UPGRADE(ASKING));
    fb_op_init(&drain, f->wire.loop, on_drained);
    fb_server_drain(f->wire.server, 1000, &drain);
    wire_turn(&f->wire);
    assert_false(fb_op_is_idle(&drain));
    wire_advance_ms(&f->wire, 1000);
    assert_true(fb_op_is_idle(&drain));
    assert_true(f->body.is_closed);
}

static void who_does_not_ask_cannot_be_switched(void **state)
{
    static const char *const requests[] = {
        UPGRADE(""),
        UPGRADE("Connection: Upgrade\r\n"),
        UPGRADE("Upgrade: raw\r\n"),
        UPGRADE("Connection: Upgrade\r\nUpgrade: other\r\n"),
        "POST /raw HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n" ASKING "\r\n",
        UPGRADE(ASKING "Content-Length: 3\r\n") "abc",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < FB_ARRAY_LEN(requests); i++) {
        fb_buf_clear(&f->wire.received);
        wire_send(&f->wire, requests[i]);
        has(f, "HTTP/1.1 200 OK\r\n");
    }
    fb_buf_clear(&f->wire.received);
    wire_send(&f->wire, "GET /raw HTTP/1.0\r\n" ASKING "\r\n");
    has(f, "HTTP/1.1 200 OK\r\n");
}

#define UPGRADE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_raw, tear_down_raw)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPGRADE_TEST(after_the_switch_bytes_go_both_ways),
        UPGRADE_TEST(silence_is_no_timeout),
        UPGRADE_TEST(the_end_of_the_body_closes_the_connection),
        UPGRADE_TEST(the_clients_fin_is_the_end_of_its_bytes),
        UPGRADE_TEST(a_lost_connection_closes_the_body),
        UPGRADE_TEST(a_drain_waits_for_the_body_but_not_for_ever),
        UPGRADE_TEST(who_does_not_ask_cannot_be_switched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
