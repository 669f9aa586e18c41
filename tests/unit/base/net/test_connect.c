#include "base/net/tcp.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

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
    assert_int_equal(fb_listener_probe(&options.address), -EADDRINUSE);
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
