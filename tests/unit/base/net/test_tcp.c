#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/net/stream.h"
#include "base/net/tcp.h"
#include "tests/support/test_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_listener *listener;
    struct fb_stream *accepted[64];
    unsigned n_accepted;
    struct fb_stream *client;
};

/* One side's operations, and what came in. */
struct side {
    struct fb_op wait;
    struct fb_stream_write write;
    unsigned n_waits;
    unsigned n_writes;
};

static void on_accepted(void *ctx, struct fb_stream *stream)
{
    struct fixture *f = ctx;
    f->accepted[f->n_accepted++] = stream;
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->clock = test_clock_at_start();
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    struct fb_listener_options options = {.accepted = on_accepted, .ctx = f};
    assert_int_equal(fb_address_parse(FB_STR("127.0.0.1:0"), &options.address, NULL), FB_OK);
    assert_int_equal(fb_listener_open(f->loop, &options, &f->listener), FB_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < f->n_accepted; i++) {
        fb_stream_close(f->accepted[i]);
    }
    fb_stream_close(f->client);
    fb_listener_close(f->listener);
    fb_loop_turn(f->loop);
    fb_loop_free(f->loop);
    fb_free(f);
    return 0;
}

static void turn_until(struct fixture *f, const unsigned *count, unsigned wanted)
{
    while (*count < wanted) {
        fb_loop_turn_waiting(f->loop);
    }
}

struct connecting {
    struct fb_connect connect;
    unsigned n_done;
};

static void on_connect(struct fb_op *op)
{
    struct connecting *connecting = FB_CONTAINER_OF(op, struct connecting, connect.op);
    connecting->n_done++;
}

static void start_connect(struct fixture *f, struct connecting *connecting, const char *host)
{
    struct fb_address bound = fb_listener_address(f->listener);

    *connecting = (struct connecting){0};
    fb_op_init(&connecting->connect.op, f->loop, on_connect);
    connecting->connect.host = fb_str_from(host);
    connecting->connect.port = fb_address_port(&bound);
    connecting->connect.timeout_ms = 1000;
    fb_tcp_connect(&connecting->connect);
}

/* A connection: f->client on one side, f->accepted[0] on the other. */
static struct fb_stream *connect_both(struct fixture *f)
{
    struct connecting connecting;

    start_connect(f, &connecting, "127.0.0.1");
    turn_until(f, &connecting.n_done, 1);
    assert_int_equal(connecting.connect.op.result, FB_OK);
    f->client = connecting.connect.stream;
    turn_until(f, &f->n_accepted, 1);
    return f->accepted[0];
}

static void on_wait(struct fb_op *op)
{
    struct side *side = FB_CONTAINER_OF(op, struct side, wait);
    side->n_waits++;
}

static void on_write(struct fb_op *op)
{
    struct side *side = FB_CONTAINER_OF(op, struct side, write.op);
    side->n_writes++;
}

static void side_init(struct side *side, struct fixture *f)
{
    *side = (struct side){0};
    fb_op_init(&side->wait, f->loop, on_wait);
    fb_op_init(&side->write.op, f->loop, on_write);
}

static void side_write(struct side *side, struct fb_stream *stream, const struct fb_str *pieces,
                       size_t n_pieces)
{
    side->write.pieces = pieces;
    side->write.n_pieces = n_pieces;
    fb_stream_write(stream, &side->write);
}

/* Reads to the end, turning the loop; appends to `buf`. Returns how it ended. */
static int read_all(struct fixture *f, struct fb_stream *stream, struct fb_buf *buf)
{
    struct side side;

    side_init(&side, f);
    for (;;) {
        struct fb_slice slice;
        int err = fb_reader_next(&stream->reader, &slice);
        if (err == FB_OK) {
            fb_buf_append(buf, slice.bytes);
            fb_slice_release(&slice);
        } else if (err == FB_E_LATER) {
            unsigned n_waits = side.n_waits;
            fb_reader_wait(&stream->reader, &side.wait);
            turn_until(f, &side.n_waits, n_waits + 1);
        } else {
            return err;
        }
    }
}

