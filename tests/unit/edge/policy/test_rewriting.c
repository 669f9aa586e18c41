#include "edge/policy/rewriting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_zone_of_which_half_is_warm_is_passed_over(void **state)
{
    (void)state;
    assert_true(edge_rewriting_passes(64, 64, 0));
    assert_true(edge_rewriting_passes(32, 64, 0));
    assert_false(edge_rewriting_passes(31, 64, 0));
    assert_false(edge_rewriting_passes(0, 64, 0));
}

static void after_some_passes_a_zone_is_reclaimed_however_warm(void **state)
{
    (void)state;
    assert_true(edge_rewriting_passes(64, 64, EDGE_REWRITING_PASSES - 1));
    assert_false(edge_rewriting_passes(64, 64, EDGE_REWRITING_PASSES));
}

static void an_extent_that_was_hit_often_enough_is_written_again(void **state)
{
    (void)state;
    assert_false(edge_rewriting_ask(0, 0));
    assert_false(edge_rewriting_ask(EDGE_REWRITING_HEAT - 1, 0));
    assert_true(edge_rewriting_ask(EDGE_REWRITING_HEAT, 0));
    assert_true(edge_rewriting_ask(EDGE_HEAT_MAX, 0));
}

static void near_the_end_of_the_budget_it_takes_more(void **state)
{
    (void)state;
    assert_false(edge_rewriting_ask(EDGE_REWRITING_HEAT, 0.9));
    assert_true(edge_rewriting_ask(EDGE_HEAT_MAX, 0.9));
    assert_false(edge_rewriting_ask(EDGE_HEAT_MAX, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zone_of_which_half_is_warm_is_passed_over),
        cmocka_unit_test(after_some_passes_a_zone_is_reclaimed_however_warm),
        cmocka_unit_test(an_extent_that_was_hit_often_enough_is_written_again),
        cmocka_unit_test(near_the_end_of_the_budget_it_takes_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
