#include "origin/media/complexity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct origin_rung rungs[ORIGIN_TRANSCODE_MAX_RENDITIONS];
static struct origin_rung fixed[ORIGIN_TRANSCODE_MAX_RENDITIONS];

/* What becomes of the ladder of full HD. */
static unsigned fit(double top_rate, double exponent)
{
    struct origin_complexity complexity = {top_rate, exponent};
    unsigned n = origin_ladder(1920, 1080, 30.0, fixed);
    assert_int_equal(origin_ladder(1920, 1080, 30.0, rungs), n);
    return origin_complexity_fit(&complexity, rungs, n);
}

static void what_is_unknown_keeps_the_fixed_ladder(void **state)
{
    (void)state;
    assert_int_equal(fit(0.0, 0.75), 6);
    assert_memory_equal(rungs, fixed, sizeof(rungs));
}

static void what_is_usual_keeps_every_rung(void **state)
{
    (void)state;
    assert_int_equal(fit(3.3e6, 0.75), 6);
    assert_int_equal(rungs[0].max_rate, 4950000);
    assert_int_equal(rungs[0].buffer, 9900000);
}

static void slides_lose_the_rungs_that_differ_in_nothing(void **state)
{
    (void)state;
    unsigned n = fit(3e5, 0.4);
    assert_in_range(n, 2, 4);
    assert_int_equal(rungs[0].rung, 1080);
    assert_int_equal(rungs[n - 1].rung, 144);
    assert_int_equal(rungs[0].max_rate, 2000000); /* two fifths of 5 Mbit/s, not less */
}

static void confetti_is_given_half_as_much_again_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(fit(4e7, 0.9), 6);
    assert_int_equal(rungs[0].max_rate, 7500000);
    assert_int_equal(rungs[5].max_rate, 300000);
}

static void any_complexity_leaves_a_ladder_that_falls(void **state)
{
    (void)state;
    for (double rate = 1e3; rate < 1e9; rate *= 1.7) {
        for (double exponent = -2.0; exponent < 4.0; exponent += 0.37) {
            unsigned n = fit(rate, exponent);
            assert_in_range(n, 2, 6);
            assert_int_equal(rungs[0].rung, 1080);
            assert_int_equal(rungs[n - 1].rung, 144);
            for (unsigned i = 1; i < n; i++) {
                assert_true(rungs[i].rung < rungs[i - 1].rung);
                assert_true(rungs[i].max_rate < rungs[i - 1].max_rate);
            }
        }
    }
}

static void a_ladder_of_one_rung_keeps_it(void **state)
{
    (void)state;
    struct origin_complexity complexity = {1e4, 0.75};
    unsigned n = origin_ladder(160, 90, 30.0, rungs);
    assert_int_equal(n, 1);
    assert_int_equal(origin_complexity_fit(&complexity, rungs, n), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_unknown_keeps_the_fixed_ladder),
        cmocka_unit_test(what_is_usual_keeps_every_rung),
        cmocka_unit_test(slides_lose_the_rungs_that_differ_in_nothing),
        cmocka_unit_test(confetti_is_given_half_as_much_again_and_no_more),
        cmocka_unit_test(any_complexity_leaves_a_ladder_that_falls),
        cmocka_unit_test(a_ladder_of_one_rung_keeps_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
