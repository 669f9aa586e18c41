#include "base/core/err.h"
#include "base/net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void what_is_written_comes_back_as_text(void **state)
{
    (void)state;
    static const char *const texts[] = {"127.0.0.1:8080", "0.0.0.0:0", "[::1]:65535",
                                        "[2001:db8::7]:80"};
    for (size_t i = 0; i < FB_ARRAY_LEN(texts); i++) {
        struct fb_address address;
        char text[FB_ADDRESS_TEXT_MAX];
        assert_int_equal(fb_address_parse(fb_str_from(texts[i]), &address, NULL), FB_OK);
        assert_string_equal(fb_address_text(&address, text), texts[i]);
    }
}

static void a_port_alone_means_all_interfaces(void **state)
{
    (void)state;
    struct fb_address address;
    char text[FB_ADDRESS_TEXT_MAX];

    assert_int_equal(fb_address_parse(FB_STR(":8080"), &address, NULL), FB_OK);
    assert_int_equal(fb_address_port(&address), 8080);
    assert_string_equal(fb_address_text(&address, text), "[::]:8080");
}

static void what_is_no_numeric_address_with_a_port_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "::1:80",
        "[::1]",
        "[]:80",
        "[::1:80",
        "localhost:80",
        "1.2.3.4.5:80",
        "1.2.3.4:+80",
        "1.2.3.4:80 ",
        "[1.2.3.4:80",
        "127.0.0.1:99999999999999999999",
        "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1",
    };
    for (size_t i = 0; i < FB_ARRAY_LEN(texts); i++) {
        struct fb_address address;
        struct fb_diag diag = {0};
        assert_int_equal(fb_address_parse(fb_str_from(texts[i]), &address, &diag), FB_E_MALFORMED);
        assert_true(strlen(diag.text) > 0);
    }
}

static void an_unknown_address_has_a_text_too(void **state)
{
    (void)state;
    struct fb_address address = {.len = 0};
    char text[FB_ADDRESS_TEXT_MAX];

    assert_string_equal(fb_address_text(&address, text), "unknown");
    assert_int_equal(fb_address_port(&address), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_back_as_text),
        cmocka_unit_test(a_port_alone_means_all_interfaces),
        cmocka_unit_test(what_is_no_numeric_address_with_a_port_is_refused),
        cmocka_unit_test(an_unknown_address_has_a_text_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
