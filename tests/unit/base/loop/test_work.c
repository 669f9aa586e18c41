#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/work.h"
#include "tests/support/test_clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>

#include <cmocka.h>

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_pool *pool;
    unsigned n_done;

    /* Work that waits until the test lets it go. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_open;
    unsigned n_held;
    unsigned n_ordered; /* of the one thread that counts */
};

struct task {
    struct fb_work work;
    struct fixture *f;
    int result;
    unsigned n_runs;
    unsigned n_done;
    unsigned order; /* the how manieth it was */
};

static void on_done(struct fb_op *op)
{
    struct task *task = FB_CONTAINER_OF(op, struct task, work.op);
    task->n_done++;
    task->f->n_done++;
}

static int run_plain(struct fb_work *work)
{
    struct task *task = FB_CONTAINER_OF(work, struct task, work);
    task->n_runs++;
    return task->result;
}

static int run_held(struct fb_work *work)
{
    struct fixture *f = FB_CONTAINER_OF(work, struct task, work)->f;

    (void)pthread_mutex_lock(&f->lock);
    f->n_held++;
    (void)pthread_cond_broadcast(&f->changed);
    while (!f->is_open) {
        (void)pthread_cond_wait(&f->changed, &f->lock);
    }
    (void)pthread_mutex_unlock(&f->lock);
    return run_plain(work);
}

static int run_in_order(struct fb_work *work)
{
    struct task *task = FB_CONTAINER_OF(work, struct task, work);

    task->order = ++task->f->n_ordered;
    return run_plain(work);
}

/* Its own nice value as the result. */
static int run_and_tell_nice(struct fb_work *work)
{
    (void)run_plain(work);
    return getpriority(PRIO_PROCESS, 0);
}

static void until_held(struct fixture *f, unsigned n)
{
    (void)pthread_mutex_lock(&f->lock);
    while (f->n_held < n) {
        (void)pthread_cond_wait(&f->changed, &f->lock);
    }
    (void)pthread_mutex_unlock(&f->lock);
}

static void let_go(struct fixture *f)
{
    (void)pthread_mutex_lock(&f->lock);
    f->is_open = true;
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->clock = test_clock_at_start();
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->changed, NULL);
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    assert_int_equal(fb_pool_new("test", 2, 3, &f->pool), FB_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_pool_free(f->pool);
    fb_loop_free(f->loop);
    (void)pthread_mutex_destroy(&f->lock);
    (void)pthread_cond_destroy(&f->changed);
    fb_free(f);
    return 0;
}

static void start(struct task *task, struct fixture *f, int (*run)(struct fb_work *work))
{
    *task = (struct task){.f = f};
    fb_op_init(&task->work.op, f->loop, on_done);
    task->work.run = run;
    fb_work_start(f->pool, &task->work);
}

static void turn_until_done(struct fixture *f, unsigned n)
{
    while (f->n_done < n) {
        fb_loop_turn_waiting(f->loop);
    }
}

static void work_runs_once_and_its_result_comes_back(void **state)
{
    struct fixture *f = *state;
    struct task task;

    start(&task, f, run_plain);
    turn_until_done(f, 1);
    assert_int_equal(task.n_runs, 1);
    assert_int_equal(task.work.op.result, FB_OK);

    task.result = -5;
    fb_work_start(f->pool, &task.work);
    turn_until_done(f, 2);
    assert_int_equal(task.n_runs, 2);
    assert_int_equal(task.work.op.result, -5);
}

static void threads_that_give_way_are_behind_loops(void **state)
{
    struct fixture *f = *state;
    int of_loop = getpriority(PRIO_PROCESS, 0);
    struct task task;

    fb_pool_give_way(f->pool);
    start(&task, f, run_and_tell_nice);
    turn_until_done(f, 1);
    assert_int_equal(task.work.op.result, of_loop < 5 ? 5 : of_loop);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), of_loop);
}

/* The last test, for only root can take it back: this process stays behind. */
static void threads_that_are_behind_already_stay_where_they_are(void **state)
{
    struct fixture *f = *state;
    struct fb_pool *usual = f->pool;
    int nice = FB_MAX(9, getpriority(PRIO_PROCESS, 0));
    struct task task;

    assert_int_equal(setpriority(PRIO_PROCESS, 0, nice), 0);
    assert_int_equal(fb_pool_new("behind", 1, 1, &f->pool), FB_OK);
    fb_pool_give_way(f->pool);
    start(&task, f, run_and_tell_nice);
    turn_until_done(f, 1);
    assert_int_equal(task.work.op.result, nice);
    fb_pool_free(f->pool);
    f->pool = usual;
}

