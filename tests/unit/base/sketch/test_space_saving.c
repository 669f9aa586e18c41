#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/sketch/space_saving.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE = 100, THINGS = 5000, STEPS = 100000, NAME = 16 };

struct ledger {
    uint64_t counts[THINGS];
    uint64_t total;
};

static struct fb_str name_of(size_t i, char name[NAME])
{
    int len = snprintf(name, NAME, "v%zu", i);
    return (struct fb_str){name, (size_t)len};
}

/* Small numbers often: the product of two chances is skewed. */
static size_t draw(struct test_random *random)
{
    return (size_t)(test_random_below(random, THINGS) * test_random_below(random, THINGS) *
                    test_random_below(random, THINGS) / THINGS / THINGS);
}

static struct fb_space_saving *sketch_of(uint64_t seed, size_t steps, struct ledger *ledger)
{
    struct fb_space_saving *sketch = fb_space_saving_new(SIZE, seed);
    struct test_random random = {seed};
    char name[NAME];

    for (size_t i = 0; i < steps; i++) {
        size_t which = draw(&random);
        uint64_t n = 1 + test_random_below(&random, 3);

        fb_space_saving_add(sketch, name_of(which, name), n);
        ledger->counts[which] += n;
        ledger->total += n;
    }
    return sketch;
}

/* What the header promises: `slack` is total / size, of all that was merged. */
static void assert_sound(const struct fb_space_saving *sketch, const struct ledger *ledger)
{
    struct fb_space_saving_item items[SIZE];
    size_t n = fb_space_saving_top(sketch, items, SIZE);
    uint64_t seen = 0;
    uint64_t before = UINT64_MAX;

    assert_int_equal(fb_space_saving_total(sketch), ledger->total);
    for (size_t i = 0; i < n; i++) {
        uint64_t which = 0;
        assert_int_equal(fb_str_to_u64(fb_str_skip(items[i].key, 1), &which), 0);
        uint64_t truth = ledger->counts[which];
        assert_true(items[i].count >= truth && items[i].count - items[i].error <= truth);
        assert_true(items[i].error <= ledger->total / SIZE);
        assert_true(items[i].count <= before);
        before = items[i].count;
        seen += truth > ledger->total / SIZE ? 1 : 0;
    }
    for (size_t i = 0; i < THINGS; i++) {
        seen -= ledger->counts[i] > ledger->total / SIZE ? 1 : 0;
    }
    assert_int_equal(seen, 0); /* nobody who is often there is missing */
}

static void few_things_are_counted_exactly(void **state)
{
    (void)state;
    FB_AUTO(fb_space_saving_freep)
    struct fb_space_saving *sketch = fb_space_saving_new(3, 1);
    struct fb_space_saving_item items[4];

    fb_space_saving_add(sketch, FB_STR("b"), 5);
    fb_space_saving_add(sketch, FB_STR("a"), 2);
    fb_space_saving_add(sketch, FB_STR("c"), 1);
    fb_space_saving_add(sketch, FB_STR("a"), 3);
    assert_int_equal(fb_space_saving_top(sketch, items, 4), 3);
    assert_true(fb_str_equal(items[0].key, FB_STR("a"))); /* of equals the first by name */
    assert_true(fb_str_equal(items[1].key, FB_STR("b")));
    assert_int_equal(items[0].count, 5);
    assert_int_equal(items[2].count, 1);
    assert_int_equal(items[0].error, 0);
    fb_space_saving_add(sketch, FB_STR("d"), 1);
    assert_int_equal(fb_space_saving_top(sketch, items, 4), 3);
    assert_true(fb_str_equal(items[2].key, FB_STR("d")));
    assert_int_equal(items[2].count, 2);
    assert_int_equal(items[2].error, 1);
    assert_int_equal(fb_space_saving_count(sketch), 3);
}

static void whoever_is_often_there_is_kept_within_the_stated_error(void **state)
{
    (void)state;
    FB_AUTO(fb_freep) struct ledger *ledger = FB_NEW(struct ledger);
    FB_AUTO(fb_space_saving_freep)
    struct fb_space_saving *sketch = sketch_of(11, STEPS, ledger);

    assert_sound(sketch, ledger);
}

static void merges_keep_the_bounds_in_any_grouping(void **state)
{
    (void)state;
    for (unsigned grouping = 0; grouping < 2; grouping++) {
        FB_AUTO(fb_freep) struct ledger *ledger = FB_NEW(struct ledger);
        FB_AUTO(fb_space_saving_freep) struct fb_space_saving *a = sketch_of(1, STEPS, ledger);
        FB_AUTO(fb_space_saving_freep) struct fb_space_saving *b = sketch_of(2, STEPS / 3, ledger);
        FB_AUTO(fb_space_saving_freep) struct fb_space_saving *c = sketch_of(3, 50, ledger);

        if (grouping == 0) {
            fb_space_saving_merge(a, b);
            fb_space_saving_merge(a, c);
        } else {
            fb_space_saving_merge(b, c);
            fb_space_saving_merge(a, b);
        }
        assert_sound(a, ledger);
    }
}

static void two_merge_to_the_same_either_way(void **state)
{
    (void)state;
    FB_AUTO(fb_freep) struct ledger *ledger = FB_NEW(struct ledger);
    FB_AUTO(fb_space_saving_freep) struct fb_space_saving *a = sketch_of(1, STEPS / 10, ledger);
    FB_AUTO(fb_space_saving_freep) struct fb_space_saving *b = sketch_of(2, STEPS / 10, ledger);
    FB_AUTO(fb_space_saving_freep) struct fb_space_saving *a2 = sketch_of(1, STEPS / 10, ledger);
    FB_AUTO(fb_space_saving_freep) struct fb_space_saving *b2 = sketch_of(2, STEPS / 10, ledger);
    struct fb_space_saving_item x[SIZE];
    struct fb_space_saving_item y[SIZE];

    fb_space_saving_merge(a, b);
    fb_space_saving_merge(b2, a2);
    assert_int_equal(fb_space_saving_top(a, x, SIZE), SIZE);
    assert_int_equal(fb_space_saving_top(b2, y, SIZE), SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        assert_true(fb_str_equal(x[i].key, y[i].key));
        assert_int_equal(x[i].count, y[i].count);
        assert_int_equal(x[i].error, y[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_things_are_counted_exactly),
        cmocka_unit_test(whoever_is_often_there_is_kept_within_the_stated_error),
        cmocka_unit_test(merges_keep_the_bounds_in_any_grouping),
        cmocka_unit_test(two_merge_to_the_same_either_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
