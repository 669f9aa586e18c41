#include "base/core/attr.h"
#include "edge/policy/budget.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DAY_BYTES = 1 << 20, HOUR_MS = 60 * 60 * 1000, DAY_MS = 24 * HOUR_MS };

/* An ordinary midnight. */
static const int64_t midnight_ms = INT64_C(20000) * DAY_MS;

static bool take(struct edge_budget *budget, uint64_t n, int64_t wall_ms)
{
    return edge_budget_take(budget, EDGE_BUDGET_CONTENT, n, wall_ms);
}

static uint64_t take_all(struct edge_budget *budget, enum edge_budget_use use, int64_t wall_ms)
{
    uint64_t left = edge_budget_left(budget, use, wall_ms);

    assert_true(edge_budget_take(budget, use, left, wall_ms));
    return left;
}

static void without_a_limit_all_is_granted_and_counted(void **state)
{
    struct edge_budget budget;

    (void)state;
    edge_budget_init(&budget, 0, NULL);
    assert_true(take(&budget, UINT64_C(1) << 50, midnight_ms));
    assert_true(edge_budget_pressure(&budget, midnight_ms) <= 0);
    assert_int_equal(edge_budget_today(&budget, midnight_ms), UINT64_C(1) << 50);
    assert_int_equal(budget.state.ever_bytes, UINT64_C(1) << 50);
}

static void a_grant_is_whole_or_nothing(void **state)
{
    struct edge_budget budget;

    (void)state;
    edge_budget_init(&budget, DAY_BYTES, NULL);
    assert_false(take(&budget, DAY_BYTES, midnight_ms));
    assert_int_equal(edge_budget_today(&budget, midnight_ms), 0);
    assert_true(take(&budget, 1000, midnight_ms));
    assert_int_equal(edge_budget_today(&budget, midnight_ms), 1000);
}

static void a_burst_at_midnight_leaves_most_of_the_day(void **state)
{
    struct edge_budget budget;

    (void)state;
    edge_budget_init(&budget, DAY_BYTES, NULL);
    assert_int_equal(take_all(&budget, EDGE_BUDGET_CONTENT, midnight_ms), DAY_BYTES / 4);
    assert_false(take(&budget, 1, midnight_ms));
    assert_true(edge_budget_pressure(&budget, midnight_ms) >= 1);
    assert_in_range(edge_budget_left(&budget, EDGE_BUDGET_CONTENT, midnight_ms + DAY_MS / 2),
                    DAY_BYTES / 4, DAY_BYTES / 2);
}

static void what_a_quiet_morning_left_serves_the_evening(void **state)
{
    struct edge_budget budget;

    (void)state;
    edge_budget_init(&budget, DAY_BYTES, NULL);
    assert_true(edge_budget_left(&budget, EDGE_BUDGET_CONTENT, midnight_ms + 20 * HOUR_MS) >
                DAY_BYTES / 4 * 3);
}

static void content_leaves_a_sixteenth_for_upkeep(void **state)
{
    struct edge_budget budget;
    int64_t late_ms = midnight_ms + DAY_MS - 1;

    (void)state;
    edge_budget_init(&budget, DAY_BYTES, NULL);
    assert_in_range(take_all(&budget, EDGE_BUDGET_CONTENT, late_ms),
                    DAY_BYTES / 16 * 15 - DAY_BYTES / 1000, DAY_BYTES / 16 * 15);
    assert_false(take(&budget, DAY_BYTES / 32, late_ms));
    assert_true(edge_budget_take(&budget, EDGE_BUDGET_UPKEEP, DAY_BYTES / 16, late_ms));
    assert_in_range(take_all(&budget, EDGE_BUDGET_UPKEEP, late_ms), 0, DAY_BYTES / 1000);
    assert_int_equal(edge_budget_today(&budget, late_ms), DAY_BYTES);
}