static void more_than_the_queue_holds_is_busy(void **state)
{
    struct fixture *f = *state;
    struct task tasks[6];

    start(&tasks[0], f, run_held);
    start(&tasks[1], f, run_held);
    until_held(f, 2);
    for (int i = 2; i < 6; i++) {
        start(&tasks[i], f, run_plain);
    }
    assert_int_equal(fb_pool_queued(f->pool), 3);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_done, 1);
    assert_int_equal(tasks[5].work.op.result, FB_E_BUSY);
    assert_int_equal(tasks[5].n_runs, 0);
    let_go(f);
    turn_until_done(f, 6);
    assert_int_equal(fb_pool_queued(f->pool), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(tasks[i].n_runs, 1);
        assert_int_equal(tasks[i].work.op.result, FB_OK);
    }
}

/* Puts work of a client into the queue; what runs tells its place. */
static void start_for(struct task *task, struct fixture *f, struct fb_pool *pool, uint64_t client)
{
    *task = (struct task){.f = f};
    fb_op_init(&task->work.op, f->loop, on_done);
    task->work.run = run_in_order;
    task->work.client = client;
    fb_work_start(pool, &task->work);
}

static void a_client_with_much_work_does_not_hold_up_the_next(void **state)
{
    enum { CROWD = 1, NEXT = 2, QUEUED_MAX = 8 };
    struct fixture *f = *state;
    struct fb_pool *pool = NULL;
    struct task holder = {.f = f};
    struct task crowd[5];
    struct task next;

    assert_int_equal(fb_pool_new("fair", 1, QUEUED_MAX, &pool), FB_OK);
    fb_op_init(&holder.work.op, f->loop, on_done);
    holder.work.run = run_held;
    fb_work_start(pool, &holder.work);
    until_held(f, 1);
    for (int i = 0; i < 5; i++) {
        start_for(&crowd[i], f, pool, CROWD);
    }
    start_for(&next, f, pool, NEXT);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_done, 1);
    assert_int_equal(crowd[4].work.op.result, FB_E_BUSY); /* beyond half the queue */
    fb_op_cancel(&crowd[3].work.op);
    fb_loop_turn(f->loop);
    start_for(&crowd[3], f, pool, CROWD); /* its place was given back */
    let_go(f);
    turn_until_done(f, 8);
    assert_int_equal(crowd[0].order, 1);
    assert_int_equal(crowd[1].order, 2);
    assert_int_equal(next.order, 3);
    assert_int_equal(crowd[2].order, 4);
    assert_int_equal(crowd[3].order, 5);
    assert_int_equal(fb_pool_queued(pool), 0);
    fb_pool_free(pool);
}

static void queued_work_is_canceled_and_running_work_is_not(void **state)
{
    struct fixture *f = *state;
    struct task tasks[4];

    start(&tasks[0], f, run_held);
    start(&tasks[1], f, run_held);
    until_held(f, 2);
    start(&tasks[2], f, run_plain);
    start(&tasks[3], f, run_plain);
    fb_op_cancel(&tasks[0].work.op);
    fb_op_cancel(&tasks[2].work.op);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_done, 1);
    assert_int_equal(tasks[2].work.op.result, FB_E_CANCELED);
    let_go(f);
    turn_until_done(f, 4);
    assert_int_equal(tasks[0].work.op.result, FB_OK);
    assert_int_equal(tasks[2].n_runs, 0);
    assert_int_equal(tasks[3].n_runs, 1);
}

static void canceling_at_any_moment_ends_in_one_done(void **state)
{
    struct fixture *f = *state;

    for (unsigned n = 0; n < 2000; n++) {
        struct task task;
        start(&task, f, run_plain);
        for (unsigned i = 0; i < n % 7; i++) {
            fb_loop_turn(f->loop);
        }
        fb_op_cancel(&task.work.op);
        turn_until_done(f, n + 1);
        assert_int_equal(task.n_done, 1);
        assert_int_equal(task.work.op.result, task.n_runs == 1 ? FB_OK : FB_E_CANCELED);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(work_runs_once_and_its_result_comes_back),
        TEST(threads_that_give_way_are_behind_loops),
        TEST(more_than_the_queue_holds_is_busy),
        TEST(a_client_with_much_work_does_not_hold_up_the_next),
        TEST(queued_work_is_canceled_and_running_work_is_not),
        TEST(canceling_at_any_moment_ends_in_one_done),
        TEST(threads_that_are_behind_already_stay_where_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
