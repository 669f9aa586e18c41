#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/websocket/websocket.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { PING_MS = 30000, TURNS = 6 };

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_websocket *socket;
    struct fb_reader *output; /* NULL once closed */
    struct fb_op wait;
    unsigned n_woken;

    /* The input. */
    struct fb_reader input;
    struct fb_op *waiter;
    struct fb_buf given;
    int after;

    /* What was told and asked. */
    struct fb_buf messages;
    const char *next; /* the state to be sent, or NULL */
    unsigned n_asked;
    unsigned n_closed;
};

/* ---- the input --------------------------------------------------------------------- */

static void taken_release(void *owner)
{
    fb_buf_done(owner);
    fb_free(owner);
}

static int input_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct fixture *f = FB_CONTAINER_OF(reader, struct fixture, input);

    if (f->given.len == 0) {
        return f->after;
    }
    struct fb_buf *taken = FB_NEW(struct fb_buf);
    *taken = fb_buf_take(&f->given);
    *ret_slice =
        (struct fb_slice){.bytes = fb_buf_str(taken), .release = taken_release, .owner = taken};
    return FB_OK;
}

static void input_cancel(struct fb_op *op)
{
    ((struct fixture *)op->provider)->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static void input_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct fixture *f = FB_CONTAINER_OF(reader, struct fixture, input);

    fb_op_begin(op, input_cancel);
    op->provider = f;
    f->waiter = op;
}

static const struct fb_reader_ops input_ops = {.next = input_next, .wait = input_wait};

static void turn(struct fixture *f)
{
    for (int i = 0; i < TURNS; i++) {
        fb_loop_turn(f->loop);
    }
}

static void wake_input(struct fixture *f)
{
    struct fb_op *waiter = f->waiter;

    if (waiter != NULL) {
        f->waiter = NULL;
        fb_op_finish(waiter, FB_OK);
    }
    turn(f);
}

/* A frame as clients send it, masked. */
static void add_frame(struct fixture *f, unsigned first, const char *payload)
{
    static const char mask[4] = {1, 2, 3, 4};
    size_t n = strlen(payload);

    fb_buf_append_byte(&f->given, (char)first);
    if (n < 126) {
        fb_buf_append_byte(&f->given, (char)(0x80 | n));
    } else {
        fb_buf_append_byte(&f->given, (char)(0x80 | 126));
        fb_buf_append_byte(&f->given, (char)(n >> 8));
        fb_buf_append_byte(&f->given, (char)(n & 0xff));
    }
    fb_buf_append(&f->given, (struct fb_str){mask, sizeof(mask)});
    for (size_t i = 0; i < n; i++) {
        fb_buf_append_byte(&f->given, (char)(payload[i] ^ mask[i % 4]));
    }
}

static void send_frame(struct fixture *f, unsigned first, const char *payload)
{
    add_frame(f, first, payload);
    wake_input(f);
}

/* ---- the user ---------------------------------------------------------------------- */

static bool on_next(void *ctx, struct fb_buf *text)
{
    struct fixture *f = ctx;

    f->n_asked++;
    if (f->next == NULL) {
        return false;
    }
    fb_buf_append(text, fb_str_from(f->next));
    f->next = NULL;
    return true;
}

static void on_message(void *ctx, struct fb_str bytes, bool is_text)
{
    struct fixture *f = ctx;

    fb_buf_printf(&f->messages, "%s:%.*s;", is_text ? "text" : "binary", FB_STR_ARG(bytes));
}

static void on_closed(void *ctx)
{
    ((struct fixture *)ctx)->n_closed++;
}

static void on_woken(struct fb_op *op)
{
    FB_CONTAINER_OF(op, struct fixture, wait)->n_woken++;
}

/* What the peer gets now; the result of the last next() in *ret_end. */
static struct fb_buf take(struct fixture *f, int *ret_end)
{
    struct fb_buf all = {0};
    struct fb_slice slice;
    int err;

    while ((err = fb_reader_next(f->output, &slice)) == FB_OK) {
        fb_buf_append(&all, slice.bytes);
        fb_slice_release(&slice);
    }
    *ret_end = err;
    return all;
}

static void gives(struct fixture *f, const char *bytes, size_t n, int end)
{
    int err = FB_OK;
    FB_AUTO(fb_buf_done) struct fb_buf all = take(f, &err);

    assert_int_equal(all.len, n);
    if (n > 0) {
        assert_memory_equal(all.ptr, bytes, n);
    }
    assert_int_equal(err, end);
}

#define GIVES(f, literal, end) gives(f, literal, sizeof(literal) - 1, end)

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->clock = test_clock_at_start();
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    f->input.ops = &input_ops;
    f->after = FB_E_LATER;
    f->socket = fb_websocket_new(&(struct fb_websocket_options){.loop = f->loop,
                                                                .input = &f->input,
                                                                .max_message = 200,
                                                                .ping_ms = PING_MS,
                                                                .next = on_next,
                                                                .message = on_message,
                                                                .closed = on_closed,
                                                                .ctx = f});
    f->output = fb_websocket_output(f->socket);
    fb_op_init(&f->wait, f->loop, on_woken);
    turn(f);
    *state = f;
    return 0;
}

