#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/regex/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum fb_regex_result match(const char *pattern, struct fb_str text)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_regex *regex = NULL;
    struct fb_diag diag = {0};

    if (fb_regex_new(fb_str_from(pattern), &regex, &diag) < 0) {
        fail_msg("%s", diag.text);
    }
    enum fb_regex_result result = fb_regex_match(regex, &arena, text);
    fb_regex_free(regex);
    return result;
}

static void patterns_match_anywhere_unless_anchored(void **state)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool matches;
    } cases[] = {
        {"seg-[0-9]+", "/v/seg-12.m4s", true},
        {"^/v/", "/v/seg", true},
        {"^/v/$", "/v/seg", false},
        {"\\.m4s$", "/v/1.m4s", true},
        {"\\.m4s$", "/v/1.m4s\n", false},
        {"SEG", "/seg", false},
        {"(?i)SEG", "/seg", true},
        {"a|b", "", false},
        {"^$", "", true},
        {"(x)(y)\\z", "xy", true},
        {"\xc3\xa9", "caf\xc3\xa9", true},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        enum fb_regex_result want = cases[i].matches ? FB_REGEX_MATCHES : FB_REGEX_DIFFERS;
        if (match(cases[i].pattern, fb_str_from(cases[i].text)) != want) {
            fail_msg("'%s' on '%s'", cases[i].pattern, cases[i].text);
        }
    }
    assert_int_equal(match("^$", FB_STR_NONE), FB_REGEX_MATCHES);
}

static void a_bad_pattern_tells_the_place(void **state)
{
    static const struct {
        const char *pattern;
        const char *sentence;
    } cases[] = {
        {"a(b", "missing closing parenthesis, at offset 3"},
        {"*", "at offset 0"},
        {"[z-a]", "at offset 3"},
        {"\\C", "at offset 2"},
        {"(*UTF)x", "at offset 6"},
        {"", "1 to 1024 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fb_diag diag = {0};
        assert_int_equal(fb_regex_check(fb_str_from(cases[i].pattern), &diag), FB_E_MALFORMED);
        if (strstr(diag.text, cases[i].sentence) == NULL) {
            fail_msg("%s", diag.text);
        }
    }
    assert_int_equal(fb_regex_check(FB_STR("fine"), NULL), FB_OK);
}

static void a_pattern_has_a_length(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf pattern = {0};

    (void)state;
    for (int i = 0; i < FB_REGEX_PATTERN_MAX; i++) {
        fb_buf_append_byte(&pattern, 'x');
    }
    assert_int_equal(fb_regex_check(fb_buf_str(&pattern), NULL), FB_OK);
    fb_buf_append_byte(&pattern, 'x');
    assert_int_equal(fb_regex_check(fb_buf_str(&pattern), NULL), FB_E_MALFORMED);
}

static void no_pattern_runs_wild(void **state)
{
    static const char *const patterns[] = {"^(a+)+$", "^(a|aa)+$", "(a*)*b",
                                           "(.*)(.*)(.*)(.*)[^a]$", "^(?:(?:a+)+)+$"};
    char text[8000];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '!';
    for (size_t i = 0; i < FB_ARRAY_LEN(patterns); i++) {
        struct fb_str subject = {text, sizeof(text)};
        enum fb_regex_result result = match(patterns[i], subject);
        if (i < 2) {
            assert_int_equal(result, FB_REGEX_GAVE_UP);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_anywhere_unless_anchored),
        cmocka_unit_test(a_bad_pattern_tells_the_place),
        cmocka_unit_test(a_pattern_has_a_length),
        cmocka_unit_test(no_pattern_runs_wild),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
