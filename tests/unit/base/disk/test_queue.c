/*
 * One binary, three CTest entries: without an argument the pool does the work, with `ring` the
 * kernel's ring, with `denied` what a queue falls back to where the kernel denies a ring. Where
 * it does so by itself, `ring` is the same as `denied`, and says so.
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/disk/queue.h"
#include "base/loop/loop.h"
#include "base/loop/thread.h"
#include "tests/support/test_disk.h"
#include "tests/support/test_folder.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
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

static void set_up(struct fixture *f, bool without_ring, bool has_ring)
{
    char path[TEST_PATH_MAX + 16];
    struct fb_diag diag;
    const struct fb_disk_queue_options options = {.without_ring = without_ring,
                                                  .max_in_flight = MAX_IN_FLIGHT};

    f->folder = test_folder_new();
    (void)snprintf(path, sizeof(path), "%s/volume", f->folder.path);
    assert_int_equal(fb_loop_new(fb_clock_system(), &f->loop), FB_OK);
    assert_int_equal(fb_disk_queue_new(f->loop, &options, &f->queue), FB_OK);
    assert_int_equal(fb_disk_queue_has_ring(f->queue), has_ring);
    assert_int_equal(
        fb_disk_open(path, &(struct fb_disk_options){.size = FILE_BYTES}, &f->disk, &diag), FB_OK);
}

static int set_up_ring(void **state)
{
    static struct fixture f;
    set_up(&f, false, true);
    *state = &f;
    return 0;
}

/* A ring is wanted, and denied. */
static int set_up_denied(void **state)
{
    static struct fixture f;
    set_up(&f, false, false);
    *state = &f;
    return 0;
}

