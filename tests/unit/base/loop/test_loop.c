#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/op.h"
#include "base/loop/thread.h"
#include "base/loop/timer.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
};

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->clock = test_clock_at_start();
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_loop_free(f->loop);
    fb_free(f);
    return 0;
}

/* ---- operations ---------------------------------------------------------- */

struct job {
    struct fb_op op;
    unsigned n_done;
    unsigned n_cancels;
    unsigned n_again; /* restarts itself so often */
};

static void job_cancel(struct fb_op *op)
{
    struct job *job = FB_CONTAINER_OF(op, struct job, op);
    job->n_cancels++;
    fb_op_finish(op, FB_E_CANCELED);
}

static void on_job_done(struct fb_op *op)
{
    struct job *job = FB_CONTAINER_OF(op, struct job, op);

    assert_true(fb_op_is_idle(op));
    job->n_done++;
    if (job->n_again > 0) {
        job->n_again--;
        fb_op_begin(op, job_cancel);
        fb_op_finish(op, FB_OK);
    }
}

static void job_begin(struct job *job, struct fb_loop *loop)
{
    *job = (struct job){0};
    fb_op_init(&job->op, loop, on_job_done);
    fb_op_begin(&job->op, job_cancel);
}

static void done_runs_once_and_never_inside_finish(void **state)
{
    struct fixture *f = *state;
    struct job job;

    job_begin(&job, f->loop);
    fb_op_finish(&job.op, -5);
    assert_int_equal(job.n_done, 0);
    fb_loop_turn(f->loop);
    fb_loop_turn(f->loop);
    assert_int_equal(job.n_done, 1);
    assert_int_equal(job.op.result, -5);
}

static void cancel_asks_once_and_not_when_the_outcome_stands(void **state)
{
    struct fixture *f = *state;
    struct job job;

    job_begin(&job, f->loop);
    fb_op_cancel(&job.op);
    fb_op_cancel(&job.op);
    assert_int_equal(job.n_done, 0);
    fb_loop_turn(f->loop);
    assert_int_equal(job.n_cancels, 1);
    assert_int_equal(job.n_done, 1);
    assert_int_equal(job.op.result, FB_E_CANCELED);
    fb_op_cancel(&job.op); /* idle */

    job_begin(&job, f->loop);
    fb_op_finish(&job.op, FB_OK);
    fb_op_cancel(&job.op);
    fb_loop_turn(f->loop);
    assert_int_equal(job.n_cancels, 0);
    assert_int_equal(job.op.result, FB_OK);
}

static void an_operation_may_be_begun_again_inside_done(void **state)
{
    struct fixture *f = *state;
    struct job job;

    job_begin(&job, f->loop);
    job.n_again = 3;
    fb_op_finish(&job.op, FB_OK);
    for (int i = 0; i < 4; i++) {
        fb_loop_turn(f->loop);
    }
    assert_int_equal(job.n_done, 4);
}

struct order {
    struct fb_op op;
    int *next;
    int seen;
};

static void on_order(struct fb_op *op)
{
    struct order *order = FB_CONTAINER_OF(op, struct order, op);
    order->seen = (*order->next)++;
}

static void operations_are_done_in_the_order_in_which_they_finished(void **state)
{
    struct fixture *f = *state;
    struct order orders[10];
    int next = 0;

    for (int i = 0; i < 10; i++) {
        orders[i].next = &next;
        fb_op_init(&orders[i].op, f->loop, on_order);
        fb_op_begin(&orders[i].op, NULL);
    }
    for (int i = 9; i >= 0; i--) {
        fb_op_finish(&orders[i].op, FB_OK);
    }
    fb_loop_turn(f->loop);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(orders[i].seen, 9 - i);
    }
}

