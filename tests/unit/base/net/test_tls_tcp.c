#include "base/net/tls_stream.h"
#include "base/tls/config.h"
#include "base/tls/handshake.h"
#include "base/tls/record.h"
#include "tests/support/test_certificates.h"
#include "wire.h"

#include <linux/tls.h>
#include <stdlib.h>
#include <sys/socket.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

/*
 * TLS over TCP, with whatever seals there. Where the kernel does, these tests are what proves it:
 * FB_TEST_KERNEL_TLS says that it has to (tests/guest).
 */
#define PEM(text) ((struct fb_tls_pem){{(text), sizeof(text) - 1}, #text})

enum { MUCH = 6 * 1024 * 1024, N_CIPHERS = 3 };

static const char *const ciphers[N_CIPHERS] = {"TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256",
                                               "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384",
                                               "TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256"};

struct shaking {
    struct fb_tls_shake shake;
    unsigned n_done;
};

/* Both ends of one connection. */
struct secured {
    struct fb_stream *server;
    struct fb_stream *client;
    struct fb_stream *inner_client; /* borrowed: of `client` */
};

static void on_shaken(struct fb_op *op)
{
    struct shaking *shaking = FB_CONTAINER_OF(op, struct shaking, shake.op);
    shaking->n_done++;
}

static void turn(struct fixture *f)
{
    test_clock_advance_ms(&f->clock, 1);
    fb_loop_turn(f->loop);
}

static void secure(struct fixture *f, const char *name, struct secured *ret_secured)
{
    const struct fb_tls_certificate certificate = {PEM(TEST_SERVER_PEM), PEM(TEST_SERVER_KEY)};
    const struct fb_str cipher = fb_str_from(name);
    struct shaking server = {.n_done = 0};
    struct shaking client = {.n_done = 0};

    assert_int_equal(fb_tls_config_new(&(struct fb_tls_options){.certificates = &certificate,
                                                                .n_certificates = 1,
                                                                .ciphers = &cipher,
                                                                .n_ciphers = 1},
                                       &server.shake.config, NULL),
                     FB_OK);
    assert_int_equal(fb_tls_config_new(&(struct fb_tls_options){.is_client = true,
                                                                .authorities = PEM(TEST_CA_PEM)},
                                       &client.shake.config, NULL),
                     FB_OK);
    fb_op_init(&server.shake.op, f->loop, on_shaken);
    fb_op_init(&client.shake.op, f->loop, on_shaken);
    server.shake.inner = connect_both(f);
    client.shake.inner = f->client;
    client.shake.server_name = FB_STR("a.example");
    ret_secured->inner_client = f->client;
    f->n_accepted = 0; /* they are the streams' now */
    f->client = NULL;
    fb_tls_accept(&server.shake);
    fb_tls_connect(&client.shake);
    while (server.n_done == 0 || client.n_done == 0) {
        turn(f);
    }
    assert_int_equal(server.shake.op.result, FB_OK);
    assert_int_equal(client.shake.op.result, FB_OK);
    ret_secured->server = server.shake.stream;
    ret_secured->client = client.shake.stream;
    fb_tls_config_unref(server.shake.config);
    fb_tls_config_unref(client.shake.config);
}

static void done(struct fixture *f, struct secured *secured)
{
    fb_stream_close(secured->server);
    fb_stream_close(secured->client);
    turn(f);
    turn(f);
}

static char *make_bytes(void)
{
    char *bytes = fb_alloc(MUCH);

    for (size_t i = 0; i < MUCH; i++) {
        bytes[i] = (char)(i * 31 % 127);
    }
    return bytes;
}

/* Reads until the stream ends; returns how. */
static int read_to_end(struct fixture *f, struct fb_stream *stream, struct fb_buf *got)
{
    struct fb_slice slice;

    for (;;) {
        int err = fb_reader_next(&stream->reader, &slice);
        if (err == FB_OK) {
            fb_buf_append(got, slice.bytes);
            fb_slice_release(&slice);
        } else if (err == FB_E_LATER) {
            turn(f);
        } else {
            return err;
        }
    }
}

static void read_some(struct fixture *f, struct fb_stream *stream, size_t n, struct fb_buf *got)
{
    struct fb_slice slice;

    while (got->len < n) {
        int err = fb_reader_next(&stream->reader, &slice);
        if (err == FB_OK) {
            fb_buf_append(got, slice.bytes);
            fb_slice_release(&slice);
        } else {
            assert_int_equal(err, FB_E_LATER);
            turn(f);
        }
    }
}

/* ---- what goes through ----------------------------------------------------- */

static void sealed_by_whom_it_has_to_be(void **state)
{
    (void)state;
    for (int aead = 0; aead < FB_TLS_N_AEADS; aead++) {
        const char *name = fb_tls_sealer_name((enum fb_tls_aead)aead);
        assert_non_null(name);
        if (getenv("FB_TEST_KERNEL_TLS") != NULL) {
            assert_string_equal(name, "kernel");
        }
    }
}

/* The peer reads only when all that there is room for was sent: the kernel has none for
 * close_notify then. */