static int set_up_pool(void **state)
{
    static struct fixture f;
    set_up(&f, true, false);
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

/* ---- by the ring and by the pool --------------------------------------- */

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

static void what_the_kernel_refuses_is_told(void **state)
{
    struct fixture *f = *state;
    struct fb_disk *looking = NULL;
    struct request write;

    assert_int_equal(fb_disk_open(fb_disk_path(f->disk),
                                  &(struct fb_disk_options){.is_read_only = true}, &looking, NULL),
                     FB_OK);
    request_init(&write, f, FB_DISK_WRITE, 0, 1);
    fill(write.io.bytes, 1, 0);
    write.io.disk = looking;
    assert_int_equal(request_run(&write, f), -EBADF);
    assert_int_equal(fb_disk_queue_counts(f->queue).n_failed, 1);
    request_done(&write);
    fb_disk_close(looking);
}

static void everything_done_is_counted(void **state)
{
    struct fixture *f = *state;
    struct request request;

    fill_disk(f);
    request_init(&request, f, FB_DISK_READ, 0, 3);
    assert_int_equal(request_run(&request, f), FB_OK);
    assert_int_equal(request_run(&request, f), FB_OK);
    request_done(&request);
    request_init(&request, f, FB_DISK_SYNC, 0, 0);
    assert_int_equal(request_run(&request, f), FB_OK);
    struct fb_disk_queue_counts counts = fb_disk_queue_counts(f->queue);
    assert_int_equal(counts.n_reads, 2);
    assert_int_equal(counts.read_bytes, 6 * FB_DISK_BLOCK);
    assert_int_equal(counts.n_writes, 1);
    assert_int_equal(counts.written_bytes, FILE_BYTES);
    assert_int_equal(counts.n_syncs, 1);
    assert_int_equal(counts.n_failed, 0);
}

static void a_turn_is_handed_over_at_once(void **state)
{
    struct fixture *f = *state;
    struct request reads[MAX_IN_FLIGHT];

    fill_disk(f);
    uint64_t n_enters = fb_disk_queue_counts(f->queue).n_enters;
    for (size_t i = 0; i < MAX_IN_FLIGHT; i++) {
        request_init(&reads[i], f, FB_DISK_READ, i, 1);
        fb_disk_start(f->queue, &reads[i].io);
    }
    assert_int_equal(fb_disk_queue_counts(f->queue).n_enters, n_enters);
    while (fb_disk_queue_counts(f->queue).n_unfinished > 0) {
        fb_loop_turn_waiting(f->loop);
    }
    fb_loop_turn(f->loop);
    assert_int_equal(fb_disk_queue_counts(f->queue).n_enters, n_enters + 1);
    for (size_t i = 0; i < MAX_IN_FLIGHT; i++) {
        request_done(&reads[i]);
    }
}

static void where_a_ring_is_denied_threads_do_the_work(void **state)
{
    struct fixture *f = *state;
    struct fb_disk_queue *usual = f->queue;
    struct rlimit before;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int err = fb_disk_queue_new(f->loop, NULL, &f->queue);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(err, FB_OK);
    assert_false(fb_disk_queue_has_ring(f->queue));
    fill_disk(f);
    fb_disk_queue_free(f->queue);
    f->queue = usual;
}

/* ---- a disk of our own ------------------------------------------------- */

static void a_disk_in_memory_takes_the_place_of_the_kernel(void **state)
{
    struct fixture *f = *state;
    struct test_disk *memory = test_disk_new(FILE_BYTES);
    struct fb_disk *disk = test_disk_open(memory);
    struct request request;

    request_init(&request, f, FB_DISK_WRITE, 7, 8);
    request.io.disk = disk;
    fill(request.io.bytes, 8, 7);
    test_disk_fail(memory, (struct test_disk_fault){.verb = FB_DISK_WRITE, .n_good = 1});
    assert_int_equal(request_run(&request, f), FB_OK);
    assert_int_equal(request_run(&request, f), FB_OK); /* in two pieces */
    assert_int_equal(test_disk_counts(memory).n_writes, 3);
    memset(request.io.bytes, 0, request.io.n);
    request.io.verb = FB_DISK_READ;
    assert_int_equal(request_run(&request, f), FB_OK);
    assert_true(is_filled(request.io.bytes, 8, 7));
    test_disk_fail(memory, (struct test_disk_fault){.verb = FB_DISK_READ, .err = -EIO});
    assert_int_equal(request_run(&request, f), -EIO);
    request_done(&request);
    fb_disk_close(disk);
    test_disk_free(memory);
}

/* ---- loops on threads -------------------------------------------------- */

enum { N_LOOPS = 3, READS_PER_LOOP = 100, READS_AT_ONCE = 8 };

struct reader {
    struct fixture f; /* a queue of its own on the disk of all */
    unsigned n_wrong;
};

static void read_much(void *ctx)
{
    struct reader *reader = ctx;
    struct fixture *f = &reader->f;
    struct request reads[READS_AT_ONCE];

    fb_loop_turn(f->loop); /* now it is this thread's */
    for (unsigned n = 0; n < READS_PER_LOOP / READS_AT_ONCE; n++) {
        for (unsigned i = 0; i < READS_AT_ONCE; i++) {
            request_init(&reads[i], f, FB_DISK_READ, (n * 31 + i * 7) % (FILE_BLOCKS - 4), 4);
            fb_disk_start(f->queue, &reads[i].io);
        }
        while (fb_disk_queue_counts(f->queue).n_unfinished > 0) {
            fb_loop_turn_waiting(f->loop);
        }
        fb_loop_turn(f->loop);
        for (unsigned i = 0; i < READS_AT_ONCE; i++) {
            uint64_t block = reads[i].io.offset / FB_DISK_BLOCK;
            reader->n_wrong += reads[i].io.op.result < 0 || reads[i].n_done != 1 ||
                               !is_filled(reads[i].io.bytes, 4, block);
            request_done(&reads[i]);
        }
    }
}

static void several_loops_read_one_disk(void **state)
{
    struct fixture *f = *state;
    struct reader readers[N_LOOPS] = {0};
    struct fb_thread *threads[N_LOOPS];
    const struct fb_disk_queue_options options = {.without_ring = !fb_disk_queue_has_ring(f->queue),
                                                  .max_in_flight = 4};

    fill_disk(f);
    for (unsigned i = 0; i < N_LOOPS; i++) {
        struct fixture *own = &readers[i].f;
        own->disk = f->disk;
        assert_int_equal(fb_loop_new(fb_clock_system(), &own->loop), FB_OK);
        assert_int_equal(fb_disk_queue_new(own->loop, &options, &own->queue), FB_OK);
    }
    for (unsigned i = 0; i < N_LOOPS; i++) {
        assert_int_equal(fb_thread_start_body("reader", read_much, &readers[i], &threads[i]),
                         FB_OK);
    }
    for (unsigned i = 0; i < N_LOOPS; i++) {
        fb_thread_join(threads[i]);
        assert_int_equal(readers[i].n_wrong, 0);
        fb_disk_queue_free(readers[i].f.queue);
        fb_loop_free(readers[i].f.loop);
    }
}

/* What the kernel says itself, so that a queue that never asks it is found out. */
static bool ring_is_allowed(void)
{
    struct io_uring_params params = {0};
    int fd = (int)syscall(__NR_io_uring_setup, 1, &params);

    if (fd < 0) {
        print_message("io_uring is denied here: %s\n", strerror(errno));
        return false;
    }
    (void)close(fd);
    return true;
}

/* As a container's filter does. */
static void deny_ring(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = FB_ARRAY_LEN(code), .filter = code};

    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

#define EITHER_WAY(set_up)                                                                         \
    cmocka_unit_test_setup_teardown(what_was_written_is_read, set_up, tear_down),                  \
        cmocka_unit_test_setup_teardown(many_more_than_fit_are_all_done, set_up, tear_down),       \
        cmocka_unit_test_setup_teardown(past_the_end_there_is_nothing, set_up, tear_down),         \
        cmocka_unit_test_setup_teardown(a_file_that_shrank_ends_where_it_ends, set_up, tear_down), \
        cmocka_unit_test_setup_teardown(what_the_kernel_refuses_is_told, set_up, tear_down),       \
        cmocka_unit_test_setup_teardown(everything_done_is_counted, set_up, tear_down),            \
        cmocka_unit_test_setup_teardown(a_disk_in_memory_takes_the_place_of_the_kernel, set_up,    \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(several_loops_read_one_disk, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest by_the_ring[] = {
        cmocka_unit_test_setup_teardown(a_turn_is_handed_over_at_once, set_up_ring, tear_down),
        EITHER_WAY(set_up_ring),
    };
    const struct CMUnitTest by_the_pool[] = {
        cmocka_unit_test_setup_teardown(where_a_ring_is_denied_threads_do_the_work, set_up_pool,
                                        tear_down),
        EITHER_WAY(set_up_pool),
    };

    const struct CMUnitTest denied[] = {EITHER_WAY(set_up_denied)};

    if (argc < 2) {
        return cmocka_run_group_tests(by_the_pool, NULL, NULL);
    }
    if (strcmp(argv[1], "denied") == 0) {
        deny_ring();
        assert_false(ring_is_allowed());
    }
    return ring_is_allowed() ? cmocka_run_group_tests(by_the_ring, NULL, NULL)
                             : cmocka_run_group_tests(denied, NULL, NULL);
}
