#include "base/net/pair.h"
#include "base/net/stream.h"
#include "wire.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MUCH = 8 * 1024 * 1024 };

static char *make_bytes(void)
{
    char *bytes = fb_alloc(MUCH);

    for (size_t i = 0; i < MUCH; i++) {
        bytes[i] = (char)(i * 31 % 127);
    }
    return bytes;
}

/* Reads from `to` what a write sends, until it is over. */
static void read_until_written(struct fixture *f, const struct side *side, struct fb_stream *to,
                               struct fb_buf *got)
{
    while (side->n_writes == 0) {
        struct fb_slice slice = {0};
        if (fb_reader_next(&to->reader, &slice) == FB_OK) {
            fb_buf_append(got, slice.bytes);
            fb_slice_release(&slice);
        }
        fb_loop_turn(f->loop);
    }
}

/* Reads from `to` to its end, which are MUCH bytes in all, and sees the last of `n_writes` writes
 * end well. */
static void read_rest(struct fixture *f, const struct side *side, unsigned n_writes,
                      struct fb_stream *to, struct fb_buf *got)
{
    assert_int_equal(read_all(f, to, got), FB_E_END);
    turn_until(f, &side->n_writes, n_writes);
    assert_int_equal(side->write.op.result, FB_OK);
    assert_int_equal(got->len, MUCH);
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

    read_until_written(f, &side, to, &got);
    assert_int_equal(side.write.op.result, FB_OK);
    struct fb_str rest = {want + MUCH - n_cut, n_cut};
    side_write(&side, from, &rest, 1);
    fb_stream_shut(from);
    read_rest(f, &side, 2, to, &got);
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

/* ---- files --------------------------------------------------------------- */

/* The same bytes as make_bytes() has. */
static struct fb_slice_file make_long_file(void)
{
    char *bytes = make_bytes();
    struct fb_slice_file file = make_file(bytes, MUCH);

    fb_free(bytes);
    return file;
}

/* Pieces of memory and of the file in turn, which are those of make_bytes() together. */
static void files_and_memory_go_in_their_order(void **state)
{
    static const size_t ends[] = {300,          70000,       70001,       200000, MUCH / 2,
                                  MUCH / 2 + 9, MUCH - 4097, MUCH - 4096, MUCH};
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    struct fb_slice_file file = make_long_file();
    char *bytes = make_bytes();
    struct fb_str pieces[FB_ARRAY_LEN(ends)];
    const struct fb_slice_file *files[FB_ARRAY_LEN(ends)];
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct side side;

    for (size_t i = 0; i < FB_ARRAY_LEN(ends); i++) {
        size_t begin = i == 0 ? 0 : ends[i - 1];
        bool is_file = i % 3 != 0;
        pieces[i] = (struct fb_str){(is_file ? file.begin : bytes) + begin, ends[i] - begin};
        files[i] = is_file ? &file : NULL;
    }
    assert_true(fb_stream_takes_files(server));
    side_init(&side, f);
    side.write.files = files;
    side_write(&side, server, pieces, FB_ARRAY_LEN(ends));
    fb_stream_shut(server);
    read_rest(f, &side, 1, f->client, &got);
    assert_memory_equal(got.ptr, bytes, MUCH);
    fb_free(bytes);
    drop_file(&file, MUCH);
}

/* What was sent is the kernel's; the rest is taken back and sent by a copy. */
static void a_file_can_be_taken_back_and_cut_out(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    struct fb_slice_file file = make_long_file();
    const struct fb_slice_file *files[] = {NULL, &file};
    char *want = make_bytes();
    struct fb_str pieces[] = {{want, 1000}, {file.begin + 1000, MUCH - 1000}};
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct side side;

    side_init(&side, f);
    side.write.files = files;
    side_write(&side, server, pieces, FB_ARRAY_LEN(pieces));
    size_t n_cut = fb_stream_retract(server);
    assert_in_range(n_cut, 1, MUCH - 1);
    assert_int_equal(fallocate(file.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, MUCH), 0);
    read_until_written(f, &side, f->client, &got);
    struct fb_str rest = {want + MUCH - n_cut, n_cut};
    side.write.files = NULL;
    side_write(&side, server, &rest, 1);
    fb_stream_shut(server);
    read_rest(f, &side, 2, f->client, &got);
    assert_memory_equal(got.ptr, want, MUCH);
    fb_free(want);
    drop_file(&file, MUCH);
}

/* A descriptor that cannot be sent from is copied. */
static void what_the_kernel_will_not_send_is_copied(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    char *bytes = make_bytes();
    struct fb_slice_file file = {.fd = epoll_create1(EPOLL_CLOEXEC), .begin = bytes};
    const struct fb_slice_file *files[] = {&file};
    struct fb_str piece = {bytes, MUCH};
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct side side;

    side_init(&side, f);
    side.write.files = files;
    side_write(&side, server, &piece, 1);
    fb_stream_shut(server);
    read_rest(f, &side, 1, f->client, &got);
    assert_memory_equal(got.ptr, bytes, MUCH);
    (void)close(file.fd);
    fb_free(bytes);
}

/* ---- what is under way ----------------------------------------------------- */

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
        NET_TEST(files_and_memory_go_in_their_order),
        NET_TEST(a_file_can_be_taken_back_and_cut_out),
        NET_TEST(what_the_kernel_will_not_send_is_copied),
        NET_TEST(what_the_peer_has_not_read_shows_as_unacked_until_it_is_read),
        NET_TEST(closing_over_a_write_taken_back_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
