#include "base/http/target.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_host_is_a_name_or_an_address_with_a_port_or_none(void **state)
{
    static const char *const hosts[] = {
        "a",
        "a.example",
        "A.Example",
        "a.example.",
        "a.example:8080",
        "a.example.:8080",
        "a.example:",
        "xn--bcher-kva.example",
        "a_b._c.example",
        "-a.example",
        "127.0.0.1",
        "127.0.0.1:65535",
        "[::1]",
        "[2001:DB8::1]:8080",
        "[::ffff:127.0.0.1]:80",
        "[fe80::1%25eth0]",
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(hosts); i++) {
        if (!fb_host_is_valid(fb_str_from(hosts[i]))) {
            fail_msg("'%s' is refused", hosts[i]);
        }
    }
}

static void what_no_name_has_is_no_host(void **state)
{
    static const char *const others[] = {
        "",
        ".",
        "..",
        ".a.example",
        "a..example",
        "a.example..",
        "a.example..:80",
        ".:80",
        ":80",
        "a.example%00",
        "%61.example",
        "a.example,b",
        "a.example;",
        "a~b",
        "a!b",
        "a$b",
        "a&b",
        "a'b",
        "a(b)",
        "a*b",
        "a+b",
        "a=b",
        "a b",
        "a/b",
        "u@a",
        "b\xc3\xbc.example",
        "a:65536",
        "a:80x",
        "a:-1",
        "a:1:2",
        "a:123456",
        "[::1",
        "[]",
        "[a.example]",
        "[127.0.0.1]",
        "[[::1]]",
        "[::1].",
        "[::1]a",
        "[::1%]",
        "[::1%a/b]",
        "[v1.a]",
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(others); i++) {
        if (fb_host_is_valid(fb_str_from(others[i]))) {
            fail_msg("'%s' is taken", others[i]);
        }
    }
    assert_false(fb_host_is_valid(FB_STR_NONE));
    assert_false(fb_host_is_valid((struct fb_str){"a\0b", 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_a_name_or_an_address_with_a_port_or_none),
        cmocka_unit_test(what_no_name_has_is_no_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
