#include "base/core/attr.h"
#include "base/core/err.h"
#include "origin/media/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static enum origin_scan judge(unsigned top, unsigned bottom, unsigned whole, unsigned unclear)
{
    struct origin_scan_counts counts = {top, bottom, whole, unclear};
    return origin_scan_judge(&counts);
}

static void fields_all_over_are_told_by_which_comes_first(void **state)
{
    (void)state;
    assert_int_equal(judge(90, 0, 4, 6), ORIGIN_SCAN_TOP_FIRST);
    assert_int_equal(judge(2, 90, 8, 0), ORIGIN_SCAN_BOTTOM_FIRST);
}

static void whole_pictures_are_left_whole_whatever_their_flags_say(void **state)
{
    (void)state;
    assert_int_equal(judge(1, 0, 80, 19), ORIGIN_SCAN_WHOLE);
}

static void fields_here_and_there_are_looked_for_picture_by_picture(void **state)
{
    (void)state;
    assert_int_equal(judge(40, 0, 60, 0), ORIGIN_SCAN_MIXED); /* telecine: two in five */
}

static void what_does_not_move_tells_nothing(void **state)
{
    (void)state;
    assert_int_equal(judge(0, 0, 0, 100), ORIGIN_SCAN_FLAGGED);
    assert_int_equal(judge(7, 0, 0, 93), ORIGIN_SCAN_FLAGGED);
}

static void a_pattern_that_looks_like_both_orders_tells_nothing(void **state)
{
    (void)state;
    assert_int_equal(judge(38, 34, 28, 0), ORIGIN_SCAN_FLAGGED);
}

static void names_are_read_back(void **state)
{
    (void)state;
    for (unsigned i = ORIGIN_SCAN_FLAGGED; i <= ORIGIN_SCAN_MIXED; i++) {
        enum origin_scan scan = ORIGIN_SCAN_FLAGGED;
        struct fb_str name = fb_str_from(origin_scan_name((enum origin_scan)i));
        assert_int_equal(origin_scan_parse(name, &scan), FB_OK);
        assert_int_equal(scan, i);
    }
    enum origin_scan scan = ORIGIN_SCAN_MIXED;
    assert_int_equal(origin_scan_parse(FB_STR("sideways"), &scan), FB_E_MALFORMED);
}

static void only_what_has_fields_is_filtered(void **state)
{
    (void)state;
    assert_string_equal(origin_scan_filters(ORIGIN_SCAN_WHOLE, true), "");
    assert_string_equal(origin_scan_filters(ORIGIN_SCAN_FLAGGED, false), "");
    assert_non_null(strstr(origin_scan_filters(ORIGIN_SCAN_FLAGGED, true), "deint=interlaced"));
    assert_non_null(strstr(origin_scan_filters(ORIGIN_SCAN_BOTTOM_FIRST, false), "parity=bff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_all_over_are_told_by_which_comes_first),
        cmocka_unit_test(whole_pictures_are_left_whole_whatever_their_flags_say),
        cmocka_unit_test(fields_here_and_there_are_looked_for_picture_by_picture),
        cmocka_unit_test(what_does_not_move_tells_nothing),
        cmocka_unit_test(a_pattern_that_looks_like_both_orders_tells_nothing),
        cmocka_unit_test(names_are_read_back),
        cmocka_unit_test(only_what_has_fields_is_filtered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
