#include "base/core/err.h"
#include "base/core/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void hexadecimal_goes_both_ways(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    uint8_t bytes[3] = {1, 2, 3};
    fb_text_hex(&text, FB_STR("\x00\x7f\xff"));
    assert_string_equal(text.ptr, "007fff");
    assert_int_equal(fb_text_unhex(FB_STR("00aBFf"), bytes, 3), FB_OK);
    assert_memory_equal(bytes, "\x00\xab\xff", 3);
    assert_int_equal(fb_text_unhex(FB_STR("00aBF"), bytes, 3), FB_E_MALFORMED);
    assert_int_equal(fb_text_unhex(FB_STR("00aBFg"), bytes, 3), FB_E_MALFORMED);
    assert_int_equal(fb_text_unhex(FB_STR("00aBF:"), bytes, 3), FB_E_MALFORMED);
    assert_memory_equal(bytes, "\x00\xab\xff", 3); /* written on success only */
}

static void percent_encoding_keeps_the_unreserved(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    fb_text_percent_encode(&text, FB_STR("aZ0-._~ /+%\0\xff"), "/");
    assert_string_equal(text.ptr, "aZ0-._~%20/%2B%25%00%FF");
}

static void decoded(const char *text, struct fb_str want)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    assert_int_equal(fb_text_percent_decode(&bytes, fb_str_from(text)), FB_OK);
    assert_true(fb_str_equal(fb_buf_str(&bytes), want));
}

static void undecodable(const char *text)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    fb_buf_append(&bytes, FB_STR("before"));
    assert_int_equal(fb_text_percent_decode(&bytes, fb_str_from(text)), FB_E_MALFORMED);
    assert_string_equal(bytes.ptr, "before");
}

static void percent_decoding_is_strict(void **state)
{
    (void)state;
    decoded("", FB_STR(""));
    decoded("a+b", FB_STR("a+b"));
    decoded("%41%2f%00%fF", FB_STR("A/\0\xff"));
    decoded("%2541", FB_STR("%41")); /* once, not twice */
    undecodable("%");
    undecodable("abc%4");
    undecodable("%4g");
    undecodable("%%41");
}

static void utf8_is_checked_by_the_book(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "a",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "\xef\xbf\xbd",
    };
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2\x41",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xe2\x82",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf0\x90\x80",
        "\xff",
        "a\xfe",
    };
    for (size_t i = 0; i < FB_ARRAY_LEN(good); i++) {
        assert_true(fb_text_is_utf8(fb_str_from(good[i])));
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_false(fb_text_is_utf8(fb_str_from(bad[i])));
    }
}

static void json_strings_are_escaped(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    fb_text_json_string(&text, FB_STR("a\"\\/\b\f\n\r\t\x01\x1f\0\x7f\xc3\xa9"));
    assert_string_equal(text.ptr, "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u0000\x7f\xc3\xa9\"");
    fb_buf_clear(&text);
    fb_text_json_string(&text, FB_STR("\xff\xc3"));
    assert_string_equal(text.ptr, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    fb_buf_clear(&text);
    fb_text_json_string(&text, FB_STR_NONE);
    assert_string_equal(text.ptr, "\"\"");
}

static void numbers_are_written_in_decimal(void **state)
{
    static const struct {
        int64_t number;
        const char *text;
    } cases[] = {{0, "0"},
                 {7, "7"},
                 {-10, "-10"},
                 {1234567890, "1234567890"},
                 {INT64_MAX, "9223372036854775807"},
                 {INT64_MIN, "-9223372036854775808"}};
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        fb_buf_clear(&buf);
        fb_text_number(&buf, cases[i].number);
        assert_string_equal(buf.ptr, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hexadecimal_goes_both_ways),
        cmocka_unit_test(percent_encoding_keeps_the_unreserved),
        cmocka_unit_test(percent_decoding_is_strict),
        cmocka_unit_test(utf8_is_checked_by_the_book),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(numbers_are_written_in_decimal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
