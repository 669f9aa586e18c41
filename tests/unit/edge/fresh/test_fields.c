#include "base/core/buf.h"
#include "edge/fresh/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Fields as text, "Name: value" on each line. */
static struct fb_headers parse(struct fb_arena *arena, const char *text)
{
    struct fb_headers headers = {0};
    struct fb_str rest = fb_str_from(text);
    struct fb_str line;

    while (rest.len > 0 && fb_str_cut(&rest, '\n', &line)) {
        size_t colon = fb_str_find(line, ':');
        fb_headers_add(&headers, arena, fb_str_first(line, colon),
                       fb_str_trim(fb_str_skip(line, colon + 1)));
    }
    return headers;
}

static void assert_fields(const struct fb_headers *headers, const char *want)
{
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};

    fb_buf_append(&got, FB_STR(""));
    for (size_t i = 0; i < headers->n; i++) {
        fb_buf_printf(&got, "%.*s: %.*s\n", FB_STR_ARG(headers->items[i].name),
                      FB_STR_ARG(headers->items[i].value));
    }
    assert_string_equal(got.ptr != NULL ? got.ptr : "", want);
}

static const char *const client_fields = "Accept: */*\n"
                                         "Accept-Encoding: gzip, zstd\n"
                                         "Accept-Language: de\n"
                                         "Authorization: Bearer t\n"
                                         "Connection: keep-alive, X-Hop\n"
                                         "Cookie: a=b\n"
                                         "Content-Length: 0\n"
                                         "Forwarded: for=1\n"
                                         "Host: a.example\n"
                                         "If-None-Match: \"x\"\n"
                                         "If-Range: \"x\"\n"
                                         "Origin: https://b.example\n"
                                         "Range: bytes=0-1\n"
                                         "TE: trailers\n"
                                         "User-Agent: u\n"
                                         "X-Forwarded-Host: evil.example\n"
                                         "X_Forwarded_Host: evil.example\n"
                                         "Proxy: http://evil.example\n"
                                         "X-Hop: 1\n"
                                         "X-HTTP-Method-Override: DELETE\n"
                                         "X-Original-URL: /admin\n";

static struct fb_request_head client_request(struct fb_arena *arena)
{
    return (struct fb_request_head){.headers = parse(arena, client_fields)};
}

static void a_fetch_carries_nothing_that_no_key_takes_in(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    (void)state;
    struct fb_request_head request = client_request(&arena);
    struct fb_headers other =
        edge_fields_to_fetch(&arena, &request, &(struct edge_treatment){.class = EDGE_CLASS_OTHER});
    assert_fields(&other, "Accept: */*\n"
                          "Accept-Language: de\n"
                          "Authorization: Bearer t\n"
                          "Cookie: a=b\n"
                          "Origin: https://b.example\n"
                          "User-Agent: u\n"
                          "Accept-Encoding: gzip\n");
    struct fb_headers manifest = edge_fields_to_fetch(
        &arena, &request, &(struct edge_treatment){.class = EDGE_CLASS_MANIFEST});
    assert_fields(&manifest, "Accept: */*\n"
                             "Accept-Language: de\n"
                             "Authorization: Bearer t\n"
                             "Origin: https://b.example\n"
                             "Accept-Encoding: gzip\n");
    struct fb_headers segment = edge_fields_to_fetch(
        &arena, &request, &(struct edge_treatment){.class = EDGE_CLASS_SEGMENT});
    assert_fields(&segment, "Accept: */*\n"
                            "Authorization: Bearer t\n"
                            "Origin: https://b.example\n");
}

static void no_cookie_asks_for_what_everybody_gets(void **state)
{
    static const enum edge_cookies policies[] = {EDGE_COOKIES_DROP, EDGE_COOKIES_SHARE};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    (void)state;
    struct fb_request_head request = client_request(&arena);
    for (size_t i = 0; i < FB_ARRAY_LEN(policies); i++) {
        const struct edge_treatment treatment = {.caching = {.cookies = policies[i]}};
        struct fb_headers fetched = edge_fields_to_fetch(&arena, &request, &treatment);
        assert_int_equal(fb_headers_count(&fetched, FB_STR("cookie")), 0);
        assert_int_equal(fb_headers_count(&fetched, FB_STR("user-agent")), 1);
    }
}

static void a_pass_keeps_ranges_and_conditions(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    (void)state;
    struct fb_request_head request = client_request(&arena);
    struct fb_headers passed = edge_fields_to_pass(&arena, &request);
    assert_fields(&passed, "Accept: */*\n"
                           "Accept-Encoding: gzip, zstd\n"
                           "Accept-Language: de\n"
                           "Authorization: Bearer t\n"
                           "Cookie: a=b\n"
                           "If-None-Match: \"x\"\n"
                           "If-Range: \"x\"\n"
                           "Origin: https://b.example\n"
                           "Range: bytes=0-1\n"
                           "User-Agent: u\n");
}

