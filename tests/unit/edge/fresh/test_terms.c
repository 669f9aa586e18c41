#include "terms_fixture.h"

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
    {{.what = "Forebay before CDN",
      {{"CDN-Cache-Control: max-age=5", "Forebay-Cache-Control: max-age=9"}}},
     9,
     0},
    {{.what = "a targeted s-maxage", {{"CDN-Cache-Control: max-age=60, s-maxage=5"}}}, 5, 0},
    {{.what = "a targeted number that is text",
      {{"CDN-Cache-Control: max-age=\"60\"", "Cache-Control: max-age=60", "ETag: \"a\""}}},
     0,
     0},
    {{.what = "Expires twice: the least",
      {{"Expires: Thu, 01 Jan 2026 01:00:00 GMT", "Expires: Thu, 01 Jan 2026 00:00:30 GMT"}}},
     30,
     0},
    {{.what = "Expires twice: one is no date",
      {{"Expires: Thu, 01 Jan 2026 01:00:00 GMT", "Expires: never", "ETag: \"a\""}}},
     0,
     0},
    {{.what = "max-age against an old Expires",
      {{"Cache-Control: max-age=60", "Expires: Wed, 01 Jan 2020 00:00:00 GMT"}}},
     60,
     0},
    {{.what = "space before the number", {{"Cache-Control: max-age= 60", "ETag: \"a\""}}}, 0, 0},
    {{.what = "in capitals", {{"CACHE-CONTROL: MAX-AGE=60"}}}, 60, 0},
    {{.what = "Age is negative", {{"Cache-Control: max-age=60", "Age: -5"}}}, 60, 0},
    {{.what = "Age without end",
      {{"Cache-Control: max-age=60", "Age: 99999999999", "ETag: \"a\""}}},
     60 - 0x7fffffffLL,
     0x7fffffff},
    {{.what = "Age on two lines", {{"Cache-Control: max-age=60", "Age: 7", "Age: 9"}}}, 53, 7},
    {{.what = "Date is no date", {{"Cache-Control: max-age=60", "Date: today"}}}, 60, 0},
    {{.what = "a slow clock at the origin",
      {{"Date: Wed, 31 Dec 2025 23:59:00 GMT", "Expires: Thu, 01 Jan 2026 00:00:00 GMT",
        "ETag: \"a\""}}},
     0,
     60},
    {{.what = "a fast clock at the origin",
      {{"Date: Thu, 01 Jan 2026 00:10:00 GMT", "Expires: Thu, 01 Jan 2026 00:11:00 GMT"}}},
     60,
     0},

    {{.what = "a tenth of its age",
      {{"Last-Modified: Wed, 31 Dec 2025 23:43:20 GMT"}},
      .treatment = HEURISTIC(10, 0)},
     100,
     0},
    {{.what = "a tenth, counted from Date",
      {{"Last-Modified: Wed, 31 Dec 2025 23:43:10 GMT", "Date: Wed, 31 Dec 2025 23:59:50 GMT"}},
      .treatment = HEURISTIC(10, 0)},
     90,
     10},
    {{.what = "no more than the most",
      {{"Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT"}},
      .treatment = HEURISTIC(10, 70 * S)},
     70,
     0},
    {{.what = "no more than a day",
      {{"Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT"}},
      .treatment = HEURISTIC(10, 0)},
     24 * 3600,
     0},
    {{.what = "no guess against the upstream's word",
      {{"Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT", "Expires: 0"}},
      .treatment = HEURISTIC(10, 0)},
     0,
     0},
    {{.what = "no guess about what changed later than now",
      {{"Last-Modified: Thu, 01 Jan 2026 00:10:00 GMT"}},
      .treatment = HEURISTIC(10, 0)},
     0,
     0},
    {{.what = "no guess for a 404",
      {{"Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT"}},
      .treatment = HEURISTIC(10, 0),
      .status = 404},
     0,
     0},
    {{.what = "a guess for a 302 that is public",
      {{"Last-Modified: Wed, 31 Dec 2025 23:43:20 GMT", "Cache-Control: public"}},
      .treatment = HEURISTIC(10, 0),
      .status = 302},
     100,
     0},

    {{.what = "404 by rule, nothing said",
      {{NULL}},
      .status = 404,
      .treatment = NEGATIVE(404, 7 * S)},
     7,
     0},
    {{.what = "404 by rule: a ceiling",
      {{"Cache-Control: max-age=60"}},
      .status = 404,
      .treatment = NEGATIVE(404, 7 * S)},
     7,
     0},
    {{.what = "404 by rule: the upstream says less",
      {{"Cache-Control: max-age=3"}},
      .status = 404,
      .treatment = NEGATIVE(404, 7 * S)},
     3,
     0},
    {{.what = "404 by rule: Expires",
      {{"Expires: Thu, 01 Jan 2026 00:00:02 GMT"}},
      .status = 404,
      .treatment = NEGATIVE(404, 7 * S)},
     2,
     0},
    {{.what = "404 by rule: Retry-After",
      {{"Retry-After: 2"}},
      .status = 404,
      .treatment = NEGATIVE(404, 7 * S)},
     2,
     0},
    {{.what = "404: Retry-After as a date",
      {{"Retry-After: Thu, 01 Jan 2026 00:00:04 GMT", "Cache-Control: max-age=60"}},
      .status = 404},
     4,
     0},
    {{.what = "410 by the rule of its class",
      {{NULL}},
      .status = 410,
      .treatment = NEGATIVE(4, 9 * S)},
     9,
     0},
    {{.what = "a segment's 404 by rule, within the most",
      {{NULL}},
      .status = 404,
      .treatment = {.class = EDGE_CLASS_SEGMENT,
                    .caching = {.n_negative = 1, .negative = {{404, 60 * S}}}}},
     10,
     0},
    {{.what = "the most that errors live, by rule",
      {{"Cache-Control: max-age=60"}},
      .status = 404,
      .treatment = {.class = EDGE_CLASS_MANIFEST, .caching = {.error_max_ms = 1 * S}}},
     1,
     0},
    {{.what = "an error is not stretched to the least of a rule",
      {{"Cache-Control: max-age=1"}},
      .status = 404,
      .treatment = {.min_ttl_ms = 60 * S}},
     1,
     0},
    {{.what = "an exact entry before its class",
      {{NULL}},
      .status = 404,
      .treatment = {.caching = {.n_negative = 2, .negative = {{4, 9 * S}, {404, 2 * S}}}}},
     2,
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

static void lifetimes_below_a_second_are_exact(void **state)
{
    struct question question = {
        .response = {{"Cache-Control: max-age=9", "ETag: \"a\""}},
        .treatment = {.class = EDGE_CLASS_MANIFEST, .min_ttl_ms = 1, .max_ttl_ms = 250},
    };
    struct question missing = {.status = 404, .treatment = NEGATIVE(404, 120)};

    (void)state;
    struct edge_terms terms = find_terms(&question);
    assert_int_equal(edge_terms_judge(&terms, terms.received_ms + 249, NULL), EDGE_USE);
    assert_int_equal(edge_terms_judge(&terms, terms.received_ms + 250, NULL), EDGE_VALIDATE);
    terms = find_terms(&missing);
    assert_int_equal(edge_terms_left_ms(&terms, terms.received_ms + 119), 1);
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
    {{.what = "if revalidating may take long, an error may too",
      {{"Cache-Control: max-age=60, stale-while-revalidate=9, stale-if-error=5"}}},
     68,
     EDGE_USE_AND_REVALIDATE,
     true},
    {{.what = "a targeted must-revalidate",
      {{"CDN-Cache-Control: max-age=60, must-revalidate, stale-if-error=10",
        "Cache-Control: stale-if-error=100"}}},
     61,
     EDGE_VALIDATE,
     false},
    {{.what = "a targeted field without a grant",
      {{"CDN-Cache-Control: max-age=60", "Cache-Control: stale-while-revalidate=100"}}},
     61,
     EDGE_VALIDATE,
     false},
    {{.what = "no-cache of a field alone",
      {{"Cache-Control: no-cache=\"x-a\", max-age=60", "ETag: \"a\""}}},
     1,
     EDGE_USE,
     false},
    {{.what = "older than it may be when it came",
      {{"Cache-Control: max-age=60, stale-while-revalidate=10", "Age: 65"}}},
     4,
     EDGE_USE_AND_REVALIDATE,
     true},
    {{.what = "much older than it may be when it came",
      {{"Cache-Control: max-age=60, stale-while-revalidate=10", "Age: 65"}}},
     5,
     EDGE_VALIDATE,
     false},
    {{.what = "a 404 while revalidating",
      {{"Cache-Control: max-age=60, stale-while-revalidate=10"}},
      .status = 404},
     61,
     EDGE_USE_AND_REVALIDATE,
     true},
    {{.what = "a segment's 404 is not used stale",
      {{"Cache-Control: max-age=5, stale-while-revalidate=10, stale-if-error=10"}},
      .status = 404,
      .treatment = SEGMENT},
     6,
     EDGE_VALIDATE,
     false},
    {{.what = "a 404 with Retry-After is not used stale",
      {{"Cache-Control: max-age=60, stale-while-revalidate=10", "Retry-After: 5"}},
      .status = 404},
     6,
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

static void only_present_fields_are_guarded(void **state)
{
    struct question with = {.response = {{"Cache-Control: no-cache=\"x-a\", max-age=1", "X-A: 1"}}};
    struct question without = {.response = {{"Cache-Control: no-cache=\"x-a\", max-age=1"}}};
    struct question whole = {.response = {{"Cache-Control: no-cache, max-age=1", "X-A: 1"}}};

    (void)state;
    assert_true(find_terms(&with).has_guarded);
    assert_false(find_terms(&without).has_guarded);
    assert_false(find_terms(&whole).has_guarded);
}

static void only_four_statuses_are_failures_of_the_upstream(void **state)
{
    (void)state;
    for (unsigned status = 100; status < 600; status++) {
        bool want = status == 500 || (status >= 502 && status <= 504);
        assert_int_equal(edge_status_is_failure(status), want);
    }
}

static void whole_segments_and_what_says_so_are_immutable(void **state)
{
    struct question said = {.response = {{"Cache-Control: max-age=60, immutable"}}};
    struct question segment = {.treatment = SEGMENT};
    struct question missing = {.treatment = SEGMENT, .status = 404};
    struct question manifest = {.treatment = MANIFEST};

    (void)state;
    assert_true(find_terms(&said).is_immutable);
    assert_true(find_terms(&segment).is_immutable);
    assert_false(find_terms(&missing).is_immutable);
    assert_false(find_terms(&manifest).is_immutable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lifetimes_and_ages_follow_the_standard),
        cmocka_unit_test(lifetimes_below_a_second_are_exact),
        cmocka_unit_test(ages_grow_with_the_monotonic_clock),
        cmocka_unit_test(a_stored_response_is_used_validated_or_both),
        cmocka_unit_test(only_present_fields_are_guarded),
        cmocka_unit_test(only_four_statuses_are_failures_of_the_upstream),
        cmocka_unit_test(whole_segments_and_what_says_so_are_immutable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
