#include "tests/support/test_clock.h"

#include "base/core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void timestamp_is(int64_t wall_ms, const char *text)
{
    char got[FB_TIMESTAMP_MAX];
    assert_string_equal(fb_timestamp(wall_ms, got), text);
}

static void timestamps_are_utc_with_milliseconds(void **state)
{
    (void)state;
    timestamp_is(0, "1970-01-01T00:00:00.000Z");
    timestamp_is(1767225600000, "2026-01-01T00:00:00.000Z");
    timestamp_is(951782399999, "2000-02-28T23:59:59.999Z");
    timestamp_is(951782400000, "2000-02-29T00:00:00.000Z");
    timestamp_is(-1, "1969-12-31T23:59:59.999Z");
}

static void timestamp_of_any_number_fits(void **state)
{
    (void)state;
    char text[FB_TIMESTAMP_MAX];
    (void)fb_timestamp(INT64_MAX, text);
    (void)fb_timestamp(INT64_MIN, text);
    (void)fb_timestamp(253402300800000, text); /* the year 10000 */
}

static void clock_of_a_test_moves_by_hand(void **state)
{
    (void)state;
    struct test_clock clock = test_clock_at_start();
    uint64_t before = fb_clock_mono_ms(&clock.clock);
    assert_int_equal(fb_clock_mono_ms(&clock.clock), before);
    test_clock_advance_ms(&clock, 250);
    assert_int_equal(fb_clock_mono_ms(&clock.clock), before + 250);
    assert_int_equal(fb_clock_mono_ns(&clock.clock), (before + 250) * FB_NS_PER_MS);
    assert_int_equal(fb_clock_wall_ms(&clock.clock), 1767225600250);
}

static void clock_of_the_machine_does_not_run_back(void **state)
{
    (void)state;
    const struct fb_clock *clock = fb_clock_system();
    uint64_t before = fb_clock_mono_ns(clock);
    assert_true(fb_clock_mono_ns(clock) >= before);
    assert_true(fb_clock_wall_ms(clock) > 1767225600000);
    assert_true(fb_clock_steady_ns(clock) >= before); /* for nobody turns the clock here */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timestamps_are_utc_with_milliseconds),
        cmocka_unit_test(timestamp_of_any_number_fits),
        cmocka_unit_test(clock_of_a_test_moves_by_hand),
        cmocka_unit_test(clock_of_the_machine_does_not_run_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
