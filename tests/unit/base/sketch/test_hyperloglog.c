#include "base/core/err.h"
#include "base/sketch/hyperloglog.h"
#include "tests/support/test_random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { PRECISION = 12, REGISTERS = 1 << PRECISION };

/* Ten million things take too long where sanitizers look on. */
#ifdef FB_SANITIZED
#define MOST 1000000
#else
#define MOST 10000000
#endif

/* The same things in every run, so that a bound on errors is met always or never. */
static uint64_t thing(uint64_t i)
{
    struct test_random random = {i};
    return test_random_next(&random);
}

static struct fb_hyperloglog *sketch_of(unsigned precision, uint64_t from, uint64_t to)
{
    struct fb_hyperloglog *sketch = fb_hyperloglog_new(precision);

    for (uint64_t i = from; i < to; i++) {
        fb_hyperloglog_add(sketch, thing(i));
    }
    return sketch;
}

static void assert_same(const struct fb_hyperloglog *a, const struct fb_hyperloglog *b)
{
    FB_AUTO(fb_buf_done) struct fb_buf x = {0};
    FB_AUTO(fb_buf_done) struct fb_buf y = {0};

    fb_hyperloglog_encode(a, &x);
    fb_hyperloglog_encode(b, &y);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.ptr, y.ptr, x.len);
}

static double error_of(unsigned precision, uint64_t from, uint64_t n)
{
    FB_AUTO(fb_hyperloglog_freep)
    struct fb_hyperloglog *sketch = sketch_of(precision, from, from + n);

    assert_true(fb_hyperloglog_memory(sketch) <= ((size_t)1 << precision) + 64);
    uint64_t estimate = fb_hyperloglog_estimate(sketch);
    return fabs((double)estimate / (double)n - 1);
}

static void an_empty_sketch_counts_nothing(void **state)
{
    (void)state;
    FB_AUTO(fb_hyperloglog_freep) struct fb_hyperloglog *sketch = fb_hyperloglog_new(PRECISION);

    assert_true(fb_hyperloglog_is_empty(sketch) && fb_hyperloglog_is_empty(NULL));
    assert_int_equal(fb_hyperloglog_estimate(sketch), 0);
    assert_int_equal(fb_hyperloglog_estimate(NULL), 0);
    fb_hyperloglog_add(sketch, thing(1));
    fb_hyperloglog_add(sketch, thing(1));
    assert_false(fb_hyperloglog_is_empty(sketch));
    assert_int_equal(fb_hyperloglog_estimate(sketch), 1);
}

static void errors_stay_within_what_the_header_states(void **state)
{
    (void)state;
    static const unsigned precisions[] = {8, PRECISION, 14};

    for (size_t p = 0; p < FB_ARRAY_LEN(precisions); p++) {
        double stated = 1.04 / sqrt((double)(1U << precisions[p]));
        for (uint64_t n = 100; n <= MOST; n *= 10) {
            double error = error_of(precisions[p], n * 17, n);
            print_message("precision %u, %7llu things: %.2f %% of %.2f %%\n", precisions[p],
                          (unsigned long long)n, 100 * error, 100 * stated);
            assert_true(error < 3 * stated);
        }
    }
}

/* Sums over many sketches: the error's spread is what theory says, and there is no bias. */
static void errors_are_spread_as_stated_and_even_out(void **state)
{
    (void)state;
    enum { SKETCHES = 64 };
    static const uint64_t sizes[] = {500, 1100, 3000, 10000, 20000};

    for (size_t s = 0; s < FB_ARRAY_LEN(sizes); s++) {
        double sum = 0;
        double squares = 0;

        for (uint64_t i = 0; i < SKETCHES; i++) {
            FB_AUTO(fb_hyperloglog_freep)
            struct fb_hyperloglog *sketch =
                sketch_of(PRECISION, (i + 1) << 32, ((i + 1) << 32) + sizes[s]);
            uint64_t estimate = fb_hyperloglog_estimate(sketch);
            double error = (double)estimate / (double)sizes[s] - 1;
            sum += error;
            squares += error * error;
        }
        double bias = sum / (double)SKETCHES;
        double spread = sqrt(squares / (double)SKETCHES);
        print_message("%5llu things: bias %+.2f %%, spread %.2f %%\n", (unsigned long long)sizes[s],
                      100 * bias, 100 * spread);
        assert_true(spread < 1.04 / sqrt(REGISTERS) * 1.3);
        assert_true(fabs(bias) < 1.04 / sqrt(REGISTERS) / sqrt(SKETCHES) * 4);
        assert_true(sizes[s] >= REGISTERS / 4 || spread < 0.004); /* sparse */
    }
}

