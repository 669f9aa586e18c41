#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/work.h"
#include "base/net/pair.h"
#include "base/net/stream.h"
#include "base/net/tls_stream.h"
#include "base/tls/config.h"
#include "base/tls/handshake.h"
#include "base/tls/tickets.h"
#include "tests/support/test_certificates.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { TURNS_MAX = 4000, LONG_BYTES = 300 * 1000 };

#define PEM(text) ((struct fb_tls_pem){{(text), sizeof(text) - 1}, #text})

/* One end: its handshake, then its stream. */
struct end {
    struct fb_tls_shake shake;
    struct fb_stream_write write;
    struct fb_op wait;
    struct fb_stream *stream;
    struct fb_buf got;
    unsigned n_shaken;
    unsigned n_written;
    int read_err; /* how its input ended */
};

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_tls_tickets *tickets;
    struct fb_tls_config *server_config;
    struct fb_tls_config *client_config;
    struct fb_stream *inner_server; /* borrowed: of the streams */
    struct fb_stream *inner_client;
    struct end server;
    struct end client;
};

static void on_shaken(struct fb_op *op)
{
    struct end *end = FB_CONTAINER_OF(op, struct end, shake.op);
    end->n_shaken++;
    end->stream = op->result == FB_OK ? end->shake.stream : NULL;
}

static void on_written(struct fb_op *op)
{
    struct end *end = FB_CONTAINER_OF(op, struct end, write.op);
    end->n_written++;
}

static void on_news(struct fb_op *op)
{
    (void)op; /* read_more() asks again */
}

static void end_init(struct fixture *f, struct end *end)
{
    *end = (struct end){.n_shaken = 0};
    fb_op_init(&end->shake.op, f->loop, on_shaken);
    fb_op_init(&end->write.op, f->loop, on_written);
    fb_op_init(&end->wait, f->loop, on_news);
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);
    const struct fb_tls_certificate certificate = {PEM(TEST_SERVER_PEM), PEM(TEST_SERVER_KEY)};
    static const char *const protocols[] = {"h2"};

    f->clock = test_clock_at_start();
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    f->tickets = fb_tls_tickets_new(&f->clock.clock, 3600);
    assert_int_equal(fb_tls_config_new(&(struct fb_tls_options){.certificates = &certificate,
                                                                .n_certificates = 1,
                                                                .protocols = protocols,
                                                                .n_protocols = 1,
                                                                .tickets = f->tickets},
                                       &f->server_config, NULL),
                     FB_OK);
    assert_int_equal(fb_tls_config_new(&(struct fb_tls_options){.is_client = true,
                                                                .authorities = PEM(TEST_CA_PEM),
                                                                .protocols = protocols,
                                                                .n_protocols = 1},
                                       &f->client_config, NULL),
                     FB_OK);
    end_init(f, &f->server);
    end_init(f, &f->client);
    *state = f;
    return 0;
}

static void end_done(struct end *end)
{
    fb_stream_close(end->stream);
    fb_buf_done(&end->got);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    end_done(&f->server);
    end_done(&f->client);
    for (int i = 0; i < 4; i++) {
        fb_loop_turn(f->loop);
    }
    assert_true(fb_op_is_idle(&f->server.shake.op) && fb_op_is_idle(&f->client.shake.op));
    fb_loop_free(f->loop);
    fb_tls_config_unref(f->server_config);
    fb_tls_config_unref(f->client_config);
    fb_tls_tickets_unref(f->tickets);
    fb_free(f);
    return 0;
}

/* ---- driving -------------------------------------------------------------- */

static void begin(struct fixture *f, size_t capacity, struct fb_pool *pool)
{
    fb_stream_pair(f->loop, capacity, &f->inner_server, &f->inner_client);
    f->server.shake.inner = f->inner_server;
    f->server.shake.config = f->server_config;
    f->server.shake.pool = pool;
    f->server.shake.timeout_ms = 10000;
    f->client.shake.inner = f->inner_client;
    f->client.shake.config = f->client_config;
    f->client.shake.pool = pool;
    f->client.shake.server_name = FB_STR("a.example");
    fb_tls_accept(&f->server.shake);
    fb_tls_connect(&f->client.shake);
}

