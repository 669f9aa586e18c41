/*
 * Connecting to names. The resolver is the test's own: these definitions stand
 * before libuv's.
 */
#include "base/net/tcp.h"
#include "wire.h"

#include <uv.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

static struct {
    uv_getaddrinfo_t *request; /* NULL: nobody asked */
    uv_getaddrinfo_cb called_back;
    char node[64];
    char service[8];
} asked;

int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb called_back,
                   const char *node, const char *service, const struct addrinfo *hints)
{
    (void)loop;
    (void)hints;
    asked.request = request;
    asked.called_back = called_back;
    (void)snprintf(asked.node, sizeof(asked.node), "%s", node);
    (void)snprintf(asked.service, sizeof(asked.service), "%s", service);
    return 0;
}

void uv_freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

enum { MAX_ANSWERS = 12 };

/* Answers the look-up with addresses that have ports of their own. */
static void answer(const struct fb_address *addresses, size_t n)
{
    struct addrinfo list[MAX_ANSWERS] = {0};
    struct sockaddr_storage storage[MAX_ANSWERS];

    for (size_t i = 0; i < n; i++) {
        storage[i] = addresses[i].storage;
        list[i].ai_family = addresses[i].storage.ss_family;
        list[i].ai_addr = (struct sockaddr *)&storage[i];
        list[i].ai_addrlen = addresses[i].len;
        list[i].ai_next = i + 1 < n ? &list[i + 1] : NULL;
    }
    uv_getaddrinfo_t *request = asked.request;
    asked.request = NULL;
    asked.called_back(request, n > 0 ? 0 : UV_EAI_NONAME, n > 0 ? list : NULL);
}

/* A port that nobody listens on: it was bound and is not any more. */
static struct fb_address closed_address(const char *ip)
{
    struct fb_address address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in bound = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(bound);

    assert_int_equal(bind(fd, (struct sockaddr *)&bound, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &len), 0);
    (void)close(fd);
    assert_int_equal(fb_address_from_ip(fb_str_from(ip), ntohs(bound.sin_port), &address), FB_OK);
    return address;
}

/* A listener whose queue is full: connecting to it neither works nor fails. */
struct hole {
    struct fb_address address;
    int fd;
    int fillers[16];
};

static void hole_open(struct hole *hole)
{
    struct sockaddr_in bound = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(bound);

    hole->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(hole->fd, (struct sockaddr *)&bound, len), 0);
    assert_int_equal(listen(hole->fd, 0), 0);
    assert_int_equal(getsockname(hole->fd, (struct sockaddr *)&bound, &len), 0);
    assert_int_equal(fb_address_from_ip(FB_STR("127.0.0.1"), ntohs(bound.sin_port), &hole->address),
                     FB_OK);
    for (size_t i = 0; i < FB_ARRAY_LEN(hole->fillers); i++) {
        hole->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(hole->fillers[i], (struct sockaddr *)&bound, len);
    }
}

static void hole_close(struct hole *hole)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(hole->fillers); i++) {
        (void)close(hole->fillers[i]);
    }
    (void)close(hole->fd);
}

static void quiet(struct fixture *f)
{
    for (int i = 0; i < 10; i++) {
        fb_loop_turn(f->loop);
    }
}

static void start_named(struct fixture *f, struct connecting *connecting)
{
    asked.request = NULL;
    start_connect(f, connecting, "name.example");
    assert_non_null(asked.request);
    assert_string_equal(asked.node, "name.example");
}

/* Ends a test whose connection was made to the fixture's listener. */
static void assert_connected(struct fixture *f, struct connecting *connecting)
{
    turn_until(f, &connecting->n_done, 1);
    assert_int_equal(connecting->connect.op.result, FB_OK);
    f->client = connecting->connect.stream;
    turn_until(f, &f->n_accepted, 1);
}

static void a_name_that_is_not_there_is_told_by_the_resolvers_code(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting;

    start_named(f, &connecting);
    answer(NULL, 0);
    fb_loop_turn(f->loop);
    assert_int_equal(connecting.n_done, 1);
    assert_int_equal(connecting.connect.op.result, UV_EAI_NONAME);
}

