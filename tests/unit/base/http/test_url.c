#include "base/core/err.h"
#include "base/http/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void equals(struct fb_str str, const char *text)
{
    if (!fb_str_equal(str, fb_str_from(text))) {
        fail_msg("'%.*s' is not '%s'", FB_STR_ARG(str), text);
    }
}

static void urls_are_cut_in_parts(void **state)
{
    struct fb_url url;
    (void)state;

    assert_int_equal(fb_url_parse(FB_STR("http://127.0.0.1:7100"), &url, NULL), FB_OK);
    equals(url.scheme, "http");
    equals(url.host, "127.0.0.1");
    assert_int_equal(url.port, 7100);
    equals(url.target, "/");
    assert_int_equal(fb_url_parse(FB_STR("HTTPS://[::1]/a?b=c"), &url, NULL), FB_OK);
    equals(url.scheme, "https");
    equals(url.host, "::1");
    assert_int_equal(url.port, 443);
    equals(url.target, "/a?b=c");
}

static void other_urls_are_refused_with_a_sentence(void **state)
{
    static const char *const bad[] = {"",
                                      "a",
                                      "ftp://a/",
                                      "http:/a",
                                      "http://",
                                      "http:///a",
                                      "http://a:",
                                      "http://a:0/",
                                      "http://a:x",
                                      "http://a:1:2",
                                      "http://a:65536",
                                      "http://u@a/",
                                      "http://a b/",
                                      "http://a/#f",
                                      "http://a/ b",
                                      "http://[::1",
                                      "http://[::1]x/",
                                      "http://[]/",
                                      "http://a?b",
                                      "http://a\x80/"};
    (void)state;

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        struct fb_url url;
        struct fb_diag diag = {0};
        if (fb_url_parse(fb_str_from(bad[i]), &url, &diag) != FB_E_MALFORMED) {
            fail_msg("taken: '%s'", bad[i]);
        }
        assert_true(diag.text[0] != '\0');
    }
}

static void normal(const char *path, const char *wanted)
{
    struct fb_arena arena = {0};
    struct fb_str got = FB_STR("(refused)");

    if (fb_path_normalise(&arena, fb_str_from(path), &got) == FB_OK) {
        struct fb_str again = FB_STR("(refused)");
        assert_int_equal(fb_path_normalise(&arena, got, &again), FB_OK);
        assert_true(fb_str_equal(got, again));
    }
    equals(got, wanted);
    fb_arena_done(&arena);
}

static void one_resource_has_one_path(void **state)
{
    (void)state;
    normal("/", "/");
    normal("/a/b", "/a/b");
    normal("/a/./b/../c", "/a/c");
    normal("/a/b/..", "/a/");
    normal("/a/.", "/a/");
    normal("/a/..", "/");
    normal("/a/../", "/");
    normal("/.", "/");
    normal("/./a", "/a");
    normal("/...", "/...");
    normal("/%7Ea%2fb%2Fc", "/~a%2Fb%2Fc");
    normal("/%61%2e%2E/%2e%2e/b", "/b");
    normal("/a%20b%c3%a9", "/a%20b%C3%A9");
    normal("//a//b/", "//a//b/");
    normal("//..", "/");
    normal("/a//../b", "/a/b");
    normal("/a;x=1,2!$&'()*+=:@", "/a;x=1,2!$&'()*+=:@");
}

static void paths_that_deceive_are_refused(void **state)
{
    static const char *const bad[] = {"",        "a",     "/..",        "/../a",    "/a/../..",
                                      "/%2e%2e", "/%",    "/%4",        "/%zz",     "/%00",
                                      "/%0a",    "/%7f",  "/%5c",       "/a\\b",    "/a b",
                                      "/a\x01",  "/\x80", "/a/%2e./..", "/%2e%2e/x"};
    (void)state;

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        normal(bad[i], "(refused)");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_cut_in_parts),
        cmocka_unit_test(other_urls_are_refused_with_a_sentence),
        cmocka_unit_test(one_resource_has_one_path),
        cmocka_unit_test(paths_that_deceive_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
