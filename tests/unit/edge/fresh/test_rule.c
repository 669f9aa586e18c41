#include "base/core/err.h"
#include "edge/fresh/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct fb_str playlists[] = {FB_STR(".m3u8"), FB_STR(".mpd")};
static const struct fb_str media[] = {FB_STR(".m4s"), FB_STR(".mp4")};
static const struct fb_str live[] = {FB_STR("/live/")};

static const struct edge_rule rules[] = {
    {.suffixes = media,
     .n_suffixes = 2,
     .prefixes = live,
     .n_prefixes = 1,
     .class = EDGE_CLASS_OTHER,
     .max_ttl_ms = 5000},
    {.suffixes = playlists,
     .n_suffixes = 2,
     .class = EDGE_CLASS_MANIFEST,
     .min_ttl_ms = 1000,
     .max_ttl_ms = 30000},
    {.suffixes = media, .n_suffixes = 2, .class = EDGE_CLASS_SEGMENT},
};

/* The treatment under `n` rules, of which only what is no pointer may be looked at. */
static struct edge_treatment find_among(const struct edge_rule *list, size_t n, const char *path)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct edge_rules *compiled = NULL;

    assert_int_equal(edge_rules_new(list, n, &compiled, NULL), FB_OK);
    struct edge_treatment treatment = edge_rules_find(compiled, &arena, fb_str_from(path));
    edge_rules_unref(compiled);
    return treatment;
}

static struct edge_treatment find(const char *path)
{
    return find_among(rules, FB_ARRAY_LEN(rules), path);
}

static void the_first_rule_that_matches_decides(void **state)
{
    (void)state;
    assert_int_equal(find("/v/master.m3u8").class, EDGE_CLASS_MANIFEST);
    assert_int_equal(find("/v/master.m3u8").min_ttl_ms, 1000);
    assert_int_equal(find("/v/manifest.mpd").max_ttl_ms, 30000);
    assert_int_equal(find("/v/1.m4s").class, EDGE_CLASS_SEGMENT);
    assert_int_equal(find("/live/1.m4s").class, EDGE_CLASS_OTHER);
    assert_int_equal(find("/live/1.m4s").max_ttl_ms, 5000);
    assert_int_equal(find("/v/1.M4S").class, EDGE_CLASS_OTHER);
    assert_int_equal(find("/v/1.m4s.html").class, EDGE_CLASS_OTHER);
    assert_int_equal(find("").class, EDGE_CLASS_OTHER);
}

static void a_rule_without_conditions_matches_all(void **state)
{
    static const struct edge_rule all = {.class = EDGE_CLASS_SEGMENT};

    (void)state;
    assert_int_equal(find_among(&all, 1, "/").class, EDGE_CLASS_SEGMENT);
    assert_int_equal(find_among(NULL, 0, "/").class, EDGE_CLASS_OTHER);
    assert_int_equal(edge_rules_find(NULL, NULL, FB_STR("/")).class, EDGE_CLASS_OTHER);
}

static void a_pattern_matches_anywhere_in_the_path(void **state)
{
    static const struct fb_str patterns[] = {FB_STR("^/v[0-9]+/"),
                                             FB_STR("seg(ment)?-\\d+\\.m4s$")};
    static const struct fb_str slow[] = {FB_STR("^/(a+)+$")};
    static const struct edge_rule list[] = {
        {.prefixes = live, .n_prefixes = 1, .patterns = slow, .n_patterns = 1, .max_ttl_ms = 1},
        {.patterns = patterns, .n_patterns = 2, .class = EDGE_CLASS_SEGMENT},
        {.patterns = slow, .n_patterns = 1, .class = EDGE_CLASS_MANIFEST},
    };
    char path[4000] = "/";

    (void)state;
    assert_int_equal(find_among(list, 3, "/v12/x").class, EDGE_CLASS_SEGMENT);
    assert_int_equal(find_among(list, 3, "/x/segment-9.m4s").class, EDGE_CLASS_SEGMENT);
    assert_int_equal(find_among(list, 3, "/x/seg-x.m4s").class, EDGE_CLASS_OTHER);
    assert_int_equal(find_among(list, 3, "/aaa").class, EDGE_CLASS_MANIFEST);
    /* A path that a pattern takes too long for is not matched by it. */
    memset(path + 1, 'a', sizeof(path) - 2);
    path[sizeof(path) - 2] = '!';
    assert_int_equal(find_among(list, 3, path).class, EDGE_CLASS_OTHER);
}

