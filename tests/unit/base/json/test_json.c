#include "base/core/err.h"
#include "base/json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct fb_json *must_parse(const char *text)
{
    struct fb_json *json = NULL;
    struct fb_diag diag = {0};
    if (fb_json_parse(fb_str_from(text), 4096, &json, &diag) < 0) {
        fail_msg("%s", diag.text);
    }
    return json;
}

static void refused(struct fb_str text, int code, const char *start)
{
    struct fb_json *json = NULL;
    struct fb_diag diag = {0};
    assert_int_equal(fb_json_parse(text, 4096, &json, &diag), code);
    assert_null(json);
    if (strncmp(diag.text, start, strlen(start)) != 0) {
        fail_msg("'%s' does not start with '%s'", diag.text, start);
    }
}

static void assert_dump(const struct fb_json *json, const char *text)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    fb_json_dump(json, &buf);
    assert_string_equal(buf.ptr, text);
}

static void text_that_is_no_json_is_refused_with_its_place(void **state)
{
    (void)state;
    refused(FB_STR(""), FB_E_MALFORMED, "1:1: ");
    refused(FB_STR("{\n  \"a\": nope\n}"), FB_E_MALFORMED, "2:");
    refused(FB_STR("{} x"), FB_E_MALFORMED, "1:");
    refused(FB_STR("{\"a\":1,\"a\":2}"), FB_E_MALFORMED, "1:");
    refused(FB_STR("\"\xff\""), FB_E_MALFORMED, "1:");
    refused(FB_STR("\"a\\u0000b\""), FB_E_MALFORMED, "1:");
    refused(FB_STR("\"a\0b\""), FB_E_MALFORMED, "1:");
    refused(FB_STR("99999999999999999999"), FB_E_MALFORMED, "1:");
    refused(FB_STR("1e999"), FB_E_MALFORMED, "1:");
    refused((struct fb_str){NULL, 0}, FB_E_MALFORMED, "1:1: ");
}

static void size_and_depth_are_bounded(void **state)
{
    (void)state;
    static char deep[FB_JSON_MAX_DEPTH * 2 + 8];
    struct fb_json *json = NULL;
    struct fb_diag diag = {0};
    assert_int_equal(fb_json_parse(FB_STR("[1, 2]"), 5, &json, &diag), FB_E_LIMIT);

    memset(deep, '[', FB_JSON_MAX_DEPTH);
    memset(deep + FB_JSON_MAX_DEPTH, ']', FB_JSON_MAX_DEPTH);
    fb_json_free(must_parse(deep));
    memset(deep, '[', FB_JSON_MAX_DEPTH + 1);
    memset(deep + FB_JSON_MAX_DEPTH + 1, ']', FB_JSON_MAX_DEPTH + 1);
    refused(fb_str_from(deep), FB_E_LIMIT, "1:65: more than 64 levels of nesting");

    /* Brackets in a string are no levels. */
    memset(deep, '[', sizeof(deep) - 1);
    deep[0] = '"';
    deep[1] = '\\';
    deep[2] = '"';
    deep[sizeof(deep) - 2] = '"';
    fb_json_free(must_parse(deep));
}

static void wrong_types_give_the_fallback(void **state)
{
    (void)state;
    FB_AUTO(fb_json_freep)
    struct fb_json *root =
        must_parse("{\"s\":\"x\",\"i\":7,\"r\":1.5,\"b\":true,\"n\":null,\"a\":[1]}");
    const struct fb_json *s = fb_json_find(root, "s");
    assert_int_equal(fb_json_type(s), FB_JSON_STR);
    assert_string_equal(fb_json_str(s).ptr, "x");
    assert_int_equal(fb_json_int(s, -1), -1);
    assert_false(fb_json_bool(s, false));
    assert_null(fb_json_find(s, "x"));
    assert_null(fb_json_at(s, 0));
    assert_int_equal(fb_json_count(s), 0);

    assert_int_equal(fb_json_int(fb_json_find(root, "i"), -1), 7);
    assert_true(fb_json_real(fb_json_find(root, "i"), 0) > 6.5);
    assert_true(fb_json_real(fb_json_find(root, "r"), 0) > 1.4);
    assert_int_equal(fb_json_int(fb_json_find(root, "r"), -1), -1);
    assert_true(fb_json_bool(fb_json_find(root, "b"), false));
    assert_int_equal(fb_json_type(fb_json_find(root, "n")), FB_JSON_NULL);
    assert_int_equal(fb_json_int(fb_json_at(fb_json_find(root, "a"), 0), -1), 1);
    assert_null(fb_json_at(fb_json_find(root, "a"), 1));
    assert_int_equal(fb_json_count(root), 6);

    assert_int_equal(fb_json_type(NULL), FB_JSON_ABSENT);
    assert_null(fb_json_find(NULL, "x"));
    assert_null(fb_json_find(fb_json_find(NULL, "x"), "y"));
    assert_null(fb_json_str(NULL).ptr);
    assert_int_equal(fb_json_count(NULL), 0);
}

