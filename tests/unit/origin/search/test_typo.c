#include "origin/search/typo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static unsigned distance(const char *a, const char *b)
{
    return origin_typo_distance(fb_str_from(a), fb_str_from(b), 5);
}

static void each_slip_counts_one(void **state)
{
    (void)state;

    assert_int_equal(distance("music", "music"), 0);
    assert_int_equal(distance("music", "musik"), 1);
    assert_int_equal(distance("music", "musc"), 1);
    assert_int_equal(distance("music", "musiic"), 1);
    assert_int_equal(distance("music", "msuic"), 1);
    assert_int_equal(distance("music", "mosaic"), 2);
    assert_int_equal(distance("", "abc"), 3);
}

static void characters_count_and_not_bytes(void **state)
{
    (void)state;

    assert_int_equal(distance("käse", "kase"), 1);
    assert_int_equal(distance("käse", "köse"), 1);
    assert_int_equal(distance("KASE", "kase"), 0);
}

static void what_is_far_is_just_far(void **state)
{
    (void)state;

    assert_int_equal(origin_typo_distance(FB_STR("music"), FB_STR("xyzzy"), 1), 2);
    assert_int_equal(origin_typo_distance(FB_STR("a"), FB_STR("abcdef"), 2), 3);
    assert_int_equal(origin_typo_distance(FB_STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                                          FB_STR("a"), 2),
                     3);
}

static void longer_words_may_have_more_slips(void **state)
{
    (void)state;

    assert_int_equal(origin_typo_most(FB_STR("abc")), 0);
    assert_int_equal(origin_typo_most(FB_STR("äöü")), 0);
    assert_int_equal(origin_typo_most(FB_STR("abcd")), 1);
    assert_int_equal(origin_typo_most(FB_STR("abcdef")), 1);
    assert_int_equal(origin_typo_most(FB_STR("abcdefg")), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_slip_counts_one),
        cmocka_unit_test(characters_count_and_not_bytes),
        cmocka_unit_test(what_is_far_is_just_far),
        cmocka_unit_test(longer_words_may_have_more_slips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
