#include "origin/model/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *clean(const char *text)
{
    static char shown[16];
    origin_text_clean(fb_str_from(text), shown, sizeof(shown));
    return shown;
}

static void only_what_may_be_shown_is_printable(void **state)
{
    static const char *const good[] = {"",         "a b",     "שלום \xe2\x80\x8e!",
                                       "\xc2\xa0", "<b>\"'&", "\xf0\x9f\x8e\xac"};
    static const char *const bad[] = {
        "a\x01",        "\x7f",         "\xc2\x80",     "\xc2\x9f", "\xe2\x80\xaa",
        "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9", "\x1b[2J",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_true(origin_text_is_printable(fb_str_from(good[i]), false));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(origin_text_is_printable(fb_str_from(bad[i]), true));
    }
    assert_true(origin_text_is_printable(FB_STR("a\r\n\tb"), true));
    assert_false(origin_text_is_printable(FB_STR("a\nb"), false));
    assert_false(origin_text_is_printable(FB_STR("a\0b"), true));
}

static void what_may_not_be_shown_becomes_a_space_at_most(void **state)
{
    (void)state;

    assert_string_equal(clean("plain"), "plain");
    assert_string_equal(clean(" \t a \xe2\x80\xae\r\n b\xc2\x85\x7f"), "a b");
    assert_string_equal(clean("\xe2\x81\xa6\xe2\x81\xa9"), "");
    assert_string_equal(clean("<b>\"'&"), "<b>\"'&");
    assert_string_equal(clean("latin\xe9"), "");
    assert_string_equal(clean(""), "");
}

static void it_is_cut_behind_a_whole_character(void **state)
{
    (void)state;

    assert_string_equal(clean("0123456789abcde"), "0123456789abcde");
    assert_string_equal(clean("0123456789abcdef"), "0123456789abcde");
    assert_string_equal(clean("0123456789abcdé"), "0123456789abcd");
    assert_string_equal(clean("0123456789abc\xf0\x9f\x8e\xac"), "0123456789abc");
    assert_string_equal(clean("0123456789abcd e"), "0123456789abcd");
    assert_string_equal(clean("0123456789abcde "), "0123456789abcde");
}

static void what_it_gives_may_be_shown(void **state)
{
    char shown[8];
    char text[4];
    (void)state;

    for (uint32_t i = 0; i < 0x10000; i++) { /* all there are of two bytes, between others */
        text[0] = 'a';
        text[1] = (char)(uint8_t)(i >> 8);
        text[2] = (char)(uint8_t)i;
        text[3] = 'b';
        origin_text_clean((struct fb_str){text, sizeof(text)}, shown, sizeof(shown));
        assert_true(origin_text_is_printable(fb_str_from(shown), false));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_may_be_shown_is_printable),
        cmocka_unit_test(what_may_not_be_shown_becomes_a_space_at_most),
        cmocka_unit_test(it_is_cut_behind_a_whole_character),
        cmocka_unit_test(what_it_gives_may_be_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
