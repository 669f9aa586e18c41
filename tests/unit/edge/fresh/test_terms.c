#include "base/core/arena.h"
#include "edge/fresh/terms.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { S = 1000, MAX_LINES = 6 };

/* 2026-01-01T00:00:00Z, when every response of these tests arrives. */
#define ARRIVED "Thu, 01 Jan 2026 00:00:00 GMT"

struct lines {
    const char *line[MAX_LINES]; /* "Name: value" */
};

static struct fb_headers make_headers(struct fb_arena *arena, const struct lines *lines)
{
    struct fb_headers headers = {0};

    for (size_t i = 0; i < MAX_LINES && lines->line[i] != NULL; i++) {
        struct fb_str line = fb_str_from(lines->line[i]);
        size_t colon = fb_str_find(line, ':');
        fb_headers_add(&headers, arena, fb_str_first(line, colon),
                       fb_str_trim(fb_str_skip(line, colon + 1)));
    }
    return headers;
}

struct question {
    const char *what;
    struct lines response;
    struct lines request;
    struct edge_treatment treatment;
    unsigned status; /* 0: 200 */
    enum fb_method method;
    int64_t delay_ms; /* between request and response */
};

static struct edge_terms find_terms(const struct question *question)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct test_clock clock = test_clock_at_start();
    struct fb_request_head request = {.method = question->method,
                                      .headers = make_headers(&arena, &question->request)};
    struct fb_response_head response = {.status = question->status != 0 ? question->status : 200,
                                        .headers = make_headers(&arena, &question->response)};
    struct edge_moment received = edge_moment_now(&clock.clock);
    struct edge_moment requested = received;

    requested.mono_ms -= question->delay_ms;
    requested.wall_ms -= question->delay_ms;
    return edge_terms_find(&(struct edge_terms_of){.request = &request,
                                                   .response = &response,
                                                   .treatment = question->treatment,
                                                   .requested = requested,
                                                   .received = received});
}

#define SEGMENT                      \
    {                                \
        .class = EDGE_CLASS_SEGMENT, \
    }
#define MANIFEST                                                                \
    {                                                                           \
        .class = EDGE_CLASS_MANIFEST, .min_ttl_ms = 2 * S, .max_ttl_ms = 30 * S \
    }

/* ---- may it be stored -------------------------------------------------- */

