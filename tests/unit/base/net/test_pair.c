#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/net/pair.h"
#include "base/net/stream.h"
#include "tests/support/test_clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_stream *a;
    struct fb_stream *b;
    struct fb_stream_write write; /* of a */
    struct fb_op wait;            /* for b */
    unsigned n_writes;
    unsigned n_waits;
};

static void on_write(struct fb_op *op)
{
    struct fixture *f = FB_CONTAINER_OF(op, struct fixture, write.op);
    f->n_writes++;
}

static void on_wait(struct fb_op *op)
{
    struct fixture *f = FB_CONTAINER_OF(op, struct fixture, wait);
    f->n_waits++;
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->clock = test_clock_at_start();
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    fb_stream_pair(f->loop, 4, &f->a, &f->b);
    fb_op_init(&f->write.op, f->loop, on_write);
    fb_op_init(&f->wait, f->loop, on_wait);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_stream_close(f->a);
    fb_stream_close(f->b);
    fb_loop_turn(f->loop);
    fb_loop_free(f->loop);
    fb_free(f);
    return 0;
}

static void write_a(struct fixture *f, const struct fb_str *pieces, size_t n_pieces)
{
    f->write.pieces = pieces;
    f->write.n_pieces = n_pieces;
    fb_stream_write(f->a, &f->write);
    fb_loop_turn(f->loop);
}

/* What b gives next, which must be `expected`. */
static void assert_reads(struct fixture *f, struct fb_str expected)
{
    struct fb_slice slice;

    assert_int_equal(fb_reader_next(&f->b->reader, &slice), FB_OK);
    assert_true(fb_str_equal(slice.bytes, expected));
    fb_slice_release(&slice);
}

static int reads(struct fixture *f)
{
    struct fb_slice slice;
    int err = fb_reader_next(&f->b->reader, &slice);

    assert_int_not_equal(err, FB_OK);
    return err;
}

static void a_write_finishes_when_its_last_byte_is_taken(void **state)
{
    struct fixture *f = *state;
    const struct fb_str pieces[] = {FB_STR("ab"), FB_STR(""), FB_STR("cdefg"), FB_STR("hi")};

    write_a(f, pieces, FB_ARRAY_LEN(pieces));
    assert_int_equal(fb_stream_unsent(f->a), 5);
    assert_reads(f, FB_STR("abcd"));
    assert_int_equal(fb_stream_unsent(f->a), 1);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_writes, 0);
    assert_reads(f, FB_STR("efgh"));
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_writes, 1);
    assert_int_equal(f->write.op.result, FB_OK);
    assert_reads(f, FB_STR("i"));
    assert_int_equal(reads(f), FB_E_LATER);
}

static void a_wait_ends_with_bytes_or_the_end(void **state)
{
    struct fixture *f = *state;
    const struct fb_str piece = FB_STR("x");

    fb_reader_wait(&f->b->reader, &f->wait);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_waits, 0);
    write_a(f, &piece, 1);
    assert_int_equal(f->n_waits, 1);
    assert_reads(f, FB_STR("x"));

    fb_reader_wait(&f->b->reader, &f->wait);
    fb_stream_shut(f->a);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_waits, 2);
    assert_int_equal(reads(f), FB_E_END);
}

static void shutting_comes_after_what_was_written(void **state)
{
    struct fixture *f = *state;
    const struct fb_str piece = FB_STR("abcdef");

    write_a(f, &piece, 1);
    fb_stream_shut(f->a);
    assert_reads(f, FB_STR("abcd"));
    assert_reads(f, FB_STR("ef"));
    assert_int_equal(reads(f), FB_E_END);
}

static void a_close_is_an_end_and_a_reset_is_none(void **state)
{
    struct fixture *f = *state;
    const struct fb_str piece = FB_STR("abcdef");

    write_a(f, &piece, 1);
    fb_stream_close(f->a);
    f->a = NULL;
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_writes, 1);
    assert_int_equal(f->write.op.result, FB_E_CANCELED);
    assert_reads(f, FB_STR("abcd"));
    assert_int_equal(reads(f), FB_E_END);
    fb_stream_close(f->b);

    fb_stream_pair(f->loop, 4, &f->a, &f->b);
    fb_reader_wait(&f->b->reader, &f->wait);
    fb_stream_reset(f->a);
    f->a = NULL;
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_waits, 1);
    assert_int_equal(reads(f), -ECONNRESET);
}

static void a_write_to_an_end_that_left_fails(void **state)
{
    struct fixture *f = *state;
    const struct fb_str piece = FB_STR("abcdef");

    write_a(f, &piece, 1);
    fb_stream_close(f->b);
    f->b = NULL;
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_writes, 1);
    assert_int_equal(f->write.op.result, -EPIPE);
    write_a(f, &piece, 1);
    assert_int_equal(f->n_writes, 2);
    assert_int_equal(f->write.op.result, -EPIPE);
}

static void closing_cancels_a_wait(void **state)
{
    struct fixture *f = *state;

    fb_reader_wait(&f->b->reader, &f->wait);
    fb_op_cancel(&f->wait);
    fb_loop_turn(f->loop);
    assert_int_equal(f->wait.result, FB_E_CANCELED);
    fb_reader_wait(&f->b->reader, &f->wait);
    fb_stream_close(f->b);
    f->b = NULL;
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_waits, 2);
    assert_int_equal(f->wait.result, FB_E_CANCELED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_write_finishes_when_its_last_byte_is_taken),
        TEST(a_wait_ends_with_bytes_or_the_end),
        TEST(shutting_comes_after_what_was_written),
        TEST(a_close_is_an_end_and_a_reset_is_none),
        TEST(a_write_to_an_end_that_left_fails),
        TEST(closing_cancels_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
