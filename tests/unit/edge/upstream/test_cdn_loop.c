#include "edge/upstream/cdn_loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum edge_loop loop_of(const char *name, const char *value)
{
    struct fb_arena arena = {0};
    struct fb_headers headers = {0};

    fb_headers_add(&headers, &arena, fb_str_from(name), fb_str_from(value));
    enum edge_loop loop = edge_loop_of(&headers, FB_STR("box-1"));
    fb_arena_done(&arena);
    return loop;
}

static void a_node_is_added_behind_the_others(void **state)
{
    struct fb_arena arena = {0};
    struct fb_headers headers = {0};

    (void)state;
    assert_true(fb_str_equal(edge_cdn_loop_append(&arena, NULL, FB_STR("box-1")), FB_STR("box-1")));
    fb_headers_add(&headers, &arena, FB_STR("CDN-Loop"), FB_STR("foo123.foocdn.example"));
    fb_headers_add(&headers, &arena, FB_STR("cdn-loop"), FB_STR("barcdn.example; trace=\"a,b\""));
    assert_true(
        fb_str_equal(edge_cdn_loop_append(&arena, &headers, FB_STR("box-1")),
                     FB_STR("foo123.foocdn.example, barcdn.example; trace=\"a,b\", box-1")));
    fb_arena_done(&arena);
}

static void a_node_finds_itself(void **state)
{
    static const char *const values[] = {"box-1",
                                         "Box-1",
                                         "a, box-1, b",
                                         "a,box-1;x=y",
                                         "a, box-1 ; x=\"y,z\"",
                                         ",, box-1",
                                         "a;x=\"torn, box-1",
                                         "@@@, box-1",
                                         "box-1\"junk"};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(values); i++) {
        assert_int_equal(loop_of("CDN-Loop", values[i]), EDGE_LOOP_CLOSED);
    }
    assert_int_equal(loop_of("Via", "1.1 a, 1.1 box-1 (forebay)"), EDGE_LOOP_CLOSED);
}

static void others_are_not_taken_for_it(void **state)
{
    static const char *const values[] = {
        "", "box-10", "xbox-1", "a;node=box-1", "box-1.example", "a; x=\", box-1\""};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(values); i++) {
        assert_int_equal(loop_of("CDN-Loop", values[i]), EDGE_LOOP_NONE);
    }
    assert_int_equal(loop_of("X-CDN-Loop", "box-1"), EDGE_LOOP_NONE);
}

static void no_sane_chain_is_that_long(void **state)
{
    static const char *const names[] = {"CDN-Loop", "Via"};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
        char value[1024] = "";
        for (int n = 0; n < EDGE_LOOP_MAX_MEMBERS; n++) {
            (void)snprintf(value + strlen(value), 16, "1.1 n%d, ", n);
        }
        assert_int_equal(loop_of(names[i], value), EDGE_LOOP_NONE);
        (void)snprintf(value + strlen(value), 16, "1.1 more");
        assert_int_equal(loop_of(names[i], value), EDGE_LOOP_TOO_LONG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_added_behind_the_others),
        cmocka_unit_test(a_node_finds_itself),
        cmocka_unit_test(others_are_not_taken_for_it),
        cmocka_unit_test(no_sane_chain_is_that_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
