#include "edge/upstream/delays.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_few_times_tell_nothing(void **state)
{
    struct edge_delays delays = {0};

    (void)state;
    for (int i = 0; i < EDGE_DELAYS_LEAST - 1; i++) {
        edge_delays_add(&delays, 1000);
    }
    assert_int_equal(edge_delays_quantile(&delays, 95), 0);
    edge_delays_add(&delays, 1000);
    assert_in_range(edge_delays_quantile(&delays, 95), 1000, 1125);
}

static void a_quantile_is_right_to_an_eighth(void **state)
{
    struct edge_delays delays = {0};

    (void)state;
    for (uint64_t us = 1; us <= 900; us++) {
        edge_delays_add(&delays, us * 100);
    }
    assert_in_range(edge_delays_quantile(&delays, 50), 45000, 45000 * 9 / 8);
    assert_in_range(edge_delays_quantile(&delays, 95), 85500, 85500 * 9 / 8);
    assert_in_range(edge_delays_quantile(&delays, 100), 90000, 90000 * 9 / 8);
}

static void what_is_long_ago_fades(void **state)
{
    struct edge_delays delays = {0};

    (void)state;
    for (int i = 0; i < EDGE_DELAYS_HALVE; i++) {
        edge_delays_add(&delays, 1000);
    }
    for (int i = 0; i < EDGE_DELAYS_HALVE; i++) {
        edge_delays_add(&delays, 64000);
    }
    assert_true(edge_delays_quantile(&delays, 50) > 60000);
}

static void any_time_has_a_step(void **state)
{
    static const uint64_t times[] = {0, 1, 63, 64, 65, 1 << 20, UINT32_MAX, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct edge_delays delays = {0};
        for (int n = 0; n < EDGE_DELAYS_LEAST; n++) {
            edge_delays_add(&delays, times[i]);
        }
        uint64_t told = edge_delays_quantile(&delays, 50);
        assert_true(told >= times[i] || told > 60U * 1000 * 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_times_tell_nothing),
        cmocka_unit_test(a_quantile_is_right_to_an_eighth),
        cmocka_unit_test(what_is_long_ago_fades),
        cmocka_unit_test(any_time_has_a_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