static void a_chain_of_immediate_completions_does_not_hold_the_loop(void **state)
{
    struct fixture *f = *state;
    struct job job;

    job_begin(&job, f->loop);
    job.n_again = 10000;
    fb_op_finish(&job.op, FB_OK);
    fb_loop_turn(f->loop);
    assert_in_range(job.n_done, 1, 100);
    while (job.n_done < 10001) {
        fb_loop_turn_waiting(f->loop); /* must not wait */
    }
}

/* ---- timers set by what a turn runs -------------------------------------- */

struct alarm {
    struct fb_op op;
    struct fb_timer timer;
    unsigned n_expired;
};

static void on_alarm(struct fb_timer *timer)
{
    struct alarm *alarm = FB_CONTAINER_OF(timer, struct alarm, timer);
    alarm->n_expired++;
}

static void on_set_alarm(struct fb_op *op)
{
    struct alarm *alarm = FB_CONTAINER_OF(op, struct alarm, op);
    fb_timer_set(&alarm->timer, 5);
}

static void a_timer_set_by_a_finished_operation_is_not_slept_past(void **state)
{
    (void)state;
    struct fb_loop *loop = NULL;
    struct alarm alarm = {0};
    struct fb_timer far;

    /* The machine's own clock: the loop really sleeps. */
    assert_int_equal(fb_loop_new(fb_clock_system(), &loop), FB_OK);
    fb_timer_init(&far, loop, on_alarm);
    fb_timer_set(&far, 3600 * 1000);
    fb_timer_init(&alarm.timer, loop, on_alarm);
    fb_op_init(&alarm.op, loop, on_set_alarm);
    fb_loop_turn(loop);
    fb_op_begin(&alarm.op, NULL);
    fb_op_finish(&alarm.op, FB_OK);
    while (alarm.n_expired == 0) {
        fb_loop_turn_waiting(loop);
    }
    fb_timer_clear(&far);
    fb_loop_free(loop);
}

/* ---- mail ---------------------------------------------------------------- */

struct letter {
    struct fb_post post;
    unsigned *n_read;
    unsigned seen;
};

static void on_letter(struct fb_post *post)
{
    struct letter *letter = FB_CONTAINER_OF(post, struct letter, post);
    letter->seen = (*letter->n_read)++;
}

static void mail_is_read_in_order_of_arrival(void **state)
{
    struct fixture *f = *state;
    struct letter letters[5];
    unsigned n_read = 0;

    for (unsigned i = 0; i < 5; i++) {
        letters[i] = (struct letter){.post = {.run = on_letter}, .n_read = &n_read};
        fb_loop_post(f->loop, &letters[i].post);
    }
    assert_int_equal(n_read, 0);
    while (n_read < 5) {
        fb_loop_turn_waiting(f->loop);
    }
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(letters[i].seen, i);
    }
}

/* Two loops on threads that throw balls to each other, then to a third. */
enum { N_BALLS = 4, N_THROWS = 10000 };

struct ball {
    struct fb_post post;
    struct fb_loop *sides[2];
    unsigned n_throws;
    struct fb_loop *home;
    unsigned *n_home; /* on the home loop */
};

static void on_ball_home(struct fb_post *post)
{
    struct ball *ball = FB_CONTAINER_OF(post, struct ball, post);
    (*ball->n_home)++;
}

static void on_ball(struct fb_post *post)
{
    struct ball *ball = FB_CONTAINER_OF(post, struct ball, post);

    assert_true(fb_loop_is_mine(ball->sides[ball->n_throws % 2]));
    ball->n_throws++;
    if (ball->n_throws == N_THROWS) {
        ball->post.run = on_ball_home;
        fb_loop_post(ball->home, &ball->post);
    } else {
        fb_loop_post(ball->sides[ball->n_throws % 2], &ball->post);
    }
}

