#include "base/core/err.h"
#include "base/net/tcp.h"
#include "base/sys/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void what_every_kernel_has_may_be_taken(void **state)
{
    struct fb_diag diag = {0};

    (void)state;
    assert_int_equal(fb_tcp_try_congestion(FB_STR("reno"), &diag), FB_OK);
    assert_int_equal(diag.err, FB_OK);
}

static void what_the_kernel_lacks_is_told_with_what_it_has(void **state)
{
    struct fb_diag diag = {0};

    (void)state;
    assert_int_equal(fb_tcp_try_congestion(FB_STR("no_such_one"), &diag), -ENOENT);
    assert_non_null(strstr(diag.text, "no congestion control 'no_such_one': it offers "));
    assert_non_null(strstr(diag.text, "modprobe tcp_no_such_one"));
    assert_non_null(strstr(diag.text, "reno"));
    assert_null(strchr(diag.text, '\n'));
}

/* Which those are, and for whom, is this machine's affair: root may take all of them. */
static void what_is_not_for_everybody_is_told_with_the_setting(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    struct fb_str name = FB_STR_NONE;

    (void)state;
    if (fb_file_read_path("/proc/sys/net/ipv4/tcp_available_congestion_control", 4096, &buf, NULL) <
        0) {
        skip();
    }
    struct fb_str rest = fb_buf_str(&buf);
    rest = fb_str_first(rest, fb_str_find(rest, '\n'));
    while (fb_str_cut(&rest, ' ', &name)) {
        struct fb_diag diag = {0};
        int err = fb_tcp_try_congestion(name, &diag);
        if (err < 0) {
            assert_int_equal(err, -EPERM);
            assert_non_null(strstr(diag.text, "net.ipv4.tcp_allowed_congestion_control has "));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_every_kernel_has_may_be_taken),
        cmocka_unit_test(what_the_kernel_lacks_is_told_with_what_it_has),
        cmocka_unit_test(what_is_not_for_everybody_is_told_with_the_setting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
