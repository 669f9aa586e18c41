/*
 * What TLS 1.3 has between its data, with keys that were never agreed on: one end is a stream, the
 * other is the test itself.
 */
#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/net/pair.h"
#include "base/net/tls_internal.h"
#include "base/tls/keys13.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { TURNS = 40 };

#define UPDATE(request) ((struct fb_str){"\x18\0\0\1" request, 5})

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_stream *stream;
    struct fb_stream *peer;
    struct fb_tls_direction in;  /* of the peer */
    struct fb_tls_direction out; /* the same */
    struct fb_buf wire;          /* that the peer sends next */
    struct fb_buf came;          /* to the peer, sealed */
    struct fb_buf got;           /* by the stream */
    struct fb_stream_write write;
    struct fb_stream_write peer_write;
    struct fb_str piece;
    struct fb_op wait;
    struct fb_op peer_wait;
    int read_err;
};

static void on_op(struct fb_op *op)
{
    (void)op; /* run() looks by itself */
}

static int begin(void **state, bool is_client)
{
    struct fixture *f = FB_NEW(struct fixture);
    struct fb_tls_keys keys = {
        .version = FB_TLS_1_3, .aead = FB_TLS_AES_128_GCM, .max_content = FB_TLS_RECORD_MAX};
    static const uint8_t secrets[2][32] = {{1}, {2}};
    struct fb_stream *inner = NULL;

    f->clock = test_clock_at_start();
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    fb_stream_pair(f->loop, 100000, &inner, &f->peer);
    fb_tls_traffic_expand(keys.aead, secrets[0], &keys.in);
    fb_tls_traffic_expand(keys.aead, secrets[1], &keys.out);
    fb_tls_direction_init(&f->out, &keys, &keys.in, NULL);
    fb_tls_direction_init(&f->in, &keys, &keys.out, NULL);
    f->stream =
        fb_tls_stream_of_keys(inner, &keys, FB_NEW(struct fb_tls_facts), is_client, FB_STR_NONE);
    fb_op_init(&f->write.op, f->loop, on_op);
    fb_op_init(&f->peer_write.op, f->loop, on_op);
    fb_op_init(&f->wait, f->loop, on_op);
    fb_op_init(&f->peer_wait, f->loop, on_op);
    *state = f;
    return 0;
}

static int set_up_server(void **state)
{
    return begin(state, false);
}

static int set_up_client(void **state)
{
    return begin(state, true);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_stream_close(f->stream);
    fb_stream_close(f->peer);
    for (int i = 0; i < 4; i++) {
        fb_loop_turn(f->loop);
    }
    fb_loop_free(f->loop);
    fb_tls_direction_done(&f->in);
    fb_tls_direction_done(&f->out);
    fb_buf_done(&f->wire);
    fb_buf_done(&f->came);
    fb_buf_done(&f->got);
    fb_free(f);
    return 0;
}

/* ---- driving -------------------------------------------------------------- */

static int read_some(struct fb_stream *stream, struct fb_buf *to, struct fb_op *wait)
{
    struct fb_slice slice;

    if (!fb_op_is_idle(wait)) {
        return FB_OK;
    }
    int err = fb_reader_next(&stream->reader, &slice);
    if (err == FB_OK) {
        fb_buf_append(to, slice.bytes);
        fb_slice_release(&slice);
    } else if (err == FB_E_LATER) {
        fb_reader_wait(&stream->reader, wait);
        err = FB_OK;
    }
    return err;
}

static void run(struct fixture *f)
{
    for (int i = 0; i < TURNS; i++) {
        fb_loop_turn(f->loop);
        if (f->read_err == FB_OK) {
            f->read_err = read_some(f->stream, &f->got, &f->wait);
        }
        (void)read_some(f->peer, &f->came, &f->peer_wait); /* what ends it shows elsewhere */
    }
}

static void peer_seal(struct fixture *f, enum fb_tls_content type, struct fb_str message)
{
    uint8_t record[FB_TLS_SEALED_NOTE_MAX];
    size_t size = fb_tls_seal_note(&f->out, type, message, record);

    fb_buf_append(&f->wire, (struct fb_str){(const char *)record, size});
}