static void read_more(struct end *end)
{
    struct fb_slice slice;

    if (end->stream == NULL || end->read_err < 0 || !fb_op_is_idle(&end->wait)) {
        return;
    }
    int err = fb_reader_next(&end->stream->reader, &slice);
    if (err == FB_OK) {
        fb_buf_append(&end->got, slice.bytes);
        fb_slice_release(&slice);
    } else if (err == FB_E_LATER) {
        fb_reader_wait(&end->stream->reader, &end->wait);
    } else {
        end->read_err = err;
    }
}

static void turn(struct fixture *f)
{
    fb_loop_turn(f->loop);
    read_more(&f->server);
    read_more(&f->client);
}

static void turn_until(struct fixture *f, const unsigned *count)
{
    for (int i = 0; *count == 0 && i < TURNS_MAX; i++) {
        turn(f);
    }
    assert_int_equal(*count, 1);
}

static void connect_both(struct fixture *f, size_t capacity)
{
    begin(f, capacity, NULL);
    turn_until(f, &f->client.n_shaken);
    turn_until(f, &f->server.n_shaken);
    assert_int_equal(f->client.shake.op.result, FB_OK);
    assert_int_equal(f->server.shake.op.result, FB_OK);
}

static void send_text(struct end *end, const struct fb_str *piece)
{
    end->write.pieces = piece;
    end->write.n_pieces = 1;
    fb_stream_write(end->stream, &end->write);
}

static void turn_until_end(struct fixture *f, struct end *end)
{
    for (int i = 0; end->read_err == FB_OK && i < TURNS_MAX; i++) {
        turn(f);
    }
}

/* ---- what goes through ----------------------------------------------------- */

static void bytes_go_both_ways(void **state)
{
    struct fixture *f = *state;
    const struct fb_str request = FB_STR("request");
    FB_AUTO(fb_freep) char *bytes = fb_alloc(LONG_BYTES);

    for (size_t i = 0; i < LONG_BYTES; i++) {
        bytes[i] = (char)(i % 251);
    }
    struct fb_str response = {bytes, LONG_BYTES};
    connect_both(f, 7000);
    assert_string_equal(fb_stream_protocol(f->server.stream), "h2");
    assert_string_equal(fb_stream_tls(f->server.stream)->server_name, "a.example");
    send_text(&f->client, &request);
    turn_until(f, &f->client.n_written);
    send_text(&f->server, &response);
    turn_until(f, &f->server.n_written);
    fb_stream_shut(f->server.stream);
    turn_until_end(f, &f->client);
    assert_int_equal(f->client.read_err, FB_E_END);
    assert_int_equal(f->client.got.len, LONG_BYTES);
    assert_memory_equal(f->client.got.ptr, bytes, LONG_BYTES);
    assert_string_equal(f->server.got.ptr, "request");
}

static void costly_steps_run_on_a_pool(void **state)
{
    struct fixture *f = *state;
    struct fb_pool *pool = NULL;

    assert_int_equal(fb_pool_new("tls", 1, 4, &pool), FB_OK);
    begin(f, 100000, pool);
    while (f->client.n_shaken == 0 || f->server.n_shaken == 0) {
        fb_loop_turn_waiting(f->loop);
    }
    assert_int_equal(f->client.shake.op.result, FB_OK);
    assert_int_equal(f->server.shake.op.result, FB_OK);
    fb_pool_free(pool);
}

/* Both ends are closed, and may be connected once more. */
static void begin_again(struct fixture *f)
{
    end_done(&f->server);
    end_done(&f->client);
    for (int i = 0; i < 4; i++) {
        fb_loop_turn(f->loop);
    }
    end_init(f, &f->server);
    end_init(f, &f->client);
}