static const struct {
    struct question question;
    const char *refusal;
} storing_cases[] = {
    {{.what = "plain", {{"Cache-Control: max-age=60"}}}, NULL},
    {{.what = "nothing said, no validator", {{NULL}}}, "no lifetime"},
    {{.what = "nothing said, an etag", {{"ETag: \"a\""}}}, NULL},
    {{.what = "nothing said, a date", {{"Last-Modified: " ARRIVED}}}, NULL},
    {{.what = "stale at once", {{"Cache-Control: max-age=0"}}}, "no lifetime"},
    {{.what = "no-store", {{"Cache-Control: no-store, max-age=60"}}}, "no-store"},
    {{.what = "no-store in capitals", {{"cache-control: NO-STORE"}}}, "no-store"},
    {{.what = "no-store on a second line",
      {{"Cache-Control: max-age=60", "Cache-Control: no-store"}}},
     "no-store"},
    {{.what = "must-understand", {{"Cache-Control: must-understand, no-store, max-age=60"}}}, NULL},
    {{.what = "must-understand, unknown status",
      {{"Cache-Control: must-understand, no-store, max-age=60"}},
      .status = 299},
     "status"},
    {{.what = "private", {{"Cache-Control: private, max-age=60"}}}, "private"},
    {{.what = "private fields", {{"Cache-Control: private=\"set-cookie\", max-age=60"}}}, NULL},
    {{.what = "Vary: *", {{"Cache-Control: max-age=60", "Vary: *"}}}, "vary"},
    {{.what = "Vary: * among others", {{"Cache-Control: max-age=60", "Vary: Accept, *"}}}, "vary"},
    {{.what = "Vary", {{"Cache-Control: max-age=60", "Vary: Accept"}}}, NULL},
    {{.what = "a cookie", {{"Cache-Control: max-age=60", "Set-Cookie: a=b"}}}, "set-cookie"},
    {{.what = "a cookie, public", {{"Cache-Control: public, max-age=60", "Set-Cookie: a=b"}}},
     "set-cookie"},
    {{.what = "a segment's cookie", {{"Set-Cookie: a=b"}}, .treatment = SEGMENT}, NULL},
    {{.what = "a manifest's cookie", {{"Set-Cookie: a=b"}}, .treatment = MANIFEST}, "set-cookie"},
    {{.what = "authorization",
      {{"Cache-Control: max-age=60"}},
      .request = {{"Authorization: Bearer x"}}},
     "authorization"},
    {{.what = "authorization, public",
      {{"Cache-Control: max-age=60, public"}},
      .request = {{"Authorization: Bearer x"}}},
     NULL},
    {{.what = "authorization, s-maxage",
      {{"Cache-Control: s-maxage=60"}},
      .request = {{"Authorization: Bearer x"}}},
     NULL},
    {{.what = "authorization, must-revalidate",
      {{"Cache-Control: max-age=60, must-revalidate"}},
      .request = {{"Authorization: Bearer x"}}},
     NULL},
    {{.what = "authorization, segment",
      {{NULL}},
      .request = {{"Authorization: Bearer x"}},
      .treatment = SEGMENT},
     "authorization"},
    {{.what = "HEAD", {{"Cache-Control: max-age=60"}}, .method = FB_METHOD_HEAD}, "method"},
    {{.what = "POST", {{"Cache-Control: max-age=60"}}, .method = FB_METHOD_POST}, "method"},
    {{.what = "206", {{"Cache-Control: max-age=60"}}, .status = 206}, "partial"},
    {{.what = "200 with a Content-Range",
      {{"Cache-Control: max-age=60", "Content-Range: bytes 0-1/9"}}},
     "partial"},
    {{.what = "304", {{"Cache-Control: max-age=60"}}, .status = 304}, "status"},
    {{.what = "500", {{"Cache-Control: max-age=60"}}, .status = 500}, "status"},
    {{.what = "503", {{"Cache-Control: max-age=60"}}, .status = 503}, "status"},
    {{.what = "403", {{"Cache-Control: max-age=60"}}, .status = 403}, NULL},
    {{.what = "403, nothing said", {{"ETag: \"a\""}}, .status = 403}, "status"},
    {{.what = "404", {{"Cache-Control: max-age=60"}}, .status = 404}, NULL},
    {{.what = "404 of a segment, nothing said", {{NULL}}, .status = 404, .treatment = SEGMENT},
     "no lifetime"},
    {{.what = "301", {{"Cache-Control: max-age=60"}}, .status = 301}, NULL},
    {{.what = "302", {{"Cache-Control: max-age=60"}}, .status = 302}, NULL},
    {{.what = "segment, nothing said", {{NULL}}, .treatment = SEGMENT}, NULL},
    {{.what = "segment, no-store", {{"Cache-Control: no-store"}}, .treatment = SEGMENT},
     "no-store"},
    {{.what = "segment, private", {{"Cache-Control: private"}}, .treatment = SEGMENT}, "private"},
    {{.what = "manifest, nothing said", {{NULL}}, .treatment = MANIFEST}, NULL},
    {{.what = "manifest, no-cache", {{"Cache-Control: no-cache"}}, .treatment = MANIFEST}, NULL},
    {{.what = "CDN says no-store", {{"CDN-Cache-Control: no-store", "Cache-Control: max-age=60"}}},
     "no-store"},
    {{.what = "CDN overrides no-store",
      {{"CDN-Cache-Control: max-age=60", "Cache-Control: no-store"}}},
     NULL},
    {{.what = "CDN malformed", {{"CDN-Cache-Control: Max-Age=60", "Cache-Control: no-store"}}},
     "no-store"},
};

