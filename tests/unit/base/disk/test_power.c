#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/disk/queue.h"
#include "base/loop/loop.h"
#include "base/loop/thread.h"
#include "tests/support/test_disk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { BLOCK = FB_DISK_BLOCK, N_BLOCKS = 2048, SIZE = N_BLOCKS * BLOCK, MAX_RUN = 8 };

struct fixture {
    struct test_disk *power;
    struct fb_disk *disk; /* over `power` */
    char *bytes;          /* MAX_RUN blocks */
};

static int set_up(void **state)
{
    static struct fixture f;

    f.power = test_disk_new(SIZE);
    f.disk = test_disk_open(f.power);
    f.bytes = fb_disk_buffer((size_t)MAX_RUN * BLOCK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_free(f->bytes);
    fb_disk_close(f->disk);
    test_disk_free(f->power);
    return 0;
}

static int put(struct fixture *f, uint64_t block, size_t n_blocks, char byte)
{
    memset(f->bytes, byte, n_blocks * BLOCK);
    return fb_disk_write_now(f->disk, block * BLOCK, f->bytes, n_blocks * BLOCK);
}

static void put_well(struct fixture *f, uint64_t block, size_t n_blocks, char byte)
{
    assert_int_equal(put(f, block, n_blocks, byte), FB_OK);
}

static void sync_well(struct fixture *f)
{
    assert_int_equal(fb_disk_sync_now(f->disk), FB_OK);
}

/* What a block consists of. */
struct mix {
    unsigned n_old;
    unsigned n_new;
    unsigned n_other;
};

static struct mix look(struct test_disk *power, uint64_t block, char old, char new)
{
    FB_AUTO(fb_freep) char *bytes = fb_disk_buffer(BLOCK);
    struct fb_disk *disk = test_disk_open(power);
    struct mix mix = {0};

    assert_int_equal(fb_disk_read_now(disk, block * BLOCK, bytes, BLOCK), FB_OK);
    fb_disk_close(disk);
    for (size_t i = 0; i < BLOCK; i += 512) {
        mix.n_old += bytes[i] == old;
        mix.n_new += bytes[i] == new;
        mix.n_other += bytes[i] != old && bytes[i] != new;
    }
    return mix;
}

static bool is_all(struct test_disk *power, uint64_t block, char byte)
{
    return look(power, block, byte, byte).n_other == 0;
}

/* ---- power ------------------------------------------------------------- */

static void an_untouched_disk_is_zeros(void **state)
{
    struct fixture *f = *state;
    assert_true(is_all(f->power, N_BLOCKS - 1, 0));
}

static void what_was_synced_survives_every_cut(void **state)
{
    struct fixture *f = *state;

    put_well(f, 3, 4, 'a');
    sync_well(f);
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct test_disk *after = test_disk_cut(f->power, seed);
        for (uint64_t block = 3; block < 7; block++) {
            assert_true(is_all(after, block, 'a'));
        }
        test_disk_free(after);
    }
}

static void what_was_not_synced_is_kept_lost_or_torn(void **state)
{
    struct fixture *f = *state;
    unsigned n_kept = 0;
    unsigned n_lost = 0;
    unsigned n_torn = 0;

    put_well(f, 5, 4, 'a');
    sync_well(f);
    put_well(f, 5, 4, 'b');
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct test_disk *after = test_disk_cut(f->power, seed);
        for (uint64_t block = 5; block < 9; block++) {
            struct mix mix = look(after, block, 'a', 'b');
            assert_int_equal(mix.n_other, 0);
            n_kept += mix.n_old == 0;
            n_lost += mix.n_new == 0;
            n_torn += mix.n_old > 0 && mix.n_new > 0;
        }
        test_disk_free(after);
    }
    assert_true(n_kept > 50 && n_lost > 50 && n_torn > 50);
    assert_true(is_all(f->power, 5, 'b')); /* the disk itself goes on */
}

