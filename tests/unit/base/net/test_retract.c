#include "base/net/pair.h"
#include "base/net/stream.h"
#include "wire.h"

enum { MUCH = 8 * 1024 * 1024 };

static char *make_bytes(void)
{
    char *bytes = fb_alloc(MUCH);

    for (size_t i = 0; i < MUCH; i++) {
        bytes[i] = (char)(i * 31 % 127);
    }
    return bytes;
}

/* Writes, takes back what cannot go, makes sure that its memory is not read any more, and
 * sends the rest in a second write. */
static void write_in_two(struct fixture *f, struct fb_stream *from, struct fb_stream *to)
{
    char *bytes = make_bytes();
    char *want = make_bytes();
    struct fb_str pieces[] = {{bytes, 1000}, {bytes + 1000, MUCH - 1000}};
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct side side;

    side_init(&side, f);
    side_write(&side, from, pieces, FB_ARRAY_LEN(pieces));
    size_t n_cut = fb_stream_retract(from);
    assert_in_range(n_cut, 1, MUCH - 1);
    assert_int_equal(fb_stream_retract(from), 0);
    assert_in_range(fb_stream_unsent(from), 0, FB_STREAM_MAX_KEPT); /* the window may open */
    memset(bytes, '!', MUCH);

    while (side.n_writes == 0) {
        struct fb_slice slice = {0};
        if (fb_reader_next(&to->reader, &slice) == FB_OK) {
            fb_buf_append(&got, slice.bytes);
            fb_slice_release(&slice);
        }
        fb_loop_turn(f->loop);
    }
    assert_int_equal(side.write.op.result, FB_OK);
    struct fb_str rest = {want + MUCH - n_cut, n_cut};
    side_write(&side, from, &rest, 1);
    fb_stream_shut(from);
    assert_int_equal(read_all(f, to, &got), FB_E_END);
    turn_until(f, &side.n_writes, 2);
    assert_int_equal(got.len, MUCH);
    assert_memory_equal(got.ptr, want, MUCH);

    assert_int_equal(fb_stream_unsent(from), 0);
    fb_free(bytes);
    fb_free(want);
}

static void what_tcp_does_not_take_can_be_taken_back(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);

    write_in_two(f, f->client, server);
}

static void what_a_pair_does_not_take_can_be_taken_back(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *a = NULL;
    struct fb_stream *b = NULL;

    fb_stream_pair(f->loop, 64 * 1024, &a, &b);
    write_in_two(f, a, b);
    fb_stream_close(a);
    fb_stream_close(b);
}

static void what_the_peer_has_not_read_shows_as_unacked_until_it_is_read(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    char *bytes = make_bytes();
    struct fb_str piece = {bytes, MUCH};
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct side side;

    side_init(&side, f);
    side_write(&side, server, &piece, 1);
    (void)fb_stream_retract(server);
    assert_true(fb_stream_unacked(server) > 0);
    fb_stream_shut(server);
    assert_int_equal(read_all(f, f->client, &got), FB_E_END);
    while (fb_stream_unacked(server) > 1) { /* FIN counts for one */
        fb_loop_turn(f->loop);
    }
    fb_free(bytes);
}

static void closing_over_a_write_taken_back_ends_it(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    char *bytes = make_bytes();
    struct fb_str piece = {bytes, MUCH};
    struct side side;

    side_init(&side, f);
    side_write(&side, server, &piece, 1);
    assert_true(fb_stream_retract(server) > 0);
    fb_free(bytes);
    fb_stream_reset(server);
    f->n_accepted = 0;
    turn_until(f, &side.n_writes, 1);
    assert_int_equal(side.write.op.result, FB_E_CANCELED);
    fb_loop_turn(f->loop);
}

int main(void)
{
#define NET_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        NET_TEST(what_tcp_does_not_take_can_be_taken_back),
        NET_TEST(what_a_pair_does_not_take_can_be_taken_back),
        NET_TEST(what_the_peer_has_not_read_shows_as_unacked_until_it_is_read),
        NET_TEST(closing_over_a_write_taken_back_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