static void only_what_rfc_9111_allows_is_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(storing_cases); i++) {
        struct edge_terms terms = find_terms(&storing_cases[i].question);
        const char *want = storing_cases[i].refusal != NULL ? storing_cases[i].refusal : "(stored)";
        const char *got = terms.refusal != NULL ? terms.refusal : "(stored)";
        if (strcmp(want, got) != 0) {
            fail_msg("%s: %s, want %s", storing_cases[i].question.what, got, want);
        }
    }
}

/* ---- for how long ------------------------------------------------------ */

static const struct {
    struct question question;
    int64_t left_s; /* on arrival */
    int64_t age_s;
} lifetime_cases[] = {
    {{.what = "max-age", {{"Cache-Control: max-age=60"}}}, 60, 0},
    {{.what = "s-maxage wins", {{"Cache-Control: max-age=60, s-maxage=10"}}}, 10, 0},
    {{.what = "the least of two", {{"Cache-Control: max-age=60, max-age=5"}}}, 5, 0},
    {{.what = "no number", {{"Cache-Control: max-age=soon", "ETag: \"a\""}}}, 0, 0},
    {{.what = "negative", {{"Cache-Control: max-age=-5", "ETag: \"a\""}}}, 0, 0},
    {{.what = "quoted", {{"Cache-Control: max-age=\"60\""}}}, 60, 0},
    {{.what = "without end", {{"Cache-Control: max-age=99999999999999999999"}}}, 0x7fffffff, 0},
    {{.what = "Age", {{"Cache-Control: max-age=60", "Age: 20"}}}, 40, 20},
    {{.what = "older than its lifetime", {{"Cache-Control: max-age=60", "Age: 90", "ETag: \"a\""}}},
     -30,
     90},
    {{.what = "Age is no number", {{"Cache-Control: max-age=60", "Age: old"}}}, 60, 0},
    {{.what = "Age twice", {{"Cache-Control: max-age=60", "Age: 7, 9"}}}, 53, 7},
    {{.what = "Date in the past",
      {{"Cache-Control: max-age=60", "Date: Wed, 31 Dec 2025 23:59:45 GMT"}}},
     45,
     15},
    {{.what = "Date in the future",
      {{"Cache-Control: max-age=60", "Date: Thu, 01 Jan 2026 00:01:00 GMT"}}},
     60,
     0},
    {{.what = "Date and Age: the older",
      {{"Cache-Control: max-age=60", "Age: 5", "Date: Wed, 31 Dec 2025 23:59:45 GMT"}}},
     45,
     15},
    {{.what = "a slow response", {{"Cache-Control: max-age=60", "Age: 5"}}, .delay_ms = 3 * S},
     52,
     8},
    {{.what = "Expires", {{"Date: " ARRIVED, "Expires: Thu, 01 Jan 2026 00:00:30 GMT"}}}, 30, 0},
    {{.what = "Expires without Date", {{"Expires: Thu, 01 Jan 2026 00:00:30 GMT"}}}, 30, 0},
    {{.what = "Expires counts from Date",
      {{"Date: Wed, 31 Dec 2025 23:59:50 GMT", "Expires: Thu, 01 Jan 2026 00:00:30 GMT"}}},
     30,
     10},
    {{.what = "Expires: 0", {{"Expires: 0", "ETag: \"a\""}}}, 0, 0},
    {{.what = "max-age before Expires",
      {{"Cache-Control: max-age=5", "Expires: Thu, 01 Jan 2026 01:00:00 GMT"}}},
     5,
     0},
    {{.what = "CDN-Cache-Control wins",
      {{"Cache-Control: s-maxage=5", "CDN-Cache-Control: max-age=90"}}},
     90,
     0},
    {{.what = "CDN-Cache-Control replaces Expires",
      {{"CDN-Cache-Control: must-revalidate", "Expires: Thu, 01 Jan 2026 01:00:00 GMT",
        "ETag: \"a\""}}},
     0,
     0},
    {{.what = "empty CDN-Cache-Control", {{"CDN-Cache-Control:", "Cache-Control: max-age=5"}}},
     5,
     0},
    {{.what = "no heuristics", {{"Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT"}}}, 0, 0},

    {{.what = "segment, nothing said", {{NULL}}, .treatment = SEGMENT}, 365 * 24 * 3600, 0},
    {{.what = "segment, max-age=0", {{"Cache-Control: max-age=0, no-cache"}}, .treatment = SEGMENT},
     365 * 24 * 3600,
     0},
    {{.what = "segment, aged", {{"Age: 1000"}}, .treatment = SEGMENT}, 365 * 24 * 3600, 1000},
    {{.what = "segment, 404 for long",
      {{"Cache-Control: max-age=3600"}},
      .treatment = SEGMENT,
      .status = 404},
     10,
     0},
    {{.what = "segment, 404 for a moment",
      {{"Cache-Control: max-age=1"}},
      .treatment = SEGMENT,
      .status = 404},
     1,
     0},
    {{.what = "manifest below the least", {{"Cache-Control: max-age=0"}}, .treatment = MANIFEST},
     2,
     0},
    {{.what = "manifest above the most", {{"Cache-Control: max-age=3600"}}, .treatment = MANIFEST},
     30,
     0},
    {{.what = "manifest between", {{"Cache-Control: max-age=7"}}, .treatment = MANIFEST}, 7, 0},
    {{.what = "manifest, nothing said", {{NULL}}, .treatment = MANIFEST}, 2, 0},
    {{.what = "manifest kept by a tier above",
      {{"Cache-Control: max-age=4", "Age: 9"}},
      .treatment = MANIFEST},
     2,
     9},
    {{.what = "manifest, 404",
      {{"Cache-Control: max-age=3600"}},
      .treatment = MANIFEST,
      .status = 404},
     10,
     0},
    {{.what = "other, least by rule", {{"ETag: \"a\""}}, .treatment = {.min_ttl_ms = 3 * S}}, 3, 0},
    {{.what = "other, most by rule",
      {{"Cache-Control: max-age=60"}},
      .treatment = {.max_ttl_ms = 3 * S}},
     3,
     0},
};