static void a_later_write_may_survive_an_earlier_one(void **state)
{
    struct fixture *f = *state;
    unsigned n_reordered = 0;

    put_well(f, 0, 1, 'a');
    put_well(f, 1, 1, 'b');
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct test_disk *after = test_disk_cut(f->power, seed);
        n_reordered += is_all(after, 0, 0) && is_all(after, 1, 'b');
        test_disk_free(after);
    }
    assert_true(n_reordered > 5);
}

static void a_cut_is_repeated_by_its_seed(void **state)
{
    struct fixture *f = *state;

    put_well(f, 0, 8, 'a');
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct test_disk *one = test_disk_cut(f->power, seed);
        struct test_disk *two = test_disk_cut(f->power, seed);
        for (uint64_t block = 0; block < 8; block++) {
            struct mix mix_one = look(one, block, 0, 'a');
            struct mix mix_two = look(two, block, 0, 'a');
            assert_memory_equal(&mix_one, &mix_two, sizeof(mix_one));
        }
        test_disk_free(one);
        test_disk_free(two);
    }
}

static void the_power_can_be_cut_at_any_moment_of_the_past(void **state)
{
    struct fixture *f = *state;

    test_disk_keep_history(f->power);
    put_well(f, 0, 1, 'a'); /* 0 */
    sync_well(f);           /* 1 */
    put_well(f, 0, 1, 'b'); /* 2 */
    sync_well(f);           /* 3 */
    put_well(f, 0, 1, 'c'); /* 4 */
    assert_int_equal(test_disk_n_events(f->power), 5);
    assert_int_equal(test_disk_event(f->power, 3).verb, FB_DISK_SYNC);
    assert_int_equal(test_disk_event(f->power, 4).verb, FB_DISK_WRITE);
    assert_int_equal(test_disk_event(f->power, 4).n, BLOCK);

    const char *olds = "\0\0aabb"; /* durable after so many events, */
    const char *news = "\0aabbc";  /* and perhaps there */
    for (size_t n = 0; n <= 5; n++) {
        for (uint64_t seed = 0; seed < 30; seed++) {
            struct test_disk *after = test_disk_cut_after(f->power, n, seed);
            assert_int_equal(look(after, 0, olds[n], news[n]).n_other, 0);
            assert_true(n % 2 == 1 || is_all(after, 0, olds[n]));
            test_disk_free(after);
        }
    }
}

static void a_cut_disk_goes_its_own_way(void **state)
{
    struct fixture *f = *state;

    put_well(f, 0, 2, 'a');
    sync_well(f);
    struct test_disk *after = test_disk_clone(f->power);
    struct fb_disk *other = test_disk_open(after);
    memset(f->bytes, 'z', BLOCK);
    assert_int_equal(fb_disk_write_now(other, BLOCK, f->bytes, BLOCK), FB_OK);
    fb_disk_close(other);
    put_well(f, 0, 1, 'b');
    assert_true(is_all(after, 0, 'a') && is_all(after, 1, 'z'));
    assert_true(is_all(f->power, 0, 'b') && is_all(f->power, 1, 'a'));
    test_disk_free(after);
}

static void a_large_disk_costs_what_is_written(void **state)
{
    (void)state;
    struct test_disk *large = test_disk_new(64ULL << 30);
    struct fb_disk *disk = test_disk_open(large);
    FB_AUTO(fb_freep) char *bytes = fb_disk_buffer(BLOCK);

    memset(bytes, 'x', BLOCK);
    assert_int_equal(fb_disk_write_now(disk, (64ULL << 30) - BLOCK, bytes, BLOCK), FB_OK);
    assert_true(is_all(large, (64ULL << 30) / BLOCK - 1, 'x'));
    fb_disk_close(disk);
    test_disk_free(large);
}

/* ---- faults ------------------------------------------------------------ */