static void bytes_arrive_in_order_and_then_the_end(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    const struct fb_str pieces[] = {FB_STR("one "), FB_STR(""), FB_STR("two "), FB_STR("three")};
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct side side;

    side_init(&side, f);
    side_write(&side, f->client, pieces, FB_ARRAY_LEN(pieces));
    fb_stream_shut(f->client);
    assert_int_equal(read_all(f, server, &got), FB_E_END);
    assert_int_equal(side.n_writes, 1);
    assert_int_equal(side.write.op.result, FB_OK);
    assert_string_equal(got.ptr, "one two three");

    struct fb_address peer = fb_stream_peer(server);
    char text[FB_ADDRESS_TEXT_MAX];
    assert_memory_equal(fb_address_text(&peer, text), "127.0.0.1:", 10);
}

static void reading_goes_on_after_shutting(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    const struct fb_str answer = FB_STR("answer");
    FB_AUTO(fb_buf_done) struct fb_buf none = {0};
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct side side;

    fb_stream_shut(f->client);
    assert_int_equal(read_all(f, server, &none), FB_E_END);
    side_init(&side, f);
    side_write(&side, server, &answer, 1);
    fb_stream_shut(server);
    assert_int_equal(read_all(f, f->client, &got), FB_E_END);
    assert_string_equal(got.ptr, "answer");
}

enum { MUCH = 32 * 1024 * 1024 };

static void a_write_larger_than_the_kernel_takes_finishes_when_it_is_read(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    char *bytes = fb_alloc(MUCH);
    const struct fb_str much = {bytes, MUCH};
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct side side;

    for (size_t i = 0; i < MUCH; i++) {
        bytes[i] = (char)(i * 31 % 127);
    }
    side_init(&side, f);
    side_write(&side, f->client, &much, 1);
    fb_stream_shut(f->client);
    fb_loop_turn(f->loop);
    assert_int_equal(side.n_writes, 0);
    assert_true(fb_stream_unsent(f->client) > 0);

    assert_int_equal(read_all(f, server, &got), FB_E_END);
    assert_int_equal(side.n_writes, 1);
    assert_int_equal(side.write.op.result, FB_OK);
    assert_int_equal(fb_stream_unsent(f->client), 0);
    assert_int_equal(got.len, MUCH);
    assert_memory_equal(got.ptr, bytes, MUCH);
    fb_free(bytes);
}

static void a_reader_that_does_not_read_is_sent_no_more_than_the_bound(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    char *bytes = fb_alloc(MUCH);
    const struct fb_str much = {bytes, MUCH};
    struct side writer;
    struct side reader;
    struct fb_slice slice;

    side_init(&writer, f);
    side_init(&reader, f);
    side_write(&writer, f->client, &much, 1);
    fb_reader_wait(&server->reader, &reader.wait);
    turn_until(f, &reader.n_waits, 1);
    for (int i = 0; i < 100; i++) {
        fb_loop_turn(f->loop);
    }
    size_t n_unread = 0;
    size_t unsent = fb_stream_unsent(f->client);
    assert_true(unsent > 0);
    /* Whatever next() gives before the loop turns again was received ahead. */
    while (fb_reader_next(&server->reader, &slice) == FB_OK) {
        n_unread += slice.bytes.len;
        fb_slice_release(&slice);
    }
    assert_in_range(n_unread, FB_STREAM_MAX_UNREAD, FB_STREAM_MAX_UNREAD + 64 * 1024);
    fb_stream_close(f->client);
    f->client = NULL;
    fb_loop_turn(f->loop);
    assert_int_equal(writer.n_writes, 1);
    assert_int_equal(writer.write.op.result, FB_E_CANCELED);
    fb_free(bytes);
}

static void a_slice_outlives_its_stream(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    const struct fb_str text = FB_STR("kept");
    struct fb_slice slice;
    struct side side;

    side_init(&side, f);
    side_write(&side, f->client, &text, 1);
    fb_reader_wait(&server->reader, &side.wait);
    turn_until(f, &side.n_waits, 1);
    assert_int_equal(fb_reader_next(&server->reader, &slice), FB_OK);
    fb_stream_close(server);
    f->n_accepted = 0;
    fb_loop_turn(f->loop);
    assert_memory_equal(slice.bytes.ptr, "kept", 4);
    fb_slice_release(&slice);
}

