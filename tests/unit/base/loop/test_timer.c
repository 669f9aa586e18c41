#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { N_TIMERS = 200 };

/* A timer and its naive twin. */
struct twin {
    struct fb_timer timer;
    struct fixture *f;
    bool is_set;
    uint64_t deadline_ms;
    unsigned n_expired;
    unsigned n_due; /* as the twin counts */
    int again_ms;   /* on expiry, set again to this; negative: not */
};

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    uint64_t now_ms;
    struct twin twins[N_TIMERS];
    uint64_t seed;
};

static void twin_set(struct twin *twin, uint64_t delay_ms)
{
    fb_timer_set(&twin->timer, delay_ms);
    twin->is_set = true;
    twin->deadline_ms = twin->f->now_ms + delay_ms;
}

static void on_expired(struct fb_timer *timer)
{
    struct twin *twin = FB_CONTAINER_OF(timer, struct twin, timer);

    assert_true(twin->is_set);
    assert_true(twin->deadline_ms <= twin->f->now_ms); /* never early */
    assert_false(fb_timer_is_set(timer));
    twin->is_set = false;
    twin->n_expired++;
    if (twin->again_ms >= 0) {
        twin_set(twin, (uint64_t)twin->again_ms);
        twin->again_ms = -1;
    }
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->clock = test_clock_at_start();
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    f->now_ms = fb_loop_now_ms(f->loop);
    f->seed = 20260131;
    for (int i = 0; i < N_TIMERS; i++) {
        f->twins[i].f = f;
        f->twins[i].again_ms = -1;
        fb_timer_init(&f->twins[i].timer, f->loop, on_expired);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < N_TIMERS; i++) {
        fb_timer_clear(&f->twins[i].timer);
    }
    fb_loop_free(f->loop);
    fb_free(f);
    return 0;
}

static void advance(struct fixture *f, uint64_t ms)
{
    f->now_ms += ms;
    test_clock_advance_ms(&f->clock, ms);
    fb_loop_turn(f->loop);
    assert_int_equal(fb_loop_now_ms(f->loop), f->now_ms);
}

static void a_timer_expires_once_and_not_early(void **state)
{
    struct fixture *f = *state;
    struct twin *twin = &f->twins[0];

    twin_set(twin, 10);
    advance(f, 9);
    assert_int_equal(twin->n_expired, 0);
    advance(f, 1);
    assert_int_equal(twin->n_expired, 1);
    advance(f, 1000);
    assert_int_equal(twin->n_expired, 1);
}

static void a_timer_may_be_moved_both_ways(void **state)
{
    struct fixture *f = *state;
    struct twin *twin = &f->twins[0];

    twin_set(twin, 10);
    advance(f, 5);
    twin_set(twin, 10);
    advance(f, 5);
    assert_int_equal(twin->n_expired, 0);
    twin_set(twin, 2);
    advance(f, 2);
    assert_int_equal(twin->n_expired, 1);
}

static void a_cleared_timer_stays_silent(void **state)
{
    struct fixture *f = *state;
    struct twin *twin = &f->twins[0];

    twin_set(twin, 10);
    fb_timer_clear(&twin->timer);
    assert_false(fb_timer_is_set(&twin->timer));
    fb_timer_clear(&twin->timer);
    advance(f, 100);
    assert_int_equal(twin->n_expired, 0);
}

static void on_expired_forever(struct fb_timer *timer)
{
    struct twin *twin = FB_CONTAINER_OF(timer, struct twin, timer);
    twin->n_expired++;
    fb_timer_set(timer, 0);
}

static void a_timer_that_sets_itself_to_nothing_does_not_hold_the_loop(void **state)
{
    struct fixture *f = *state;
    struct twin *twin = &f->twins[0];

    fb_timer_init(&twin->timer, f->loop, on_expired_forever);
    fb_timer_set(&twin->timer, 0);
    fb_loop_turn(f->loop);
    assert_in_range(twin->n_expired, 1, 4);
    unsigned n_before = twin->n_expired;
    fb_loop_turn_waiting(f->loop); /* must not wait */
    assert_true(twin->n_expired > n_before);
}

struct freed {
    struct fb_timer timer;
    struct fb_timer *other;
    bool *is_freed;
};

static void on_expired_free(struct fb_timer *timer)
{
    struct freed *freed = FB_CONTAINER_OF(timer, struct freed, timer);

    fb_timer_clear(freed->other);
    *freed->is_freed = true;
    fb_free(freed);
}

static void an_expiring_timer_may_free_itself_and_clear_another(void **state)
{
    struct fixture *f = *state;
    bool is_freed = false;
    struct freed *freed = FB_NEW(struct freed);

    freed->other = &f->twins[0].timer;
    freed->is_freed = &is_freed;
    fb_timer_init(&freed->timer, f->loop, on_expired_free);
    fb_timer_set(&freed->timer, 5);
    twin_set(&f->twins[0], 5);
    advance(f, 4);
    fb_timer_set(&f->twins[0].timer, 1);
    f->twins[0].deadline_ms = f->now_ms + 1;
    advance(f, 1);
    assert_true(is_freed);
}

/* ---- against the naive twin ---------------------------------------------- */

static uint64_t next_random(struct fixture *f, uint64_t below)
{
    f->seed ^= f->seed << 13;
    f->seed ^= f->seed >> 7;
    f->seed ^= f->seed << 17;
    return f->seed % below;
}

static void random_step(struct fixture *f)
{
    struct twin *twin = &f->twins[next_random(f, N_TIMERS)];

    switch (next_random(f, 8)) {
    case 0:
        fb_timer_clear(&twin->timer);
        twin->is_set = false;
        break;
    case 1:
        twin->again_ms = (int)next_random(f, 40) + 1;
        break;
    case 2: {
        uint64_t ms = next_random(f, 20);
        uint64_t then_ms = f->now_ms + ms;
        for (int i = 0; i < N_TIMERS; i++) {
            const struct twin *each = &f->twins[i];
            f->twins[i].n_due += each->is_set && each->deadline_ms <= then_ms;
        }
        advance(f, ms);
        break;
    }
    default:
        twin_set(twin, next_random(f, 60) + 1);
        break;
    }
}

static void random_use_agrees_with_the_naive_twin(void **state)
{
    struct fixture *f = *state;

    for (int n = 0; n < 40000; n++) {
        random_step(f);
        if (n % 50 != 0) {
            continue;
        }
        for (int i = 0; i < N_TIMERS; i++) {
            assert_int_equal(f->twins[i].n_expired, f->twins[i].n_due);
            assert_int_equal(fb_timer_is_set(&f->twins[i].timer), f->twins[i].is_set);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_timer_expires_once_and_not_early),
        TEST(a_timer_may_be_moved_both_ways),
        TEST(a_cleared_timer_stays_silent),
        TEST(a_timer_that_sets_itself_to_nothing_does_not_hold_the_loop),
        TEST(an_expiring_timer_may_free_itself_and_clear_another),
        TEST(random_use_agrees_with_the_naive_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
