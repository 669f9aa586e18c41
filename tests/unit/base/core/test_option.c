#include "base/core/err.h"
#include "base/core/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { FAST = 1, SLOW = 2 };

static const struct fb_option rows[] = {
    {"--file", "FILE", "What is read.", 0},
    {"--turbo", NULL, "Hurries.", FAST},
    {"--wait", "TIME", "Dawdles.", SLOW},
};

static const struct fb_options all = {.rows = rows, .n = FB_ARRAY_LEN(rows)};
static const struct fb_options fast = {.rows = rows, .n = FB_ARRAY_LEN(rows), .kind = FAST};

static int read_option(const struct fb_options *options, char *first, char *second, int *at,
                       struct fb_option_given *ret_given, struct fb_diag *diag)
{
    char *argv[] = {first, second, NULL};

    *at = 0;
    return fb_option_read(options, second != NULL ? 2 : 1, argv, at, ret_given, diag);
}

static void a_value_stands_behind_or_in_the_same_word(void **state)
{
    struct fb_option_given given;
    int at = 0;

    (void)state;
    assert_int_equal(read_option(&all, (char[]){"--file"}, (char[]){"a"}, &at, &given, NULL),
                     FB_OK);
    assert_int_equal(given.row, 0);
    assert_string_equal(given.value, "a");
    assert_int_equal(at, 2);
    assert_int_equal(read_option(&all, (char[]){"--file=b=c"}, (char[]){"a"}, &at, &given, NULL),
                     FB_OK);
    assert_string_equal(given.value, "b=c");
    assert_int_equal(at, 1);
    assert_int_equal(read_option(&all, (char[]){"--turbo"}, (char[]){"a"}, &at, &given, NULL),
                     FB_OK);
    assert_int_equal(given.row, 1);
    assert_null(given.value);
    assert_int_equal(at, 1);
}

static void what_is_wrong_is_named_and_nothing_is_stepped_over(void **state)
{
    static const struct {
        const char *word;
        const char *sentence;
    } cases[] = {
        {"--fiel", "unknown option '--fiel' (--help lists all)"},
        {"--fiel=x", "unknown option '--fiel' (--help lists all)"},
        {"--file", "--file takes a value: FILE"},
        {"--turbo=on", "--turbo takes no value"},
        {"--wait", "unknown option '--wait' (--help lists all)"}, /* of another kind */
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fb_option_given given;
        struct fb_diag diag = {0};
        char word[32];
        int at = 0;
        (void)stpcpy(word, cases[i].word);
        assert_int_equal(read_option(&fast, word, NULL, &at, &given, &diag), FB_E_MALFORMED);
        assert_string_equal(diag.text, cases[i].sentence);
        assert_int_equal(at, 0);
    }
}

static void the_page_has_those_of_its_kind(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf page = {0};

    (void)state;
    fb_options_print(&fast, &page);
    assert_string_equal(page.ptr, "    --file FILE\n        What is read.\n"
                                  "    --turbo\n        Hurries.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_stands_behind_or_in_the_same_word),
        cmocka_unit_test(what_is_wrong_is_named_and_nothing_is_stepped_over),
        cmocka_unit_test(the_page_has_those_of_its_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