static void a_reset_shows_as_such_and_not_as_an_end(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};

    fb_stream_reset(f->client);
    f->client = NULL;
    assert_int_equal(read_all(f, server, &got), -ECONNRESET);
}

static void bytes_and_a_reset_at_once_are_no_end_either(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    const struct fb_str text = FB_STR("cut");
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct side side;

    side_init(&side, f);
    side_write(&side, f->client, &text, 1);
    fb_stream_reset(f->client);
    f->client = NULL;
    assert_int_equal(read_all(f, server, &got), -ECONNRESET);
    assert_string_equal(got.ptr, "cut");
}

static void a_peer_that_leaves_wakes_whoever_waits(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    struct fb_slice slice;
    struct side side;

    side_init(&side, f);
    fb_reader_wait(&server->reader, &side.wait);
    fb_loop_turn(f->loop);
    assert_int_equal(side.n_waits, 0);
    fb_stream_close(f->client);
    f->client = NULL;
    turn_until(f, &side.n_waits, 1);
    assert_int_equal(fb_reader_next(&server->reader, &slice), FB_E_END);
}

static void writing_to_a_lost_connection_fails_and_kills_nobody(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    const struct fb_str text = FB_STR("too late");
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct side side;

    fb_stream_reset(f->client);
    f->client = NULL;
    assert_int_equal(read_all(f, server, &got), -ECONNRESET);
    side_init(&side, f);
    side_write(&side, server, &text, 1);
    turn_until(f, &side.n_writes, 1);
    assert_int_equal(side.write.op.result, -EPIPE);
}

static void a_wait_can_be_canceled_and_begun_again(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    const struct fb_str text = FB_STR("x");
    struct side side;

    side_init(&side, f);
    fb_reader_wait(&server->reader, &side.wait);
    fb_op_cancel(&side.wait);
    turn_until(f, &side.n_waits, 1);
    assert_int_equal(side.wait.result, FB_E_CANCELED);
    fb_reader_wait(&server->reader, &side.wait);
    side_write(&side, f->client, &text, 1);
    turn_until(f, &side.n_waits, 2);
    assert_int_equal(side.wait.result, FB_OK);
}

static void closing_ends_the_operations_under_way(void **state)
{
    struct fixture *f = *state;
    (void)connect_both(f);
    char *bytes = fb_alloc(MUCH);
    const struct fb_str much = {bytes, MUCH};

    for (int is_reset = 0; is_reset < 2; is_reset++) {
        struct side side;
        side_init(&side, f);
        side_write(&side, f->accepted[0], &much, 1);
        fb_reader_wait(&f->accepted[0]->reader, &side.wait);
        if (is_reset != 0) {
            fb_stream_reset(f->accepted[0]);
        } else {
            fb_stream_close(f->accepted[0]);
        }
        fb_loop_turn(f->loop);
        assert_int_equal(side.n_waits, 1);
        assert_int_equal(side.n_writes, 1);
        assert_int_equal(side.wait.result, FB_E_CANCELED);
        assert_int_equal(side.write.op.result, FB_E_CANCELED);
        fb_stream_close(f->client);
        f->client = NULL;
        f->n_accepted = 0;
        if (is_reset == 0) {
            (void)connect_both(f);
        }
    }
    fb_free(bytes);
}

struct closer {
    struct fb_op wait;
    struct fb_stream *stream;
    unsigned n_done;
};

static void on_wait_close(struct fb_op *op)
{
    struct closer *closer = FB_CONTAINER_OF(op, struct closer, wait);
    fb_stream_close(closer->stream);
    closer->n_done++;
}

static void a_stream_may_be_closed_inside_done(void **state)
{
    struct fixture *f = *state;
    struct closer closer = {.stream = connect_both(f)};
    const struct fb_str text = FB_STR("x");
    struct side side;

    f->n_accepted = 0;
    fb_op_init(&closer.wait, f->loop, on_wait_close);
    fb_reader_wait(&closer.stream->reader, &closer.wait);
    side_init(&side, f);
    side_write(&side, f->client, &text, 1);
    turn_until(f, &closer.n_done, 1);
    turn_until(f, &side.n_writes, 1);
}

