#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "base/disk/memory.h"
#include "base/loop/thread.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { BLOCK = FB_DISK_BLOCK, MIB = 1 << 20, MAX_RUNS = 200, N_STEPS = 4000, IDLE = 16 << 20 };

static int set_up(void **state)
{
    *state = fb_disk_memory_new();
    return 0;
}

static int tear_down(void **state)
{
    fb_disk_memory_free(*state); /* requires that all is given back */
    return 0;
}

struct run {
    char *bytes;
    size_t n;
    char mark;
};

/* Marks both ends, where a run that overlaps would write. */
static void run_take(struct fb_disk_memory *memory, struct run *run, size_t n, char mark)
{
    *run = (struct run){fb_disk_memory_take(memory, n), n, mark};
    assert_non_null(run->bytes);
    assert_int_equal((uintptr_t)run->bytes % BLOCK, 0);
    memset(run->bytes, mark, BLOCK);
    memset(run->bytes + n - BLOCK, mark, BLOCK);
}

static void run_give(struct fb_disk_memory *memory, struct run *run)
{
    assert_int_equal(run->bytes[0], run->mark);
    assert_int_equal(run->bytes[BLOCK - 1], run->mark);
    assert_int_equal(run->bytes[run->n - BLOCK], run->mark);
    assert_int_equal(run->bytes[run->n - 1], run->mark);
    fb_disk_memory_give(memory, run->bytes, run->n);
    *run = (struct run){0};
}

static void runs_of_all_lengths_do_not_overlap(void **state)
{
    struct fb_disk_memory *memory = *state;
    struct test_random random = test_random_new();
    static struct run runs[MAX_RUNS];

    for (unsigned step = 0; step < N_STEPS; step++) {
        size_t i = (size_t)test_random_below(&random, MAX_RUNS);
        if (runs[i].bytes != NULL) {
            run_give(memory, &runs[i]);
            continue;
        }
        bool is_large = test_random_below(&random, 10) == 0;
        size_t n = (size_t)(1 + test_random_below(&random, is_large ? 4096 : 300)) * BLOCK;
        run_take(memory, &runs[i], n, (char)(step % 127));
    }
    for (size_t i = 0; i < MAX_RUNS; i++) {
        if (runs[i].bytes != NULL) {
            run_give(memory, &runs[i]);
        }
    }
}

static void what_is_given_back_is_used_again(void **state)
{
    struct fb_disk_memory *memory = *state;
    struct run runs[3];

    for (unsigned i = 0; i < 3; i++) {
        run_take(memory, &runs[i], MIB, 'a');
    }
    char *hole = runs[1].bytes;
    run_give(memory, &runs[1]);
    run_take(memory, &runs[1], MIB, 'b');
    assert_ptr_equal(runs[1].bytes, hole);
    for (unsigned i = 0; i < 3; i++) {
        run_give(memory, &runs[i]);
    }
}

static void the_longest_run_fits_and_fills(void **state)
{
    struct fb_disk_memory *memory = *state;
    struct run run;

    run_take(memory, &run, FB_DISK_MEMORY_MAX, 'x');
    memset(run.bytes, 'x', run.n);
    run_give(memory, &run);
}

static void what_lies_idle_goes_back_to_the_system(void **state)
{
    struct fb_disk_memory *memory = *state;
    static struct run runs[MAX_RUNS];

    for (unsigned i = 0; i < MAX_RUNS; i++) {
        run_take(memory, &runs[i], MIB, 'a');
    }
    assert_int_equal(fb_disk_memory_idle(memory), 0);
    for (unsigned i = 0; i < MAX_RUNS; i++) {
        run_give(memory, &runs[i]);
    }
    assert_true(fb_disk_memory_idle(memory) <= IDLE + MAX_RUNS * MIB / 64 + 2 * MIB);
    run_take(memory, &runs[0], FB_DISK_MEMORY_MAX, 'b');
    run_give(memory, &runs[0]);
}

