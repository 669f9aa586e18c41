#include "base/core/err.h"
#include "origin/auth/limiter.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct test_clock clock;
    struct origin_limiter *limiter;
};

static int set_up(void **state)
{
    static struct fixture f;

    f.clock = test_clock_at_start();
    f.limiter = origin_limiter_new(&(struct origin_limiter_options){
        .clock = &f.clock.clock, .burst = 3, .refill_ms = 100, .max_keys = 4});
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    origin_limiter_free(f->limiter);
    return 0;
}

static int spend(struct fixture *f, const char *key, uint32_t *wait_ms)
{
    return origin_limiter_spend(f->limiter, fb_str_from(key), wait_ms);
}

static void a_burst_passes_and_then_one_for_each_refill(void **state)
{
    struct fixture *f = *state;
    uint32_t wait_ms = 0;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(spend(f, "a", &wait_ms), FB_OK);
    }
    assert_int_equal(spend(f, "a", &wait_ms), FB_E_LIMIT);
    assert_int_equal(wait_ms, 100);
    test_clock_advance_ms(&f->clock, 60);
    assert_int_equal(spend(f, "a", &wait_ms), FB_E_LIMIT);
    assert_int_equal(wait_ms, 40); /* asking in vain costs nothing */
    test_clock_advance_ms(&f->clock, 40);
    assert_int_equal(spend(f, "a", &wait_ms), FB_OK);
    assert_int_equal(spend(f, "a", &wait_ms), FB_E_LIMIT);
}

static void a_long_rest_fills_up_to_the_burst_and_no_further(void **state)
{
    struct fixture *f = *state;
    uint32_t wait_ms = 0;

    assert_int_equal(spend(f, "a", &wait_ms), FB_OK);
    test_clock_advance_ms(&f->clock, 1000000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(spend(f, "a", &wait_ms), FB_OK);
    }
    assert_int_equal(spend(f, "a", &wait_ms), FB_E_LIMIT);
}

static void keys_do_not_touch_each_other_and_the_idlest_is_forgotten(void **state)
{
    struct fixture *f = *state;
    uint32_t wait_ms = 0;
    char key[8];

    for (int i = 0; i < 3; i++) {
        assert_int_equal(spend(f, "spent", &wait_ms), FB_OK);
    }
    assert_int_equal(spend(f, "spent", &wait_ms), FB_E_LIMIT);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(spend(f, key, &wait_ms), FB_OK);
        assert_int_equal(spend(f, "spent", &wait_ms), FB_E_LIMIT);
    }
    assert_int_equal(spend(f, "one more", &wait_ms), FB_OK); /* k0 goes */
    assert_int_equal(spend(f, "spent", &wait_ms), FB_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_burst_passes_and_then_one_for_each_refill, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_long_rest_fills_up_to_the_burst_and_no_further, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(keys_do_not_touch_each_other_and_the_idlest_is_forgotten,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
