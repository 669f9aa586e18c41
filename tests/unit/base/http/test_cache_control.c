#include "base/core/err.h"
#include "base/http/cache_control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

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
    assert_int_equal(parse("max-age =60").max_age, 0);
    assert_int_equal(parse("max-age= 60").max_age, 0);
    assert_int_equal(parse("max-age='60'").max_age, 0);
    assert_int_equal(parse("max-age=60;x").max_age, 0);
    assert_int_equal(parse("x-max-age=60").max_age, FB_DELTA_NONE);
}

static void what_forbids_counts_however_it_is_written(void **state)
{
    (void)state;
    assert_true(parse("no-store=1").no_store);
    assert_true(parse("NO-STORE = \"x\"").no_store);
    assert_true(parse("must-revalidate=no").must_revalidate);
    assert_true(parse("private=").is_private);
    assert_false(parse("no-storex").no_store);
    assert_false(parse("x=\"no-store\"").no_store);
}

static void what_allows_counts_only_as_it_is_defined(void **state)
{
    (void)state;
    assert_true(parse("Public, Immutable, Must-Understand").is_public);
    assert_false(parse("public=1").is_public);
    assert_false(parse("immutable=\"\"").immutable);
    assert_false(parse("must-understand=x").must_understand);
}

static void a_string_without_an_end_could_hide_anything(void **state)
{
    (void)state;
    assert_true(parse("max-age=60, x=\"a, private").no_store);
    assert_true(parse("must-understand, max-age=60, x=\"").no_store);
    assert_false(parse("must-understand, max-age=60, x=\"").must_understand);
    assert_true(parse("max-age=60, x=\"\\\"").no_store);
    assert_false(parse("max-age=60, x=\"\\\"\"").no_store);
}

static void assert_text(struct fb_str text, const char *want)
{
    assert_int_equal(text.len, strlen(want));
    assert_memory_equal(text.ptr, want, text.len);
}

static void no_cache_and_private_may_name_fields(void **state)
{
    (void)state;
    assert_false(parse("no-cache=\"Set-Cookie\"").no_cache);
    assert_text(parse("no-cache=\"Set-Cookie\"").no_cache_fields, "Set-Cookie");
    assert_text(parse("no-cache=x-a").no_cache_fields, "x-a");
    assert_text(parse("private=\"x, no-store\", max-age=1").private_fields, "x, no-store");
    assert_false(parse("private=\"x, no-store\", max-age=1").is_private);
    assert_false(parse("private=\"x, no-store\", max-age=1").no_store);
}

static void fields_that_cannot_be_left_out_mean_the_whole(void **state)
{
    static const char *const values[] = {"private=\"\"",           "private=\" , \"",
                                         "private=\"a b\"",        "private=\"Content-Type\"",
                                         "private=\"x, vary\"",    "private=\"a\", private=\"b\"",
                                         "private=\"a\", private", "private, private=\"a\""};
    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(values); i++) {
        struct fb_cache_control cc = parse(values[i]);
        if (!cc.is_private || cc.private_fields.len > 0) {
            fail_msg("%s: not private", values[i]);
        }
    }
}

/* ---- targeted fields -------------------------------------------------------- */

static void a_targeted_field_is_a_strict_dictionary(void **state)
{
    static const char *const bad[] = {"",           "Max-Age=60",  "max-age=60,",   "max-age=60 s",
                                      ",max-age=1", "max-age = 1", "max-age=60,,x", "max-age=6_0"};
    struct fb_cache_control cc;

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        if (fb_cache_control_parse_targeted(fb_str_from(bad[i]), &cc) != FB_E_MALFORMED) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
    assert_int_equal(
        fb_cache_control_parse_targeted(
            FB_STR("max-age=60;a=1, public, private=\"x-a, x-b\", unknown=(1 2)"), &cc),
        FB_OK);
    assert_int_equal(cc.max_age, 60);
    assert_true(cc.is_public);
    assert_false(cc.is_private);
    assert_text(cc.private_fields, "x-a, x-b");
}

static struct fb_cache_control parse_targeted(const char *value)
{
    struct fb_cache_control cc = {0};

    assert_int_equal(fb_cache_control_parse_targeted(fb_str_from(value), &cc), FB_OK);
    return cc;
}

static void of_a_targeted_directive_the_last_counts(void **state)
{
    (void)state;
    assert_int_equal(parse_targeted("max-age=5, max-age=60").max_age, 60);
    assert_false(parse_targeted("no-store, no-store=?0").no_store);
    assert_text(parse_targeted("private, private=\"x\"").private_fields, "x");
    assert_false(parse_targeted("private, private=\"x\"").is_private);
    assert_true(parse_targeted("private=\"x\", private").is_private);
}

static void targeted_values_of_a_wrong_type_never_make_fresh(void **state)
{
    static const char *const values[] = {"max-age=\"60\"", "max-age=60.5", "max-age=-1",
                                         "max-age=abc",    "max-age",      "max-age=?1"};
    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(values); i++) {
        if (parse_targeted(values[i]).max_age != 0) {
            fail_msg("%s makes fresh", values[i]);
        }
    }
    assert_int_equal(parse_targeted("max-age=999999999999999").max_age, FB_DELTA_MAX);
    assert_true(parse_targeted("no-store=1").no_store);
    assert_true(parse_targeted("private=(x)").is_private);
    assert_false(parse_targeted("public=1").is_public);
    assert_false(parse_targeted("immutable=?0").immutable);
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
    cc = parse("=, ;, \"closed, max-age=5\"");
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
        cmocka_unit_test(what_forbids_counts_however_it_is_written),
        cmocka_unit_test(what_allows_counts_only_as_it_is_defined),
        cmocka_unit_test(a_string_without_an_end_could_hide_anything),
        cmocka_unit_test(no_cache_and_private_may_name_fields),
        cmocka_unit_test(fields_that_cannot_be_left_out_mean_the_whole),
        cmocka_unit_test(a_targeted_field_is_a_strict_dictionary),
        cmocka_unit_test(of_a_targeted_directive_the_last_counts),
        cmocka_unit_test(targeted_values_of_a_wrong_type_never_make_fresh),
        cmocka_unit_test(request_directives_are_read),
        cmocka_unit_test(nothing_gives_nothing),
        cmocka_unit_test(every_flag_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
