#include "base/core/err.h"
#include "origin/feed/ranker.h"
#include "tests/support/test_random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct origin_features with(uint32_t a, uint32_t b)
{
    return (struct origin_features){.slots = {a, b}, .n = 2};
}

/* Half a percent apart, so that rounding is nobody's business. */
static void assert_near(double actual, double expected, double tolerance)
{
    if (fabs(actual - expected) > tolerance) {
        fail_msg("%f is not within %f of %f", actual, tolerance, expected);
    }
}

static void who_knows_nothing_says_one_half(void **state)
{
    (void)state;
    struct origin_ranker *ranker = origin_ranker_new();
    struct origin_features features = with(1, 2);

    assert_near(origin_ranker_chance(ranker, &features), 0.5, 0);
    assert_int_equal(origin_ranker_lessons(ranker), 0);
    origin_ranker_free(ranker);
}

static void what_is_learned_comes_near_how_often_it_was_so(void **state)
{
    (void)state;
    struct origin_ranker *ranker = origin_ranker_new();
    struct test_random random = test_random_new();
    struct origin_features seldom = with(1, 2);
    struct origin_features often = with(1, 3);

    for (int i = 0; i < 20000; i++) {
        origin_ranker_learn(ranker, &seldom, test_random_below(&random, 10) < 1);
        origin_ranker_learn(ranker, &often, test_random_below(&random, 10) < 7);
    }
    assert_near(origin_ranker_chance(ranker, &seldom), 0.1, 0.05);
    assert_near(origin_ranker_chance(ranker, &often), 0.7, 0.07);
    assert_int_equal(origin_ranker_lessons(ranker), 40000);
    origin_ranker_free(ranker);
}

static void a_copy_does_not_learn_with_the_first(void **state)
{
    (void)state;
    struct origin_ranker *ranker = origin_ranker_new();
    struct origin_features features = with(7, 8);

    struct origin_ranker *copy = origin_ranker_copy(ranker);
    for (int i = 0; i < 100; i++) {
        origin_ranker_learn(ranker, &features, true);
    }
    assert_near(origin_ranker_chance(copy, &features), 0.5, 0);
    assert_true(origin_ranker_chance(ranker, &features) > 0.8);
    origin_ranker_free(copy);
    origin_ranker_free(ranker);
}

static void what_was_written_is_read_again(void **state)
{
    (void)state;
    struct origin_ranker *ranker = origin_ranker_new();
    struct origin_ranker *again = NULL;
    struct test_random random = test_random_new();
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

    for (int i = 0; i < 2000; i++) {
        struct origin_features features =
            with((uint32_t)test_random_below(&random, 100), ORIGIN_RANKER_SLOTS - 1);
        origin_ranker_learn(ranker, &features, test_random_below(&random, 2) == 1);
    }
    origin_ranker_encode(ranker, &bytes);
    assert_int_equal(origin_ranker_decode(fb_buf_str(&bytes), &again), FB_OK);
    for (uint32_t i = 0; i < 100; i++) {
        struct origin_features features = with(i, ORIGIN_RANKER_SLOTS - 1);
        assert_near(origin_ranker_chance(again, &features), origin_ranker_chance(ranker, &features),
                    0);
    }
    assert_int_equal(origin_ranker_lessons(again), 2000);
    origin_ranker_free(again);
    origin_ranker_free(ranker);
}

static void no_cut_and_no_wrong_byte_is_taken_for_a_ranker(void **state)
{
    (void)state;
    struct origin_ranker *ranker = origin_ranker_new();
    struct origin_ranker *again = NULL;
    struct origin_features features = with(5, 6);
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

    origin_ranker_learn(ranker, &features, true);
    origin_ranker_encode(ranker, &bytes);
    struct fb_str whole = fb_buf_str(&bytes);
    for (size_t n = 0; n < whole.len; n++) {
        assert_int_equal(origin_ranker_decode(fb_str_first(whole, n), &again), FB_E_MALFORMED);
    }
    static const char not_a_number[] = "\xff\xff\xff\xff";
    memcpy(bytes.ptr + whole.len - 4, not_a_number, 4);
    assert_int_equal(origin_ranker_decode(whole, &again), FB_E_MALFORMED);
    origin_ranker_free(ranker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_knows_nothing_says_one_half),
        cmocka_unit_test(what_is_learned_comes_near_how_often_it_was_so),
        cmocka_unit_test(a_copy_does_not_learn_with_the_first),
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(no_cut_and_no_wrong_byte_is_taken_for_a_ranker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