static const struct edge_treatment plain = {.class = EDGE_CLASS_OTHER};
static const struct edge_treatment segments = {.class = EDGE_CLASS_SEGMENT};

static void what_belongs_to_a_connection_is_not_kept(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    (void)state;
    struct fb_headers response = parse(&arena, "Age: 3\n"
                                               "Cache-Control: max-age=1\n"
                                               "Connection: close, X-Hop, Cache-Control\n"
                                               "Content-Length: 5\n"
                                               "Content-Type: video/mp4\n"
                                               "Keep-Alive: timeout=5\n"
                                               "Proxy-Authenticate: Basic\n"
                                               "Set-Cookie: a=b\n"
                                               "Transfer-Encoding: chunked\n"
                                               "Upgrade: h2c\n"
                                               "Via: 1.1 up\n"
                                               "x-hop: 1\n");
    struct fb_headers other = edge_fields_to_keep(&arena, &response, &plain);
    /* Connection cannot take away what says whether it may be stored. */
    assert_fields(&other, "Cache-Control: max-age=1\n"
                          "Content-Type: video/mp4\n"
                          "Set-Cookie: a=b\n"
                          "Via: 1.1 up\n");
    struct fb_headers segment = edge_fields_to_keep(&arena, &response, &segments);
    assert_fields(&segment, "Cache-Control: max-age=1\n"
                            "Content-Type: video/mp4\n"
                            "Via: 1.1 up\n");
}

static void a_304_updates_all_but_the_content(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    (void)state;
    struct fb_headers stored = parse(&arena, "Content-Type: video/mp4\n"
                                             "Cache-Control: max-age=1\n"
                                             "Date: old\n"
                                             "ETag: \"a\"\n"
                                             "Link: one\n"
                                             "Link: two\n"
                                             "X-Kept: 1\n");
    struct fb_headers news = parse(&arena, "Age: 2\n"
                                           "cache-control: max-age=9\n"
                                           "Connection: close\n"
                                           "Content-Length: 0\n"
                                           "Content-Type: text/html\n"
                                           "Date: new\n"
                                           "Link: three\n"
                                           "Repr-Digest: sha-256=:x:\n"
                                           "X-New: 2\n");
    struct fb_headers updated = edge_fields_updated(&arena, &stored, &news, &plain);
    assert_fields(&updated, "ETag: \"a\"\n"
                            "X-Kept: 1\n"
                            "cache-control: max-age=9\n"
                            "Content-Type: text/html\n"
                            "Date: new\n"
                            "Link: three\n"
                            "X-New: 2\n");
}

static void what_is_private_or_dropped_is_not_kept(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    static const struct edge_treatment dropping = {.caching = {.cookies = EDGE_COOKIES_DROP}};

    (void)state;
    struct fb_headers response = parse(&arena, "Cache-Control: max-age=1, private=\"x-me, x-you\"\n"
                                               "Set-Cookie: a=b\n"
                                               "X-All: 1\n"
                                               "X-Me: 1\n"
                                               "X-ME: 2\n");
    struct fb_headers kept = edge_fields_to_keep(&arena, &response, &dropping);
    assert_fields(&kept, "Cache-Control: max-age=1, private=\"x-me, x-you\"\n"
                         "X-All: 1\n");
    struct fb_headers own = edge_fields_own(&arena, &response);
    assert_fields(&own, "X-Me: 1\n"
                        "X-ME: 2\n");
    struct fb_headers answer = edge_fields_to_answer(&arena, &response);
    assert_int_equal(answer.n, response.n);
}

static void an_answer_to_one_client_keeps_its_age(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    (void)state;
    struct fb_headers response = parse(&arena, "Age: 3\nContent-Length: 5\nTE: x\n");
    struct fb_headers answer = edge_fields_to_answer(&arena, &response);
    assert_fields(&answer, "Age: 3\n");
}

static void guarded_fields_are_those_of_the_field_that_counts(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    (void)state;
    struct fb_headers plain_one = parse(&arena, "Cache-Control: no-cache=\"x-a, x-b\"\n");
    struct fb_headers targeted = parse(&arena, "Cache-Control: no-cache=\"x-a\"\n"
                                               "CDN-Cache-Control: no-cache=\"x-c\"\n");
    assert_true(fb_list_has(edge_fields_guarded(&arena, &plain_one), FB_STR("X-B")));
    assert_false(fb_list_has(edge_fields_guarded(&arena, &targeted), FB_STR("x-a")));
    assert_true(fb_list_has(edge_fields_guarded(&arena, &targeted), FB_STR("x-c")));
}

