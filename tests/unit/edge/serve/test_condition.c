#include "base/server/exchange.h"
#include "edge/serve/condition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { NOW_S = 784111777 }; /* Sun, 06 Nov 1994 08:49:37 GMT */

struct fixture {
    struct fb_arena arena;
    struct fb_request_head request;
    struct edge_object_head object;
    int64_t length;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){
        .request = {.method = FB_METHOD_GET},
        .object = {.status = 200,
                   .etag = FB_STR("\"a\""),
                   .last_modified = FB_STR("Sun, 06 Nov 1994 08:00:00 GMT")},
        .length = 1000,
    };
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    fb_arena_done(&((struct fixture *)*state)->arena);
    return 0;
}

static void ask(struct fixture *f, const char *name, const char *value)
{
    fb_headers_add(&f->request.headers, &f->arena, fb_str_from(name), fb_str_from(value));
}

static struct edge_selection answer(struct fixture *f)
{
    struct edge_conditions conditions = edge_conditions_of(&f->request.headers);

    return edge_conditions_select(&conditions, &f->request, &f->object, f->length, NOW_S,
                                  &f->arena);
}

static void assert_text(struct fb_str str, const char *text)
{
    assert_int_equal(str.len, strlen(text));
    assert_memory_equal(str.ptr, text, str.len);
}

static void a_plain_request_gets_the_whole(void **state)
{
    struct edge_selection selection = answer(*state);

    assert_int_equal(selection.status, 200);
    assert_int_equal(selection.length, 1000);
    assert_null(selection.content_range.ptr);
}

static void a_single_range_gives_206(void **state)
{
    ask(*state, "range", "bytes=10-19");
    struct edge_selection selection = answer(*state);

    assert_int_equal(selection.status, 206);
    assert_int_equal(selection.offset, 10);
    assert_int_equal(selection.length, 10);
    assert_text(selection.content_range, "bytes 10-19/1000");
}

static void a_range_past_the_end_gives_416(void **state)
{
    ask(*state, "Range", "bytes=1000-");
    struct edge_selection selection = answer(*state);

    assert_int_equal(selection.status, 416);
    assert_text(selection.content_range, "bytes */1000");
}

static void what_is_no_single_byte_range_gets_the_whole(void **state)
{
    static const char *const values[] = {"bytes=0-1,5-9", "bytes=9-1", "lines=1-2", "bytes=", "x"};

    for (size_t i = 0; i < FB_ARRAY_LEN(values); i++) {
        struct fixture *f = *state;
        f->request.headers = (struct fb_headers){0};
        ask(f, "Range", values[i]);
        assert_int_equal(answer(f).status, 200);
    }
}

static void a_range_of_an_unknown_length_gets_the_whole(void **state)
{
    struct fixture *f = *state;

    f->length = FB_LENGTH_UNKNOWN;
    ask(f, "Range", "bytes=0-9");
    assert_int_equal(answer(f).status, 200);
    assert_int_equal(answer(f).length, FB_LENGTH_UNKNOWN);
}

static void head_takes_no_range(void **state)
{
    struct fixture *f = *state;

    f->request.method = FB_METHOD_HEAD;
    ask(f, "Range", "bytes=0-9");
    assert_int_equal(answer(f).status, 200);
}

static void an_error_has_no_ranges_and_no_conditions(void **state)
{
    struct fixture *f = *state;

    f->object.status = 404;
    ask(f, "Range", "bytes=0-9");
    ask(f, "If-None-Match", "\"a\"");
    assert_int_equal(answer(f).status, 404);
}

static void a_known_tag_gives_304_before_any_range(void **state)
{
    ask(*state, "If-None-Match", "\"b\", W/\"a\"");
    ask(*state, "Range", "bytes=0-9");
    assert_int_equal(answer(*state).status, 304);
}

static void a_date_counts_only_without_a_tag(void **state)
{
    struct fixture *f = *state;

    ask(f, "If-Modified-Since", "Sun, 06 Nov 1994 08:00:00 GMT");
    assert_int_equal(answer(f).status, 304);
    ask(f, "If-None-Match", "\"other\"");
    assert_int_equal(answer(f).status, 200);
}

static void if_range_decides_whether_the_range_counts(void **state)
{
    struct fixture *f = *state;

    ask(f, "Range", "bytes=0-9");
    ask(f, "If-Range", "\"a\"");
    assert_int_equal(answer(f).status, 206);

    f->request.headers = (struct fb_headers){0};
    ask(f, "Range", "bytes=0-9");
    ask(f, "If-Range", "\"old\"");
    assert_int_equal(answer(f).status, 200);

    f->request.headers = (struct fb_headers){0};
    ask(f, "Range", "bytes=0-9");
    ask(f, "If-Range", "W/\"a\"");
    assert_int_equal(answer(f).status, 200);
}

static void what_the_origin_must_judge_is_told_apart(void **state)
{
    struct fixture *f = *state;

    ask(f, "IF-MATCH", "\"a\"");
    assert_true(edge_conditions_of(&f->request.headers).has_strict);
    f->request.headers = (struct fb_headers){0};
    ask(f, "If-Unmodified-Since", "Sun, 06 Nov 1994 08:00:00 GMT");
    assert_true(edge_conditions_of(&f->request.headers).has_strict);
    f->request.headers = (struct fb_headers){0};
    ask(f, "If-None-Match", "\"a\"");
    assert_false(edge_conditions_of(&f->request.headers).has_strict);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_request_gets_the_whole),
        TEST(a_single_range_gives_206),
        TEST(a_range_past_the_end_gives_416),
        TEST(what_is_no_single_byte_range_gets_the_whole),
        TEST(a_range_of_an_unknown_length_gets_the_whole),
        TEST(head_takes_no_range),
        TEST(an_error_has_no_ranges_and_no_conditions),
        TEST(a_known_tag_gives_304_before_any_range),
        TEST(a_date_counts_only_without_a_tag),
        TEST(if_range_decides_whether_the_range_counts),
        TEST(what_the_origin_must_judge_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
