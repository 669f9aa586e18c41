#include "base/core/err.h"
#include "base/http/date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const int64_t now_s = 1767225600; /* 2026-01-01 */

static int64_t parse(const char *text)
{
    int64_t seconds = FB_DATE_NONE;
    return fb_date_parse(fb_str_from(text), now_s, &seconds) == FB_OK ? seconds : FB_DATE_NONE;
}

static void all_three_forms_are_read(void **state)
{
    (void)state;
    assert_int_equal(parse("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
    assert_int_equal(parse("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
    assert_int_equal(parse("Sun Nov  6 08:49:37 1994"), 784111777);
    assert_int_equal(parse("Wed Nov 16 08:49:37 1994"), 784975777);
    assert_int_equal(parse("Wednesday, 09-Nov-94 00:00:00 GMT"), 784339200);
    assert_int_equal(parse("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    assert_int_equal(parse("Thu, 29 Feb 2024 23:59:60 GMT"), 1709251200);
}

static void two_digits_mean_at_most_fifty_years_ahead(void **state)
{
    (void)state;
    assert_int_equal(parse("Thursday, 01-Jan-76 00:00:00 GMT"), 3345062400); /* 2076 */
    assert_int_equal(parse("Saturday, 01-Jan-77 00:00:00 GMT"), 220924800);  /* 1977 */
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "0",
        "-1",
        "Sun",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Xxx, 06 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sun, 06 Nov -994 08:49:37 GMT",
    };
    (void)state;

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        if (parse(bad[i]) != FB_DATE_NONE) {
            fail_msg("taken: '%s'", bad[i]);
        }
    }
}

static void what_is_written_is_read_back(void **state)
{
    char text[FB_DATE_MAX];
    (void)state;

    assert_string_equal(fb_date_format(784111777, text).ptr, "Sun, 06 Nov 1994 08:49:37 GMT");
    for (int64_t s = -62167219200; s <= 253402300799; s += 86400 * 13 + 4711) {
        struct fb_str written = fb_date_format(s, text);
        int64_t back = 0;
        assert_int_equal(written.len, 29);
        assert_int_equal(fb_date_parse(written, now_s, &back), FB_OK);
        assert_int_equal(back, s);
    }
}

static void times_out_of_reach_are_brought_near(void **state)
{
    char text[FB_DATE_MAX];
    (void)state;

    assert_string_equal(fb_date_format(INT64_MAX, text).ptr, "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_string_equal(fb_date_format(INT64_MIN, text).ptr, "Sat, 01 Jan 0000 00:00:00 GMT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_three_forms_are_read),
        cmocka_unit_test(two_digits_mean_at_most_fifty_years_ahead),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(times_out_of_reach_are_brought_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