static void the_nth_attempt_fails_once(void **state)
{
    struct fixture *f = *state;

    test_disk_fail(f->power,
                   (struct test_disk_fault){.verb = FB_DISK_WRITE, .n_good = 2, .err = -EIO});
    put_well(f, 0, 1, 'a');
    put_well(f, 1, 1, 'a');
    assert_int_equal(put(f, 2, 1, 'a'), -EIO);
    put_well(f, 3, 1, 'a');
    assert_true(is_all(f->power, 2, 0));
    assert_int_equal(test_disk_counts(f->power).n_faults, 1);
    assert_int_equal(test_disk_counts(f->power).n_writes, 4);
}

static void all_attempts_fail_until_it_is_healed(void **state)
{
    struct fixture *f = *state;

    test_disk_fail(f->power,
                   (struct test_disk_fault){.verb = FB_DISK_SYNC, .err = -EIO, .for_ever = true});
    put_well(f, 0, 1, 'a');
    assert_int_equal(fb_disk_sync_now(f->disk), -EIO);
    assert_int_equal(fb_disk_sync_now(f->disk), -EIO);
    test_disk_heal(f->power);
    sync_well(f);
}

static void a_failing_write_may_leave_a_part(void **state)
{
    struct fixture *f = *state;

    test_disk_fail(
        f->power, (struct test_disk_fault){.verb = FB_DISK_WRITE, .err = -ENOSPC, .is_torn = true});
    assert_int_equal(put(f, 0, 4, 'a'), -ENOSPC);
    assert_true(is_all(f->power, 1, 'a') && is_all(f->power, 2, 0));
}

static void a_short_transfer_is_continued(void **state)
{
    struct fixture *f = *state;

    test_disk_fail(f->power, (struct test_disk_fault){.verb = FB_DISK_WRITE, .for_ever = true});
    put_well(f, 0, MAX_RUN, 'a');
    assert_int_equal(test_disk_counts(f->power).n_writes, 4); /* 4, 2, 1 and 1 blocks */
    test_disk_fail(f->power, (struct test_disk_fault){.verb = FB_DISK_READ, .for_ever = true});
    memset(f->bytes, 0, (size_t)MAX_RUN * BLOCK);
    assert_int_equal(fb_disk_read_now(f->disk, 0, f->bytes, (size_t)MAX_RUN * BLOCK), FB_OK);
    assert_int_equal(f->bytes[MAX_RUN * BLOCK - 1], 'a');
}

static void a_disk_that_was_pulled_out_comes_back(void **state)
{
    struct fixture *f = *state;

    put_well(f, 0, 1, 'a');
    test_disk_set_present(f->power, false);
    assert_false(fb_disk_is_present(f->disk));
    assert_int_equal(put(f, 0, 1, 'b'), -ENODEV);
    assert_int_equal(fb_disk_sync_now(f->disk), -ENODEV);
    test_disk_set_present(f->power, true);
    assert_true(fb_disk_is_present(f->disk));
    assert_true(is_all(f->power, 0, 'a'));
}

static void a_bit_that_turned_stays_turned(void **state)
{
    struct fixture *f = *state;

    put_well(f, 0, 1, 0);
    sync_well(f);
    test_disk_flip(f->power, 512, 3);
    struct test_disk *after = test_disk_cut(f->power, 1);
    assert_int_equal(look(f->power, 0, 0, 8).n_new, 1);
    assert_int_equal(look(after, 0, 0, 8).n_new, 1);
    test_disk_free(after);
}

/* ---- through a queue --------------------------------------------------- */

struct request {
    struct fb_disk_io io;
    unsigned n_done;
};

static void on_done(struct fb_op *op)
{
    struct fb_disk_io *io = FB_CONTAINER_OF(op, struct fb_disk_io, op);
    FB_CONTAINER_OF(io, struct request, io)->n_done++;
}

