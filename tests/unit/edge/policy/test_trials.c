#include "base/core/attr.h"
#include "edge/policy/trials.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { WINDOW = 1 << 20, N_TRIALS = 30000 };

/* ---- chances alone ----------------------------------------------------- */

static void a_new_model_is_of_two_minds(void **state)
{
    struct edge_chance chance;
    const struct edge_chance_view view = {.bins = {0, 3, 5, EDGE_CHANCE_BINS - 1}};

    (void)state;
    edge_chance_init(&chance);
    assert_true(edge_chance_of(&chance, &view) > 0.3);
    assert_true(edge_chance_of(&chance, &view) < 0.6);
}

static void a_chance_comes_near_to_what_happens(void **state)
{
    struct test_random random = test_random_new();
    struct edge_chance chance;
    const struct edge_chance_view view = {.bins = {1, 2, 3, 4}};

    (void)state;
    edge_chance_init(&chance);
    for (unsigned i = 0; i < N_TRIALS; i++) { /* in each interval one in ten */
        bool was_asked = false;
        for (unsigned at = 0; at < EDGE_CHANCE_INTERVALS && !was_asked; at++) {
            was_asked = test_random_below(&random, 10) == 0;
            edge_chance_learn(&chance, &view, at, was_asked);
        }
    }
    double want = 1 - 0.9 * 0.9 * 0.9 * 0.9 * 0.9 * 0.9;
    assert_true(edge_chance_of(&chance, &view) > want - 0.1);
    assert_true(edge_chance_of(&chance, &view) < want + 0.1);
}

static void what_never_happens_for_years_is_unlearned_in_a_day(void **state)
{
    struct edge_chance chance;
    const struct edge_chance_view view = {.bins = {1, 2, 3, 4}};

    (void)state;
    edge_chance_init(&chance);
    for (unsigned i = 0; i < 1000000; i++) {
        edge_chance_learn(&chance, &view, i % EDGE_CHANCE_INTERVALS, false);
    }
    assert_true(edge_chance_of(&chance, &view) < 0.05);
    for (unsigned i = 0; i < 5000; i++) {
        edge_chance_learn(&chance, &view, 0, true);
    }
    assert_true(edge_chance_of(&chance, &view) > 0.5);
}

static void intervals_end_one_after_the_other_with_the_window_as_the_last(void **state)
{
    (void)state;
    for (unsigned i = 1; i < EDGE_CHANCE_INTERVALS; i++) {
        assert_true(edge_chance_end(WINDOW, i) > edge_chance_end(WINDOW, i - 1));
    }
    assert_int_equal(edge_chance_end(WINDOW, EDGE_CHANCE_INTERVALS - 1), WINDOW);
}

/* ---- trials ------------------------------------------------------------ */

static void what_comes_back_is_told_from_what_does_not(void **state)
{
    struct edge_chance chance;
    struct edge_trials trials;
    const struct edge_chance_view good = {.bins = {1}};
    const struct edge_chance_view bad = {.bins = {2}};

    (void)state;
    edge_chance_init(&chance);
    edge_trials_init(&trials, &chance, WINDOW);
    for (uint64_t i = 0; i < N_TRIALS; i++) {
        edge_trials_ask(&trials, i % 100, i * 100, &good); /* again within a hundredth */
        edge_trials_ask(&trials, 1000 + i, i * 100, &bad);
    }
    assert_true(edge_chance_of(&chance, &good) > 0.9);
    assert_true(edge_chance_of(&chance, &bad) < 0.1);
    edge_trials_done(&trials);
}

static void what_comes_back_after_its_window_did_not_come_back(void **state)
{
    struct edge_chance chance;
    struct edge_trials trials;
    const struct edge_chance_view view = {.bins = {1}};

    (void)state;
    edge_chance_init(&chance);
    edge_trials_init(&trials, &chance, WINDOW);
    for (uint64_t i = 0; i < N_TRIALS; i++) {
        edge_trials_ask(&trials, i % 1000, i * (WINDOW / 500), &view);
    }
    assert_true(edge_chance_of(&chance, &view) < 0.1);
    edge_trials_done(&trials);
}

static void more_than_the_ring_holds_does_no_harm(void **state)
{
    struct test_random random = test_random_new();
    struct edge_chance chance;
    struct edge_trials trials;
    uint64_t clock = 0;

    (void)state;
    edge_chance_init(&chance);
    edge_trials_init(&trials, &chance, UINT64_MAX);
    for (unsigned i = 0; i < 4 * EDGE_TRIALS_MAX; i++) {
        struct edge_chance_view view = {.bins = {(uint8_t)(i % EDGE_CHANCE_BINS)}};
        clock += test_random_below(&random, UINT64_C(1) << 42);
        edge_trials_ask(&trials, test_random_below(&random, 2 * EDGE_TRIALS_MAX), clock, &view);
    }
    for (uint8_t bin = 0; bin < EDGE_CHANCE_BINS; bin++) {
        struct edge_chance_view view = {.bins = {bin}};
        assert_true(edge_chance_of(&chance, &view) >= 0);
        assert_true(edge_chance_of(&chance, &view) <= 1);
    }
    edge_trials_done(&trials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_model_is_of_two_minds),
        cmocka_unit_test(a_chance_comes_near_to_what_happens),
        cmocka_unit_test(what_never_happens_for_years_is_unlearned_in_a_day),
        cmocka_unit_test(intervals_end_one_after_the_other_with_the_window_as_the_last),
        cmocka_unit_test(what_comes_back_is_told_from_what_does_not),
        cmocka_unit_test(what_comes_back_after_its_window_did_not_come_back),
        cmocka_unit_test(more_than_the_ring_holds_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