static void close_output(struct fixture *f)
{
    fb_op_cancel(&f->wait);
    fb_reader_close(f->output);
    f->output = NULL;
    turn(f);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->output != NULL) {
        close_output(f);
    }
    assert_int_equal(f->n_closed, 1);
    assert_null(f->waiter);
    fb_buf_done(&f->given);
    fb_buf_done(&f->messages);
    fb_loop_free(f->loop);
    fb_free(f);
    return 0;
}

/* ---- frames ------------------------------------------------------------------------ */

static void messages_come_out_and_go_in(void **state)
{
    struct fixture *f = *state;

    f->next = "state 1";
    GIVES(f, "\x81\x07state 1", FB_E_LATER);
    send_frame(f, 0x81, "hello");
    send_frame(f, 0x82, "bytes");
    send_frame(f, 0x01, "in ");
    send_frame(f, 0x80, "two");
    assert_string_equal(f->messages.ptr, "text:hello;binary:bytes;text:in two;");
}

static void only_the_newest_state_waits_for_a_slow_peer(void **state)
{
    struct fixture *f = *state;

    GIVES(f, "", FB_E_LATER);
    f->next = "one";
    fb_websocket_notify(f->socket);
    f->next = "two";
    fb_websocket_notify(f->socket);
    f->next = "three";
    fb_websocket_notify(f->socket);
    GIVES(f, "\x81\x05three", FB_E_LATER);
    unsigned n_asked = f->n_asked;
    GIVES(f, "", FB_E_LATER);
    assert_int_equal(f->n_asked, n_asked); /* not without a reason */
}

static void a_state_wakes_who_waits_for_it(void **state)
{
    struct fixture *f = *state;

    GIVES(f, "", FB_E_LATER);
    fb_reader_wait(f->output, &f->wait);
    turn(f);
    assert_int_equal(f->n_woken, 0);
    f->next = "x";
    fb_websocket_notify(f->socket);
    turn(f);
    assert_int_equal(f->n_woken, 1);
    GIVES(f, "\x81\x01x", FB_E_LATER);
}

static void pings_are_answered(void **state)
{
    struct fixture *f = *state;

    GIVES(f, "", FB_E_LATER);
    send_frame(f, 0x89, "mark");
    GIVES(f, "\x8a\x04mark", FB_E_LATER);
}

static void who_pings_without_taking_is_not_read_on(void **state)
{
    struct fixture *f = *state;
    int end = FB_OK;

    GIVES(f, "", FB_E_LATER);
    for (int i = 0; i < 10000; i++) {
        add_frame(f, 0x89, "p");
    }
    wake_input(f);
    add_frame(f, 0x81, "after");
    wake_input(f);
    assert_null(f->messages.ptr);
    FB_AUTO(fb_buf_done) struct fb_buf all = take(f, &end);
    turn(f);
    assert_int_equal(all.len, 10000 * 3);
    assert_string_equal(f->messages.ptr, "text:after;");
}

/* ---- the end ----------------------------------------------------------------------- */

static void a_close_is_answered_and_ends_the_output(void **state)
{
    struct fixture *f = *state;

    GIVES(f, "", FB_E_LATER);
    send_frame(f, 0x88, "\x03\xe8");
    GIVES(f, "\x88\x02\x03\xe8", FB_E_END);
}

static void closing_waits_for_the_peer_but_not_for_ever(void **state)
{
    struct fixture *f = *state;

    GIVES(f, "", FB_E_LATER);
    fb_websocket_close(f->socket, FB_WEBSOCKET_GOING_AWAY);
    fb_websocket_close(f->socket, FB_WEBSOCKET_GOING_AWAY);
    GIVES(f, "\x88\x02\x03\xe9", FB_E_LATER);
    f->next = "too late";
    fb_websocket_notify(f->socket);
    GIVES(f, "", FB_E_LATER);
    fb_reader_wait(f->output, &f->wait);
    turn(f);
    assert_int_equal(f->n_woken, 0); /* there is nothing to come back for */
    test_clock_advance_ms(&f->clock, 5000);
    turn(f);
    GIVES(f, "", FB_E_END);
}

static void closing_ends_when_the_peer_agrees(void **state)
{
    struct fixture *f = *state;

    fb_websocket_close(f->socket, FB_WEBSOCKET_GOING_AWAY);
    GIVES(f, "\x88\x02\x03\xe9", FB_E_LATER);
    send_frame(f, 0x88, "\x03\xe9");
    GIVES(f, "", FB_E_END);
}

static void a_silent_peer_is_given_up_after_two_pings(void **state)
{
    struct fixture *f = *state;

    GIVES(f, "", FB_E_LATER);
    test_clock_advance_ms(&f->clock, PING_MS);
    turn(f);
    GIVES(f, "\x89\x00", FB_E_LATER);
    send_frame(f, 0x8a, "");
    test_clock_advance_ms(&f->clock, PING_MS);
    turn(f);
    GIVES(f, "\x89\x00", FB_E_LATER);
    test_clock_advance_ms(&f->clock, PING_MS);
    turn(f);
    GIVES(f, "", FB_E_END);
}

