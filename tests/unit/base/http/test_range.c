#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/http/range.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* Of 1000 bytes: the ranges as "0-9 20-29", "whole" or "none". */
static void means(const char *value, const char *wanted)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct fb_ranges ranges = {.n = 0};

    switch (fb_range_evaluate(fb_str_from(value), 1000, &ranges)) {
    case FB_RANGE_WHOLE:
        fb_buf_append(&text, FB_STR("whole"));
        break;
    case FB_RANGE_UNSATISFIABLE:
        fb_buf_append(&text, FB_STR("none"));
        break;
    case FB_RANGE_PARTIAL:
        for (size_t i = 0; i < ranges.n; i++) {
            fb_buf_printf(&text, "%s%" PRIu64 "-%" PRIu64, i > 0 ? " " : "", ranges.items[i].first,
                          ranges.items[i].last);
        }
        break;
    }
    if (!fb_str_equal(fb_buf_str(&text), fb_str_from(wanted))) {
        fail_msg("'%s' gives '%s', not '%s'", value, text.ptr, wanted);
    }
}

static void ranges_are_resolved(void **state)
{
    (void)state;
    means("bytes=0-9", "0-9");
    means("Bytes=0-0", "0-0");
    means("bytes=990-", "990-999");
    means("bytes=990-5000", "990-999");
    means("bytes=990-99999999999999999999999", "990-999");
    means("bytes=-10", "990-999");
    means("bytes=-5000", "0-999");
    means("bytes=0-9, 20-29,,-1", "0-9 20-29 999-999");
    means("bytes=2000-, 5-6", "5-6");
    means("bytes=0-", "0-999");
}

static void ranges_outside_cannot_be_satisfied(void **state)
{
    struct fb_ranges ranges;
    (void)state;

    means("bytes=1000-", "none");
    means("bytes=99999999999999999999999-", "none");
    means("bytes=-0", "none");
    means("bytes=1000-,2000-", "none");
    assert_int_equal(fb_range_evaluate(FB_STR("bytes=0-"), 0, &ranges), FB_RANGE_UNSATISFIABLE);
    assert_int_equal(fb_range_evaluate(FB_STR("bytes=-0"), 0, &ranges), FB_RANGE_UNSATISFIABLE);
}

static void the_last_bytes_of_nothing_are_the_whole(void **state)
{
    struct fb_ranges ranges;
    (void)state;

    assert_int_equal(fb_range_evaluate(FB_STR("bytes=-1"), 0, &ranges), FB_RANGE_WHOLE);
    assert_int_equal(fb_range_evaluate(FB_STR("bytes=0-,-1"), 0, &ranges), FB_RANGE_WHOLE);
}

/* Merged with a gap of 10. */
static void merge(const char *value, const char *wanted)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct fb_ranges ranges = {.n = 0};

    assert_int_equal(fb_range_evaluate(fb_str_from(value), 1000, &ranges), FB_RANGE_PARTIAL);
    fb_ranges_merge(&ranges, 10);
    for (size_t i = 0; i < ranges.n; i++) {
        fb_buf_printf(&text, "%s%" PRIu64 "-%" PRIu64, i > 0 ? " " : "", ranges.items[i].first,
                      ranges.items[i].last);
    }
    if (!fb_str_equal(fb_buf_str(&text), fb_str_from(wanted))) {
        fail_msg("'%s' is merged to '%s', not '%s'", value, text.ptr, wanted);
    }
}

static void ranges_that_overlap_or_nearly_touch_are_merged(void **state)
{
    (void)state;
    merge("bytes=0-9,20-29", "0-9 20-29");
    merge("bytes=0-9,19-29", "0-29");
    merge("bytes=0-9,5-7", "0-9");
    merge("bytes=500-599,0-9,550-700,-1", "500-700 0-9 999-999");
    merge("bytes=0-9,40-49,20-29,30-39", "0-9 20-49");
    merge("bytes=0-0,9-9,18-18,27-27", "0-27");
    merge("bytes=27-27,0-0,18-18,9-9", "0-27");
}

