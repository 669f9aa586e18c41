#include "base/http/cache_control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct fb_cache_control parse(const char *value)
{
    return fb_cache_control_parse(fb_str_from(value));
}

static void directives_are_read(void **state)
{
    struct fb_cache_control cc =
        parse("public, Max-Age=31536000 ,immutable,, stale-while-revalidate=\"30\", x=\"a,b=1\"");
    (void)state;

    assert_true(cc.is_public && cc.immutable);
    assert_false(cc.no_store || cc.no_cache || cc.is_private);
    assert_int_equal(cc.max_age, 31536000);
    assert_int_equal(cc.stale_while_revalidate, 30);
    assert_int_equal(cc.s_maxage, FB_DELTA_NONE);
}

static void bad_numbers_never_make_fresh(void **state)
{
    (void)state;
    assert_int_equal(parse("max-age").max_age, 0);
    assert_int_equal(parse("max-age=").max_age, 0);
    assert_int_equal(parse("max-age=-1").max_age, 0);
    assert_int_equal(parse("max-age=1.5").max_age, 0);
    assert_int_equal(parse("max-age=5x").max_age, 0);
    assert_int_equal(parse("max-age=99999999999999999999x").max_age, 0);
    assert_int_equal(parse("max-age=99999999999999999999").max_age, FB_DELTA_MAX);
    assert_int_equal(parse("max-age=2147483648").max_age, FB_DELTA_MAX);
    assert_int_equal(parse("max-age=60, max-age=5").max_age, 5);
    assert_int_equal(parse("max-age=5, max-age=60").max_age, 5);
    assert_int_equal(parse("max-age=60, max-age=x").max_age, 0);
}

static void qualified_directives_are_read_as_plain(void **state)
{
    (void)state;
    assert_false(parse("no-cache=\"Set-Cookie\"").no_cache);
    assert_false(parse("private=\"x, no-store\", max-age=1").is_private);
    assert_false(parse("private=\"x, no-store\", max-age=1").no_store);
}

static void request_directives_are_read(void **state)
{
    struct fb_cache_control cc = parse("max-stale, min-fresh=3, only-if-cached");
    (void)state;

    assert_int_equal(cc.max_stale, FB_DELTA_MAX);
    assert_int_equal(cc.min_fresh, 3);
    assert_true(cc.only_if_cached);
    assert_int_equal(parse("max-stale=7").max_stale, 7);
    assert_int_equal(parse("max-stale=x").max_stale, 0);
}

static void nothing_gives_nothing(void **state)
{
    struct fb_cache_control cc = parse("");
    (void)state;

    assert_int_equal(cc.max_age, FB_DELTA_NONE);
    cc = parse("=, ;, \"unclosed, max-age=5");
    assert_int_equal(cc.max_age, FB_DELTA_NONE);
}

static void every_flag_is_known(void **state)
{
    struct fb_cache_control cc = parse("no-store,no-transform,must-revalidate,proxy-revalidate,"
                                       "must-understand,s-maxage=1,stale-if-error=2");
    (void)state;

    assert_true(cc.no_store && cc.no_transform && cc.must_revalidate && cc.proxy_revalidate &&
                cc.must_understand);
    assert_int_equal(cc.s_maxage, 1);
    assert_int_equal(cc.stale_if_error, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directives_are_read),
        cmocka_unit_test(bad_numbers_never_make_fresh),
        cmocka_unit_test(qualified_directives_are_read_as_plain),
        cmocka_unit_test(request_directives_are_read),
        cmocka_unit_test(nothing_gives_nothing),
        cmocka_unit_test(every_flag_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
