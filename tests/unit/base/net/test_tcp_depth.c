#include "base/net/net_internal.h"
#include "base/net/tcp_depth.h"
#include "wire.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

enum { FILE_BYTES = 4 * 1024 * 1024 };

static int depth_of(const struct fb_stream *stream)
{
    int n = 0;
    socklen_t len = sizeof(n);
    int fd = stream->ops->socket(stream);

    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &n, &len), 0);
    return n;
}

/* All of the file's bytes, from its pages or by a copy; the client reads as fast as it can. */
static void send_all(struct fixture *f, struct fb_stream *server, const struct fb_slice_file *file,
                     bool by_copy)
{
    const struct fb_slice_file *files[] = {by_copy ? NULL : file};
    struct fb_str piece = {file->begin, FILE_BYTES};
    struct side side;
    size_t n_got = 0;

    side_init(&side, f);
    side.write.files = files;
    side_write(&side, server, &piece, 1);
    while (side.n_writes == 0 || n_got < FILE_BYTES) {
        struct fb_slice slice = {0};
        if (fb_reader_next(&f->client->reader, &slice) == FB_OK) {
            n_got += slice.bytes.len;
            fb_slice_release(&slice);
        }
        fb_loop_turn(f->loop);
    }
    assert_int_equal(side.write.op.result, FB_OK);
}

static void more_of_a_file_waits_for_who_takes_it_at_once(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    struct fb_slice_file file = make_file(NULL, FILE_BYTES);

    assert_int_equal(depth_of(server), TCP_DEPTH_BYTES);
    while (depth_of(server) != TCP_DEPTH_QUICK_BYTES) {
        send_all(f, server, &file, false);
    }
    send_all(f, server, &file, true); /* what is copied costs memory */
    assert_int_equal(depth_of(server), TCP_DEPTH_BYTES);
    drop_file(&file, FILE_BYTES);
}

static void who_has_taken_nothing_yet_has_little_waiting(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    struct fb_slice_file file = make_file(NULL, FILE_BYTES);
    const struct fb_slice_file *files[] = {&file};
    struct fb_str piece = {file.begin, FILE_BYTES};
    struct side side;

    side_init(&side, f);
    side.write.files = files;
    side_write(&side, server, &piece, 1);
    assert_int_equal(depth_of(server), TCP_DEPTH_BYTES);
    assert_true(fb_stream_unsent(server) > 0);
    fb_stream_reset(server);
    f->n_accepted = 0;
    turn_until(f, &side.n_writes, 1);
    fb_loop_turn(f->loop);
    drop_file(&file, FILE_BYTES);
}

static void only_so_many_have_more_waiting(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    struct fb_slice_file file = make_file(NULL, FILE_BYTES);
    unsigned *n_deep = &fb_net_state(f->loop)->n_deep;

    *n_deep = TCP_DEPTH_MAX_QUICK;
    do {
        send_all(f, server, &file, false);
    } while (!fb_tcp_is_quick(server->ops->socket(server)));
    send_all(f, server, &file, false);
    assert_int_equal(depth_of(server), TCP_DEPTH_BYTES);
    *n_deep = TCP_DEPTH_MAX_QUICK - 1;
    while (depth_of(server) != TCP_DEPTH_QUICK_BYTES) {
        send_all(f, server, &file, false);
    }
    assert_int_equal(*n_deep, TCP_DEPTH_MAX_QUICK);
    fb_stream_close(server);
    assert_int_equal(*n_deep, TCP_DEPTH_MAX_QUICK - 1);
    f->n_accepted = 0;
    drop_file(&file, FILE_BYTES);
}

static void who_stops_gets_no_more_and_keeps_its_place_until_it_takes_that(void **state)
{
    struct fixture *f = *state;
    struct fb_stream *server = connect_both(f);
    struct fb_slice_file file = make_file(NULL, FILE_BYTES);
    const struct fb_slice_file *files[] = {&file};
    struct fb_str piece = {file.begin, FILE_BYTES};
    const unsigned *n_deep = &fb_net_state(f->loop)->n_deep;
    struct side side;

    while (depth_of(server) != TCP_DEPTH_QUICK_BYTES) {
        send_all(f, server, &file, false);
    }
    side_init(&side, f);
    side.write.files = files;
    side_write(&side, server, &piece, 1);
    assert_true(fb_stream_retract(server) > 0);
    assert_int_equal(depth_of(server), TCP_DEPTH_BYTES);
    assert_int_equal(*n_deep, 1);
    while (side.n_writes == 0) {
        struct fb_slice slice = {0};
        if (fb_reader_next(&f->client->reader, &slice) == FB_OK) {
            fb_slice_release(&slice);
        }
        fb_loop_turn(f->loop);
    }
    assert_int_equal(*n_deep, 0);
    drop_file(&file, FILE_BYTES);
}

int main(void)
{
#define DEPTH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        DEPTH_TEST(more_of_a_file_waits_for_who_takes_it_at_once),
        DEPTH_TEST(who_has_taken_nothing_yet_has_little_waiting),
        DEPTH_TEST(only_so_many_have_more_waiting),
        DEPTH_TEST(who_stops_gets_no_more_and_keeps_its_place_until_it_takes_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