static void what_is_no_range_is_as_if_absent(void **state)
{
    (void)state;
    means("", "whole");
    means("bytes", "whole");
    means("bytes=", "whole");
    means("bytes=,", "whole");
    means("bytes=-", "whole");
    means("bytes=a-b", "whole");
    means("bytes=5", "whole");
    means("bytes=9-5", "whole");
    means("bytes=0-1,9-5", "whole");
    means("bytes=0 - 5", "whole");
    means("bytes= 0-5", "0-5");
    means("bytes=+1-5", "whole");
    means("bytes=0-5-7", "whole");
    means("items=0-5", "whole");
    means("bytes =0-5", "whole");
}

static void floods_of_ranges_are_as_if_absent(void **state)
{
    (void)state;
    means("bytes=0-,0-", "whole");
    means("bytes=0-599,400-999", "whole");
    means("bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,14-14,15-15,"
          "16-16",
          "whole");
}

static void content_range_goes_both_ways(void **state)
{
    char text[FB_CONTENT_RANGE_MAX];
    struct fb_range range = {UINT64_MAX - 3, UINT64_MAX - 2};
    uint64_t length = 0;
    (void)state;

    struct fb_str written = fb_content_range_format(range, UINT64_MAX - 1, text);
    assert_string_equal(text, "bytes 18446744073709551612-18446744073709551613/"
                              "18446744073709551614");
    assert_int_equal(fb_content_range_parse(written, &range, &length), FB_OK);
    (void)fb_content_range_format((struct fb_range){5, 9}, UINT64_MAX, text);
    assert_string_equal(text, "bytes 5-9/*");
    (void)fb_content_range_format_unsatisfied(7, text);
    assert_string_equal(text, "bytes */7");

    assert_int_equal(fb_content_range_parse(FB_STR("bytes 5-9/*"), &range, &length), FB_OK);
    assert_int_equal(range.first, 5);
    assert_int_equal(range.last, 9);
    assert_true(length == UINT64_MAX);
}

static void bad_content_range_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "bytes",
                                      "bytes 5-9",
                                      "bytes 9-5/10",
                                      "bytes 5-9/9",
                                      "bytes -9/10",
                                      "bytes 5-/10",
                                      "bytes 5/10",
                                      "bytes */10",
                                      "items 5-9/10",
                                      "bytes 5-9/",
                                      "bytes 5-9/x"};
    struct fb_range range;
    uint64_t length = 0;
    (void)state;

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_int_equal(fb_content_range_parse(fb_str_from(bad[i]), &range, &length),
                         FB_E_MALFORMED);
    }
}

static void the_length_in_a_refusal_is_read(void **state)
{
    static const char *const bad[] = {
        "",           "bytes",      "bytes */",     "bytes */*",
        "bytes */-1", "bytes 0/10", "bytes 0-9/10", "items */10",
        "bytes  */1", "bytes */1 ", "bytes */0x1",  "bytes */18446744073709551616"};
    uint64_t length = 0;
    (void)state;

    assert_int_equal(fb_content_range_parse_unsatisfied(FB_STR("bytes */7"), &length), FB_OK);
    assert_int_equal(length, 7);
    assert_int_equal(fb_content_range_parse_unsatisfied(FB_STR("Bytes */0"), &length), FB_OK);
    assert_int_equal(length, 0);
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_int_equal(fb_content_range_parse_unsatisfied(fb_str_from(bad[i]), &length),
                         FB_E_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_resolved),
        cmocka_unit_test(ranges_outside_cannot_be_satisfied),
        cmocka_unit_test(the_last_bytes_of_nothing_are_the_whole),
        cmocka_unit_test(ranges_that_overlap_or_nearly_touch_are_merged),
        cmocka_unit_test(what_is_no_range_is_as_if_absent),
        cmocka_unit_test(floods_of_ranges_are_as_if_absent),
        cmocka_unit_test(content_range_goes_both_ways),
        cmocka_unit_test(bad_content_range_is_refused),
        cmocka_unit_test(the_length_in_a_refusal_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
