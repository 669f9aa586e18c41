#include "base/core/attr.h"
#include "base/core/err.h"
#include "edge/warm/windows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S };

/* Midnight in UTC of the days on which clocks change, and of one on which none does. */
static const int64_t berlin_forward = 1774742400;   /* 2026-03-29, at 01:00 UTC from 2 to 3 */
static const int64_t berlin_back = 1792886400;      /* 2026-10-25, at 01:00 UTC from 3 to 2 */
static const int64_t new_york_forward = 1772928000; /* 2026-03-08, at 07:00 UTC from 2 to 3 */
static const int64_t new_york_back = 1793491200;    /* 2026-11-01, at 06:00 UTC from 2 to 1 */
static const int64_t plain_day = 1780272000;        /* 2026-06-01 */

static struct edge_windows *windows_of(const char *first, const char *second)
{
    struct fb_str texts[] = {fb_str_from(first), fb_str_from(second)};
    struct edge_windows *windows = NULL;

    assert_int_equal(edge_windows_parse(texts, second == NULL ? 1 : 2, &windows, NULL), FB_OK);
    return windows;
}

/* The hours of UTC from `begin_s` on in which the window is open, as a bit each. */
static uint64_t hours_open(const char *text, int64_t begin_s, unsigned n)
{
    struct edge_windows *windows = windows_of(text, NULL);
    uint64_t bits = 0;

    for (unsigned i = 0; i < n; i++) {
        int64_t at_ms = (begin_s + (int64_t)i * HOUR_S) * 1000;
        bool is_open = edge_windows_are_open(windows, at_ms);
        assert_int_equal(edge_windows_are_open(windows, at_ms + HOUR_S * 1000 - 1), is_open);
        bits |= is_open ? (uint64_t)1 << i : 0;
    }
    edge_windows_free(windows);
    return bits;
}

/* Bits `begin` to `end`, without that one. */
static uint64_t span(unsigned begin, unsigned end)
{
    return ((uint64_t)1 << end) - ((uint64_t)1 << begin);
}

static void a_window_is_open_from_its_first_minute_up_to_its_last(void **state)
{
    struct edge_windows *windows = windows_of("02:30-10:00 Europe/Berlin", NULL);
    int64_t opens_ms = (plain_day + HOUR_S / 2) * 1000; /* two hours ahead in summer */
    int64_t closes_ms = (plain_day + (int64_t)8 * HOUR_S) * 1000;

    (void)state;
    assert_false(edge_windows_are_open(windows, opens_ms - 1));
    assert_true(edge_windows_are_open(windows, opens_ms));
    assert_true(edge_windows_are_open(windows, closes_ms - 1));
    assert_false(edge_windows_are_open(windows, closes_ms));
    assert_int_equal(edge_windows_next_change(windows, opens_ms - 1), opens_ms);
    assert_int_equal(edge_windows_next_change(windows, opens_ms), closes_ms);
    edge_windows_free(windows);
}

static void in_berlin_a_night_is_an_hour_shorter_in_march_and_longer_in_october(void **state)
{
    (void)state;
    /* The wall shows 01:00 at 00:00 UTC, and 03:00 at 01:00 UTC: it opens late. */
    assert_int_equal(hours_open("02:00-10:00 Europe/Berlin", berlin_forward, 24), span(1, 8));
    assert_int_equal(hours_open("02:00-03:00 Europe/Berlin", berlin_forward, 24), 0);
    /* The wall shows 02:00 at 00:00 UTC and again at 01:00 UTC. */
    assert_int_equal(hours_open("02:00-10:00 Europe/Berlin", berlin_back, 24), span(0, 9));
    assert_int_equal(hours_open("02:00-03:00 Europe/Berlin", berlin_back, 24), span(0, 2));
    assert_int_equal(hours_open("02:00-10:00 Europe/Berlin", plain_day, 24), span(0, 8));
}

static void in_new_york_too(void **state)
{
    (void)state;
    assert_int_equal(hours_open("01:00-06:00 America/New_York", new_york_forward, 24), span(6, 10));
    assert_int_equal(hours_open("01:00-06:00 America/New_York", new_york_back, 24), span(5, 11));
}

