#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/zone/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int32_t offset(const char *name, int64_t unix_s)
{
    struct fb_zone *zone = NULL;

    assert_int_equal(fb_zone_open(fb_str_from(name), &zone, NULL), FB_OK);
    int32_t seconds = fb_zone_offset_s(zone, unix_s);
    fb_zone_free(zone);
    return seconds;
}

static void clocks_in_berlin_go_forward_and_back(void **state)
{
    (void)state;
    /* 2026-03-29 01:00 UTC and 2026-10-25 01:00 UTC */
    assert_int_equal(offset("Europe/Berlin", 1774746000 - 1), 3600);
    assert_int_equal(offset("Europe/Berlin", 1774746000), 7200);
    assert_int_equal(offset("Europe/Berlin", 1792890000 - 1), 7200);
    assert_int_equal(offset("Europe/Berlin", 1792890000), 3600);
}

static void some_zones_never_change(void **state)
{
    (void)state;
    assert_int_equal(offset("UTC", 1774746000), 0);
    assert_int_equal(offset("Asia/Kolkata", 1767225600), 19800);
    assert_int_equal(offset("Asia/Kolkata", 1782864000), 19800);
}

static void what_is_no_zone_is_refused(void **state)
{
    static const char *const names[] = {"",     "Europe/Berlni",           "/etc/passwd", "../UTC",
                                        ":UTC", "Europe/../Europe/Berlin", "UTC\n",       "+01:00"};
    struct fb_zone *zone = NULL;
    struct fb_diag diag = {0};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
        assert_int_equal(fb_zone_open(fb_str_from(names[i]), &zone, &diag), FB_E_NOT_FOUND);
        assert_non_null(strstr(diag.text, "is no time zone"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_in_berlin_go_forward_and_back),
        cmocka_unit_test(some_zones_never_change),
        cmocka_unit_test(what_is_no_zone_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
