#include "base/core/err.h"
#include "base/http/conditional.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define EARLIER "Sun, 06 Nov 1994 08:49:36 GMT"
#define EXACTLY "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATER   "Sun, 06 Nov 1994 08:49:38 GMT"

static const int64_t now_s = 1767225600;
static const struct fb_validators current = {.etag = FB_STR("\"a\""),
                                             .last_modified = 784111777,
                                             .date = 784200000};

/* Evaluates up to two fields, "Name: value" each. */
static enum fb_condition evaluate(enum fb_method method, const struct fb_validators *validators,
                                  const char *first, const char *second)
{
    struct fb_arena arena = {0};
    struct fb_request_head head = {.method = method};
    const char *const lines[] = {first, second};

    for (size_t i = 0; i < 2; i++) {
        struct fb_str line = fb_str_from(lines[i]);
        size_t colon = fb_str_find(line, ':');
        if (line.len > 0) {
            fb_headers_add(&head.headers, &arena, fb_str_first(line, colon),
                           fb_str_trim(fb_str_skip(line, colon + 1)));
        }
    }
    enum fb_condition condition = fb_condition_evaluate(&head, validators, now_s, &arena);
    fb_arena_done(&arena);
    return condition;
}

static enum fb_condition get(const char *first, const char *second)
{
    return evaluate(FB_METHOD_GET, &current, first, second);
}

static void known_tags_are_not_modified(void **state)
{
    (void)state;
    assert_int_equal(get("If-None-Match: \"a\"", NULL), FB_CONDITION_NOT_MODIFIED);
    assert_int_equal(get("If-None-Match: W/\"a\"", NULL), FB_CONDITION_NOT_MODIFIED);
    assert_int_equal(get("If-None-Match: \"x,y\", \"a\"", NULL), FB_CONDITION_NOT_MODIFIED);
    assert_int_equal(get("If-None-Match: \"b\"", "If-None-Match: \"a\""),
                     FB_CONDITION_NOT_MODIFIED);
    assert_int_equal(get("If-None-Match: *", NULL), FB_CONDITION_NOT_MODIFIED);
    assert_int_equal(get("If-None-Match: \"b\"", NULL), FB_CONDITION_TRUE);
    assert_int_equal(get("If-None-Match: a", NULL), FB_CONDITION_TRUE);
    assert_int_equal(get("If-None-Match: \"x\\\", \"a\"", NULL), FB_CONDITION_NOT_MODIFIED);
    assert_int_equal(get(NULL, NULL), FB_CONDITION_TRUE);
}

static void tags_go_before_dates(void **state)
{
    (void)state;
    assert_int_equal(get("If-None-Match: \"b\"", "If-Modified-Since: " LATER), FB_CONDITION_TRUE);
    assert_int_equal(get("If-Match: \"a\"", "If-Unmodified-Since: " EARLIER), FB_CONDITION_TRUE);
}

static void dates_decide_where_there_is_no_tag(void **state)
{
    (void)state;
    assert_int_equal(get("If-Modified-Since: " EARLIER, NULL), FB_CONDITION_TRUE);
    assert_int_equal(get("If-Modified-Since: " EXACTLY, NULL), FB_CONDITION_NOT_MODIFIED);
    assert_int_equal(get("If-Modified-Since: " LATER, NULL), FB_CONDITION_NOT_MODIFIED);
    assert_int_equal(get("If-Modified-Since: soon", NULL), FB_CONDITION_TRUE);
    assert_int_equal(get("If-Modified-Since: " LATER, "If-Modified-Since: " LATER),
                     FB_CONDITION_TRUE);
    assert_int_equal(get("If-Unmodified-Since: " EARLIER, NULL), FB_CONDITION_FAILED);
    assert_int_equal(get("If-Unmodified-Since: " EXACTLY, NULL), FB_CONDITION_TRUE);
    assert_int_equal(evaluate(FB_METHOD_PUT, &current, "If-Modified-Since: " LATER, NULL),
                     FB_CONDITION_TRUE);
}

