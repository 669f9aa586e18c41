#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/file_reader.h"
#include "base/loop/loop.h"
#include "base/loop/work.h"
#include "tests/support/test_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { FILE_BYTES = 3 * FB_FILE_READER_PIECE + 17 };

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_pool *pool;
    char *bytes; /* what the file holds */
    struct fb_op wait;
    unsigned n_waits;
};

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
    assert_int_equal(fb_pool_new("test", 1, 4, &f->pool), FB_OK);
    fb_op_init(&f->wait, f->loop, on_wait);
    f->bytes = fb_alloc(FILE_BYTES);
    for (size_t i = 0; i < FILE_BYTES; i++) {
        f->bytes[i] = (char)(i * 7 % 101);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_pool_free(f->pool);
    fb_loop_free(f->loop);
    fb_free(f->bytes);
    fb_free(f);
    return 0;
}

static int open_file(const struct fixture *f)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, f->bytes, FILE_BYTES), FILE_BYTES);
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int read_all(struct fixture *f, struct fb_reader *reader, struct fb_buf *buf)
{
    for (;;) {
        struct fb_slice slice;
        int err = fb_reader_next(reader, &slice);
        if (err == FB_OK) {
            fb_buf_append(buf, slice.bytes);
            fb_slice_release(&slice);
        } else if (err == FB_E_LATER) {
            unsigned n_waits = f->n_waits;
            fb_reader_wait(reader, &f->wait);
            while (f->n_waits == n_waits) {
                fb_loop_turn_waiting(f->loop);
            }
        } else {
            return err;
        }
    }
}

static void any_part_of_a_file_is_read(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t offset;
        uint64_t length;
    } parts[] = {
        {0, FILE_BYTES},
        {0, 0},
        {5, 1},
        {FILE_BYTES - 1, 1},
        {100, FB_FILE_READER_PIECE},
        {1, FB_FILE_READER_PIECE + 1},
        {FILE_BYTES, 0},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(parts); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf got = {0};
        int fd = open_file(f);
        struct fb_reader *reader =
            fb_file_reader_open(f->loop, f->pool, fd, parts[i].offset, parts[i].length);
        assert_int_equal(read_all(f, reader, &got), FB_E_END);
        assert_int_equal(got.len, parts[i].length);
        assert_true(got.len == 0 || memcmp(got.ptr, f->bytes + parts[i].offset, got.len) == 0);
        fb_reader_close(reader);
        assert_false(is_open(fd));
    }
}

static void a_file_shorter_than_asked_for_is_no_end(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct fb_reader *reader =
        fb_file_reader_open(f->loop, f->pool, open_file(f), 0, FILE_BYTES + 1);

    assert_int_equal(read_all(f, reader, &got), FB_E_CLOSED);
    fb_reader_close(reader);
}

static void a_failing_read_is_told_and_stays(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    int fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct fb_reader *reader = fb_file_reader_open(f->loop, f->pool, fd, 0, 10);
    struct fb_slice slice;

    assert_int_equal(read_all(f, reader, &got), -EISDIR);
    assert_int_equal(fb_reader_next(reader, &slice), -EISDIR);
    fb_reader_close(reader);
}

static void it_may_be_closed_while_a_read_is_under_way(void **state)
{
    struct fixture *f = *state;

    for (int n = 0; n < 50; n++) {
        int fd = open_file(f);
        struct fb_reader *reader = fb_file_reader_open(f->loop, f->pool, fd, 0, FILE_BYTES);
        struct fb_slice slice;
        assert_int_equal(fb_reader_next(reader, &slice), FB_E_LATER);
        if (n % 2 == 0) {
            fb_reader_wait(reader, &f->wait);
            fb_op_cancel(&f->wait);
        }
        for (int i = 0; i < n % 5; i++) {
            fb_loop_turn(f->loop);
        }
        fb_reader_close(reader);
        while (is_open(fd)) {
            fb_loop_turn_waiting(f->loop);
        }
        fb_loop_turn(f->loop);
    }
}

static void a_full_pool_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct fb_pool *full = NULL;

    assert_int_equal(fb_pool_new("full", 1, 0, &full), FB_OK); /* takes nothing */
    struct fb_reader *reader = fb_file_reader_open(f->loop, full, open_file(f), 0, 10);
    struct fb_slice slice;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fb_reader_next(reader, &slice), FB_E_LATER);
        test_clock_advance_ms(&f->clock, 5);
        fb_loop_turn(f->loop);
    }
    fb_reader_wait(reader, &f->wait);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_waits, 0);
    fb_op_cancel(&f->wait);
    fb_loop_turn(f->loop);
    fb_reader_close(reader);
    fb_loop_turn(f->loop);
    fb_pool_free(full);
}

struct block {
    struct fb_work work;
    int fd;
};

static int run_block(struct fb_work *work)
{
    char byte;
    return (int)read(FB_CONTAINER_OF(work, struct block, work)->fd, &byte, 1);
}

static void on_block(struct fb_op *op)
{
    (void)op;
}

static void it_reads_on_when_the_pool_has_room_again(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct block blocks[5];
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    for (int i = 0; i < 5; i++) {
        blocks[i] = (struct block){.fd = ends[0]};
        fb_op_init(&blocks[i].work.op, f->loop, on_block);
        blocks[i].work.run = run_block;
        do {
            fb_work_start(f->pool, &blocks[i].work);
            fb_loop_turn(f->loop); /* the first must have left the queue */
        } while (fb_op_is_idle(&blocks[i].work.op));
    }
    struct fb_reader *reader = fb_file_reader_open(f->loop, f->pool, open_file(f), 0, 10);
    struct fb_slice slice;
    assert_int_equal(fb_reader_next(reader, &slice), FB_E_LATER);
    fb_loop_turn(f->loop);
    assert_int_equal(write(ends[1], "12345", 5), 5);
    for (int i = 0; i < 5; i++) {
        while (!fb_op_is_idle(&blocks[i].work.op)) {
            fb_loop_turn_waiting(f->loop);
        }
    }
    test_clock_advance_ms(&f->clock, 5);
    assert_int_equal(read_all(f, reader, &got), FB_E_END);
    assert_int_equal(got.len, 10);
    fb_reader_close(reader);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_slice_outlives_its_reader(void **state)
{
    struct fixture *f = *state;
    struct fb_reader *reader = fb_file_reader_open(f->loop, f->pool, open_file(f), 0, 10);
    struct fb_slice slice;

    while (fb_reader_next(reader, &slice) == FB_E_LATER) {
        fb_loop_turn_waiting(f->loop);
    }
    fb_reader_close(reader);
    assert_memory_equal(slice.bytes.ptr, f->bytes, 10);
    fb_slice_release(&slice);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(any_part_of_a_file_is_read),       TEST(a_file_shorter_than_asked_for_is_no_end),
        TEST(a_failing_read_is_told_and_stays), TEST(it_may_be_closed_while_a_read_is_under_way),
        TEST(a_full_pool_is_waited_for),        TEST(it_reads_on_when_the_pool_has_room_again),
        TEST(a_slice_outlives_its_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