static void members_are_visited_in_the_order_of_the_text(void **state)
{
    (void)state;
    FB_AUTO(fb_json_freep) struct fb_json *root = must_parse("{\"z\":1,\"a\":2,\"m\":3}");
    void *cursor = NULL;
    struct fb_str key;
    const struct fb_json *value = NULL;
    char seen[8] = "";
    int64_t sum = 0;
    while (fb_json_next(root, &cursor, &key, &value)) {
        (void)strncat(seen, key.ptr, 1);
        sum = sum * 10 + fb_json_int(value, 0);
    }
    assert_string_equal(seen, "zam");
    assert_int_equal(sum, 123);

    cursor = NULL;
    assert_false(fb_json_next(NULL, &cursor, &key, &value));
}

static void what_must_be_there_is_asked_for_in_a_sentence(void **state)
{
    (void)state;
    FB_AUTO(fb_json_freep)
    struct fb_json *root = must_parse("{\"title\":\"abc\",\"size\":5,\"nil\":null}");
    struct fb_str str = FB_STR("before");
    int64_t number = 77;
    struct fb_diag diag = {0};

    assert_int_equal(fb_json_read_str(root, "title", 3, &str, &diag), FB_OK);
    assert_string_equal(str.ptr, "abc");
    assert_int_equal(fb_json_read_str(root, "title", 2, &str, &diag), FB_E_MALFORMED);
    assert_string_equal(diag.text, "'title' must be a string of at most 2 bytes");
    assert_int_equal(fb_json_read_str(root, "size", 9, &str, &diag), FB_E_MALFORMED);
    assert_int_equal(fb_json_read_str(root, "nil", 9, &str, &diag), FB_E_NOT_FOUND);
    assert_string_equal(diag.text, "'nil' is missing");

    assert_int_equal(fb_json_read_int(root, "size", 6, 9, &number, &diag), FB_E_MALFORMED);
    assert_string_equal(diag.text, "'size' must be an integer from 6 to 9");
    assert_int_equal(fb_json_read_int(root, "title", 0, 9, &number, NULL), FB_E_MALFORMED);
    assert_int_equal(number, 77);
    assert_int_equal(fb_json_read_int(root, "size", 5, 5, &number, &diag), FB_OK);
    assert_int_equal(number, 5);
    assert_int_equal(fb_json_read_int(NULL, "size", 5, 5, &number, &diag), FB_E_NOT_FOUND);
}

static void what_is_built_is_dumped_in_order(void **state)
{
    (void)state;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    fb_json_set_str(root, "z", FB_STR("a\"\n/\xc3\xa9"));
    fb_json_set_int(root, "min", INT64_MIN);
    fb_json_set_real(root, "r", 0.1);
    fb_json_set_bool(root, "b", false);
    fb_json_set_null(root, "n");
    fb_json_set_text(root, "none", NULL);
    struct fb_json *list = fb_json_set_array(root, "list");
    fb_json_add_int(list, 1);
    fb_json_add_str(list, FB_STR(""));
    fb_json_set_int(fb_json_add_object(list), "x", 1);
    fb_json_add_int(fb_json_add_array(list), 2);
    fb_json_set(root, "taken", fb_json_new_array());
    assert_dump(root, "{\"z\":\"a\\\"\\n/\xc3\xa9\",\"min\":-9223372036854775808,\"r\":0.1,"
                      "\"b\":false,\"n\":null,\"none\":null,\"list\":[1,\"\",{\"x\":1},[2]],"
                      "\"taken\":[]}");
}

static void bytes_that_are_not_utf8_become_marks(void **state)
{
    (void)state;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_array();
    fb_json_add_str(root, FB_STR("a\xff\"b\0c"));
    fb_json_add_str(root, FB_STR("x\0y"));
    assert_dump(root, "[\"a\xef\xbf\xbd\\\"b\\u0000c\",\"x\\u0000y\"]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_is_no_json_is_refused_with_its_place),
        cmocka_unit_test(size_and_depth_are_bounded),
        cmocka_unit_test(wrong_types_give_the_fallback),
        cmocka_unit_test(members_are_visited_in_the_order_of_the_text),
        cmocka_unit_test(what_must_be_there_is_asked_for_in_a_sentence),
        cmocka_unit_test(what_is_built_is_dumped_in_order),
        cmocka_unit_test(bytes_that_are_not_utf8_become_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