static void a_bad_pattern_is_refused(void **state)
{
    static const struct fb_str patterns[] = {FB_STR("fine"), FB_STR("a(b")};
    static const struct edge_rule list[] = {
        {.class = EDGE_CLASS_SEGMENT},
        {.patterns = patterns, .n_patterns = 2, .class = EDGE_CLASS_SEGMENT},
    };
    struct edge_rules *compiled = NULL;
    struct fb_diag diag = {0};

    (void)state;
    assert_int_equal(edge_rules_new(list, 2, &compiled, &diag), FB_E_MALFORMED);
    assert_non_null(strstr(diag.text, "offset 3"));
}

/* The class of `path` once a response with `status` and `type` is there. */
static enum edge_class refine(const struct edge_rule *list, size_t n, const char *path,
                              unsigned status, const char *type)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct edge_rules *compiled = NULL;
    struct fb_response_head head = {.status = status};

    if (type != NULL) {
        fb_headers_add(&head.headers, &arena, FB_STR("content-type"), fb_str_from(type));
    }
    assert_int_equal(edge_rules_new(list, n, &compiled, NULL), FB_OK);
    struct edge_treatment treatment = edge_rules_find(compiled, &arena, fb_str_from(path));
    treatment = edge_treatment_refine(&treatment, &arena, fb_str_from(path), &head);
    edge_rules_unref(compiled);
    return treatment.class;
}

