#include "edge/upstream/via.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(struct fb_str str, const char *text)
{
    assert_int_equal(str.len, strlen(text));
    assert_memory_equal(str.ptr, text, str.len);
}

static void a_node_stands_behind_those_before_it(void **state)
{
    (void)state;
    struct fb_arena arena = {0};
    struct fb_headers headers = {0};

    assert_text(edge_via_append(&arena, NULL, FB_STR("1.1"), FB_STR("box-1")), "1.1 box-1");
    assert_text(edge_via_append(&arena, &headers, FB_STR("1.1"), FB_STR("box-1")), "1.1 box-1");
    assert_text(edge_via_append(&arena, NULL, FB_STR("1.0"), FB_STR("box-1")), "1.0 box-1");
    fb_headers_add(&headers, &arena, FB_STR("via"), FB_STR("1.0 a, 1.1 b"));
    fb_headers_add(&headers, &arena, FB_STR("Via"), FB_STR("2 c (x)"));
    assert_text(edge_via_append(&arena, &headers, FB_STR("1.1"), FB_STR("box-1")),
                "1.0 a, 1.1 b, 2 c (x), 1.1 box-1");
    fb_arena_done(&arena);
}

static void the_version_is_that_in_which_the_request_came(void **state)
{
    (void)state;

    assert_text(edge_via_version(&(struct fb_request_head){.version_minor = 0}), "1.0");
    assert_text(edge_via_version(&(struct fb_request_head){.version_minor = 1}), "1.1");
    assert_text(edge_via_version(&(struct fb_request_head){.version_minor = 1, .is_http2 = true}),
                "2");
}

static void a_node_knows_its_own_name_only_whole(void **state)
{
    (void)state;
    struct fb_arena arena = {0};
    struct fb_headers headers = {0};

    fb_headers_add(&headers, &arena, FB_STR("VIA"), FB_STR("1.1 box-10, 1.1  box-2 (box-1)"));
    assert_false(edge_via_has(&headers, FB_STR("box-1")));
    assert_true(edge_via_has(&headers, FB_STR("box-2")));
    fb_headers_add(&headers, &arena, FB_STR("Via"), FB_STR("HTTP/1.1 box-1"));
    assert_true(edge_via_has(&headers, FB_STR("box-1")));
    fb_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_stands_behind_those_before_it),
        cmocka_unit_test(the_version_is_that_in_which_the_request_came),
        cmocka_unit_test(a_node_knows_its_own_name_only_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