static void fields_for_tiers_are_two(void **state)
{
    (void)state;
    assert_true(edge_field_is_for_tiers(FB_STR("Forebay-Cache-Control")));
    assert_true(edge_field_is_for_tiers(FB_STR("cache-tag")));
    assert_false(edge_field_is_for_tiers(FB_STR("CDN-Cache-Control")));
    assert_false(edge_field_is_for_tiers(FB_STR("Cache-Control")));
}

/* ---- which response a 304 speaks of ----------------------------------------- */

#define LM_OLD "Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT\n"
#define LM_NEW "Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT\n"

static const struct {
    const char *stored;
    const char *told;
    bool confirms;
} confirm_cases[] = {
    {"ETag: \"a\"\n", "ETag: \"a\"\n", true},
    {"ETag: \"a\"\n", "ETag: \"b\"\n", false},
    {"ETag: W/\"a\"\n", "ETag: \"a\"\n", false}, /* a strong one must be the same */
    {LM_OLD, "ETag: \"a\"\n", false},
    {"ETag: \"a\"\n", "ETag: W/\"a\"\n", true},
    {"ETag: W/\"a\"\n", "ETag: W/\"a\"\n", true},
    {"ETag: W/\"a\"\n", "ETag: W/\"b\"\n", false},
    {"ETag: \"a\"\n" LM_OLD, "ETag: \"a\"\n" LM_NEW, true}, /* the tag is the better proof */
    {LM_OLD, LM_OLD, true},
    {LM_OLD, LM_NEW, false},
    {"ETag: \"a\"\n" LM_OLD, LM_NEW, false},
    {"ETag: \"a\"\n", LM_NEW, true},
    {"ETag: \"a\"\n", "", true},
    {LM_OLD, "", true},
    {"", "", true},
};

static void a_304_speaks_only_of_what_its_validators_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(confirm_cases); i++) {
        FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
        struct fb_headers stored = parse(&arena, confirm_cases[i].stored);
        struct fb_headers told = parse(&arena, confirm_cases[i].told);
        if (edge_fields_confirm(&stored, &told, 1767225600) != confirm_cases[i].confirms) {
            fail_msg("case %zu", i);
        }
    }
}

static void a_304_leaves_what_the_bytes_depend_on(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    (void)state;
    struct fb_headers stored = parse(&arena, "Content-Encoding: gzip\n"
                                             "Content-Language: de\n"
                                             "Repr-Digest: sha-256=:a:\n");
    struct fb_headers news = parse(&arena, "Content-Encoding: br\n"
                                           "Content-Digest: sha-256=:e:\n"
                                           "Content-Language: en\n"
                                           "Content-Length: 0\n"
                                           "Content-Range: bytes 0-1/2\n"
                                           "Repr-Digest: sha-256=:b:\n");
    struct fb_headers updated = edge_fields_updated(&arena, &stored, &news, &plain);
    assert_fields(&updated, "Content-Encoding: gzip\n"
                            "Repr-Digest: sha-256=:a:\n"
                            "Content-Language: en\n");
}

static void what_a_304_makes_private_is_not_kept_any_more(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    (void)state;
    struct fb_headers stored = parse(&arena, "X-A: 1\nX-B: 1\nX-C: 1\n");
    struct fb_headers news = parse(&arena, "Cache-Control: private=\"x-a, x-b\"\n"
                                           "X-B: 2\nX-C: 2\n");
    struct fb_headers updated = edge_fields_updated(&arena, &stored, &news, &plain);
    assert_fields(&updated, "Cache-Control: private=\"x-a, x-b\"\nX-C: 2\n");

    stored = parse(&arena, "Cache-Control: private=x-a\n");
    news = parse(&arena, "X-A: 2\nX-C: 2\n");
    updated = edge_fields_updated(&arena, &stored, &news, &plain);
    assert_fields(&updated, "Cache-Control: private=x-a\nX-C: 2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fetch_carries_nothing_that_no_key_takes_in),
        cmocka_unit_test(no_cookie_asks_for_what_everybody_gets),
        cmocka_unit_test(a_pass_keeps_ranges_and_conditions),
        cmocka_unit_test(what_belongs_to_a_connection_is_not_kept),
        cmocka_unit_test(a_304_updates_all_but_the_content),
        cmocka_unit_test(what_is_private_or_dropped_is_not_kept),
        cmocka_unit_test(an_answer_to_one_client_keeps_its_age),
        cmocka_unit_test(guarded_fields_are_those_of_the_field_that_counts),
        cmocka_unit_test(fields_for_tiers_are_two),
        cmocka_unit_test(a_304_speaks_only_of_what_its_validators_name),
        cmocka_unit_test(a_304_leaves_what_the_bytes_depend_on),
        cmocka_unit_test(what_a_304_makes_private_is_not_kept_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
