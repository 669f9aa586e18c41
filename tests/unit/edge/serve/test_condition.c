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
    struct edge_size size;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){
        .request = {.method = FB_METHOD_GET},
        .object = {.status = 200,
                   .etag = FB_STR("\"a\""),
                   .last_modified = FB_STR("Sun, 06 Nov 1994 08:00:00 GMT")},
        .size = {.length = 1000},
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

    return edge_conditions_select(&conditions, &f->request, &f->object, f->size, NOW_S, &f->arena);
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

static void what_is_no_range_of_bytes_gets_the_whole(void **state)
{
    static const char *const values[] = {"bytes=0-,0-", "bytes=9-1", "lines=1-2", "bytes=", "x"};

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

    static const char *const values[] = {"bytes=5-", "bytes=-5", "bytes=0-1,5-6",
                                         "bytes=0-9223372036854775807"};
    for (size_t i = 0; i < FB_ARRAY_LEN(values); i++) {
        f->size = (struct edge_size){.length = FB_LENGTH_UNKNOWN, .n_arrived = 10};
        f->request.headers = (struct fb_headers){0};
        ask(f, "Range", values[i]);
        assert_int_equal(answer(f).status, 200);
        assert_int_equal(answer(f).length, FB_LENGTH_UNKNOWN);
        assert_int_equal(answer(f).awaited, 0);
    }
}

static void a_range_that_is_about_to_arrive_is_waited_for(void **state)
{
    struct fixture *f = *state;

    f->size = (struct edge_size){.length = FB_LENGTH_UNKNOWN, .n_arrived = 10};
    ask(f, "Range", "bytes=5-10");
    assert_int_equal(answer(f).status, 200);
    assert_int_equal(answer(f).awaited, 11);
}

static void a_range_that_has_arrived_needs_no_length(void **state)
{
    struct fixture *f = *state;

    f->size = (struct edge_size){.length = FB_LENGTH_UNKNOWN, .n_arrived = 10};
    ask(f, "Range", "bytes=5-9");
    struct edge_selection selection = answer(f);
    assert_int_equal(selection.status, 206);
    assert_int_equal(selection.offset, 5);
    assert_int_equal(selection.length, 5);
    assert_text(selection.content_range, "bytes 5-9/*");
}

static void several_ranges_give_parts(void **state)
{
    ask(*state, "Range", "bytes=0-1,500-599,-1");
    struct edge_selection selection = answer(*state);

    assert_int_equal(selection.status, 206);
    assert_null(selection.content_range.ptr);
    assert_int_equal(selection.length, 103);
    assert_int_equal(selection.parts->n, 3);
    assert_int_equal(selection.parts->items[2].first, 999);
}

static void ranges_that_nearly_touch_give_one(void **state)
{
    ask(*state, "Range", "bytes=0-9,100-199,50-60");
    struct edge_selection selection = answer(*state);

    assert_int_equal(selection.status, 206);
    assert_null(selection.parts);
    assert_text(selection.content_range, "bytes 0-199/1000");
}

static void what_is_encoded_has_no_parts(void **state)
{
    struct fixture *f = *state;

    fb_headers_add(&f->object.headers, &f->arena, FB_STR("Content-Encoding"), FB_STR("gzip"));
    ask(f, "Range", "bytes=0-1,500-599");
    assert_int_equal(answer(f).status, 200);
    f->request.headers = (struct fb_headers){0};
    ask(f, "Range", "bytes=0-1");
    assert_int_equal(answer(f).status, 206);
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

static void a_star_is_known_whatever_is_stored(void **state)
{
    struct fixture *f = *state;

    f->object.etag = FB_STR_NONE;
    ask(f, "If-None-Match", "*");
    assert_int_equal(answer(f).status, 304);
}

static void the_date_stands_for_a_missing_last_modified(void **state)
{
    struct fixture *f = *state;

    f->object.last_modified = FB_STR_NONE;
    fb_headers_add(&f->object.headers, &f->arena, FB_STR("Date"),
                   FB_STR("Sun, 06 Nov 1994 08:00:00 GMT"));
    ask(f, "If-Modified-Since", "Sun, 06 Nov 1994 08:00:00 GMT");
    assert_int_equal(answer(f).status, 304);
    f->request.headers = (struct fb_headers){0};
    ask(f, "If-Modified-Since", "Sun, 06 Nov 1994 07:59:59 GMT");
    assert_int_equal(answer(f).status, 200);
}

static void the_date_stands_for_no_modification_date_elsewhere(void **state)
{
    struct fixture *f = *state;

    f->object.last_modified = FB_STR_NONE;
    fb_headers_add(&f->object.headers, &f->arena, FB_STR("Date"),
                   FB_STR("Sun, 06 Nov 1994 08:00:00 GMT"));
    ask(f, "If-Unmodified-Since", "Sun, 06 Nov 1994 07:00:00 GMT");
    ask(f, "If-None-Match", "*");
    assert_int_equal(answer(f).status, 304);
}

static void a_date_that_is_none_is_passed_over(void **state)
{
    static const char *const dates[] = {"", "0", "yesterday", "1994-11-06T08:00:00Z",
                                        "Sun, 99 Nov 1994 08:00:00 GMT"};

    for (size_t i = 0; i < FB_ARRAY_LEN(dates); i++) {
        struct fixture *f = *state;
        f->request.headers = (struct fb_headers){0};
        ask(f, "If-Modified-Since", dates[i]);
        assert_int_equal(answer(f).status, 200);
    }
}

static void any_success_has_conditions_but_only_200_has_ranges(void **state)
{
    struct fixture *f = *state;

    f->object.status = 203;
    ask(f, "Range", "bytes=0-9");
    assert_int_equal(answer(f).status, 203);
    ask(f, "If-None-Match", "\"a\"");
    assert_int_equal(answer(f).status, 304);
}

static void conditions_for_the_origin_may_hold_of_what_is_stored(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        bool holds;
    } cases[] = {{"If-Match", "\"a\"", true},
                 {"If-Match", "*", true},
                 {"If-Match", "\"b\", \"a\"", true},
                 {"If-Match", "W/\"a\"", false},
                 {"If-Match", "\"b\"", false},
                 {"If-Unmodified-Since", "Sun, 06 Nov 1994 08:00:00 GMT", true},
                 {"If-Unmodified-Since", "Sun, 06 Nov 1994 07:59:59 GMT", false},
                 {"If-Unmodified-Since", "soon", true},
                 {"If-None-Match", "\"b\"", true}};

    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fixture *f = *state;
        f->request.headers = (struct fb_headers){0};
        ask(f, cases[i].name, cases[i].value);
        struct edge_conditions conditions = edge_conditions_of(&f->request.headers);
        assert_int_equal(
            edge_conditions_hold(&conditions, &f->request, &f->object, NOW_S, &f->arena),
            cases[i].holds);
    }
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
        TEST(what_is_no_range_of_bytes_gets_the_whole),
        TEST(a_range_of_an_unknown_length_gets_the_whole),
        TEST(a_range_that_has_arrived_needs_no_length),
        TEST(a_range_that_is_about_to_arrive_is_waited_for),
        TEST(several_ranges_give_parts),
        TEST(ranges_that_nearly_touch_give_one),
        TEST(what_is_encoded_has_no_parts),
        TEST(head_takes_no_range),
        TEST(an_error_has_no_ranges_and_no_conditions),
        TEST(a_known_tag_gives_304_before_any_range),
        TEST(a_date_counts_only_without_a_tag),
        TEST(a_star_is_known_whatever_is_stored),
        TEST(the_date_stands_for_a_missing_last_modified),
        TEST(the_date_stands_for_no_modification_date_elsewhere),
        TEST(a_date_that_is_none_is_passed_over),
        TEST(any_success_has_conditions_but_only_200_has_ranges),
        TEST(conditions_for_the_origin_may_hold_of_what_is_stored),
        TEST(if_range_decides_whether_the_range_counts),
        TEST(what_the_origin_must_judge_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
