#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/op.h"
#include "base/loop/watch.h"
#include "tests/support/test_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    int fd;
    struct fb_watch *watch;
    unsigned n_readable;
    bool is_read_once;

    struct fb_flush flush;
    unsigned n_flushes;
    unsigned n_again;
    struct fb_op op;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.clock = test_clock_at_start(), .fd = eventfd(0, EFD_CLOEXEC)};
    assert_true(f.fd >= 0);
    assert_int_equal(fb_loop_new(&f.clock.clock, &f.loop), FB_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_watch_free(f->watch);
    close(f->fd);
    fb_loop_free(f->loop);
    return 0;
}

static void on_readable(void *ctx)
{
    struct fixture *f = ctx;
    eventfd_t value = 0;

    f->n_readable++;
    if (f->is_read_once) {
        assert_int_equal(eventfd_read(f->fd, &value), 0);
    }
}

static void a_watch_calls_while_there_is_something_to_read(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fb_watch_new(f->loop, f->fd, on_readable, f, &f->watch), FB_OK);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_readable, 0);
    assert_int_equal(eventfd_write(f->fd, 1), 0);
    fb_loop_turn_waiting(f->loop);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_readable, 2);
    f->is_read_once = true;
    fb_loop_turn(f->loop);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_readable, 3);
}

static void on_readable_free(void *ctx)
{
    struct fixture *f = ctx;

    f->n_readable++;
    fb_watch_free(f->watch);
    f->watch = NULL;
}

static void a_watch_may_be_freed_by_its_own_call(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fb_watch_new(f->loop, f->fd, on_readable_free, f, &f->watch), FB_OK);
    assert_int_equal(eventfd_write(f->fd, 1), 0);
    fb_loop_turn_waiting(f->loop);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_readable, 1);
}

static void a_file_cannot_be_watched(void **state)
{
    struct fixture *f = *state;
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_int_equal(fb_watch_new(f->loop, fd, on_readable, f, &f->watch), -EPERM);
    assert_null(f->watch);
    close(fd);
}

static void on_flush(struct fb_flush *flush)
{
    struct fixture *f = FB_CONTAINER_OF(flush, struct fixture, flush);

    f->n_flushes++;
    if (f->n_again > 0) {
        f->n_again--;
        fb_flush_soon(flush, f->loop);
    }
}

static void a_flush_runs_once_however_often_it_is_asked_for(void **state)
{
    struct fixture *f = *state;

    fb_flush_init(&f->flush, on_flush);
    fb_flush_soon(&f->flush, f->loop);
    fb_flush_soon(&f->flush, f->loop);
    assert_int_equal(f->n_flushes, 0);
    fb_loop_turn(f->loop);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_flushes, 1);
}

static void a_flush_that_asks_again_does_not_hold_the_loop(void **state)
{
    struct fixture *f = *state;

    fb_flush_init(&f->flush, on_flush);
    f->n_again = 1;
    fb_flush_soon(&f->flush, f->loop);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_flushes, 1);
    fb_loop_turn(f->loop);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_flushes, 2);
}

static void a_flush_may_be_taken_back(void **state)
{
    struct fixture *f = *state;

    fb_flush_init(&f->flush, on_flush);
    fb_flush_clear(&f->flush);
    fb_flush_soon(&f->flush, f->loop);
    fb_flush_clear(&f->flush);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_flushes, 0);
}

static void on_op(struct fb_op *op)
{
    struct fixture *f = FB_CONTAINER_OF(op, struct fixture, op);
    fb_flush_soon(&f->flush, f->loop);
}

static void what_operations_ask_for_is_flushed_before_polling(void **state)
{
    struct fixture *f = *state;

    fb_flush_init(&f->flush, on_flush);
    fb_op_init(&f->op, f->loop, on_op);
    fb_op_begin(&f->op, NULL);
    fb_op_finish(&f->op, FB_OK);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_flushes, 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_watch_calls_while_there_is_something_to_read),
        TEST(a_watch_may_be_freed_by_its_own_call),
        TEST(a_file_cannot_be_watched),
        TEST(a_flush_runs_once_however_often_it_is_asked_for),
        TEST(a_flush_that_asks_again_does_not_hold_the_loop),
        TEST(a_flush_may_be_taken_back),
        TEST(what_operations_ask_for_is_flushed_before_polling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
