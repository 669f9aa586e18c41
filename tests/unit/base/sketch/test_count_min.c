#include "base/core/alloc.h"
#include "base/sketch/count_min.h"
#include "tests/support/test_random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { WIDTH = 4096, DEPTH = 4, THINGS = 50000 };

/* Ten million things take too long where sanitizers look on. */
#ifdef FB_SANITIZED
#define MOST 1000000
#else
#define MOST 10000000
#endif

static uint64_t thing(uint64_t i)
{
    struct test_random random = {i};
    return test_random_next(&random);
}

/* How often the i-th of all is seen: few often, many hardly. */
static uint64_t times(uint64_t i)
{
    return 1 + 100000 / (i + 1);
}

static struct fb_count_min *sketch_of(uint64_t from, uint64_t to)
{
    struct fb_count_min *sketch = fb_count_min_new(WIDTH, DEPTH);

    for (uint64_t i = from; i < to; i++) {
        fb_count_min_add(sketch, thing(i), times(i));
    }
    return sketch;
}

static void estimates_are_never_low_and_seldom_high(void **state)
{
    (void)state;

    for (uint64_t n = 100; n <= MOST; n *= 10) {
        FB_AUTO(fb_count_min_freep) struct fb_count_min *sketch = sketch_of(0, n);
        uint64_t total = fb_count_min_total(sketch);
        double bound = M_E / (double)WIDTH * (double)total;
        uint64_t n_beyond = 0;

        for (uint64_t i = 0; i < n; i++) {
            uint64_t estimate = fb_count_min_estimate(sketch, thing(i));
            assert_true(estimate >= times(i));
            n_beyond += (double)(estimate - times(i)) > bound ? 1 : 0;
        }
        print_message("%7llu things: %llu beyond the bound\n", (unsigned long long)n,
                      (unsigned long long)n_beyond);
        assert_true((double)n_beyond <= exp(-DEPTH) * (double)n);
    }
}

static void merging_is_adding_in_any_order(void **state)
{
    (void)state;
    FB_AUTO(fb_count_min_freep) struct fb_count_min *all = sketch_of(0, THINGS);
    FB_AUTO(fb_count_min_freep) struct fb_count_min *a = sketch_of(0, 100);
    FB_AUTO(fb_count_min_freep) struct fb_count_min *b = sketch_of(100, 20000);
    FB_AUTO(fb_count_min_freep) struct fb_count_min *c = sketch_of(20000, THINGS);
    FB_AUTO(fb_count_min_freep) struct fb_count_min *left = fb_count_min_new(WIDTH, DEPTH);

    fb_count_min_merge(left, c);
    fb_count_min_merge(left, a);
    fb_count_min_merge(left, b); /* (c + a) + b */
    fb_count_min_merge(b, c);
    fb_count_min_merge(a, b); /* a + (b + c) */
    assert_int_equal(fb_count_min_total(a), fb_count_min_total(all));
    for (uint64_t i = 0; i < THINGS; i++) {
        uint64_t estimate = fb_count_min_estimate(all, thing(i));
        assert_int_equal(fb_count_min_estimate(a, thing(i)), estimate);
        assert_int_equal(fb_count_min_estimate(left, thing(i)), estimate);
    }
}

static void counts_stop_at_their_end(void **state)
{
    (void)state;
    FB_AUTO(fb_count_min_freep) struct fb_count_min *sketch = fb_count_min_new(16, 1);

    fb_count_min_add(sketch, 1, UINT64_MAX);
    fb_count_min_add(sketch, 1, 5);
    assert_true(fb_count_min_estimate(sketch, 1) == UINT64_MAX);
    assert_true(fb_count_min_total(sketch) == UINT64_MAX);
    fb_count_min_clear(sketch);
    assert_int_equal(fb_count_min_estimate(sketch, 1), 0);
    assert_int_equal(fb_count_min_total(sketch), 0);
    assert_true(fb_count_min_memory(sketch) >= 16 * sizeof(uint64_t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimates_are_never_low_and_seldom_high),
        cmocka_unit_test(merging_is_adding_in_any_order),
        cmocka_unit_test(counts_stop_at_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