static void resume_twice(struct fixture *f)
{
    const struct fb_str text = FB_STR("text");

    for (int i = 0; i < 3; i++) {
        connect_both(f, 7000);
        assert_int_equal(fb_stream_tls(f->client.stream)->is_resumed, i > 0);
        assert_int_equal(fb_stream_tls(f->server.stream)->is_resumed, i > 0);
        assert_int_equal(fb_stream_tls(f->client.stream)->version, fb_tls_newest());
        send_text(&f->server, &text); /* a ticket of TLS 1.3 comes before it */
        turn_until(f, &f->server.n_written);
        fb_stream_shut(f->server.stream);
        turn_until_end(f, &f->client);
        assert_string_equal(f->client.got.ptr, "text");
        begin_again(f);
    }
}

static void next_connection_resumes_the_session(void **state)
{
    resume_twice(*state);
}

/* Its hash is another. */
static void session_of_aes_256_is_resumed_too(void **state)
{
    static const struct fb_str name = {"TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384", 39};
    struct fixture *f = *state;

    fb_tls_config_unref(f->client_config);
    assert_int_equal(fb_tls_config_new(&(struct fb_tls_options){.is_client = true,
                                                                .authorities = PEM(TEST_CA_PEM),
                                                                .ciphers = &name,
                                                                .n_ciphers = 1},
                                       &f->client_config, NULL),
                     FB_OK);
    resume_twice(f);
}

static void session_that_the_server_forgot_costs_a_full_handshake(void **state)
{
    struct fixture *f = *state;

    connect_both(f, 7000);
    begin_again(f);
    test_clock_advance_ms(&f->clock, 3 * 3600 * 1000);
    fb_loop_turn(f->loop); /* it looks at the clock */
    connect_both(f, 7000);
    assert_false(fb_stream_tls(f->client.stream)->is_resumed);
}

static void what_was_cut_off_a_write_is_not_read(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_freep) char *bytes = fb_alloc(LONG_BYTES);
    struct fb_str response = {bytes, LONG_BYTES};

    connect_both(f, 100);
    send_text(&f->server, &response);
    assert_true(fb_stream_unsent(f->server.stream) >= LONG_BYTES - 100);
    size_t n_cut = fb_stream_retract(f->server.stream);
    assert_true(n_cut > 0);
    memset(bytes, 'x', LONG_BYTES); /* its pieces are the caller's again */
    turn_until(f, &f->server.n_written);
    fb_stream_shut(f->server.stream);
    turn_until_end(f, &f->client);
    assert_int_equal(f->client.got.len, LONG_BYTES - n_cut);
    assert_null(memchr(f->client.got.ptr, 'x', f->client.got.len));
}

/* ---- ends ------------------------------------------------------------------ */

static void cut_connection_is_no_end(void **state)
{
    struct fixture *f = *state;

    connect_both(f, 100000);
    fb_stream_shut(f->inner_client); /* FIN, as anybody on the way can make one */
    turn_until_end(f, &f->server);
    fb_stream_reset(f->client.stream);
    f->client.stream = NULL;
    assert_int_equal(f->server.read_err, FB_E_CLOSED);
}

static void close_says_so(void **state)
{
    struct fixture *f = *state;

    connect_both(f, 100000);
    fb_stream_close(f->client.stream);
    f->client.stream = NULL;
    turn_until_end(f, &f->server);
    assert_int_equal(f->server.read_err, FB_E_END);
}

static void forged_record_ends_both_sides(void **state)
{
    struct fixture *f = *state;
    static const char forged[5 + 32] = "\x17\x03\x03\x00\x20 forged";
    const struct fb_str piece = {forged, sizeof(forged)};
    struct end other;

    connect_both(f, 100000);
    end_init(f, &other);
    other.write.pieces = &piece;
    other.write.n_pieces = 1;
    fb_stream_write(f->inner_client, &other.write);
    turn_until_end(f, &f->server);
    assert_int_equal(f->server.read_err, FB_E_CORRUPT);
    turn_until_end(f, &f->client);
    assert_int_equal(f->client.read_err, FB_E_CLOSED); /* by the alert */
}