static void lifetimes_and_ages_follow_the_standard(void **state)
{
    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(lifetime_cases); i++) {
        struct edge_terms terms = find_terms(&lifetime_cases[i].question);
        int64_t left_ms = edge_terms_left_ms(&terms, terms.received_ms);
        int64_t age_ms = edge_terms_age_ms(&terms, terms.received_ms);
        if (left_ms != lifetime_cases[i].left_s * S || age_ms != lifetime_cases[i].age_s * S) {
            fail_msg("%s: %lld ms left at age %lld ms", lifetime_cases[i].question.what,
                     (long long)left_ms, (long long)age_ms);
        }
        if (terms.refusal != NULL) {
            fail_msg("%s: not stored: %s", lifetime_cases[i].question.what, terms.refusal);
        }
    }
}

static void ages_grow_with_the_monotonic_clock(void **state)
{
    struct question question = {.response = {{"Cache-Control: max-age=60", "Age: 5"}}};

    (void)state;
    struct edge_terms terms = find_terms(&question);
    assert_int_equal(edge_terms_age_ms(&terms, terms.received_ms + 10 * S), 15 * S);
    assert_int_equal(edge_terms_left_ms(&terms, terms.received_ms + 10 * S), 45 * S);
    /* Another loop may have read its clock a moment earlier. */
    assert_int_equal(edge_terms_age_ms(&terms, terms.received_ms - 3), 5 * S);
}

/* ---- when to use it ---------------------------------------------------- */

