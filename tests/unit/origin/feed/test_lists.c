#include "base/core/str.h"
#include "origin/feed/lists.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct origin_lists *lists;
    struct origin_list list;
};

static int set_up(void **state)
{
    static struct fixture f;

    f.lists = origin_lists_new();
    f.list =
        (struct origin_list){.id = 5, .is_ranked = true, .n = 2, .items = {{.seq = 1}, {.seq = 2}}};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    origin_lists_free(f->lists);
    return 0;
}

static void a_first_page_comes_from_a_fresh_list_alone(void **state)
{
    struct fixture *f = *state;

    origin_lists_put(f->lists, FB_STR("ada"), &f->list, 1000);
    assert_int_equal(
        origin_lists_find(f->lists, FB_STR("ada"), 0, 999 + ORIGIN_LISTS_FRESH_MS)->items[1].seq,
        2);
    assert_null(origin_lists_find(f->lists, FB_STR("ada"), 0, 1000 + ORIGIN_LISTS_FRESH_MS));
    assert_null(origin_lists_find(f->lists, FB_STR("bob"), 0, 1000));
}

static void a_further_page_comes_from_the_very_list(void **state)
{
    struct fixture *f = *state;

    origin_lists_put(f->lists, FB_STR("ada"), &f->list, 0);
    assert_non_null(origin_lists_find(f->lists, FB_STR("ada"), 5, ORIGIN_LISTS_KEPT_MS - 1));
    assert_null(origin_lists_find(f->lists, FB_STR("ada"), 5, ORIGIN_LISTS_KEPT_MS));
    assert_null(origin_lists_find(f->lists, FB_STR("ada"), 6, 1));
    f->list.id = 6;
    origin_lists_put(f->lists, FB_STR("ada"), &f->list, 2);
    assert_null(origin_lists_find(f->lists, FB_STR("ada"), 5, 3));
    assert_int_equal(origin_lists_find(f->lists, FB_STR("ada"), 6, 3)->id, 6);
}

static void whose_list_was_used_longest_ago_gives_way(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i <= ORIGIN_LISTS_MAX; i++) {
        origin_lists_put(f->lists, (struct fb_str){(const char *)&i, sizeof(i)}, &f->list, 0);
        if (i == 1) {
            uint32_t first = 0;
            (void)origin_lists_find(f->lists, (struct fb_str){(const char *)&first, sizeof(first)},
                                    0, 0);
        }
    }
    uint32_t first = 0;
    uint32_t second = 1;
    assert_non_null(
        origin_lists_find(f->lists, (struct fb_str){(const char *)&first, sizeof(first)}, 0, 0));
    assert_null(
        origin_lists_find(f->lists, (struct fb_str){(const char *)&second, sizeof(second)}, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_first_page_comes_from_a_fresh_list_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_further_page_comes_from_the_very_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whose_list_was_used_longest_ago_gives_way, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
