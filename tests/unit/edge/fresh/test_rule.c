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
        cmocka_unit_test(classes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