static void peer_send(struct fixture *f)
{
    f->piece = fb_buf_str(&f->wire);
    f->peer_write.pieces = &f->piece;
    f->peer_write.n_pieces = 1;
    fb_stream_write(f->peer, &f->peer_write);
    run(f);
}

static void stream_send(struct fixture *f, const struct fb_str *text)
{
    f->write.pieces = text;
    f->write.n_pieces = 1;
    fb_stream_write(f->stream, &f->write);
    run(f);
}

/* The next record that came to the peer is this one. */
static void expect(struct fixture *f, enum fb_tls_content type, struct fb_str content)
{
    static uint8_t out[FB_TLS_OPENED_MAX];
    enum fb_tls_content opened = FB_TLS_CHANGE_CIPHER_SPEC;
    size_t size = 0;
    size_t len = 0;

    assert_int_equal(fb_tls_measure(&f->in, fb_buf_str(&f->came), &size), FB_OK);
    assert_true(size <= f->came.len);
    struct fb_str record = fb_str_first(fb_buf_str(&f->came), size);
    assert_int_equal(fb_tls_open(&f->in, record, out, &len, &opened), FB_OK);
    assert_int_equal(opened, type);
    assert_true(fb_str_equal((struct fb_str){(const char *)out, len}, content));
    fb_buf_consume(&f->came, size);
}

static void expect_refusal(struct fixture *f, int err, struct fb_str alert)
{
    peer_send(f);
    assert_int_equal(f->read_err, err);
    expect(f, FB_TLS_ALERT, alert);
}

/* ---- new keys -------------------------------------------------------------- */

static void update_is_obeyed_and_answered(void **state)
{
    struct fixture *f = *state;
    const struct fb_str reply = FB_STR("reply");

    peer_seal(f, FB_TLS_DATA, FB_STR("before "));
    peer_seal(f, FB_TLS_HANDSHAKE, UPDATE("\1"));
    fb_tls_direction_update(&f->out);
    peer_seal(f, FB_TLS_DATA, FB_STR("after"));
    peer_send(f);
    assert_string_equal(f->got.ptr, "before after");
    stream_send(f, &reply);
    expect(f, FB_TLS_HANDSHAKE, UPDATE("\0"));
    fb_tls_direction_update(&f->in);
    expect(f, FB_TLS_DATA, reply);
}

static void update_that_wants_no_answer_gets_none(void **state)
{
    struct fixture *f = *state;
    const struct fb_str reply = FB_STR("reply");

    peer_seal(f, FB_TLS_HANDSHAKE, UPDATE("\0"));
    fb_tls_direction_update(&f->out);
    peer_seal(f, FB_TLS_DATA, FB_STR("after"));
    peer_send(f);
    assert_string_equal(f->got.ptr, "after");
    stream_send(f, &reply);
    expect(f, FB_TLS_DATA, reply);
}

static void worn_keys_are_replaced_before_more_is_sent(void **state)
{
    struct fixture *f = *state;
    const struct fb_str reply = FB_STR("reply");
    struct tls_stream *self = FB_CONTAINER_OF(f->stream, struct tls_stream, stream);

    self->out.sequence = f->in.sequence = UINT64_C(1) << 24;
    stream_send(f, &reply);
    assert_true(fb_op_is_idle(&f->write.op));
    expect(f, FB_TLS_HANDSHAKE, UPDATE("\0"));
    fb_tls_direction_update(&f->in);
    expect(f, FB_TLS_DATA, reply);
}

static void data_with_the_old_keys_is_refused_after_an_update(void **state)
{
    struct fixture *f = *state;

    peer_seal(f, FB_TLS_HANDSHAKE, UPDATE("\0"));
    peer_seal(f, FB_TLS_DATA, FB_STR("after"));
    expect_refusal(f, FB_E_CORRUPT, FB_STR("\2\x14"));
}

