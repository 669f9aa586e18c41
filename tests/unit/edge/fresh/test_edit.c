#include "base/core/err.h"
#include "edge/fresh/edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void fields_go_and_come(void **state)
{
    static const struct fb_str removed[] = {FB_STR("Server"), FB_STR("x-a")};
    static const struct fb_header added[] = {{FB_STR("X-A"), FB_STR("new")},
                                             {FB_STR("X-B"), FB_STR("")}};
    const struct edge_edits edits = {
        .removed = removed, .n_removed = 2, .added = added, .n_added = 2};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_headers headers = {0};

    (void)state;
    fb_headers_add(&headers, &arena, FB_STR("X-A"), FB_STR("1"));
    fb_headers_add(&headers, &arena, FB_STR("ETag"), FB_STR("e"));
    fb_headers_add(&headers, &arena, FB_STR("X-a"), FB_STR("2"));
    edge_edits_apply(NULL, &headers, &arena);
    assert_int_equal(headers.n, 3);
    edge_edits_apply(&edits, &headers, &arena);
    assert_int_equal(headers.n, 3);
    assert_true(fb_str_equal(fb_headers_find(&headers, FB_STR("x-a")), FB_STR("new")));
    assert_true(fb_str_equal(fb_headers_find(&headers, FB_STR("etag")), FB_STR("e")));
    assert_int_equal(fb_headers_count(&headers, FB_STR("x-b")), 1);
}

static void a_line_is_a_name_and_a_value(void **state)
{
    struct fb_header line;

    (void)state;
    assert_int_equal(edge_edit_parse(FB_STR("X-A:  b: c "), &line, NULL), FB_OK);
    assert_true(fb_str_equal(line.name, FB_STR("X-A")));
    assert_true(fb_str_equal(line.value, FB_STR("b: c")));
    assert_int_equal(edge_edit_parse(FB_STR("X-A:"), &line, NULL), FB_OK);
    assert_int_equal(line.value.len, 0);
}

static void what_would_break_a_message_is_refused(void **state)
{
    static const char *const lines[] = {"",          "X-A",
                                        ": v",       "X A: v",
                                        "X-A: a\nb", "X-A: a\x7f",
                                        "Age: 1",    "content-length: 0",
                                        "Via: x",    "Cache-Status: x"};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(lines); i++) {
        struct fb_header line;
        struct fb_diag diag = {0};
        if (edge_edit_parse(fb_str_from(lines[i]), &line, &diag) != FB_E_MALFORMED) {
            fail_msg("'%s' is taken", lines[i]);
        }
        assert_true(diag.text[0] != '\0');
    }
    assert_int_equal(edge_edit_check_name(FB_STR("Transfer-Encoding"), NULL), FB_E_MALFORMED);
    assert_int_equal(edge_edit_check_name(FB_STR("Server"), NULL), FB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_go_and_come),
        cmocka_unit_test(a_line_is_a_name_and_a_value),
        cmocka_unit_test(what_would_break_a_message_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
