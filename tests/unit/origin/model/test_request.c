#include "base/core/err.h"
#include "base/json/json.h"
#include "origin/model/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct fb_json *parse(const char *text)
{
    struct fb_json *json = NULL;
    assert_int_equal(fb_json_parse(fb_str_from(text), 1 << 20, &json, NULL), FB_OK);
    return json;
}

static void a_request_survives_the_wire(void **state)
{
    (void)state;
    struct origin_request request = origin_request_preset();
    struct origin_request read;
    FB_AUTO(fb_json_freep) struct fb_json *json = fb_json_new_object();

    request.early_ready = true;
    request.with_av1 = true;
    request.storyboard = false;
    request.crf = 30;
    request.encryption = ORIGIN_SCHEME_CENC;
    request.n_subtitles = 1;
    (void)snprintf(request.subtitles[0].key, ORIGIN_KEY_MAX, "uploads/x/de.srt");
    (void)snprintf(request.subtitles[0].language, ORIGIN_LANGUAGE_MAX, "de");
    (void)snprintf(request.subtitles[0].name, ORIGIN_NAME_MAX, "Deutsch");
    origin_request_store(json, &request);
    assert_int_equal(origin_request_load(json, &read, NULL), FB_OK);
    assert_true(read.early_ready && read.with_av1 && !read.storyboard && !read.with_hevc);
    assert_int_equal(read.crf, 30);
    assert_int_equal(read.segment_ms, request.segment_ms);
    assert_string_equal(read.preset, request.preset);
    assert_int_equal(read.encryption, ORIGIN_SCHEME_CENC);
    assert_int_equal(read.n_subtitles, 1);
    assert_memory_equal(&read.subtitles[0], &request.subtitles[0], sizeof(read.subtitles[0]));
}

static void what_is_absent_keeps_its_preset_and_what_is_wrong_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[]",
        "{\"early_ready\":1}",
        "{\"crf\":99}",
        "{\"segment_ms\":1}",
        "{\"preset\":\"quick\"}",
        "{\"encryption\":\"rot13\"}",
        "{\"subtitles\":[{\"key\":\"../x\",\"language\":\"de\"}]}",
        "{\"subtitles\":[{\"key\":\"x\",\"language\":\"d\\\"e\"}]}",
    };
    struct origin_request read;

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        FB_AUTO(fb_json_freep) struct fb_json *json = parse(bad[i]);
        struct fb_diag diag = {.err = FB_OK};
        assert_true(origin_request_load(json, &read, &diag) < 0);
        assert_string_not_equal(diag.text, "");
    }
    FB_AUTO(fb_json_freep) struct fb_json *json = parse("{\"of_tomorrow\":true}");
    assert_int_equal(origin_request_load(json, &read, NULL), FB_OK);
    assert_int_equal(read.crf, origin_request_preset().crf);
}

static void a_creator_may_choose_some_of_it(void **state)
{
    (void)state;
    struct origin_request request = origin_request_preset();
    FB_AUTO(fb_json_freep)
    struct fb_json *good = parse("{\"early_ready\":true,\"storyboard\":false}");
    FB_AUTO(fb_json_freep) struct fb_json *bad = parse("{\"loudness\":true,\"crf\":0}");

    assert_int_equal(origin_request_override(good, &request, NULL), FB_OK);
    assert_true(request.early_ready && !request.storyboard);
    assert_int_equal(origin_request_override(bad, &request, NULL), FB_E_MALFORMED);
    assert_false(request.loudness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_survives_the_wire),
        cmocka_unit_test(what_is_absent_keeps_its_preset_and_what_is_wrong_is_refused),
        cmocka_unit_test(a_creator_may_choose_some_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
