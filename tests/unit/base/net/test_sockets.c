#include "base/net/sockets.h"
#include "wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A listener on a port of the kernel's choice, and its address. */
static struct fb_listener *listen_on(struct fixture *f, const char *text,
                                     struct fb_address *ret_bound)
{
    struct fb_listener_options options = {.accepted = on_accepted, .ctx = f};
    struct fb_listener *listener = NULL;

    assert_int_equal(fb_address_parse(fb_str_from(text), &options.address, NULL), FB_OK);
    assert_int_equal(fb_listener_open(f->loop, &options, &listener), FB_OK);
    *ret_bound = fb_listener_address(listener);
    return listener;
}

static void a_connection_waits_while_its_listener_changes_hands(void **state)
{
    struct fixture *f = *state;
    struct fb_sockets sockets = {0};
    struct fb_address bound;
    struct fb_listener *old = listen_on(f, "127.0.0.1:0", &bound);
    struct fb_listener *new = NULL;

    assert_int_equal(fb_listener_share(old, &sockets), FB_OK);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&bound.storage, bound.len), 0);
    fb_listener_close(old);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_accepted, 0);

    struct fb_listener_options options = {.accepted = on_accepted, .ctx = f};
    options.fd = fb_sockets_take(&sockets, &bound);
    assert_true(options.fd > 0);
    assert_int_equal(fb_listener_open(f->loop, &options, &new), FB_OK);
    turn_until(f, &f->n_accepted, 1);
    fb_listener_close(new);
    (void)close(client);
    fb_sockets_done(&sockets);
}

static void sockets_are_found_by_their_address_once_each(void **state)
{
    struct fixture *f = *state;
    struct fb_sockets sockets = {0};
    struct fb_address a;
    struct fb_address b;
    struct fb_address any;
    struct fb_listener *first = listen_on(f, "127.0.0.1:0", &a);
    struct fb_listener *second = listen_on(f, "127.0.0.1:0", &b);

    assert_int_equal(fb_listener_share(first, &sockets), FB_OK);
    assert_int_equal(fb_listener_share(second, &sockets), FB_OK);
    assert_int_equal(fb_listener_share(first, &sockets), FB_OK);
    assert_int_equal(fb_address_parse(FB_STR("127.0.0.1:0"), &any, NULL), FB_OK);
    assert_int_equal(fb_sockets_take(&sockets, &any), -1);
    for (int i = 0; i < 2; i++) {
        int fd = fb_sockets_take(&sockets, &a);
        assert_true(fd > 0);
        (void)close(fd);
    }
    assert_int_equal(fb_sockets_take(&sockets, &a), -1);
    assert_int_equal(sockets.n, 1);
    fb_sockets_done(&sockets);
    assert_int_equal(sockets.n, 0);
    fb_listener_close(first);
    fb_listener_close(second);
}

static void all_interfaces_are_found_where_there_is_ip4_alone(void **state)
{
    struct fixture *f = *state;
    struct fb_sockets sockets = {0};
    struct fb_address bound;
    struct fb_address any;
    struct fb_listener *listener = listen_on(f, "0.0.0.0:0", &bound);
    char text[FB_ADDRESS_TEXT_MAX];

    assert_int_equal(fb_listener_share(listener, &sockets), FB_OK);
    (void)snprintf(text, sizeof(text), "[::]:%u", fb_address_port(&bound));
    assert_int_equal(fb_address_parse(fb_str_from(text), &any, NULL), FB_OK);
    int fd = fb_sockets_take(&sockets, &any);
    assert_true(fd > 0);
    (void)close(fd);
    fb_sockets_done(&sockets);
    fb_listener_close(listener);
}

static void a_set_has_a_limit(void **state)
{
    struct fb_sockets sockets = {0};

    (void)state;
    for (size_t i = 0; i < FB_SOCKETS_MAX; i++) {
        assert_int_equal(fb_sockets_add(&sockets, -1), FB_OK);
    }
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fb_sockets_add(&sockets, fd), FB_E_LIMIT);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* it was taken over, and closed */
    fb_sockets_done(&sockets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_connection_waits_while_its_listener_changes_hands, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sockets_are_found_by_their_address_once_each, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(all_interfaces_are_found_where_there_is_ip4_alone, set_up,
                                        tear_down),
        cmocka_unit_test(a_set_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