static void a_window_may_reach_over_midnight(void **state)
{
    (void)state;
    assert_int_equal(hours_open("22:00-06:00 UTC", plain_day, 24), span(0, 6) | span(22, 24));
    assert_int_equal(hours_open("22:00-24:00 UTC", plain_day, 24), span(22, 24));
    assert_int_equal(hours_open("00:00-24:00 UTC", plain_day, 24), span(0, 24));
    /* From 23:00 on the day before, by a wall that is four hours behind UTC, then five. */
    assert_int_equal(hours_open("23:00-03:00 America/New_York", new_york_back, 24), span(3, 8));
}

static void a_zone_without_summer_time_is_the_same_all_year(void **state)
{
    struct edge_windows *windows = windows_of("02:00-04:00 Asia/Kolkata", NULL);

    (void)state;
    for (int64_t day = 0; day < 366; day++) {
        int64_t opens_ms = (plain_day + day * DAY_S - (int64_t)7 * HOUR_S / 2) * 1000;
        assert_false(edge_windows_are_open(windows, opens_ms - 1));
        assert_true(edge_windows_are_open(windows, opens_ms));
        assert_int_equal(edge_windows_next_change(windows, opens_ms),
                         opens_ms + (int64_t)2 * HOUR_S * 1000);
    }
    edge_windows_free(windows);
}

static void several_windows_add_up(void **state)
{
    struct edge_windows *windows = windows_of("02:00-03:00 UTC", "02:30-04:00 UTC");
    int64_t two_ms = (plain_day + (int64_t)2 * HOUR_S) * 1000;

    (void)state;
    assert_int_equal(edge_windows_next_change(windows, two_ms),
                     two_ms + (int64_t)2 * HOUR_S * 1000);
    edge_windows_free(windows);
}

static void what_never_or_always_is_has_no_next_change(void **state)
{
    struct edge_windows *never = NULL;
    struct edge_windows *always = windows_of("00:00-24:00 UTC", NULL);

    (void)state;
    assert_int_equal(edge_windows_parse(NULL, 0, &never, NULL), FB_OK);
    assert_false(edge_windows_are_open(never, plain_day * 1000));
    assert_int_equal(edge_windows_next_change(never, plain_day * 1000), 0);
    assert_int_equal(edge_windows_next_change(always, plain_day * 1000), 0);
    edge_windows_free(never);
    edge_windows_free(always);
}

static void what_is_no_window_is_refused_with_a_sentence(void **state)
{
    static const struct {
        const char *text;
        const char *sentence;
    } cases[] = {
        {"", "is no window"},
        {"02:00-10:00", "is no window"},
        {"2:00-10:00 UTC", "is no window"},
        {"02:60-10:00 UTC", "is no window"},
        {"02:00-24:01 UTC", "is no window"},
        {"02:00 - 10:00 UTC", "is no window"},
        {"02:00-02:00 UTC", "is empty"},
        {"24:00-02:00 UTC", "is empty"},
        {"02:00-10:00 Berlin", "'Berlin' is no time zone"},
        {"02:00-10:00 CEST summer", "is no time zone"},
    };
    struct fb_diag diag = {0};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        assert_true(edge_windows_check(fb_str_from(cases[i].text), &diag) < 0);
        assert_non_null(strstr(diag.text, cases[i].sentence));
    }
    assert_int_equal(edge_windows_check(FB_STR("02:00-10:00 UTC"), &diag), FB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_open_from_its_first_minute_up_to_its_last),
        cmocka_unit_test(in_berlin_a_night_is_an_hour_shorter_in_march_and_longer_in_october),
        cmocka_unit_test(in_new_york_too),
        cmocka_unit_test(a_window_may_reach_over_midnight),
        cmocka_unit_test(a_zone_without_summer_time_is_the_same_all_year),
        cmocka_unit_test(several_windows_add_up),
        cmocka_unit_test(what_never_or_always_is_has_no_next_change),
        cmocka_unit_test(what_is_no_window_is_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