static void a_new_day_starts_anew(void **state)
{
    struct edge_budget budget;

    (void)state;
    edge_budget_init(&budget, DAY_BYTES, NULL);
    (void)take_all(&budget, EDGE_BUDGET_UPKEEP, midnight_ms);
    assert_int_equal(edge_budget_left(&budget, EDGE_BUDGET_UPKEEP, midnight_ms + DAY_MS - 1), 0);
    assert_int_equal(edge_budget_left(&budget, EDGE_BUDGET_UPKEEP, midnight_ms + DAY_MS),
                     DAY_BYTES);
    assert_true(edge_budget_pressure(&budget, midnight_ms + DAY_MS) <= 0);
}

static void a_clock_that_comes_back_finds_its_day_spent(void **state)
{
    struct edge_budget budget;

    (void)state;
    edge_budget_init(&budget, DAY_BYTES, NULL);
    (void)take_all(&budget, EDGE_BUDGET_UPKEEP, midnight_ms);
    (void)take_all(&budget, EDGE_BUDGET_UPKEEP, midnight_ms + 400 * (int64_t)DAY_MS);
    assert_int_equal(edge_budget_left(&budget, EDGE_BUDGET_UPKEEP, midnight_ms), 0);
    assert_int_equal(edge_budget_left(&budget, EDGE_BUDGET_UPKEEP, midnight_ms + DAY_MS),
                     DAY_BYTES);
}

static void a_day_before_all_that_is_known_is_spent(void **state)
{
    struct edge_budget budget;

    (void)state;
    edge_budget_init(&budget, DAY_BYTES, NULL);
    for (int64_t day = 0; day <= EDGE_BUDGET_DAYS; day++) {
        assert_true(take(&budget, 1, midnight_ms + day * DAY_MS));
    }
    assert_int_equal(edge_budget_left(&budget, EDGE_BUDGET_UPKEEP, midnight_ms), 0);
    assert_int_equal(edge_budget_left(&budget, EDGE_BUDGET_UPKEEP, -1), 0);
}

static void a_charge_counts_even_when_nothing_is_left(void **state)
{
    struct edge_budget budget;

    (void)state;
    edge_budget_init(&budget, DAY_BYTES, NULL);
    edge_budget_charge(&budget, 2 * (uint64_t)DAY_BYTES, midnight_ms);
    assert_int_equal(edge_budget_left(&budget, EDGE_BUDGET_UPKEEP, midnight_ms), 0);
    assert_true(edge_budget_pressure(&budget, midnight_ms) >= 1);
    edge_budget_charge(&budget, UINT64_MAX, midnight_ms);
    assert_int_equal(edge_budget_today(&budget, midnight_ms), UINT64_MAX);
}

static void a_state_of_nonsense_is_put_in_order(void **state)
{
    const struct edge_budget_state nonsense[] = {
        {.first_day = INT64_MAX},
        {.first_day = INT64_MIN, .days = {{INT64_MAX, 5}, {INT64_MIN, 7}, {0, UINT64_MAX}}},
        {.days = {{1, 5}, {1, UINT64_MAX}, {20000, 7}}},
        {.days = {{20000, 0}, {20000, 7}, {20001, DAY_BYTES}}},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(nonsense); i++) {
        struct edge_budget budget;
        edge_budget_init(&budget, DAY_BYTES, &nonsense[i]);
        for (int64_t day = -2; day < 3; day++) {
            assert_in_range(
                edge_budget_left(&budget, EDGE_BUDGET_UPKEEP, midnight_ms + day * DAY_MS), 0,
                DAY_BYTES);
            edge_budget_charge(&budget, 1, midnight_ms + day * DAY_MS);
        }
        for (unsigned at = 1; at < EDGE_BUDGET_DAYS; at++) {
            const struct edge_budget_day *days = budget.state.days;
            assert_true(days[at].n_bytes == 0 || days[at - 1].day > days[at].day);
        }
    }
}

/* ---- random sequences -------------------------------------------------- */