static void endless_updates_hit_a_limit(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i <= TLS_MAX_IDLE_RECORDS; i++) {
        peer_seal(f, FB_TLS_HANDSHAKE, UPDATE("\0"));
        fb_tls_direction_update(&f->out);
    }
    expect_refusal(f, FB_E_LIMIT, FB_STR("\2\x0a"));
}

/* ---- messages -------------------------------------------------------------- */

static void client_passes_over_tickets(void **state)
{
    struct fixture *f = *state;

    peer_seal(f, FB_TLS_HANDSHAKE, (struct fb_str){"\4\0\0\2ab", 6});
    peer_seal(f, FB_TLS_HANDSHAKE, (struct fb_str){"\4\0\0", 3}); /* in two records */
    peer_seal(f, FB_TLS_HANDSHAKE, (struct fb_str){"\2ab", 3});
    peer_seal(f, FB_TLS_DATA, FB_STR("data"));
    peer_send(f);
    assert_string_equal(f->got.ptr, "data");
}

static void ticket_to_a_server_is_refused(void **state)
{
    struct fixture *f = *state;

    peer_seal(f, FB_TLS_HANDSHAKE, (struct fb_str){"\4\0\0\2ab", 6});
    expect_refusal(f, FB_E_UNSUPPORTED, FB_STR("\2\x0a"));
}

static void nothing_comes_between_the_parts_of_a_message(void **state)
{
    struct fixture *f = *state;

    peer_seal(f, FB_TLS_HANDSHAKE, (struct fb_str){"\x18\0", 2});
    peer_seal(f, FB_TLS_DATA, FB_STR("data"));
    expect_refusal(f, FB_E_MALFORMED, FB_STR("\2\x0a"));
}

static void update_that_asks_for_something_unknown_is_refused(void **state)
{
    struct fixture *f = *state;

    peer_seal(f, FB_TLS_HANDSHAKE, UPDATE("\2"));
    expect_refusal(f, FB_E_CONFLICT, FB_STR("\2\x2f"));
}

/* ---- alerts ---------------------------------------------------------------- */

static void every_alert_but_two_is_fatal(void **state)
{
    struct fixture *f = *state;

    peer_seal(f, FB_TLS_ALERT, (struct fb_str){"\1\x5a", 2}); /* user_canceled */
    peer_seal(f, FB_TLS_DATA, FB_STR("data"));
    peer_send(f);
    assert_string_equal(f->got.ptr, "data");
    fb_buf_done(&f->wire);
    peer_seal(f, FB_TLS_ALERT, (struct fb_str){"\1\x64", 2}); /* a "warning" */
    peer_send(f);
    assert_int_equal(f->read_err, FB_E_CLOSED);
}

static void close_is_said_under_seal(void **state)
{
    struct fixture *f = *state;

    peer_seal(f, FB_TLS_ALERT, (struct fb_str){"\1\0", 2});
    peer_send(f);
    assert_int_equal(f->read_err, FB_E_END);
    fb_stream_shut(f->stream);
    run(f);
    expect(f, FB_TLS_ALERT, (struct fb_str){"\1\0", 2});
}

#define AS_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up_server, tear_down)
#define AS_CLIENT(test) cmocka_unit_test_setup_teardown(test, set_up_client, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AS_SERVER(update_is_obeyed_and_answered),
        AS_CLIENT(update_is_obeyed_and_answered),
        AS_SERVER(update_that_wants_no_answer_gets_none),
        AS_SERVER(worn_keys_are_replaced_before_more_is_sent),
        AS_SERVER(data_with_the_old_keys_is_refused_after_an_update),
        AS_SERVER(endless_updates_hit_a_limit),
        AS_CLIENT(client_passes_over_tickets),
        AS_SERVER(ticket_to_a_server_is_refused),
        AS_SERVER(nothing_comes_between_the_parts_of_a_message),
        AS_SERVER(update_that_asks_for_something_unknown_is_refused),
        AS_SERVER(every_alert_but_two_is_fatal),
        AS_SERVER(close_is_said_under_seal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
