#include "base/sys/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void pauses_double_up_to_the_limit(void **state)
{
    const struct fb_backoff backoff = {.first_ms = 100, .most_ms = 700};
    (void)state;

    assert_int_equal(fb_backoff_ms(&backoff, 0), 100);
    assert_int_equal(fb_backoff_ms(&backoff, 1), 200);
    assert_int_equal(fb_backoff_ms(&backoff, 2), 400);
    assert_int_equal(fb_backoff_ms(&backoff, 3), 700);
    assert_int_equal(fb_backoff_ms(&backoff, UINT32_MAX), 700);
}

static void only_the_share_of_chance_varies(void **state)
{
    const struct fb_backoff backoff = {
        .first_ms = 1000, .most_ms = 60000, .chance = FB_BACKOFF_HALF};
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    (void)state;

    for (int i = 0; i < 1000; i++) {
        uint64_t pause_ms = fb_backoff_ms(&backoff, 1);
        assert_in_range(pause_ms, 1000, 2000);
        least = pause_ms < least ? pause_ms : least;
        most = pause_ms > most ? pause_ms : most;
    }
    assert_in_range(least, 1000, 1250);
    assert_in_range(most, 1750, 2000);
}

static void no_first_pause_is_none_at_all(void **state)
{
    const struct fb_backoff none = {.chance = FB_BACKOFF_HALF};
    const struct fb_backoff limited = {.first_ms = 500, .most_ms = 0};
    (void)state;

    assert_int_equal(fb_backoff_ms(&none, 1000), 0);
    assert_int_equal(fb_backoff_ms(&limited, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_up_to_the_limit),
        cmocka_unit_test(only_the_share_of_chance_varies),
        cmocka_unit_test(no_first_pause_is_none_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
