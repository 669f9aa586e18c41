#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "origin/model/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SHA "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

#define FILES(path, type, sha) \
    "[{\"path\":\"" path "\",\"type\":\"" type "\",\"size\":1,\"sha256\":\"" sha "\"}]"
#define RESULT(version, duration, files)                     \
    "{\"version\":\"" version "\",\"duration_ms\":" duration \
    ",\"width\":1,\"height\":1,\"files\":" files "}"

static struct fb_json *parse(const char *text)
{
    struct fb_json *json = NULL;
    assert_int_equal(fb_json_parse(fb_str_from(text), 1 << 20, &json, NULL), FB_OK);
    return json;
}

static void plain_paths_are_told_from_others(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "v/720p/seg-00001.m4s", "master.m3u8", "A_b-9/c.d.e"};
    static const char *const bad[] = {"",      "/a",       "a/",   "a//b", ".",     "..",
                                      "../a",  "a/..",     ".tmp", "a/.b", "a b",   "a\\b",
                                      "a%2fb", "\xc3\xa4", "a\n",  "a:b",  "a/../b"};

    for (size_t i = 0; i < FB_ARRAY_LEN(good); i++) {
        assert_true(origin_path_is_plain(fb_str_from(good[i]), 64));
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_false(origin_path_is_plain(fb_str_from(bad[i]), 64));
    }
    assert_false(origin_path_is_plain(FB_STR("abcde"), 4));
}

static void a_result_survives_the_wire(void **state)
{
    (void)state;
    FB_AUTO(origin_result_done)
    struct origin_result result = {.version = "0123456789abcdef",
                                   .duration_ms = 4000,
                                   .width = 640,
                                   .height = 360,
                                   .has_audio = true,
                                   .n_renditions = 1,
                                   .n_files = 1};
    result.renditions[0] =
        (struct origin_result_rendition){.height = 360, .width = 640, .bandwidth = 5000000000};
    (void)snprintf(result.renditions[0].codecs, ORIGIN_CODECS_MAX, "avc1.64001e");
    result.files = FB_NEW(struct origin_result_file);
    (void)snprintf(result.files[0].path, ORIGIN_PATH_MAX, "v/360p/init.mp4");
    (void)snprintf(result.files[0].type, ORIGIN_TYPE_MAX, "video/mp4");
    result.files[0].size = 800;
    result.files[0].sha256[31] = 7;
    FB_AUTO(fb_json_freep) struct fb_json *json = fb_json_new_object();
    FB_AUTO(origin_result_done) struct origin_result read = {.files = NULL};

    origin_result_store(json, &result);
    assert_int_equal(origin_result_load(json, &read, NULL), FB_OK);
    assert_string_equal(read.version, result.version);
    assert_true(read.has_audio);
    assert_int_equal(read.renditions[0].bandwidth, 5000000000);
    assert_string_equal(read.renditions[0].codecs, "avc1.64001e");
    assert_int_equal(read.n_files, 1);
    assert_memory_equal(&read.files[0], &result.files[0], sizeof(read.files[0]));
}

static void a_result_that_is_not_whole_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "[]",
        RESULT("0123456789abcdef", "1", "[]"),
        RESULT("0123456789abcdeg", "1", FILES("a", "video/mp4", SHA)),
        RESULT("0123456789abcde", "1", FILES("a", "video/mp4", SHA)),
        RESULT("0123456789abcdef", "-1", FILES("a", "video/mp4", SHA)),
        RESULT("0123456789abcdef", "1", FILES("../a", "video/mp4", SHA)),
        RESULT("0123456789abcdef", "1", FILES("a", "video/mp4\\r\\nX: y", SHA)),
        RESULT("0123456789abcdef", "1", FILES("a", "b", SHA)),
        RESULT("0123456789abcdef", "1", FILES("a", "text/html", SHA)),
        RESULT("0123456789abcdef", "1", FILES("a", "image/svg+xml", SHA)),
        RESULT("0123456789abcdef", "1", FILES("a", "video/mp4", "00")),
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        FB_AUTO(fb_json_freep) struct fb_json *json = parse(bad[i]);
        struct origin_result result = {.files = NULL};
        struct fb_diag diag = {.err = FB_OK};
        assert_true(origin_result_load(json, &result, &diag) < 0);
        assert_string_not_equal(diag.text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_paths_are_told_from_others),
        cmocka_unit_test(a_result_survives_the_wire),
        cmocka_unit_test(a_result_that_is_not_whole_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
