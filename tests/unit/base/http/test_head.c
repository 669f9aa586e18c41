#include "base/core/buf.h"
#include "base/http/content_type.h"
#include "base/http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void equals(struct fb_str str, const char *text)
{
    if (!fb_str_equal(str, fb_str_from(text))) {
        fail_msg("'%.*s' is not '%s'", FB_STR_ARG(str), text);
    }
}

static void lines_are_found_counted_joined_and_removed(void **state)
{
    struct fb_arena arena = {0};
    struct fb_headers headers = {0};
    (void)state;

    for (int i = 0; i < 40; i++) {
        fb_headers_add(&headers, &arena, FB_STR("X"), FB_STR("y"));
    }
    fb_headers_add(&headers, &arena, FB_STR("Vary"), FB_STR("a"));
    fb_headers_add(&headers, &arena, FB_STR("Empty"), FB_STR_NONE);
    fb_headers_add(&headers, &arena, FB_STR("vary"), FB_STR("b, c"));

    equals(fb_headers_find(&headers, FB_STR("VARY")), "a");
    assert_null(fb_headers_find(&headers, FB_STR("Z")).ptr);
    assert_non_null(fb_headers_find(&headers, FB_STR("empty")).ptr);
    assert_int_equal(fb_headers_count(&headers, FB_STR("x")), 40);
    equals(fb_headers_join(&headers, &arena, FB_STR("Vary")), "a, b, c");
    assert_null(fb_headers_join(&headers, &arena, FB_STR("Z")).ptr);
    fb_headers_remove(&headers, FB_STR("x"));
    assert_int_equal(headers.n, 3);
    equals(headers.items[2].value, "b, c");
    fb_arena_done(&arena);
}

static void members_of(const char *value, const char *wanted)
{
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    struct fb_str rest = fb_str_from(value);
    struct fb_str member;

    while (fb_list_member(&rest, &member)) {
        fb_buf_append_byte(&got, '[');
        fb_buf_append(&got, member);
        fb_buf_append_byte(&got, ']');
    }
    equals(fb_buf_str(&got), wanted);
}

static void lists_are_cut_outside_quotes(void **state)
{
    (void)state;
    members_of("", "");
    members_of(" , ,", "");
    members_of("a, b\t,c", "[a][b][c]");
    members_of("a=\"x, y\", b", "[a=\"x, y\"][b]");
    members_of("a=\"\\\", x\", b", "[a=\"\\\", x\"][b]");
    members_of("\"open, b", "[\"open, b]");
    members_of("\"end\\", "[\"end\\]");
    assert_true(fb_list_has(FB_STR("Upgrade, Close"), FB_STR("close")));
    assert_false(fb_list_has(FB_STR("closed"), FB_STR("close")));
}

static void tokens_are_told(void **state)
{
    char byte = 0;
    (void)state;

    assert_false(fb_is_token(FB_STR("")));
    for (int c = 0; c < 256; c++) {
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_other = c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
        byte = (char)c;
        assert_int_equal(fb_is_token((struct fb_str){&byte, 1}), is_alnum || is_other);
    }
}

static void methods_and_statuses_have_names(void **state)
{
    (void)state;
    assert_int_equal(fb_method_from(FB_STR("DELETE")), FB_METHOD_DELETE);
    assert_int_equal(fb_method_from(FB_STR("get")), FB_METHOD_OTHER);
    equals(fb_method_text(FB_METHOD_PATCH), "PATCH");
    assert_string_equal(fb_status_reason(404), "Not Found");
    assert_string_equal(fb_status_reason(299), "");
    assert_string_equal(fb_status_reason(9999), "");
    assert_true(fb_status_has_no_content(304, FB_METHOD_GET));
    assert_true(fb_status_has_no_content(200, FB_METHOD_HEAD));
    assert_false(fb_status_has_no_content(200, FB_METHOD_GET));
}

static void types_come_from_suffixes(void **state)
{
    (void)state;
    equals(fb_content_type_of(FB_STR("/v/index.M3U8")), "application/vnd.apple.mpegurl");
    equals(fb_content_type_of(FB_STR("m4s")), "application/octet-stream");
    equals(fb_content_type_essence(FB_STR("text/html ; charset=x")), "text/html");
    assert_true(fb_content_type_is(FB_STR("Application/JSON;x=y"), FB_STR("application/json")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_found_counted_joined_and_removed),
        cmocka_unit_test(lists_are_cut_outside_quotes),
        cmocka_unit_test(tokens_are_told),
        cmocka_unit_test(methods_and_statuses_have_names),
        cmocka_unit_test(types_come_from_suffixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
