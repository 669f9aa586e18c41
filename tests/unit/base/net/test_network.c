#include "base/core/err.h"
#include "base/net/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct fb_network network(const char *text)
{
    struct fb_network result = {0};
    struct fb_diag diag = {0};

    if (fb_network_parse(fb_str_from(text), &result, &diag) < 0) {
        fail_msg("%s", diag.text);
    }
    return result;
}

static struct fb_address address(const char *ip)
{
    struct fb_address result = {0};

    assert_int_equal(fb_address_from_ip(fb_str_from(ip), 1234, &result), FB_OK);
    return result;
}

static bool is_in(const char *ip, const char *outer)
{
    struct fb_address at = address(ip);
    struct fb_network wide = network(outer);
    struct fb_network whole;

    assert_int_equal(fb_network_of(&at, 32, 128, &whole), FB_OK);
    return fb_network_has(&wide, &whole);
}

static const char *text_of(const char *ip, unsigned bits_v4, unsigned bits_v6,
                           char text[FB_NETWORK_TEXT_MAX])
{
    struct fb_address at = address(ip);
    struct fb_network masked;

    assert_int_equal(fb_network_of(&at, bits_v4, bits_v6, &masked), FB_OK);
    return fb_network_text(&masked, text);
}

static void an_address_is_in_its_networks_alone(void **state)
{
    (void)state;
    assert_true(is_in("192.0.2.77", "192.0.2.0/24"));
    assert_true(is_in("192.0.2.77", "192.0.2.77"));
    assert_true(is_in("192.0.2.77", "0.0.0.0/0"));
    assert_false(is_in("192.0.3.77", "192.0.2.0/24"));
    assert_true(is_in("192.0.3.77", "192.0.2.0/23"));
    assert_true(is_in("2001:db8:1::5", "2001:db8::/32"));
    assert_false(is_in("2001:db9::5", "2001:db8::/32"));
    assert_false(is_in("2001:db8::5", "0.0.0.0/0"));
    assert_true(is_in("192.0.2.77", "::/0"));
}

static void an_address_that_came_over_a_socket_for_both_families_is_the_same(void **state)
{
    (void)state;
    assert_true(is_in("::ffff:192.0.2.77", "192.0.2.0/24"));
    assert_true(is_in("192.0.2.77", "::ffff:192.0.2.0/120"));
}

static void what_does_not_count_is_cut_off(void **state)
{
    (void)state;
    char text[FB_NETWORK_TEXT_MAX];

    assert_string_equal(text_of("192.0.2.77", 24, 48, text), "192.0.2.0");
    assert_string_equal(text_of("192.0.2.77", 32, 48, text), "192.0.2.77");
    assert_string_equal(text_of("192.0.2.77", 31, 48, text), "192.0.2.76");
    assert_string_equal(text_of("::ffff:192.0.2.77", 24, 48, text), "192.0.2.0");
    assert_string_equal(text_of("2001:db8:1:2:3::4", 24, 48, text), "2001:db8:1::");
    assert_string_equal(text_of("2001:db8:1:2:3::4", 24, 61, text), "2001:db8:1::");
}

static void what_is_no_network_is_said_so(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",           "/",           "/8",           "10.0.0.0/",
                                        "10.0.0/8",   "10.0.0.0/33", "::/129",       "10.0.0.0/-1",
                                        "10.0.0.1/8", "host/8",      "10.0.0.0/8/8", "[::1]/128",
                                        "::1/64",     "10.0.0.0/ 8"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct fb_diag diag = {0};
        if (fb_network_check(fb_str_from(wrong[i]), &diag) != FB_E_MALFORMED) {
            fail_msg("'%s' passed", wrong[i]);
        }
        assert_true(diag.text[0] != '\0');
    }
}

static void an_unknown_address_is_in_no_network(void **state)
{
    (void)state;
    struct fb_address unknown = {.len = 0};
    struct fb_network ignored;

    assert_int_equal(fb_network_of(&unknown, 32, 64, &ignored), FB_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_in_its_networks_alone),
        cmocka_unit_test(an_address_that_came_over_a_socket_for_both_families_is_the_same),
        cmocka_unit_test(what_does_not_count_is_cut_off),
        cmocka_unit_test(what_is_no_network_is_said_so),
        cmocka_unit_test(an_unknown_address_is_in_no_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
