#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/disk/frozen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { KIB = 1024, N_COPIES = 40, N_OVER = 64 * KIB + 5 };

static int set_up(void **state)
{
    *state = fb_frozen_pool_new((uint64_t)64 << 20, FB_FROZEN_SMALL);
    assert_non_null(*state);
    return 0;
}

/* Whether the system gives large pages or not, and has larger ones besides or not. */
static int set_up_large(void **state)
{
    *state = fb_frozen_pool_new((uint64_t)64 << 20, FB_FROZEN_LARGE);
    assert_non_null(*state);
    assert_int_equal(fb_frozen_page(*state), FB_FROZEN_LARGE);
    return 0;
}

static int tear_down(void **state)
{
    fb_frozen_pool_free(*state); /* requires that all is given back */
    return 0;
}

/* A frozen copy of `n` times `mark`. */
static struct fb_slice_file take(struct fb_frozen_pool *pool, char mark, size_t n)
{
    struct fb_slice_file file = {0};
    char *bytes = fb_alloc(n);

    memset(bytes, mark, n);
    assert_int_equal(fb_frozen_take(pool, (struct fb_str){bytes, n}, &file), FB_OK);
    fb_free(bytes);
    return file;
}

static bool is_all(const char *bytes, char mark, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != mark) {
            return false;
        }
    }
    return true;
}

static void copies_lie_beside_each_other_and_in_the_file(void **state)
{
    struct fb_frozen_pool *pool = *state;
    struct fb_slice_file files[N_COPIES];
    char byte = 0;

    for (unsigned i = 0; i < N_COPIES; i++) {
        files[i] = take(pool, (char)('a' + i % 26), (64 + i) * KIB + i);
    }
    for (unsigned i = 0; i < N_COPIES; i++) {
        size_t n = (64 + i) * KIB + i;
        assert_true(is_all(files[i].begin, (char)('a' + i % 26), n));
        assert_int_equal(pread(files[i].fd, &byte, 1, (off_t)(files[i].offset + n - 1)), 1);
        assert_int_equal(byte, 'a' + i % 26);
        fb_frozen_give(pool, &files[i], n);
    }
}

/* Sends the last `n` bytes of a copy of `n_copy`, which are more than a socket takes at once or
 * less, has another come to its place meanwhile, and looks at what arrives. */
static void send_and_replace(struct fb_frozen_pool *pool, size_t n_copy, size_t n)
{
    struct fb_slice_file old = take(pool, 'o', n_copy);
    char *got = fb_alloc(n);
    off_t offset = (off_t)(old.offset + n_copy - n);
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    ssize_t n_sent = sendfile(ends[0], old.fd, &offset, n);
    assert_true(n_sent >= 4 * KIB);
    fb_frozen_give(pool, &old, n_copy);
    struct fb_slice_file fresh = take(pool, 'n', FB_FROZEN_MAX);
    assert_int_equal(fresh.offset, old.offset);

    ssize_t n_got = 0;
    while (n_got < n_sent) {
        ssize_t n_read = read(ends[1], got + n_got, (size_t)(n_sent - n_got));
        assert_true(n_read > 0);
        n_got += n_read;
    }
    assert_true(is_all(got, 'o', (size_t)n_sent));
    assert_true(is_all(fresh.begin, 'n', FB_FROZEN_MAX));
    fb_frozen_give(pool, &fresh, FB_FROZEN_MAX);
    (void)close(ends[0]);
    (void)close(ends[1]);
    fb_free(got);
}

static void what_the_kernel_has_stays_when_another_takes_the_place(void **state)
{
    send_and_replace(*state, FB_FROZEN_MAX, FB_FROZEN_MAX);
}

/* It ends in the middle of a large page, and of a small one. */
static void so_does_what_lies_at_the_end_of_a_copy(void **state)
{
    send_and_replace(*state, FB_FROZEN_MAX - 40 * KIB - 7, 100 * KIB);
    send_and_replace(*state, N_OVER, 5 * KIB);
    send_and_replace(*state, FB_FROZEN_MIN, 30 * KIB);
}

static void a_pool_that_is_full_says_so(void **state)
{
    struct fb_frozen_pool *pool = fb_frozen_pool_new(FB_FROZEN_MIN, FB_FROZEN_SMALL);
    struct fb_slice_file a = take(pool, 'a', FB_FROZEN_MIN);
    struct fb_slice_file b = take(pool, 'b', FB_FROZEN_MIN);
    struct fb_slice_file none;

    (void)state;
    assert_true(fb_frozen_take(pool, (struct fb_str){a.begin, FB_FROZEN_MIN}, &none) < 0);
    fb_frozen_give(pool, &a, FB_FROZEN_MIN);
    a = take(pool, 'c', FB_FROZEN_MIN);
    assert_true(is_all(b.begin, 'b', FB_FROZEN_MIN));
    fb_frozen_give(pool, &a, FB_FROZEN_MIN);
    fb_frozen_give(pool, &b, FB_FROZEN_MIN);
    fb_frozen_pool_free(pool);
}

static size_t page_of(const char *own, const char *all)
{
    return fb_frozen_page_of(fb_str_from(own), fb_str_from(all));
}

static void large_pages_are_asked_for_where_the_system_has_them(void **state)
{
    const char *never = "always within_size advise [never] deny force\n";
    const char *inherit = "always [inherit] within_size advise never\n";

    (void)state;
    assert_int_equal(page_of("always inherit within_size [advise] never\n", never),
                     FB_FROZEN_LARGE);
    assert_int_equal(page_of("[always] inherit within_size advise never\n", never),
                     FB_FROZEN_LARGE);
    assert_int_equal(page_of(inherit, "always within_size [advise] never deny force\n"),
                     FB_FROZEN_LARGE);
    assert_int_equal(page_of(inherit, "always within_size advise never deny [force]\n"),
                     FB_FROZEN_LARGE);
    assert_int_equal(page_of(inherit, never), FB_FROZEN_SMALL);
    assert_int_equal(page_of("always inherit within_size advise [never]\n", never),
                     FB_FROZEN_SMALL);
    assert_int_equal(page_of("[always] inherit within_size advise never\n",
                             "always within_size advise never [deny] force\n"),
                     FB_FROZEN_SMALL);
    assert_int_equal(page_of("[always] inherit within_size advise never\n",
                             "always within_size advise never deny [force]\n"),
                     FB_FROZEN_SMALL);
    assert_int_equal(page_of("", ""), FB_FROZEN_SMALL);
    assert_int_equal(page_of("advise", "[" /* cut */), FB_FROZEN_SMALL);
}

int main(void)
{
#define FROZEN_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define LARGE_TEST(test)                                     \
    {                                                        \
        "large: " #test, test, set_up_large, tear_down, NULL \
    }
    const struct CMUnitTest tests[] = {
        FROZEN_TEST(copies_lie_beside_each_other_and_in_the_file),
        FROZEN_TEST(what_the_kernel_has_stays_when_another_takes_the_place),
        FROZEN_TEST(so_does_what_lies_at_the_end_of_a_copy),
        LARGE_TEST(copies_lie_beside_each_other_and_in_the_file),
        LARGE_TEST(what_the_kernel_has_stays_when_another_takes_the_place),
        LARGE_TEST(so_does_what_lies_at_the_end_of_a_copy),
        cmocka_unit_test(large_pages_are_asked_for_where_the_system_has_them),
        cmocka_unit_test(a_pool_that_is_full_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
