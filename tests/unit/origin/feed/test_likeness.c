#include "base/core/attr.h"
#include "origin/feed/likeness.h"
#include "tests/support/test_random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void add(struct origin_likeness *likeness, uint32_t a, uint32_t b)
{
    uint32_t history[] = {a, b};
    origin_likeness_add(likeness, history, FB_ARRAY_LEN(history));
}

static void who_is_watched_by_the_same_people_is_alike(void **state)
{
    (void)state;
    struct origin_likeness *likeness = origin_likeness_new(4);
    size_t n = 0;

    for (int i = 0; i < 9; i++) {
        add(likeness, 0, 1);
    }
    add(likeness, 0, 2);
    origin_likeness_finish(likeness);
    const struct origin_alike *alike = origin_likeness_of(likeness, 0, &n);
    assert_int_equal(n, 2);
    assert_int_equal(alike[0].video, 1);
    assert_int_equal(alike[1].video, 2);
    (void)origin_likeness_of(likeness, 3, &n);
    assert_int_equal(n, 0);
    origin_likeness_free(likeness);
}

static void who_is_watched_by_everybody_is_like_nobody_in_particular(void **state)
{
    (void)state;
    struct origin_likeness *likeness = origin_likeness_new(3);
    size_t n = 0;

    for (int i = 0; i < 20; i++) {
        add(likeness, 0, 1); /* these belong together */
    }
    for (int i = 0; i < 20; i++) {
        uint32_t three[] = {0, 1, 2};
        origin_likeness_add(likeness, three, FB_ARRAY_LEN(three));
    }
    for (int i = 0; i < 1000; i++) {
        uint32_t alone = 2;
        origin_likeness_add(likeness, &alone, 1);
    }
    origin_likeness_finish(likeness);
    const struct origin_alike *alike = origin_likeness_of(likeness, 0, &n);
    assert_int_equal(n, 2);
    assert_int_equal(alike[0].video, 1);
    assert_true(alike[1].likeness < alike[0].likeness / 4);
    origin_likeness_free(likeness);
}

/* Every pair counted in a square, as slowly and as plainly as can be. */
enum { VIDEOS = 60, PEOPLE = 200, LONGEST = 12 };

static void the_kept_are_the_likest_of_a_naive_count(void **state)
{
    (void)state;
    static double both[VIDEOS][VIDEOS];
    static double watchers[VIDEOS];
    struct test_random random = test_random_new();
    struct origin_likeness *likeness = origin_likeness_new(VIDEOS);

    for (int person = 0; person < PEOPLE; person++) {
        uint32_t history[LONGEST];
        size_t n = 0;
        for (uint32_t video = 0; video < VIDEOS && n < LONGEST; video++) {
            if (test_random_below(&random, 6) == 0) {
                history[n++] = video;
            }
        }
        origin_likeness_add(likeness, history, n);
        for (size_t i = 0; i < n; i++) {
            watchers[history[i]] += 1;
            for (size_t k = 0; k < n; k++) {
                both[history[i]][history[k]] += 1 / log(1 + (double)n);
            }
        }
    }
    origin_likeness_finish(likeness);
    for (uint32_t video = 0; video < VIDEOS; video++) {
        size_t n = 0;
        const struct origin_alike *alike = origin_likeness_of(likeness, video, &n);
        size_t n_better = 0;
        assert_true(n > 0 && n <= ORIGIN_LIKENESS_KEPT);
        for (uint32_t other = 0; other < VIDEOS; other++) {
            double expected =
                both[video][other] / sqrt((watchers[video] + 10) * (watchers[other] + 10));
            n_better += other != video && expected > (double)alike[n - 1].likeness + 1e-5;
            for (size_t i = 0; i < n; i++) {
                if (alike[i].video == other) {
                    assert_true(fabs((double)alike[i].likeness - expected) < 1e-4);
                }
            }
        }
        assert_true(n_better < n);
    }
    origin_likeness_free(likeness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_watched_by_the_same_people_is_alike),
        cmocka_unit_test(who_is_watched_by_everybody_is_like_nobody_in_particular),
        cmocka_unit_test(the_kept_are_the_likest_of_a_naive_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
