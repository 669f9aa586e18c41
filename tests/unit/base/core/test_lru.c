#include "base/core/alloc.h"
#include "base/core/lru.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct value {
    int number;
    char *text; /* owned */
};

static int n_done;

static void value_done(void *ptr)
{
    struct value *value = ptr;

    fb_free(value->text);
    n_done++;
}

static struct fb_lru *lru_of(size_t max)
{
    n_done = 0;
    return fb_lru_new(&(struct fb_lru_options){
        .max = max, .value_bytes = sizeof(struct value), .seed = 7, .done = value_done});
}

static void put(struct fb_lru *lru, const char *key, int number)
{
    struct value *value = fb_lru_touch(lru, fb_str_from(key));

    fb_free(value->text);
    value->text = fb_str_dup(fb_str_from(key));
    value->number = number;
}

static int get(const struct fb_lru *lru, const char *key)
{
    const struct value *value = fb_lru_find(lru, fb_str_from(key));
    return value == NULL ? -1 : value->number;
}

static void a_new_value_is_zero_and_stays_at_its_key(void **state)
{
    (void)state;
    struct fb_lru *lru = lru_of(4);
    const struct value *value = fb_lru_touch(lru, FB_STR("a"));

    assert_int_equal(value->number, 0);
    assert_null(value->text);
    put(lru, "a", 1);
    put(lru, "", 2); /* a key, too */
    assert_int_equal(get(lru, "a"), 1);
    assert_int_equal(get(lru, ""), 2);
    assert_int_equal(get(lru, "b"), -1);
    assert_int_equal(fb_lru_count(lru), 2);
    fb_lru_free(lru);
    assert_int_equal(n_done, 2);
}

static void the_one_used_longest_ago_gives_way(void **state)
{
    (void)state;
    struct fb_lru *lru = lru_of(2);

    put(lru, "a", 1);
    put(lru, "b", 2);
    (void)fb_lru_touch(lru, FB_STR("a"));
    (void)fb_lru_find(lru, FB_STR("b")); /* no use */
    put(lru, "c", 3);
    assert_int_equal(n_done, 1);
    assert_int_equal(get(lru, "a"), 1);
    assert_int_equal(get(lru, "b"), -1);
    assert_int_equal(get(lru, "c"), 3);
    fb_lru_free(lru);
}

static void what_is_removed_leaves_room(void **state)
{
    (void)state;
    struct fb_lru *lru = lru_of(2);

    put(lru, "a", 1);
    put(lru, "b", 2);
    fb_lru_remove(lru, fb_lru_oldest(lru));
    assert_int_equal(get(lru, "a"), -1);
    put(lru, "c", 3);
    assert_int_equal(get(lru, "b"), 2);
    assert_int_equal(fb_lru_count(lru), 2);
    fb_lru_remove(lru, fb_lru_oldest(lru));
    fb_lru_remove(lru, fb_lru_oldest(lru));
    assert_null(fb_lru_oldest(lru));
    fb_lru_free(lru);
    assert_int_equal(n_done, 3);
}

static void a_table_for_nothing_holds_one(void **state)
{
    (void)state;
    struct fb_lru *lru = lru_of(0);

    put(lru, "a", 1);
    put(lru, "b", 2);
    assert_int_equal(get(lru, "a"), -1);
    assert_int_equal(get(lru, "b"), 2);
    fb_lru_free(lru);
    fb_lru_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_value_is_zero_and_stays_at_its_key),
        cmocka_unit_test(the_one_used_longest_ago_gives_way),
        cmocka_unit_test(what_is_removed_leaves_room),
        cmocka_unit_test(a_table_for_nothing_holds_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