/* What every call says it costs or brings back adds up to what is held. */
static void each_call_tells_what_it_costs(void **state)
{
    struct fb_disk_memory *memory = *state;
    struct test_random random = test_random_new();
    static struct run runs[MAX_RUNS];
    size_t held = 0;

    for (unsigned step = 0; step < N_STEPS; step++) {
        struct run *run = &runs[test_random_below(&random, MAX_RUNS)];
        size_t more = 0;
        if (run->bytes != NULL) {
            held -= fb_disk_memory_give(memory, run->bytes, run->n);
            *run = (struct run){0};
        } else {
            run->n = (size_t)(1 + test_random_below(&random, 300)) * BLOCK;
            run->bytes = fb_disk_memory_take_within(memory, run->n, SIZE_MAX, &more);
            held += more;
        }
        if (test_random_below(&random, 20) == 0) {
            held -= fb_disk_memory_trim(memory, 4 * (size_t)MIB);
        }
        assert_int_equal(fb_disk_memory_held(memory), held);
    }
    for (size_t i = 0; i < MAX_RUNS; i++) {
        held -= fb_disk_memory_give(memory, runs[i].bytes, runs[i].n);
        runs[i] = (struct run){0};
    }
    held -= fb_disk_memory_trim(memory, SIZE_MAX);
    assert_int_equal(fb_disk_memory_held(memory), held);
    assert_int_equal(fb_disk_memory_idle(memory), 0);
    assert_true(held < 64 * 1024); /* the account */
}

static void no_more_is_held_than_was_allowed(void **state)
{
    struct fb_disk_memory *memory = *state;
    struct run run;
    size_t more = 0;

    assert_null(fb_disk_memory_take_within(memory, MIB, 2 * (size_t)MIB, &more));
    char *first = fb_disk_memory_take_within(memory, MIB, 3 * (size_t)MIB, &more);
    assert_non_null(first);
    assert_in_range(more, 2 * MIB, 3 * MIB);
    char *second = fb_disk_memory_take_within(memory, MIB, 0, &more); /* the rest of the page */
    assert_ptr_equal(second, first + MIB);
    assert_int_equal(more, 0);
    assert_null(fb_disk_memory_take_within(memory, MIB, 2 * (size_t)MIB - 1, &more));
    run_take(memory, &run, MIB, 'a');
    run_give(memory, &run);
    assert_int_equal(fb_disk_memory_idle(memory), 2 * MIB);
    assert_int_equal(fb_disk_memory_trim(memory, 1), 2 * MIB);
    assert_int_equal(fb_disk_memory_trim(memory, 1), 0);
    (void)fb_disk_memory_give(memory, first, MIB);
    assert_int_equal(fb_disk_memory_trim(memory, 1), 0); /* half of the page is taken */
    (void)fb_disk_memory_give(memory, second, MIB);
}

static void what_is_held_is_used_before_what_is_not(void **state)
{
    struct fb_disk_memory *memory = *state;
    struct run runs[2];
    size_t more = 0;

    run_take(memory, &runs[0], 2 * MIB, 'a');
    run_take(memory, &runs[1], MIB, 'b'); /* half of the second page */
    run_give(memory, &runs[0]);
    assert_int_equal(fb_disk_memory_trim(memory, 1), 2 * MIB);
    char *bytes = fb_disk_memory_take_within(memory, MIB, SIZE_MAX, &more);
    assert_ptr_equal(bytes, runs[1].bytes + MIB);
    assert_int_equal(more, 0);
    (void)fb_disk_memory_give(memory, bytes, MIB);
    run_give(memory, &runs[1]);
}

static void nothing_is_given_back_for_nothing(void **state)
{
    fb_disk_memory_give(*state, NULL, MIB);
    assert_int_equal(fb_disk_memory_idle(*state), 0);
}

static void take_and_give(void *ctx)
{
    struct run runs[8] = {0};

    for (unsigned i = 0; i < 2000; i++) {
        struct run *run = &runs[i % 8];
        if (run->bytes != NULL) {
            run_give(ctx, run);
        }
        run_take(ctx, run, (1 + i % 32) * (size_t)BLOCK * 8, (char)(i % 127));
    }
    for (unsigned i = 0; i < 8; i++) {
        run_give(ctx, &runs[i]);
    }
}

static void threads_share_it(void **state)
{
    struct fb_thread *threads[3];

    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(fb_thread_start_body("taker", take_and_give, *state, &threads[i]), FB_OK);
    }
    for (unsigned i = 0; i < 3; i++) {
        fb_thread_join(threads[i]);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(runs_of_all_lengths_do_not_overlap),
        TEST(what_is_given_back_is_used_again),
        TEST(the_longest_run_fits_and_fills),
        TEST(what_lies_idle_goes_back_to_the_system),
        TEST(each_call_tells_what_it_costs),
        TEST(no_more_is_held_than_was_allowed),
        TEST(what_is_held_is_used_before_what_is_not),
        TEST(nothing_is_given_back_for_nothing),
        TEST(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