enum { N_RUNS = 200, N_STEPS = 400, N_DAYS = 40 };

/* Mostly onward by minutes, at times a leap either way. */
static int64_t next_time(struct test_random *random, int64_t now_ms)
{
    uint64_t dice = test_random_below(random, 100);

    if (dice < 4) {
        return midnight_ms + (int64_t)(test_random_below(random, N_DAYS * (uint64_t)DAY_MS));
    }
    if (dice < 8) {
        now_ms -= (int64_t)(test_random_below(random, 2 * (uint64_t)DAY_MS));
    } else {
        now_ms += (int64_t)(test_random_below(random, 2 * (uint64_t)HOUR_MS));
    }
    return FB_MIN(FB_MAX(now_ms, midnight_ms), midnight_ms + N_DAYS * (int64_t)DAY_MS - 1);
}

static void no_day_sees_more_than_its_bytes_whatever_the_clock_does(void **state)
{
    struct test_random random = test_random_new();

    (void)state;
    for (unsigned run = 0; run < N_RUNS; run++) {
        uint64_t written[N_DAYS] = {0};
        uint64_t ever = 0;
        int64_t now_ms = midnight_ms + 5 * (int64_t)DAY_MS;
        struct edge_budget budget;
        edge_budget_init(&budget, DAY_BYTES, NULL);
        for (unsigned step = 0; step < N_STEPS; step++) {
            uint64_t n = test_random_below(&random, DAY_BYTES / 8);
            bool is_upkeep = test_random_below(&random, 2) == 0;
            now_ms = next_time(&random, now_ms);
            if (edge_budget_take(&budget, is_upkeep ? EDGE_BUDGET_UPKEEP : EDGE_BUDGET_CONTENT, n,
                                 now_ms)) {
                written[(now_ms - midnight_ms) / DAY_MS] += n;
                ever += n;
            }
            if (test_random_below(&random, 16) == 0) { /* a restart */
                struct edge_budget_state kept = budget.state;
                edge_budget_init(&budget, DAY_BYTES, &kept);
            }
        }
        assert_int_equal(budget.state.ever_bytes, ever);
        for (unsigned day = 0; day < N_DAYS; day++) {
            if (written[day] > DAY_BYTES) {
                fail_msg("run %u: day %u saw %llu bytes", run, day,
                         (unsigned long long)written[day]);
            }
        }
    }
}

static void steady_demand_is_granted_a_whole_day_every_day(void **state)
{
    struct edge_budget budget;
    uint64_t written = 0;

    (void)state;
    edge_budget_init(&budget, DAY_BYTES, NULL);
    for (int64_t minute = 0; minute < INT64_C(10) * 24 * 60; minute++) {
        while (take(&budget, DAY_BYTES / 256, midnight_ms + minute * 60 * 1000)) {
            written += DAY_BYTES / 256;
        }
    }
    assert_in_range(written, UINT64_C(9) * DAY_BYTES, UINT64_C(10) * DAY_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_all_is_granted_and_counted),
        cmocka_unit_test(a_grant_is_whole_or_nothing),
        cmocka_unit_test(a_burst_at_midnight_leaves_most_of_the_day),
        cmocka_unit_test(what_a_quiet_morning_left_serves_the_evening),
        cmocka_unit_test(content_leaves_a_sixteenth_for_upkeep),
        cmocka_unit_test(a_new_day_starts_anew),
        cmocka_unit_test(a_clock_that_comes_back_finds_its_day_spent),
        cmocka_unit_test(a_day_before_all_that_is_known_is_spent),
        cmocka_unit_test(a_charge_counts_even_when_nothing_is_left),
        cmocka_unit_test(a_state_of_nonsense_is_put_in_order),
        cmocka_unit_test(no_day_sees_more_than_its_bytes_whatever_the_clock_does),
        cmocka_unit_test(steady_demand_is_granted_a_whole_day_every_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