static void all_that_was_sent_arrives_and_then_an_end(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_freep) char *bytes = make_bytes();
    const struct fb_str request = FB_STR("request");
    const struct fb_str pieces[] = {
        {bytes, 333}, {bytes + 333, 0}, {bytes + 333, 40000}, {bytes + 40333, MUCH - 40333}};

    for (size_t i = 0; i < N_CIPHERS; i++) {
        struct secured secured;
        struct side server;
        struct side client;
        FB_AUTO(fb_buf_done) struct fb_buf got = {0};
        FB_AUTO(fb_buf_done) struct fb_buf asked = {0};
        secure(f, ciphers[i], &secured);
        side_init(&server, f);
        side_init(&client, f);
        side_write(&client, secured.client, &request, 1);
        read_some(f, secured.server, request.len, &asked);
        assert_string_equal(fb_stream_tls(secured.server)->sealer,
                            fb_tls_sealer_name((enum fb_tls_aead)i));
        assert_string_equal(asked.ptr, "request");
        side_write(&server, secured.server, pieces, FB_ARRAY_LEN(pieces));
        fb_stream_shut(secured.server);
        for (int k = 0; k < 100; k++) {
            turn(f);
        }
        assert_int_equal(read_to_end(f, secured.client, &got), FB_E_END);
        assert_int_equal(server.n_writes, 1);
        assert_int_equal(server.write.op.result, FB_OK);
        assert_int_equal(fb_stream_unsent(secured.server), 0);
        assert_int_equal(got.len, MUCH);
        assert_memory_equal(got.ptr, bytes, MUCH);
        done(f, &secured);
    }
}

static void one_write_follows_another(void **state)
{
    enum { N_WRITES = 200 };
    struct fixture *f = *state;
    FB_AUTO(fb_freep) char *bytes = make_bytes();

    for (size_t i = 0; i < N_CIPHERS; i++) {
        struct secured secured;
        struct side side;
        FB_AUTO(fb_buf_done) struct fb_buf got = {0};
        size_t n = 0;
        secure(f, ciphers[i], &secured);
        side_init(&side, f);
        for (unsigned k = 1; k <= N_WRITES; k++) {
            const struct fb_str piece = {bytes + n, (size_t)k * 131 % 4000 + 1};
            side_write(&side, secured.server, &piece, 1);
            n += piece.len;
            read_some(f, secured.client, n, &got);
            while (side.n_writes < k) {
                turn(f);
            }
        }
        assert_memory_equal(got.ptr, bytes, n);
        done(f, &secured);
    }
}

static void what_does_not_go_can_be_taken_back(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_freep) char *bytes = make_bytes();
    FB_AUTO(fb_freep) char *want = make_bytes();
    const struct fb_str piece = {bytes, MUCH};
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct secured secured;
    struct side side;

    secure(f, ciphers[0], &secured);
    side_init(&side, f);
    side_write(&side, secured.server, &piece, 1);
    size_t n_cut = fb_stream_retract(secured.server);
    assert_true(n_cut <= MUCH);
    memset(bytes, '!', MUCH); /* they are the caller's again */
    read_some(f, secured.client, MUCH - n_cut, &got);
    while (side.n_writes == 0) {
        turn(f);
    }
    const struct fb_str rest = {want + MUCH - n_cut, n_cut};
    side_write(&side, secured.server, &rest, 1);
    fb_stream_shut(secured.server);
    assert_int_equal(read_to_end(f, secured.client, &got), FB_E_END);
    assert_int_equal(got.len, MUCH);
    assert_memory_equal(got.ptr, want, MUCH);
    done(f, &secured);
}

/* ---- ends ------------------------------------------------------------------ */

static void close_says_so(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < N_CIPHERS; i++) {
        struct secured secured;
        FB_AUTO(fb_buf_done) struct fb_buf got = {0};
        secure(f, ciphers[i], &secured);
        fb_stream_close(secured.server);
        secured.server = NULL;
        assert_int_equal(read_to_end(f, secured.client, &got), FB_E_END);
        done(f, &secured);
    }
}

static void close_in_the_middle_of_a_write_ends_it(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_freep) char *bytes = make_bytes();
    const struct fb_str piece = {bytes, MUCH};
    struct secured secured;
    struct side side;

    secure(f, ciphers[0], &secured);
    side_init(&side, f);
    side_write(&side, secured.server, &piece, 1);
    fb_stream_close(secured.server);
    secured.server = NULL;
    while (side.n_writes == 0) {
        turn(f);
    }
    done(f, &secured);
}

/* Sends a record that has no place there, as far as whoever seals lets it: what is written past the
 * kernel would be sealed by it. Returns what comes of it. */
static int send_nonsense(struct secured *secured, struct side *side)
{
    static char forged[5 + 32] = "\x17\x03\x03\x00\x20 forged";
    static const struct fb_str piece = {forged, sizeof(forged)};
    struct iovec part = {.iov_base = forged, .iov_len = 1};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(1)];
    } control = {.bytes = {0}};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};

    if (strcmp(fb_tls_sealer_name(FB_TLS_AES_128_GCM), "kernel") != 0) {
        side_write(side, secured->inner_client, &piece, 1);
        return FB_E_CORRUPT;
    }
    control.header.cmsg_level = SOL_TLS;
    control.header.cmsg_type = TLS_SET_RECORD_TYPE;
    control.header.cmsg_len = CMSG_LEN(1);
    *CMSG_DATA(&control.header) = FB_TLS_CHANGE_CIPHER_SPEC;
    int fd = secured->inner_client->ops->socket(secured->inner_client);
    assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), 1);
    return FB_E_MALFORMED;
}

static void record_out_of_place_is_answered_with_an_alert(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < N_CIPHERS; i++) {
        struct secured secured;
        struct side side;
        FB_AUTO(fb_buf_done) struct fb_buf got = {0};
        secure(f, ciphers[i], &secured);
        side_init(&side, f);
        int err = send_nonsense(&secured, &side);
        assert_int_equal(read_to_end(f, secured.server, &got), err);
        assert_int_equal(read_to_end(f, secured.client, &got), FB_E_CLOSED); /* by the alert */
        done(f, &secured);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_by_whom_it_has_to_be),
        cmocka_unit_test_setup_teardown(all_that_was_sent_arrives_and_then_an_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_write_follows_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_go_can_be_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(close_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(close_in_the_middle_of_a_write_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(record_out_of_place_is_answered_with_an_alert, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