static void the_order_of_adding_and_merging_leaves_no_trace(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 30, 400, 1024, 1025, 5000};
    enum { N = FB_ARRAY_LEN(sizes) };

    for (size_t i = 0; i < N * N; i++) {
        uint64_t n_a = sizes[i / N];
        uint64_t n_b = sizes[i % N];
        FB_AUTO(fb_hyperloglog_freep)
        struct fb_hyperloglog *a = sketch_of(PRECISION, 0, n_a);
        FB_AUTO(fb_hyperloglog_freep)
        struct fb_hyperloglog *b = sketch_of(PRECISION, n_a / 2, n_a / 2 + n_b);
        FB_AUTO(fb_hyperloglog_freep)
        struct fb_hyperloglog *c = sketch_of(PRECISION, 100, 700);
        FB_AUTO(fb_hyperloglog_freep) struct fb_hyperloglog *ab = fb_hyperloglog_copy(a);
        FB_AUTO(fb_hyperloglog_freep) struct fb_hyperloglog *ba = fb_hyperloglog_copy(b);
        FB_AUTO(fb_hyperloglog_freep) struct fb_hyperloglog *bc = fb_hyperloglog_copy(b);
        FB_AUTO(fb_hyperloglog_freep)
        struct fb_hyperloglog *all = sketch_of(PRECISION, 0, FB_MAX(n_a, n_a / 2 + n_b));

        fb_hyperloglog_merge(ab, b);
        fb_hyperloglog_merge(ba, a);
        assert_same(ab, ba);
        if (n_b >= n_a - n_a / 2) { /* no hole between the two */
            assert_same(ab, all);
        }
        fb_hyperloglog_merge(ab, ba);
        assert_same(ab, ba); /* idempotent */
        fb_hyperloglog_merge(ab, c);
        fb_hyperloglog_merge(bc, c);
        fb_hyperloglog_merge(bc, a);
        assert_same(ab, bc);
        fb_hyperloglog_merge(ab, NULL);
        assert_same(ab, bc);
    }
}

static void what_is_encoded_comes_back(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 2, 100, 1000, 1024, 1030, 100000};

    for (size_t i = 0; i < FB_ARRAY_LEN(sizes); i++) {
        for (unsigned precision = 4; precision <= 16; precision += 2) {
            FB_AUTO(fb_hyperloglog_freep)
            struct fb_hyperloglog *sketch = sketch_of(precision, 7, 7 + sizes[i]);
            FB_AUTO(fb_hyperloglog_freep) struct fb_hyperloglog *back = NULL;
            FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

            fb_hyperloglog_encode(sketch, &bytes);
            assert_true(bytes.len <= ((size_t)1 << precision) + 8);
            fb_buf_append(&bytes, FB_STR("behind"));
            struct fb_str rest = fb_buf_str(&bytes);
            assert_int_equal(fb_hyperloglog_decode(&rest, precision, &back), FB_OK);
            assert_true(fb_str_equal(rest, FB_STR("behind")));
            assert_int_equal(fb_hyperloglog_precision(back), precision);
            assert_same(sketch, back);
            rest = fb_buf_str(&bytes);
            struct fb_hyperloglog *none = NULL;
            assert_int_equal(fb_hyperloglog_decode(&rest, precision + 1, &none), FB_E_UNSUPPORTED);
        }
    }
}

/* Of each byte each bit, and each length: nothing comes back, or a sketch that encodes to itself.
 */
static void damaged_bytes_are_refused_or_another_sketch(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {3, 100, 2000};

    for (size_t i = 0; i < FB_ARRAY_LEN(sizes); i++) {
        FB_AUTO(fb_hyperloglog_freep)
        struct fb_hyperloglog *sketch = sketch_of(8, 0, sizes[i]);
        FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

        fb_hyperloglog_encode(sketch, &bytes);
        for (size_t len = 0; len < bytes.len; len++) {
            struct fb_str rest = {bytes.ptr, len};
            struct fb_hyperloglog *none = NULL;
            assert_true(fb_hyperloglog_decode(&rest, 8, &none) < 0);
            assert_int_equal(rest.len, len);
        }
        for (size_t bit = 0; bit < 8 * bytes.len; bit++) {
            FB_AUTO(fb_hyperloglog_freep) struct fb_hyperloglog *other = NULL;
            FB_AUTO(fb_buf_done) struct fb_buf again = {0};

            bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ (1 << bit % 8));
            struct fb_str rest = fb_buf_str(&bytes);
            if (fb_hyperloglog_decode(&rest, 8, &other) == FB_OK) {
                fb_hyperloglog_encode(other, &again);
                assert_int_equal(again.len, bytes.len - rest.len);
                assert_memory_equal(again.ptr, bytes.ptr, again.len);
            }
            bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ (1 << bit % 8));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_sketch_counts_nothing),
        cmocka_unit_test(errors_stay_within_what_the_header_states),
        cmocka_unit_test(errors_are_spread_as_stated_and_even_out),
        cmocka_unit_test(the_order_of_adding_and_merging_leaves_no_trace),
        cmocka_unit_test(what_is_encoded_comes_back),
        cmocka_unit_test(damaged_bytes_are_refused_or_another_sketch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