static void the_next_address_is_tried_when_one_refuses(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting;
    const struct fb_address addresses[] = {closed_address("::1"), closed_address("127.0.0.1"),
                                           fb_listener_address(f->listener)};

    start_named(f, &connecting);
    answer(addresses, 3);
    assert_connected(f, &connecting);
}

static void the_next_address_is_tried_beside_one_that_is_silent(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting;
    struct hole hole;

    hole_open(&hole);
    const struct fb_address addresses[] = {hole.address, fb_listener_address(f->listener)};
    start_named(f, &connecting);
    answer(addresses, 2);
    test_clock_advance_ms(&f->clock, 249);
    quiet(f);
    assert_int_equal(f->n_accepted, 0);
    test_clock_advance_ms(&f->clock, 1);
    assert_connected(f, &connecting);
    hole_close(&hole);
}

static void families_alternate(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting;
    struct fb_address addresses[9];

    /* Eight are tried at most: of nine the last must have moved forward. */
    for (int i = 0; i < 8; i++) {
        addresses[i] = closed_address("::1");
    }
    addresses[8] = fb_listener_address(f->listener);
    start_named(f, &connecting);
    answer(addresses, 9);
    assert_connected(f, &connecting);
}

static void all_refusing_is_a_refusal(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting;
    const struct fb_address addresses[] = {closed_address("127.0.0.1"),
                                           closed_address("127.0.0.1")};

    start_named(f, &connecting);
    answer(addresses, 2);
    turn_until(f, &connecting.n_done, 1);
    assert_int_equal(connecting.connect.op.result, -ECONNREFUSED);
}

static void one_timeout_holds_for_all(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting;
    struct hole hole;

    hole_open(&hole);
    const struct fb_address addresses[] = {hole.address, hole.address};
    start_named(f, &connecting);
    test_clock_advance_ms(&f->clock, 600);
    quiet(f);
    answer(addresses, 2);
    test_clock_advance_ms(&f->clock, 399);
    quiet(f);
    assert_int_equal(connecting.n_done, 0);
    test_clock_advance_ms(&f->clock, 1);
    quiet(f);
    assert_int_equal(connecting.n_done, 1);
    assert_int_equal(connecting.connect.op.result, FB_E_TIMEOUT);
    hole_close(&hole);
}

static void a_late_answer_of_the_resolver_is_passed_over(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting;
    const struct fb_address address = fb_listener_address(f->listener);

    start_named(f, &connecting);
    test_clock_advance_ms(&f->clock, 1000);
    quiet(f);
    assert_int_equal(connecting.n_done, 1);
    assert_int_equal(connecting.connect.op.result, FB_E_TIMEOUT);
    answer(&address, 1);

    start_named(f, &connecting);
    fb_op_cancel(&connecting.connect.op);
    quiet(f);
    assert_int_equal(connecting.connect.op.result, FB_E_CANCELED);
    answer(&address, 1);
    quiet(f);
    assert_int_equal(f->n_accepted, 0);
}

static void trying_can_be_canceled(void **state)
{
    struct fixture *f = *state;
    struct connecting connecting;
    struct hole hole;

    hole_open(&hole);
    const struct fb_address addresses[] = {hole.address, hole.address, hole.address};
    for (unsigned n = 0; n < 3; n++) {
        start_named(f, &connecting);
        answer(addresses, 3);
        for (unsigned i = 0; i < n; i++) {
            test_clock_advance_ms(&f->clock, 250);
            quiet(f);
        }
        fb_op_cancel(&connecting.connect.op);
        quiet(f);
        assert_int_equal(connecting.n_done, 1);
        assert_int_equal(connecting.connect.op.result, FB_E_CANCELED);
    }
    hole_close(&hole);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_name_that_is_not_there_is_told_by_the_resolvers_code),
        TEST(the_next_address_is_tried_when_one_refuses),
        TEST(the_next_address_is_tried_beside_one_that_is_silent),
        TEST(families_alternate),
        TEST(all_refusing_is_a_refusal),
        TEST(one_timeout_holds_for_all),
        TEST(a_late_answer_of_the_resolver_is_passed_over),
        TEST(trying_can_be_canceled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
