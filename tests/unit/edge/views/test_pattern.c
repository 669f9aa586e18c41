#include "base/core/err.h"
#include "edge/views/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct fb_str ours = FB_STR("/media/{video}/{version}/v/{rendition}/seg-{number}.m4s");

static bool is(struct fb_str str, const char *text)
{
    return fb_str_equal(str, fb_str_from(text));
}

static void what_a_path_names_is_taken_out(void **state)
{
    struct edge_pattern_match match;

    (void)state;
    assert_true(edge_pattern_match(ours, FB_STR("/media/vid7/9f2c/v/720p/seg-00012.m4s"), &match));
    assert_true(is(match.video, "vid7"));
    assert_true(is(match.rendition, "720p"));
    assert_true(is(match.number, "00012"));
    assert_int_equal(match.segment.len, 0);
}

static void paths_of_another_shape_do_not_match(void **state)
{
    static const char *const paths[] = {
        "",
        "/",
        "/media/vid7/9f2c/v/720p/seg-.m4s",
        "/media/vid7/9f2c/v/720p/seg-12.m4s/more",
        "/media/vid7/9f2c/v/720p/seg-12.m4",
        "/media/vid7/9f2c/v/720p/seg-1a.m4s",
        "/media//9f2c/v/720p/seg-12.m4s",
        "/media/vid7/9f2c/x/v/720p/seg-12.m4s",
        "/media/vid7/9f2c/a/720p/seg-12.m4s",
    };
    struct edge_pattern_match match;

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_false(edge_pattern_match(ours, fb_str_from(paths[i]), &match));
    }
}

static void a_name_reaches_as_far_as_it_must(void **state)
{
    struct edge_pattern_match match;

    (void)state;
    assert_true(edge_pattern_match(FB_STR("/{video}/{rendition}-{number}.ts"),
                                   FB_STR("/v/a-720p-3-44.ts"), &match));
    assert_true(is(match.rendition, "a-720p-3"));
    assert_true(is(match.number, "44"));
    assert_true(edge_pattern_match(FB_STR("/{video}/{segment}"), FB_STR("/v/x.y"), &match));
    assert_true(is(match.segment, "x.y"));
}

static void a_path_that_takes_too_long_does_not_match(void **state)
{
    char path[4096];
    struct edge_pattern_match match;

    (void)state;
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    assert_false(edge_pattern_match(FB_STR("/{a}a{b}a{c}a{d}a{e}a{video}b"),
                                    (struct fb_str){path, sizeof(path)}, &match));
}

static void a_pattern_needs_a_video_and_names_in_braces(void **state)
{
    static const char *const bad[] = {
        "media/{video}", "/media/{vid}", "/{video}/{}",   "/{video}/{a",
        "/{video}/a}",   "/{vi{deo}}",   "/{video}{a/b}",
    };

    (void)state;
    assert_int_equal(edge_pattern_check(ours, NULL), FB_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(edge_pattern_check(fb_str_from(bad[i]), NULL), FB_E_MALFORMED);
    }
    assert_true(is(edge_pattern_prefix(ours), "/media/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_path_names_is_taken_out),
        cmocka_unit_test(paths_of_another_shape_do_not_match),
        cmocka_unit_test(a_name_reaches_as_far_as_it_must),
        cmocka_unit_test(a_path_that_takes_too_long_does_not_match),
        cmocka_unit_test(a_pattern_needs_a_video_and_names_in_braces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