static void no_mail_between_threads_is_lost(void **state)
{
    struct fixture *f = *state;
    struct fb_loop *sides[2];
    struct fb_thread *threads[2];
    struct ball balls[N_BALLS];
    unsigned n_home = 0;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(fb_loop_new(fb_clock_system(), &sides[i]), FB_OK);
        assert_int_equal(fb_thread_start("side", sides[i], &threads[i]), FB_OK);
    }
    for (int n = 0; n < N_BALLS; n++) {
        balls[n] = (struct ball){.post = {.run = on_ball},
                                 .sides = {sides[0], sides[1]},
                                 .home = f->loop,
                                 .n_home = &n_home};
        fb_loop_post(sides[0], &balls[n].post);
    }
    while (n_home < N_BALLS) {
        fb_loop_turn_waiting(f->loop);
    }
    for (int i = 0; i < 2; i++) {
        fb_loop_stop(sides[i]);
        fb_thread_join(threads[i]);
        fb_loop_free(sides[i]);
    }
}

/* Many threads that post to one loop. */
enum { N_THREADS = 4, N_LETTERS = 5000 };

struct crowd {
    struct fb_loop *loop;
    struct crowd_letter {
        struct fb_post post;
        struct crowd *crowd;
    } letters[N_THREADS][N_LETTERS];
    unsigned n_read; /* on the loop */
    atomic_uint n_threads;
};

static void on_crowd_letter(struct fb_post *post)
{
    struct crowd *crowd = FB_CONTAINER_OF(post, struct crowd_letter, post)->crowd;

    if (++crowd->n_read == N_THREADS * N_LETTERS) {
        fb_loop_stop(crowd->loop);
    }
}

static void crowd_body(void *ctx)
{
    struct crowd *crowd = ctx;
    unsigned me = atomic_fetch_add(&crowd->n_threads, 1);

    for (int i = 0; i < N_LETTERS; i++) {
        struct crowd_letter *letter = &crowd->letters[me][i];
        *letter = (struct crowd_letter){.post = {.run = on_crowd_letter}, .crowd = crowd};
        fb_loop_post(crowd->loop, &letter->post);
    }
}

static void mail_from_many_threads_all_arrives(void **state)
{
    struct fixture *f = *state;
    struct crowd *crowd = FB_NEW(struct crowd);
    struct fb_thread *threads[N_THREADS];

    crowd->loop = f->loop;
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(fb_thread_start_body("crowd", crowd_body, crowd, &threads[i]), FB_OK);
    }
    fb_loop_run(f->loop);
    for (int i = 0; i < N_THREADS; i++) {
        fb_thread_join(threads[i]);
    }
    assert_int_equal(crowd->n_read, N_THREADS * N_LETTERS);
    fb_free(crowd);
}

/* ---- stopping, signals --------------------------------------------------- */

static void stopping_before_or_twice_is_fine(void **state)
{
    struct fixture *f = *state;

    fb_loop_stop(f->loop);
    fb_loop_stop(f->loop);
    fb_loop_run(f->loop);
    fb_loop_stop(f->loop); /* unread when the loop is freed */
}

static void on_signal(void *ctx, int signum)
{
    int *caught = ctx;
    *caught = signum;
}

static void a_signal_is_caught_on_the_loop(void **state)
{
    struct fixture *f = *state;
    int caught = 0;

    assert_int_equal(fb_loop_on_signal(f->loop, SIGUSR1, on_signal, &caught), FB_OK);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    while (caught == 0) {
        fb_loop_turn_waiting(f->loop);
    }
    assert_int_equal(caught, SIGUSR1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(done_runs_once_and_never_inside_finish),
        TEST(cancel_asks_once_and_not_when_the_outcome_stands),
        TEST(an_operation_may_be_begun_again_inside_done),
        TEST(operations_are_done_in_the_order_in_which_they_finished),
        TEST(a_chain_of_immediate_completions_does_not_hold_the_loop),
        TEST(a_timer_set_by_a_finished_operation_is_not_slept_past),
        TEST(mail_is_read_in_order_of_arrival),
        TEST(no_mail_between_threads_is_lost),
        TEST(mail_from_many_threads_all_arrives),
        TEST(stopping_before_or_twice_is_fine),
        TEST(a_signal_is_caught_on_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