/* ---- handshakes that fail -------------------------------------------------- */

static void silent_peer_times_out(void **state)
{
    struct fixture *f = *state;

    fb_stream_pair(f->loop, 1000, &f->inner_server, &f->inner_client);
    f->server.shake.inner = f->inner_server;
    f->server.shake.config = f->server_config;
    f->server.shake.timeout_ms = 10000;
    fb_tls_accept(&f->server.shake);
    turn(f);
    test_clock_advance_ms(&f->clock, 10000);
    turn_until(f, &f->server.n_shaken);
    assert_int_equal(f->server.shake.op.result, FB_E_TIMEOUT);
    fb_stream_close(f->inner_client);
}

static void plain_http_gets_an_answer(void **state)
{
    struct fixture *f = *state;
    const struct fb_str request = FB_STR("GET / HTTP/1.1\r\n\r\n");
    struct fb_slice slice;

    fb_stream_pair(f->loop, 1000, &f->inner_server, &f->inner_client);
    f->server.shake.inner = f->inner_server;
    f->server.shake.config = f->server_config;
    f->server.shake.plain_answer = FB_STR("HTTP/1.1 400 Bad Request\r\n\r\n");
    fb_tls_accept(&f->server.shake);
    f->client.write.pieces = &request;
    f->client.write.n_pieces = 1;
    fb_stream_write(f->inner_client, &f->client.write);
    turn_until(f, &f->server.n_shaken);
    assert_int_equal(f->server.shake.op.result, FB_E_MALFORMED);
    assert_true(f->server.shake.was_plain);
    assert_int_equal(fb_reader_next(&f->inner_client->reader, &slice), FB_OK);
    assert_true(fb_str_starts_with(slice.bytes, FB_STR("HTTP/1.1 400 ")));
    fb_slice_release(&slice);
    fb_stream_close(f->inner_client);
}

/* Either side ends at every turn: each operation finishes once, and nothing is left. */
static void handshake_may_be_canceled_at_any_time(void **state)
{
    bool was_done = false;

    for (int n_turns = 0; !was_done; n_turns++) {
        struct fixture *f = *state;
        begin(f, 700, NULL);
        for (int i = 0; i < n_turns; i++) {
            turn(f);
        }
        was_done = f->server.n_shaken == 1;
        fb_op_cancel(n_turns % 2 == 0 ? &f->server.shake.op : &f->client.shake.op);
        turn_until(f, &f->server.n_shaken);
        turn_until(f, &f->client.n_shaken);
        tear_down(state);
        set_up(state);
    }
}

static void new_configuration_is_that_of_the_next_handshake(void **state)
{
    struct fixture *f = *state;
    struct fb_tls_party *server = fb_tls_party_new(f->server_config, NULL, 5);
    struct fb_tls_config *config = fb_tls_party_config(server);

    assert_ptr_equal(config, f->server_config);
    fb_tls_config_unref(config);
    fb_tls_party_use(server, f->client_config);
    config = fb_tls_party_config(server);
    assert_ptr_equal(config, f->client_config);
    fb_tls_config_unref(config);
    assert_int_equal(fb_tls_party_timeout_ms(server), 5);
    fb_tls_party_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_go_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(costly_steps_run_on_a_pool, set_up, tear_down),
        cmocka_unit_test_setup_teardown(next_connection_resumes_the_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(session_of_aes_256_is_resumed_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(session_that_the_server_forgot_costs_a_full_handshake,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_cut_off_a_write_is_not_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_connection_is_no_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(close_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forged_record_ends_both_sides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(silent_peer_times_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plain_http_gets_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(handshake_may_be_canceled_at_any_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(new_configuration_is_that_of_the_next_handshake, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
