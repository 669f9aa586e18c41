#include "base/core/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct member {
    char name;
    struct fb_list link;
};

static struct member members[] = {{.name = 'a'}, {.name = 'b'}, {.name = 'c'}, {.name = 'd'}};

static int set_up(void **state)
{
    static struct fb_list list;
    fb_list_init(&list);
    for (size_t i = 0; i < FB_ARRAY_LEN(members); i++) {
        fb_list_init(&members[i].link);
    }
    *state = &list;
    return 0;
}

/* Asserts the names in order, forwards and backwards. */
static void assert_names(struct fb_list *list, const char *names)
{
    const char *at = names;
    FB_LIST_EACH(node, list) {
        assert_int_equal(FB_CONTAINER_OF(node, struct member, link)->name, *at++);
    }
    assert_int_equal(*at, '\0');
    for (struct fb_list *node = list->prev; node != list; node = node->prev) {
        assert_int_equal(FB_CONTAINER_OF(node, struct member, link)->name, *--at);
    }
    assert_ptr_equal(at, names);
}

static void members_stand_where_they_were_put(void **state)
{
    struct fb_list *list = *state;
    assert_true(fb_list_empty(list));
    assert_null(fb_list_first(list));
    assert_null(fb_list_pop(list));
    fb_list_append(list, &members[0].link);
    fb_list_append(list, &members[1].link);
    fb_list_prepend(list, &members[2].link);
    assert_names(list, "cab");
    assert_ptr_equal(fb_list_first(list), &members[2].link);
    assert_ptr_equal(fb_list_pop(list), &members[2].link);
    assert_names(list, "ab");
}

static void removing_twice_is_harmless(void **state)
{
    struct fb_list *list = *state;
    fb_list_append(list, &members[0].link);
    fb_list_append(list, &members[1].link);
    fb_list_remove(&members[0].link);
    fb_list_remove(&members[0].link);
    assert_names(list, "b");
    assert_true(fb_list_empty(&members[0].link));
}

static void current_member_may_leave_while_visited(void **state)
{
    struct fb_list *list = *state;
    for (size_t i = 0; i < FB_ARRAY_LEN(members); i++) {
        fb_list_append(list, &members[i].link);
    }
    FB_LIST_EACH(node, list) {
        if (FB_CONTAINER_OF(node, struct member, link)->name % 2 == 0) {
            fb_list_remove(node);
        }
    }
    assert_names(list, "ac");
}

static void splice_moves_all_to_the_end(void **state)
{
    struct fb_list *list = *state;
    struct fb_list other;
    fb_list_init(&other);
    fb_list_splice(list, &other);
    assert_names(list, "");
    fb_list_append(&other, &members[2].link);
    fb_list_append(&other, &members[3].link);
    fb_list_splice(list, &other);
    assert_names(list, "cd");
    assert_names(&other, "");
    fb_list_append(&other, &members[0].link);
    fb_list_splice(list, &other);
    assert_names(list, "cda");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(members_stand_where_they_were_put, set_up),
        cmocka_unit_test_setup(removing_twice_is_harmless, set_up),
        cmocka_unit_test_setup(current_member_may_leave_while_visited, set_up),
        cmocka_unit_test_setup(splice_moves_all_to_the_end, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