static void frames_that_break_the_protocol_close_it(void **state)
{
    struct fixture *f = *state;

    fb_buf_append(&f->given, (struct fb_str){"\x81\x02hi", 4}); /* without a mask */
    wake_input(f);
    GIVES(f, "\x88\x02\x03\xea", FB_E_END);
    assert_null(f->messages.ptr);
}

static void what_breaks_the_protocol_at_once_ends_who_waits(void **state)
{
    struct fixture *f = *state;

    GIVES(f, "", FB_E_LATER);
    fb_reader_wait(f->output, &f->wait);
    fb_buf_append(&f->given, (struct fb_str){"\x81\x02hi", 4});
    wake_input(f);
    assert_int_equal(f->n_woken, 1);
    f->next = "too late";
    fb_websocket_notify(f->socket);
    GIVES(f, "\x88\x02\x03\xea", FB_E_END);
    assert_int_equal(f->n_asked, 1);
}

static void a_message_that_is_too_large_closes_it(void **state)
{
    struct fixture *f = *state;
    char large[202];

    memset(large, 'a', sizeof(large));
    large[201] = '\0';
    send_frame(f, 0x81, large);
    GIVES(f, "\x88\x02\x03\xf1", FB_E_END);
    assert_null(f->messages.ptr);
}

static void text_that_is_no_utf_8_closes_it(void **state)
{
    struct fixture *f = *state;

    send_frame(f, 0x81, "\xff\xfe");
    GIVES(f, "\x88\x02\x03\xef", FB_E_END);
}

static void the_end_of_the_input_ends_the_output(void **state)
{
    struct fixture *f = *state;

    GIVES(f, "", FB_E_LATER);
    fb_reader_wait(f->output, &f->wait);
    f->after = FB_E_END;
    wake_input(f);
    assert_int_equal(f->n_woken, 1);
    GIVES(f, "", FB_E_END);
}

/* ---- the handshake ----------------------------------------------------------------- */

static int accept_with(const char *key, const char *version, struct fb_buf *added)
{
    struct fb_header items[2];
    struct fb_request_head request = {.headers = {.items = items}};
    struct fb_headers headers = {0};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    if (key != NULL) {
        items[request.headers.n++] =
            (struct fb_header){FB_STR("Sec-WebSocket-Key"), fb_str_from(key)};
    }
    if (version != NULL) {
        items[request.headers.n++] =
            (struct fb_header){FB_STR("Sec-WebSocket-Version"), fb_str_from(version)};
    }
    int err = fb_websocket_accept(&request, &arena, &headers);
    for (size_t i = 0; i < headers.n; i++) {
        fb_buf_printf(added, "%.*s: %.*s", FB_STR_ARG(headers.items[i].name),
                      FB_STR_ARG(headers.items[i].value));
    }
    return err;
}

static void the_handshake_is_that_of_the_rfc(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf added = {0};

    (void)state;
    assert_int_equal(accept_with("dGhlIHNhbXBsZSBub25jZQ==", "13", &added), FB_OK);
    assert_string_equal(added.ptr, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void other_handshakes_are_refused(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf added = {0};

    (void)state;
    assert_int_equal(accept_with("dGhlIHNhbXBsZSBub25jZQ==", NULL, &added), FB_E_MALFORMED);
    assert_int_equal(accept_with(NULL, "13", &added), FB_E_MALFORMED);
    assert_int_equal(accept_with("c2hvcnQ=", "13", &added), FB_E_MALFORMED);
    assert_int_equal(accept_with("not base64 in any wayyyy", "13", &added), FB_E_MALFORMED);
    assert_int_equal(added.len, 0);
    assert_int_equal(accept_with("dGhlIHNhbXBsZSBub25jZQ==", "8", &added), FB_E_UNSUPPORTED);
    assert_string_equal(added.ptr, "Sec-WebSocket-Version: 13");
}

#define SOCKET_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOCKET_TEST(messages_come_out_and_go_in),
        SOCKET_TEST(only_the_newest_state_waits_for_a_slow_peer),
        SOCKET_TEST(a_state_wakes_who_waits_for_it),
        SOCKET_TEST(pings_are_answered),
        SOCKET_TEST(who_pings_without_taking_is_not_read_on),
        SOCKET_TEST(a_close_is_answered_and_ends_the_output),
        SOCKET_TEST(closing_waits_for_the_peer_but_not_for_ever),
        SOCKET_TEST(closing_ends_when_the_peer_agrees),
        SOCKET_TEST(a_silent_peer_is_given_up_after_two_pings),
        SOCKET_TEST(frames_that_break_the_protocol_close_it),
        SOCKET_TEST(what_breaks_the_protocol_at_once_ends_who_waits),
        SOCKET_TEST(a_message_that_is_too_large_closes_it),
        SOCKET_TEST(text_that_is_no_utf_8_closes_it),
        SOCKET_TEST(the_end_of_the_input_ends_the_output),
        cmocka_unit_test(the_handshake_is_that_of_the_rfc),
        cmocka_unit_test(other_handshakes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
