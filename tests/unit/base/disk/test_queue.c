#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/disk/queue.h"
#include "base/loop/loop.h"
#include "tests/support/test_disk.h"
#include "tests/support/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    FILE_BLOCKS = 1024,
    FILE_BYTES = FILE_BLOCKS * FB_DISK_BLOCK,
    MAX_IN_FLIGHT = 16, /* small, so that requests wait */
    N_MANY = 600
};

/* One request of a test, and what it reads or writes. */
struct request {
    struct fb_disk_io io;
    unsigned n_done;
};

struct fixture {
    struct test_folder folder;
    struct fb_loop *loop;
    struct fb_disk_queue *queue;
    struct fb_disk *disk;
};

static void on_done(struct fb_op *op)
{
    struct fb_disk_io *io = FB_CONTAINER_OF(op, struct fb_disk_io, op);
    FB_CONTAINER_OF(io, struct request, io)->n_done++;
}

static void set_up(struct fixture *f, bool without_ring)
{
    char path[TEST_PATH_MAX + 16];
    struct fb_diag diag;
    const struct fb_disk_queue_options options = {.without_ring = without_ring,
                                                  .max_in_flight = MAX_IN_FLIGHT};

    f->folder = test_folder_new();
    (void)snprintf(path, sizeof(path), "%s/volume", f->folder.path);
    assert_int_equal(fb_loop_new(fb_clock_system(), &f->loop), FB_OK);
    assert_int_equal(fb_disk_queue_new(f->loop, &options, &f->queue), FB_OK);
    assert_int_equal(
        fb_disk_open(path, &(struct fb_disk_options){.size = FILE_BYTES}, &f->disk, &diag), FB_OK);
}

static int set_up_ring(void **state)
{
    static struct fixture f;
    set_up(&f, false);
    *state = &f;
    return 0;
}

static int set_up_pool(void **state)
{
    static struct fixture f;
    set_up(&f, true);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fb_disk_queue_counts(f->queue).n_unfinished, 0);
    fb_disk_queue_free(f->queue);
    fb_disk_close(f->disk);
    fb_loop_free(f->loop);
    test_folder_done(&f->folder);
    return 0;
}

/* Makes `request` idle, with memory for `n_blocks` of its own. */
static void request_init(struct request *request, struct fixture *f, enum fb_disk_verb verb,
                         uint64_t block, size_t n_blocks)
{
    size_t n = n_blocks * FB_DISK_BLOCK;

    *request = (struct request){.io = {.disk = f->disk,
                                       .verb = verb,
                                       .offset = block * FB_DISK_BLOCK,
                                       .bytes = n == 0 ? NULL : fb_disk_buffer(n),
                                       .n = n}};
    fb_op_init(&request->io.op, f->loop, on_done);
}

static void request_done(struct request *request)
{
    fb_free(request->io.bytes);
}

static int request_run(struct request *request, struct fixture *f)
{
    unsigned n_done = request->n_done;

    fb_disk_start(f->queue, &request->io);
    assert_int_equal(request->n_done, n_done); /* never within the start */
    while (request->n_done == n_done) {
        fb_loop_turn_waiting(f->loop);
    }
    return request->io.op.result;
}

static void fill(void *bytes, size_t n_blocks, uint64_t block)
{
    for (size_t i = 0; i < n_blocks; i++) {
        memset((char *)bytes + i * FB_DISK_BLOCK, (int)((block + i) * 31 % 251), FB_DISK_BLOCK);
    }
}

static bool is_filled(const void *bytes, size_t n_blocks, uint64_t block)
{
    for (size_t i = 0; i < n_blocks * FB_DISK_BLOCK; i++) {
        uint8_t want = (uint8_t)((block + i / FB_DISK_BLOCK) * 31 % 251);
        if (((const uint8_t *)bytes)[i] != want) {
            return false;
        }
    }
    return true;
}

static void fill_disk(struct fixture *f)
{
    struct request write;

    request_init(&write, f, FB_DISK_WRITE, 0, FILE_BLOCKS);
    fill(write.io.bytes, FILE_BLOCKS, 0);
    assert_int_equal(request_run(&write, f), FB_OK);
    request_done(&write);
}

/* ---- tests, on the ring and on the pool -------------------------------- */

static void what_was_written_is_read(void **state)
{
    struct fixture *f = *state;
    struct request read;
    struct request sync;

    fill_disk(f);
    request_init(&sync, f, FB_DISK_SYNC, 0, 0);
    assert_int_equal(request_run(&sync, f), FB_OK);
    request_init(&read, f, FB_DISK_READ, 100, 256);
    assert_int_equal(request_run(&read, f), FB_OK);
    assert_true(is_filled(read.io.bytes, 256, 100));
    request_done(&read);
}

static void many_more_than_fit_are_all_done(void **state)
{
    struct fixture *f = *state;
    struct request *reads = fb_alloc_array(N_MANY, sizeof(struct request));

    fill_disk(f);
    for (size_t i = 0; i < N_MANY; i++) {
        request_init(&reads[i], f, FB_DISK_READ, i * 37 % (FILE_BLOCKS - 4), 1 + i % 4);
        fb_disk_start(f->queue, &reads[i].io);
    }
    while (fb_disk_queue_counts(f->queue).n_unfinished > 0) {
        fb_loop_turn_waiting(f->loop);
    }
    fb_loop_turn(f->loop);
    for (size_t i = 0; i < N_MANY; i++) {
        assert_int_equal(reads[i].n_done, 1);
        assert_int_equal(reads[i].io.op.result, FB_OK);
        assert_true(is_filled(reads[i].io.bytes, 1 + i % 4, i * 37 % (FILE_BLOCKS - 4)));
        request_done(&reads[i]);
    }
    fb_free(reads);
}

static void past_the_end_there_is_nothing(void **state)
{
    struct fixture *f = *state;
    struct request request;

    request_init(&request, f, FB_DISK_READ, FILE_BLOCKS - 1, 2);
    assert_int_equal(request_run(&request, f), FB_E_CLOSED);
    request.io.verb = FB_DISK_WRITE;
    assert_int_equal(request_run(&request, f), FB_E_CLOSED);
    request.io.offset = UINT64_MAX - FB_DISK_BLOCK + 1;
    assert_int_equal(request_run(&request, f), FB_E_CLOSED);
    request_done(&request);
}

static void a_file_that_shrank_ends_where_it_ends(void **state)
{
    struct fixture *f = *state;
    struct request request;

    fill_disk(f);
    assert_int_equal(truncate(fb_disk_path(f->disk), 10 * FB_DISK_BLOCK + 100), 0);
    request_init(&request, f, FB_DISK_READ, 8, 4);
    assert_int_equal(request_run(&request, f), FB_E_CLOSED);
    request_done(&request);
    request_init(&request, f, FB_DISK_READ, 8, 2);
    assert_int_equal(request_run(&request, f), FB_OK);
    assert_true(is_filled(request.io.bytes, 2, 8));
    request_done(&request);
}

#define BOTH_WAYS(test)                                                                \
    {.name = #test ", by the ring",                                                    \
     .test_func = (test),                                                              \
     .setup_func = set_up_ring,                                                        \
     .teardown_func = tear_down},                                                      \
    {                                                                                  \
        .name = #test ", by the pool", .test_func = (test), .setup_func = set_up_pool, \
        .teardown_func = tear_down                                                     \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(what_was_written_is_read),
        BOTH_WAYS(many_more_than_fit_are_all_done),
        BOTH_WAYS(past_the_end_there_is_nothing),
        BOTH_WAYS(a_file_that_shrank_ends_where_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
