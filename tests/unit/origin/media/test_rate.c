#include "origin/media/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(int average_num, int average_den, int base_num, int base_den, int num, int den)
{
    struct origin_ratio rate = origin_rate_choose((struct origin_ratio){average_num, average_den},
                                                  (struct origin_ratio){base_num, base_den});
    assert_int_equal(rate.num, num);
    assert_int_equal(rate.den, den);
}

static void common_rates_are_kept(void **state)
{
    (void)state;
    check(25, 1, 25, 1, 25, 1);
    check(30000, 1001, 30000, 1001, 30000, 1001);
    check(24000, 1001, 24000, 1001, 24000, 1001);
    check(60, 1, 60, 1, 60, 1);
    check(8, 1, 8, 1, 8, 1);
}

static void a_phone_that_drifts_is_snapped(void **state)
{
    (void)state;
    check(90000, 2999, 90000, 1, 30, 1);
    check(359640, 12001, 30000, 1001, 30000, 1001);
}

static void faster_than_sixty_is_thinned_evenly(void **state)
{
    (void)state;
    check(120, 1, 120, 1, 60, 1);
    check(120000, 1001, 120000, 1001, 60000, 1001);
    check(240, 1, 240, 1, 60, 1);
    check(100, 1, 100, 1, 50, 1);
    check(144, 1, 144, 1, 48, 1);
}

static void a_variable_rate_gets_a_grid_that_loses_nothing(void **state)
{
    (void)state;
    check(22, 1, 90000, 1, 24000, 1001);
    check(37, 1, 1000, 1, 48, 1);
}

static void an_odd_but_steady_rate_is_kept(void **state)
{
    (void)state;
    check(18, 1, 18, 1, 18, 1);
    check(45, 1, 45, 1, 45, 1);
}

static void nonsense_becomes_thirty(void **state)
{
    (void)state;
    check(0, 1, 0, 1, 30, 1);
    check(90000, 1, 90000, 1, 30, 1);
    check(0, 0, 0, 0, 30, 1);
}

static void very_slow_pictures_are_repeated(void **state)
{
    (void)state;
    check(1, 1, 1, 1, 8, 1);
    check(1, 60, 1, 60, 8, 1);
}

static void a_time_goes_to_the_nearest_place(void **state)
{
    (void)state;
    struct origin_ratio ntsc = {30000, 1001};
    assert_int_equal(origin_rate_index(ntsc, 0), 0);
    assert_int_equal(origin_rate_index(ntsc, 33366), 1);
    assert_int_equal(origin_rate_index(ntsc, 16000), 0);
    assert_int_equal(origin_rate_index(ntsc, 17000), 1);
    assert_int_equal(origin_rate_index(ntsc, -40000), -1);
}

static void index_and_time_agree_for_half_a_day(void **state)
{
    (void)state;
    struct origin_ratio film = {24000, 1001};
    for (int64_t index = 0; index < 12LL * 3600 * 24; index += 997) {
        assert_int_equal(origin_rate_index(film, origin_rate_time_us(film, index)), index);
    }
}

static void key_frames_stand_at_the_first_place_of_each_period(void **state)
{
    (void)state;
    struct origin_ratio ntsc = {30000, 1001};
    unsigned n = 0;
    for (int64_t index = 0; index < 900; index++) {
        bool is_key = origin_rate_is_key(ntsc, index, 2000);
        if (is_key) {
            assert_true(origin_rate_time_us(ntsc, index) >= n * 2000000LL - 1);
            assert_true(index == 0 || origin_rate_time_us(ntsc, index - 1) < n * 2000000LL);
            n++;
        }
    }
    assert_int_equal(n, 15); /* the next one is picture 900, at 30.03 s */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_rates_are_kept),
        cmocka_unit_test(a_phone_that_drifts_is_snapped),
        cmocka_unit_test(faster_than_sixty_is_thinned_evenly),
        cmocka_unit_test(a_variable_rate_gets_a_grid_that_loses_nothing),
        cmocka_unit_test(an_odd_but_steady_rate_is_kept),
        cmocka_unit_test(nonsense_becomes_thirty),
        cmocka_unit_test(very_slow_pictures_are_repeated),
        cmocka_unit_test(a_time_goes_to_the_nearest_place),
        cmocka_unit_test(index_and_time_agree_for_half_a_day),
        cmocka_unit_test(key_frames_stand_at_the_first_place_of_each_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