static const struct {
    struct question question;
    int64_t at_s; /* after arrival */
    enum edge_verdict verdict;
    bool stands_in;
} verdict_cases[] = {
    {{.what = "fresh", {{"Cache-Control: max-age=60"}}}, 59, EDGE_USE, false},
    {{.what = "stale at the second", {{"Cache-Control: max-age=60"}}}, 60, EDGE_VALIDATE, false},
    {{.what = "no-cache", {{"Cache-Control: no-cache, max-age=60", "ETag: \"a\""}}},
     0,
     EDGE_VALIDATE,
     false},
    {{.what = "no-cache and stale-if-error",
      {{"Cache-Control: no-cache, stale-if-error=60", "ETag: \"a\""}}},
     0,
     EDGE_VALIDATE,
     false},
    {{.what = "while revalidating", {{"Cache-Control: max-age=60, stale-while-revalidate=10"}}},
     69,
     EDGE_USE_AND_REVALIDATE,
     true},
    {{.what = "too long after", {{"Cache-Control: max-age=60, stale-while-revalidate=10"}}},
     70,
     EDGE_VALIDATE,
     false},
    {{.what = "if error", {{"Cache-Control: max-age=60, stale-if-error=10"}}},
     69,
     EDGE_VALIDATE,
     true},
    {{.what = "if error, too late", {{"Cache-Control: max-age=60, stale-if-error=10"}}},
     70,
     EDGE_VALIDATE,
     false},
    {{.what = "must-revalidate forbids both",
      {{"Cache-Control: max-age=60, must-revalidate, stale-if-error=10, "
        "stale-while-revalidate=10"}}},
     61,
     EDGE_VALIDATE,
     false},
    {{.what = "proxy-revalidate too",
      {{"Cache-Control: max-age=60, proxy-revalidate, stale-if-error=9"}}},
     61,
     EDGE_VALIDATE,
     false},
    {{.what = "s-maxage alone", {{"Cache-Control: s-maxage=60"}}, .treatment = MANIFEST},
     31,
     EDGE_VALIDATE,
     false},
    {{.what = "s-maxage with an express grant",
      {{"Cache-Control: s-maxage=60, stale-while-revalidate=10"}}},
     61,
     EDGE_VALIDATE,
     false},
    {{.what = "s-maxage with an express grant, by rule",
      {{"Cache-Control: s-maxage=60, stale-while-revalidate=10"}},
      .treatment = {.caching = {.is_lax_on_s_maxage = true}}},
     61,
     EDGE_USE_AND_REVALIDATE,
     true},
    {{.what = "a manifest outlives its upstream", {{NULL}}, .treatment = MANIFEST},
     61,
     EDGE_VALIDATE,
     true},
    {{.what = "but not for ever", {{NULL}}, .treatment = MANIFEST}, 62, EDGE_VALIDATE, false},
    {{.what = "a manifest with no-cache is used",
      {{"Cache-Control: no-cache"}},
      .treatment = MANIFEST},
     1,
     EDGE_USE,
     true},
    {{.what = "a segment after 364 days", {{NULL}}, .treatment = SEGMENT},
     364 * 24 * 3600,
     EDGE_USE,
     false},
    {{.what = "a segment after a year", {{NULL}}, .treatment = SEGMENT},
     365 * 24 * 3600,
     EDGE_VALIDATE,
     false},
};

static void a_stored_response_is_used_validated_or_both(void **state)
{
    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(verdict_cases); i++) {
        struct edge_terms terms = find_terms(&verdict_cases[i].question);
        int64_t at_ms = terms.received_ms + verdict_cases[i].at_s * S;
        enum edge_verdict verdict = edge_terms_judge(&terms, at_ms, NULL);
        bool stands_in = edge_terms_stands_in(&terms, at_ms, NULL);
        bool is_fresh = edge_terms_left_ms(&terms, at_ms) > 0;
        if (verdict != verdict_cases[i].verdict ||
            (!is_fresh && stands_in != verdict_cases[i].stands_in)) {
            fail_msg("%s: verdict %d, stands in %d", verdict_cases[i].question.what, (int)verdict,
                     stands_in);
        }
    }
}

static void only_whole_segments_are_immutable(void **state)
{
    struct question segment = {.treatment = SEGMENT};
    struct question missing = {.treatment = SEGMENT, .status = 404};
    struct question manifest = {.treatment = MANIFEST};

    (void)state;
    assert_true(find_terms(&segment).is_immutable);
    assert_false(find_terms(&missing).is_immutable);
    assert_false(find_terms(&manifest).is_immutable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_rfc_9111_allows_is_stored),
        cmocka_unit_test(lifetimes_and_ages_follow_the_standard),
        cmocka_unit_test(ages_grow_with_the_monotonic_clock),
        cmocka_unit_test(a_stored_response_is_used_validated_or_both),
        cmocka_unit_test(only_whole_segments_are_immutable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