/* ---- connecting ---------------------------------------------------------- */

static void a_name_is_looked_up(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting;

    start_connect(f, &connecting, "localhost");
    turn_until(f, &connecting.n_done, 1);
    assert_int_equal(connecting.connect.op.result, FB_OK);
    f->client = connecting.connect.stream;
    turn_until(f, &f->n_accepted, 1);
}

static void nobody_listening_is_refused(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting;

    start_connect(f, &connecting, "127.0.0.1");
    fb_op_cancel(&connecting.connect.op);
    turn_until(f, &connecting.n_done, 1);
    assert_int_equal(connecting.connect.op.result, FB_E_CANCELED);

    /* Discard port of a loopback address that nobody has. */
    connecting = (struct connecting){0};
    fb_op_init(&connecting.connect.op, f->loop, on_connect);
    connecting.connect.host = FB_STR("127.255.255.254");
    connecting.connect.port = 9;
    fb_tcp_connect(&connecting.connect);
    turn_until(f, &connecting.n_done, 1);
    assert_int_equal(connecting.connect.op.result, -ECONNREFUSED);
}

static void bad_names_are_refused_at_once(void **state)
{
    struct fixture *f = *state;
    char long_name[300];
    static const char with_nul[] = "local\0host";

    memset(long_name, 'a', sizeof(long_name));
    const struct fb_str names[] = {
        FB_STR_NONE, {long_name, sizeof(long_name)}, {with_nul, sizeof(with_nul) - 1}};
    for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
        struct connecting connecting = {0};
        fb_op_init(&connecting.connect.op, f->loop, on_connect);
        connecting.connect.host = names[i];
        fb_tcp_connect(&connecting.connect);
        fb_loop_turn(f->loop);
        assert_int_equal(connecting.n_done, 1);
        assert_int_equal(connecting.connect.op.result, FB_E_MALFORMED);
    }
}

static void a_look_up_can_be_canceled_and_the_loop_freed(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting;

    start_connect(f, &connecting, "localhost");
    fb_op_cancel(&connecting.connect.op);
    fb_loop_turn(f->loop);
    assert_int_equal(connecting.n_done, 1);
    assert_int_equal(connecting.connect.op.result, FB_E_CANCELED);
}

static void connecting_takes_no_longer_than_its_timeout(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting;

    start_connect(f, &connecting, "127.0.0.1");
    test_clock_advance_ms(&f->clock, 1000);
    fb_loop_turn(f->loop);
    assert_int_equal(connecting.n_done, 1);
    if (connecting.connect.op.result == FB_OK) {
        /* The kernel was quicker than the turn: a decided outcome stands. */
        f->client = connecting.connect.stream;
        return;
    }
    assert_int_equal(connecting.connect.op.result, FB_E_TIMEOUT);
}

/* ---- listening ----------------------------------------------------------- */

static void several_loops_may_listen_on_one_address(void **state)
{
    struct fixture *f = *state;
    struct fb_listener *second = NULL;
    struct fb_listener_options options = {
        .address = fb_listener_address(f->listener), .accepted = on_accepted, .ctx = f};

    assert_int_equal(fb_listener_open(f->loop, &options, &second), FB_OK);
    fb_listener_close(second);
}

static void an_address_that_is_not_ours_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fb_listener *second = NULL;
    struct fb_listener_options options = {.accepted = on_accepted, .ctx = f};

    assert_int_equal(fb_address_parse(FB_STR("192.0.2.1:0"), &options.address, NULL), FB_OK);
    assert_int_equal(fb_listener_open(f->loop, &options, &second), -EADDRNOTAVAIL);
    assert_null(second);
}

static void a_burst_of_connections_is_taken_whole(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting[64];

    for (unsigned i = 0; i < FB_ARRAY_LEN(connecting); i++) {
        start_connect(f, &connecting[i], "127.0.0.1");
    }
    for (unsigned i = 0; i < FB_ARRAY_LEN(connecting); i++) {
        turn_until(f, &connecting[i].n_done, 1);
        assert_int_equal(connecting[i].connect.op.result, FB_OK);
        fb_stream_close(connecting[i].connect.stream);
    }
    turn_until(f, &f->n_accepted, FB_ARRAY_LEN(connecting));
}

