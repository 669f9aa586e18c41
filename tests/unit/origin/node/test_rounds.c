#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/work.h"
#include "base/metrics/metrics.h"
#include "origin/node/rounds.h"
#include "tests/support/test_clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PERIOD_MS = 60000 };

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_pool *pool;
    struct fb_metrics *metrics;
    struct origin_rounds *rounds;
    struct fb_op stop;
    bool has_stopped;

    /* A round that waits until the test lets it go. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_shut;
    unsigned n_begun;
    unsigned n_inside;
    unsigned max_inside;
    int result;
};

static int fake_round(void *ctx)
{
    struct fixture *f = ctx;

    (void)pthread_mutex_lock(&f->lock);
    f->n_begun++;
    f->n_inside++;
    f->max_inside = FB_MAX(f->max_inside, f->n_inside);
    (void)pthread_cond_broadcast(&f->changed);
    while (f->is_shut) {
        (void)pthread_cond_wait(&f->changed, &f->lock);
    }
    f->n_inside--;
    int result = f->result;
    (void)pthread_mutex_unlock(&f->lock);
    return result;
}

static void shut(struct fixture *f, bool is_shut)
{
    (void)pthread_mutex_lock(&f->lock);
    f->is_shut = is_shut;
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
}

static unsigned begun(struct fixture *f)
{
    (void)pthread_mutex_lock(&f->lock);
    unsigned n = f->n_begun;
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

static void until_begun(struct fixture *f, unsigned n)
{
    (void)pthread_mutex_lock(&f->lock);
    while (f->n_begun < n) {
        (void)pthread_cond_wait(&f->changed, &f->lock);
    }
    (void)pthread_mutex_unlock(&f->lock);
}

static uint64_t ended(struct fixture *f)
{
    return fb_metrics_sum(f->metrics, "origin_round_runs_total");
}

static void turn_until_ended(struct fixture *f, uint64_t n)
{
    while (ended(f) < n) {
        fb_loop_turn_waiting(f->loop);
    }
}

static void advance(struct fixture *f, uint64_t ms)
{
    test_clock_advance_ms(&f->clock, ms);
    fb_loop_turn(f->loop);
}

static void on_stopped(struct fb_op *op)
{
    FB_CONTAINER_OF(op, struct fixture, stop)->has_stopped = true;
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->clock = test_clock_at_start();
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->changed, NULL);
    f->metrics = fb_metrics_new();
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    assert_int_equal(fb_pool_new("test", 2, 8, &f->pool), FB_OK);
    f->rounds = origin_rounds_new(
        &(struct origin_rounds_options){.loop = f->loop, .pool = f->pool, .metrics = f->metrics});
    origin_rounds_add(f->rounds, &(struct origin_round){"test", PERIOD_MS, fake_round, f});
    fb_op_init(&f->stop, f->loop, on_stopped);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (!f->has_stopped) {
        origin_rounds_stop(f->rounds, &f->stop);
    }
    while (!f->has_stopped) {
        fb_loop_turn(f->loop);
    }
    origin_rounds_free(f->rounds);
    fb_pool_free(f->pool);
    fb_loop_free(f->loop);
    fb_metrics_free(f->metrics);
    (void)pthread_mutex_destroy(&f->lock);
    (void)pthread_cond_destroy(&f->changed);
    fb_free(f);
    return 0;
}

static void the_first_run_is_at_the_start_and_the_next_a_period_later(void **state)
{
    struct fixture *f = *state;

    origin_rounds_start(f->rounds);
    turn_until_ended(f, 1);
    advance(f, PERIOD_MS - 1);
    assert_int_equal(begun(f), 1);
    advance(f, 1);
    turn_until_ended(f, 2);
    assert_int_equal(begun(f), 2);
}

static void a_run_longer_than_the_period_is_followed_by_one(void **state)
{
    struct fixture *f = *state;

    shut(f, true);
    origin_rounds_start(f->rounds);
    until_begun(f, 1);
    advance(f, 3 * PERIOD_MS);
    assert_int_equal(begun(f), 1);
    shut(f, false);
    turn_until_ended(f, 1);
    advance(f, 1);
    turn_until_ended(f, 2);
    advance(f, 1);
    assert_int_equal(begun(f), 2);
    assert_int_equal(f->max_inside, 1);
}

static void a_run_that_fails_is_counted_and_tried_again(void **state)
{
    struct fixture *f = *state;

    f->result = FB_E_BUSY;
    origin_rounds_start(f->rounds);
    turn_until_ended(f, 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "origin_round_failures_total"), 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "origin_round_last_success_seconds"), 0);
    f->result = FB_OK;
    advance(f, PERIOD_MS);
    turn_until_ended(f, 2);
    assert_int_equal(fb_metrics_sum(f->metrics, "origin_round_failures_total"), 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "origin_round_last_success_seconds"),
                     (uint64_t)f->clock.wall_now_ms / 1000);
}

static void the_stop_waits_for_the_run_under_way_and_none_follows(void **state)
{
    struct fixture *f = *state;

    shut(f, true);
    origin_rounds_start(f->rounds);
    until_begun(f, 1);
    origin_rounds_stop(f->rounds, &f->stop);
    advance(f, PERIOD_MS);
    assert_false(f->has_stopped);
    shut(f, false);
    while (!f->has_stopped) {
        fb_loop_turn_waiting(f->loop);
    }
    advance(f, PERIOD_MS);
    assert_int_equal(begun(f), 1);
}

static void rounds_that_never_started_stop(void **state)
{
    struct fixture *f = *state;

    origin_rounds_stop(f->rounds, &f->stop);
    fb_loop_turn(f->loop);
    assert_true(f->has_stopped);
    assert_int_equal(begun(f), 0);
}

static void a_run_that_waits_for_a_thread_is_taken_back_by_the_stop(void **state)
{
    struct fixture *f = *state;

    origin_rounds_add(f->rounds, &(struct origin_round){"second", PERIOD_MS, fake_round, f});
    origin_rounds_add(f->rounds, &(struct origin_round){"third", PERIOD_MS, fake_round, f});
    shut(f, true);
    origin_rounds_start(f->rounds); /* two threads for three */
    until_begun(f, 2);
    origin_rounds_stop(f->rounds, &f->stop);
    shut(f, false);
    while (!f->has_stopped) {
        fb_loop_turn_waiting(f->loop);
    }
    assert_int_equal(begun(f), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_run_is_at_the_start_and_the_next_a_period_later,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_longer_than_the_period_is_followed_by_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_run_that_fails_is_counted_and_tried_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_stop_waits_for_the_run_under_way_and_none_follows,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(rounds_that_never_started_stop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_that_waits_for_a_thread_is_taken_back_by_the_stop,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