static void changes_need_the_strong_tag(void **state)
{
    struct fb_validators weak = current;
    (void)state;

    weak.etag = FB_STR("W/\"a\"");
    assert_int_equal(evaluate(FB_METHOD_PUT, &current, "If-Match: \"a\"", NULL), FB_CONDITION_TRUE);
    assert_int_equal(evaluate(FB_METHOD_PUT, &current, "If-Match: \"b\"", NULL),
                     FB_CONDITION_FAILED);
    assert_int_equal(evaluate(FB_METHOD_PUT, &weak, "If-Match: W/\"a\"", NULL),
                     FB_CONDITION_FAILED);
    assert_int_equal(evaluate(FB_METHOD_PUT, NULL, "If-Match: *", NULL), FB_CONDITION_FAILED);
    assert_int_equal(evaluate(FB_METHOD_PUT, &current, "If-None-Match: *", NULL),
                     FB_CONDITION_FAILED);
    assert_int_equal(evaluate(FB_METHOD_PUT, NULL, "If-None-Match: *", NULL), FB_CONDITION_TRUE);
}

static void a_range_continues_only_the_same_bytes(void **state)
{
    struct fb_validators fresh = current;
    (void)state;

    fresh.date = fresh.last_modified;
    assert_true(fb_if_range_holds(FB_STR(""), &current, now_s));
    assert_true(fb_if_range_holds(FB_STR("\"a\""), &current, now_s));
    assert_false(fb_if_range_holds(FB_STR("\"b\""), &current, now_s));
    assert_false(fb_if_range_holds(FB_STR("W/\"a\""), &current, now_s));
    assert_true(fb_if_range_holds(FB_STR(EXACTLY), &current, now_s));
    assert_false(fb_if_range_holds(FB_STR(LATER), &current, now_s));
    assert_false(fb_if_range_holds(FB_STR(EXACTLY), &fresh, now_s));
    assert_false(fb_if_range_holds(FB_STR("a"), &current, now_s));
}

/* What If-Range would say after a response with these fields, up to three. */
static struct fb_str if_range_of(const char *etag, const char *last_modified, const char *date)
{
    static struct fb_header items[3];
    struct fb_headers headers = {.items = items};
    const char *const names[] = {"ETag", "Last-Modified", "Date"};
    const char *const values[] = {etag, last_modified, date};

    for (size_t i = 0; i < 3; i++) {
        if (values[i] != NULL) {
            items[headers.n++] = (struct fb_header){fb_str_from(names[i]), fb_str_from(values[i])};
        }
    }
    struct fb_validators validators = fb_validators_of(&headers, now_s);
    struct fb_str value = fb_if_range_of(&headers, now_s);
    assert_true(fb_if_range_holds(value, &validators, now_s));
    return value;
}

static void parts_are_asked_for_by_a_strong_validator_alone(void **state)
{
    (void)state;
    assert_true(fb_str_equal(if_range_of("\"a\"", EARLIER, LATER), FB_STR("\"a\"")));
    assert_true(fb_str_equal(if_range_of(NULL, EARLIER, EXACTLY), FB_STR(EARLIER)));
    assert_null(if_range_of(NULL, EXACTLY, EXACTLY).ptr);
    assert_null(if_range_of(NULL, LATER, EXACTLY).ptr);
    assert_null(if_range_of(NULL, EARLIER, NULL).ptr);
    assert_null(if_range_of(NULL, NULL, EXACTLY).ptr);
    assert_null(if_range_of(NULL, "yesterday", EXACTLY).ptr);
    assert_null(if_range_of("W/\"a\"", EARLIER, LATER).ptr);
    assert_null(if_range_of("a", EARLIER, LATER).ptr);
}

static void tags_are_checked(void **state)
{
    (void)state;
    assert_true(fb_etag_is_valid(FB_STR("\"\"")));
    assert_true(fb_etag_is_valid(FB_STR("W/\"x\xc3\"")));
    assert_false(fb_etag_is_valid(FB_STR("")));
    assert_false(fb_etag_is_valid(FB_STR("\"")));
    assert_false(fb_etag_is_valid(FB_STR("a")));
    assert_false(fb_etag_is_valid(FB_STR("w/\"a\"")));
    assert_false(fb_etag_is_valid(FB_STR("\"a b\"")));
    assert_false(fb_etag_is_valid(FB_STR("\"a\"b\"")));
    assert_false(fb_etag_list_has(FB_STR("\"a"), FB_STR("\"a\""), false));
    assert_false(fb_etag_list_has(FB_STR(""), FB_STR(""), false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_tags_are_not_modified),
        cmocka_unit_test(tags_go_before_dates),
        cmocka_unit_test(dates_decide_where_there_is_no_tag),
        cmocka_unit_test(changes_need_the_strong_tag),
        cmocka_unit_test(a_range_continues_only_the_same_bytes),
        cmocka_unit_test(parts_are_asked_for_by_a_strong_validator_alone),
        cmocka_unit_test(tags_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