static void on_accepted_close(void *ctx, struct fb_stream *stream)
{
    struct fixture *f = ctx;

    f->accepted[f->n_accepted++] = stream;
    fb_listener_close(f->listener);
    f->listener = NULL;
}

static void a_listener_may_be_closed_by_what_it_accepts(void **state)
{
    struct fixture *f = *state;
    struct fb_listener_options options = {.accepted = on_accepted_close, .ctx = f};
    struct connecting connecting[2];

    fb_listener_close(f->listener);
    assert_int_equal(fb_address_parse(FB_STR("127.0.0.1:0"), &options.address, NULL), FB_OK);
    assert_int_equal(fb_listener_open(f->loop, &options, &f->listener), FB_OK);
    start_connect(f, &connecting[0], "127.0.0.1");
    start_connect(f, &connecting[1], "127.0.0.1");
    for (int i = 0; i < 2; i++) {
        turn_until(f, &connecting[i].n_done, 1);
        if (connecting[i].connect.op.result == FB_OK) {
            fb_stream_close(connecting[i].connect.stream);
        }
    }
    turn_until(f, &f->n_accepted, 1);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_accepted, 1);
}

static void all_interfaces_take_either_family(void **state)
{
    struct fixture *f = *state;
    struct fb_listener_options options = {.accepted = on_accepted, .ctx = f};

    fb_listener_close(f->listener);
    assert_int_equal(fb_address_parse(FB_STR(":0"), &options.address, NULL), FB_OK);
    assert_int_equal(fb_listener_open(f->loop, &options, &f->listener), FB_OK);
    (void)connect_both(f);
}

static void a_listener_lives_through_a_lack_of_descriptors(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting;
    struct rlimit old;

    start_connect(f, &connecting, "127.0.0.1");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit few = {.rlim_cur = 64, .rlim_max = old.rlim_max};
    int taken[64];
    unsigned n_taken = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while ((taken[n_taken] = fcntl(0, F_DUPFD_CLOEXEC, 0)) >= 0) {
        n_taken++;
    }
    turn_until(f, &connecting.n_done, 1);
    for (int i = 0; i < 5; i++) {
        fb_loop_turn(f->loop);
    }
    while (n_taken > 0) {
        (void)close(taken[--n_taken]);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(f->n_accepted, 0);
    f->client = connecting.connect.stream;
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    assert_true(read_all(f, f->client, &got) < 0);
    fb_stream_close(f->client);

    (void)connect_both(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(bytes_arrive_in_order_and_then_the_end),
        TEST(reading_goes_on_after_shutting),
        TEST(a_write_larger_than_the_kernel_takes_finishes_when_it_is_read),
        TEST(a_reader_that_does_not_read_is_sent_no_more_than_the_bound),
        TEST(a_slice_outlives_its_stream),
        TEST(a_reset_shows_as_such_and_not_as_an_end),
        TEST(bytes_and_a_reset_at_once_are_no_end_either),
        TEST(a_peer_that_leaves_wakes_whoever_waits),
        TEST(writing_to_a_lost_connection_fails_and_kills_nobody),
        TEST(a_wait_can_be_canceled_and_begun_again),
        TEST(closing_ends_the_operations_under_way),
        TEST(a_stream_may_be_closed_inside_done),
        TEST(a_name_is_looked_up),
        TEST(nobody_listening_is_refused),
        TEST(bad_names_are_refused_at_once),
        TEST(a_look_up_can_be_canceled_and_the_loop_freed),
        TEST(connecting_takes_no_longer_than_its_timeout),
        TEST(several_loops_may_listen_on_one_address),
        TEST(an_address_that_is_not_ours_is_refused),
        TEST(a_burst_of_connections_is_taken_whole),
        TEST(a_listener_may_be_closed_by_what_it_accepts),
        TEST(all_interfaces_take_either_family),
        TEST(a_listener_lives_through_a_lack_of_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