static void a_class_must_agree_with_the_content_type(void **state)
{
    static const struct {
        const char *path;
        unsigned status;
        const char *type;
        enum edge_class class;
    } cases[] = {
        {"/v/1.m4s", 200, "video/mp4", EDGE_CLASS_SEGMENT},
        {"/v/1.m4s", 200, "Video/ISO.Segment; codecs=avc1", EDGE_CLASS_SEGMENT},
        {"/v/1.m4s", 200, "application/octet-stream", EDGE_CLASS_SEGMENT},
        {"/v/1.m4s", 200, NULL, EDGE_CLASS_SEGMENT},
        {"/v/1.m4s", 200, "text/html", EDGE_CLASS_OTHER},
        {"/v/1.m4s", 200, "TEXT/HTML; charset=utf-8", EDGE_CLASS_OTHER},
        {"/v/1.m4s", 200, "application/json", EDGE_CLASS_OTHER},
        {"/v/1.m4s", 200, "text/plain", EDGE_CLASS_OTHER},
        {"/v/1.m4s", 200, "videos/mp4", EDGE_CLASS_OTHER},
        {"/v/1.m4s", 200, "video", EDGE_CLASS_OTHER},
        {"/v/1.m4s", 200, "x", EDGE_CLASS_OTHER},
        {"/v/1.m4s", 203, "text/html", EDGE_CLASS_OTHER},
        {"/v/1.m4s", 404, "text/html", EDGE_CLASS_SEGMENT},
        {"/v/1.m4s", 302, "text/html", EDGE_CLASS_SEGMENT},
        {"/v/a.m3u8", 200, "application/vnd.apple.mpegurl", EDGE_CLASS_MANIFEST},
        {"/v/a.m3u8", 200, "text/plain; charset=utf-8", EDGE_CLASS_MANIFEST},
        {"/v/a.mpd", 200, "application/xml", EDGE_CLASS_MANIFEST},
        {"/v/a.mpd", 200, "text/html", EDGE_CLASS_OTHER},
        {"/v/a.mpd", 200, "application/json", EDGE_CLASS_OTHER},
        {"/v/a", 200, "text/html", EDGE_CLASS_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        enum edge_class class =
            refine(rules, FB_ARRAY_LEN(rules), cases[i].path, cases[i].status, cases[i].type);
        if (class != cases[i].class) {
            fail_msg("case %zu: %s", i, edge_class_name(class));
        }
    }
}

static void a_contradicted_class_leaves_plain_rfc_9111(void **state)
{
    static const struct edge_rule list[] = {{.class = EDGE_CLASS_MANIFEST,
                                             .min_ttl_ms = 1000,
                                             .max_ttl_ms = 2000,
                                             .caching = {.cookies = EDGE_COOKIES_SHARE}}};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct edge_rules *compiled = NULL;
    struct fb_response_head head = {.status = 200};

    (void)state;
    fb_headers_add(&head.headers, &arena, FB_STR("Content-Type"), FB_STR("text/html"));
    assert_int_equal(edge_rules_new(list, 1, &compiled, NULL), FB_OK);
    struct edge_treatment treatment = edge_rules_find(compiled, &arena, FB_STR("/"));
    assert_int_equal(treatment.caching.cookies, EDGE_COOKIES_SHARE);
    treatment = edge_treatment_refine(&treatment, &arena, FB_STR("/"), &head);
    assert_int_equal(treatment.min_ttl_ms, 0);
    assert_int_equal(treatment.max_ttl_ms, 0);
    assert_int_equal(treatment.caching.cookies, EDGE_COOKIES_BY_CLASS);
    assert_non_null(treatment.edits); /* what clients get of it is another matter */
    edge_rules_unref(compiled);
}

static void a_rule_by_content_type_has_its_say_with_the_response(void **state)
{
    static const struct fb_str json[] = {FB_STR("application/json")};
    static const struct fb_str video[] = {FB_STR("video/*")};
    static const struct edge_rule list[] = {
        {.content_types = json,
         .n_content_types = 1,
         .prefixes = live,
         .n_prefixes = 1,
         .class = EDGE_CLASS_MANIFEST},
        {.suffixes = playlists, .n_suffixes = 2, .class = EDGE_CLASS_MANIFEST},
        {.content_types = video, .n_content_types = 1, .class = EDGE_CLASS_SEGMENT},
    };

    (void)state;
    assert_int_equal(find_among(list, 3, "/live/x").class, EDGE_CLASS_OTHER);
    assert_true(find_among(list, 3, "/live/x").asks_content_type);
    assert_int_equal(refine(list, 3, "/live/x", 200, "application/json"), EDGE_CLASS_MANIFEST);
    assert_int_equal(refine(list, 3, "/live/x.m3u8", 200, "application/json"), EDGE_CLASS_MANIFEST);
    assert_int_equal(refine(list, 3, "/x", 200, "application/json"), EDGE_CLASS_OTHER);
    assert_int_equal(refine(list, 3, "/x", 200, "Video/MP4; x=y"), EDGE_CLASS_SEGMENT);
    assert_int_equal(refine(list, 3, "/x", 200, NULL), EDGE_CLASS_OTHER);
    assert_int_equal(refine(list, 3, "/a.mpd", 200, "video/vnd.mpeg.dash.mpd"),
                     EDGE_CLASS_MANIFEST);
    assert_int_equal(refine(list, 3, "/a.mpd", 200, "text/html"), EDGE_CLASS_OTHER);
}

static void classes_have_names(void **state)
{
    (void)state;
    assert_string_equal(edge_class_name(EDGE_CLASS_SEGMENT), "segment");
    assert_string_equal(edge_class_name(EDGE_CLASS_MANIFEST), "manifest");
    assert_string_equal(edge_class_name(EDGE_CLASS_OTHER), "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_matches_decides),
        cmocka_unit_test(a_rule_without_conditions_matches_all),
        cmocka_unit_test(a_pattern_matches_anywhere_in_the_path),
        cmocka_unit_test(a_bad_pattern_is_refused),
        cmocka_unit_test(a_class_must_agree_with_the_content_type),
        cmocka_unit_test(a_contradicted_class_leaves_plain_rfc_9111),
        cmocka_unit_test(a_rule_by_content_type_has_its_say_with_the_response),
        cmocka_unit_test(classes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