static void held_requests_are_performed_when_let_go(void **state)
{
    struct fixture *f = *state;
    struct fb_loop *loop = NULL;
    struct fb_disk_queue *queue = NULL;
    struct request read = {.io = {.disk = f->disk, .verb = FB_DISK_READ, .n = BLOCK}};

    assert_int_equal(fb_loop_new(fb_clock_system(), &loop), FB_OK);
    assert_int_equal(fb_disk_queue_new(loop, NULL, &queue), FB_OK);
    read.io.bytes = f->bytes + BLOCK;
    fb_op_init(&read.io.op, loop, on_done);
    put_well(f, 0, 1, 'a');
    test_disk_hold(f->power, FB_DISK_READ);
    fb_disk_start(queue, &read.io);
    fb_loop_turn(loop);
    assert_int_equal(read.n_done, 0);
    assert_int_equal(test_disk_n_held(f->power), 1);
    put_well(f, 0, 1, 'b');
    test_disk_release(f->power);
    assert_int_equal(read.n_done, 0);
    fb_loop_turn(loop);
    assert_int_equal(read.n_done, 1);
    assert_int_equal(read.io.op.result, FB_OK);
    assert_int_equal(f->bytes[BLOCK], 'b');
    fb_disk_start(queue, &read.io); /* nothing is held any more */
    fb_loop_turn(loop);
    assert_int_equal(read.n_done, 2);
    fb_disk_queue_free(queue);
    fb_loop_free(loop);
}

/* ---- from threads ------------------------------------------------------ */

enum { N_THREADS = 3, N_ROUNDS = 200 };

struct worker {
    struct fixture f;
    uint64_t block; /* its own */
    unsigned n_wrong;
};

static void write_sync_read(void *ctx)
{
    struct worker *worker = ctx;
    struct fixture *f = &worker->f;

    for (unsigned i = 0; i < N_ROUNDS; i++) {
        char byte = (char)(1 + i % 100);
        worker->n_wrong += put(f, worker->block, 1, byte) < 0;
        worker->n_wrong += i % 16 == 0 && fb_disk_sync_now(f->disk) < 0;
        memset(f->bytes, 0, BLOCK);
        worker->n_wrong += fb_disk_read_now(f->disk, worker->block * BLOCK, f->bytes, BLOCK) < 0 ||
                           f->bytes[i % BLOCK] != byte;
        test_disk_free(test_disk_cut(f->power, i));
    }
}

static void threads_may_share_a_disk(void **state)
{
    struct fixture *f = *state;
    struct worker workers[N_THREADS];
    struct fb_thread *threads[N_THREADS];

    for (unsigned i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){.f = *f, .block = i};
        workers[i].f.bytes = fb_disk_buffer(BLOCK);
        assert_int_equal(fb_thread_start_body("worker", write_sync_read, &workers[i], &threads[i]),
                         FB_OK);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        fb_thread_join(threads[i]);
        fb_free(workers[i].f.bytes);
        assert_int_equal(workers[i].n_wrong, 0);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_untouched_disk_is_zeros),
        TEST(what_was_synced_survives_every_cut),
        TEST(what_was_not_synced_is_kept_lost_or_torn),
        TEST(a_later_write_may_survive_an_earlier_one),
        TEST(a_cut_is_repeated_by_its_seed),
        TEST(the_power_can_be_cut_at_any_moment_of_the_past),
        TEST(a_cut_disk_goes_its_own_way),
        TEST(a_large_disk_costs_what_is_written),
        TEST(the_nth_attempt_fails_once),
        TEST(all_attempts_fail_until_it_is_healed),
        TEST(a_failing_write_may_leave_a_part),
        TEST(a_short_transfer_is_continued),
        TEST(a_disk_that_was_pulled_out_comes_back),
        TEST(a_bit_that_turned_stays_turned),
        TEST(held_requests_are_performed_when_let_go),
        TEST(threads_may_share_a_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
