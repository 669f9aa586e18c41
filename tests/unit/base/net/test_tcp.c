#include "base/net/stream.h"
#include "wire.h"

#include <errno.h>

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
