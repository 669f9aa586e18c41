#include "base/core/attr.h"
#include "base/core/err.h"
#include "edge/access/cors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct fb_str origins[] = {FB_STR("https://player.example"),
                                        FB_STR("https://*.shop.example"),
                                        FB_STR("http://localhost:3000")};

static const struct edge_cors some = {.origins = origins,
                                      .n_origins = FB_ARRAY_LEN(origins),
                                      .methods = FB_STR("GET, HEAD"),
                                      .headers = FB_STR("Range"),
                                      .max_age = FB_STR("60"),
                                      .expose = FB_STR("Age"),
                                      .has_credentials = true};
static const struct edge_cors any = {.is_any = true,
                                     .methods = FB_STR("GET"),
                                     .max_age = FB_STR("60")};

static void origins_are_matched_whole(void **state)
{
    static const char *const good[] = {"https://player.example", "https://a.shop.example",
                                       "https://a.b.shop.example", "http://localhost:3000"};
    static const char *const bad[] = {"",
                                      "null",
                                      "http://player.example",
                                      "https://player.example:8443",
                                      "https://player.example.evil.example",
                                      "https://evilplayer.example",
                                      "https://shop.example",
                                      "https://.shop.example",
                                      "https://evilshop.example",
                                      "http://a.shop.example",
                                      "https://evil.example/.shop.example",
                                      "https://evil.example:80.shop.example",
                                      "https://PLAYER.example",
                                      "https://a.shop.example:1"};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(good); i++) {
        assert_true(edge_cors_allows(&some, fb_str_from(good[i])));
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        if (edge_cors_allows(&some, fb_str_from(bad[i]))) {
            fail_msg("%s", bad[i]);
        }
    }
}

static void what_is_no_origin_is_refused(void **state)
{
    static const char *const bad[] = {"",           "player.example",         "https://",
                                      "https://a/", "https://a.example/path", "https://A.example",
                                      "https://*",  "https://a.*.example",    "**"};
    struct fb_diag diag = {0};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        if (edge_cors_check_origin(fb_str_from(bad[i]), &diag) == FB_OK) {
            fail_msg("%s", bad[i]);
        }
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(origins); i++) {
        assert_int_equal(edge_cors_check_origin(origins[i], &diag), FB_OK);
    }
    assert_int_equal(edge_cors_check_origin(FB_STR("*"), &diag), FB_OK);
}

static struct fb_headers applied(const struct edge_cors *cors, struct fb_arena *arena,
                                 struct fb_str origin, const char *vary)
{
    struct fb_headers headers = {0};

    fb_headers_add(&headers, arena, FB_STR("access-control-allow-origin"), FB_STR("https://old"));
    fb_headers_add(&headers, arena, FB_STR("Access-Control-Allow-Credentials"), FB_STR("true"));
    fb_headers_add(&headers, arena, FB_STR("ETag"), FB_STR("\"a\""));
    if (vary != NULL) {
        fb_headers_add(&headers, arena, FB_STR("Vary"), fb_str_from(vary));
    }
    edge_cors_apply(cors, origin, &headers, arena);
    return headers;
}

static void assert_field(const struct fb_headers *headers, const char *name, const char *value)
{
    struct fb_str found = fb_headers_find(headers, fb_str_from(name));

    assert_int_equal(fb_headers_count(headers, fb_str_from(name)), value != NULL ? 1 : 0);
    if (value != NULL) {
        assert_true(fb_str_equal(found, fb_str_from(value)));
    }
}

static void the_sites_fields_replace_the_upstreams(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    (void)state;
    struct fb_headers headers = applied(&some, &arena, origins[0], NULL);
    assert_field(&headers, "Access-Control-Allow-Origin", "https://player.example");
    assert_field(&headers, "Access-Control-Allow-Credentials", "true");
    assert_field(&headers, "Access-Control-Expose-Headers", "Age");
    assert_field(&headers, "Vary", "Origin");
    assert_field(&headers, "ETag", "\"a\"");
    headers = applied(&any, &arena, FB_STR_NONE, NULL);
    assert_field(&headers, "Access-Control-Allow-Origin", "*");
    assert_field(&headers, "Access-Control-Allow-Credentials", NULL);
    assert_field(&headers, "Vary", NULL);
}

static void other_origins_get_nothing_but_vary(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    (void)state;
    struct fb_headers headers = applied(&some, &arena, FB_STR("https://evil.example"), NULL);
    assert_field(&headers, "Access-Control-Allow-Origin", NULL);
    assert_field(&headers, "Access-Control-Allow-Credentials", NULL);
    assert_field(&headers, "Access-Control-Expose-Headers", NULL);
    assert_field(&headers, "Vary", "Origin");
    headers = applied(&some, &arena, FB_STR_NONE, "Accept-Encoding, origin");
    assert_field(&headers, "Access-Control-Allow-Origin", NULL);
    assert_field(&headers, "Vary", "Accept-Encoding, origin");
    headers = applied(&some, &arena, origins[0], "*");
    assert_field(&headers, "Vary", "*");
}

static void a_preflight_says_so(void **state)
{
    struct fb_header fields[] = {
        {FB_STR("Origin"), FB_STR("https://player.example")},
        {FB_STR("Access-Control-Request-Method"), FB_STR("GET")},
    };
    struct fb_request_head request = {.method = FB_METHOD_OPTIONS,
                                      .headers = {.items = fields, .n = 2}};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_headers headers = {0};

    (void)state;
    assert_true(edge_cors_is_preflight(&request));
    request.method = FB_METHOD_GET;
    assert_false(edge_cors_is_preflight(&request));
    request.method = FB_METHOD_OPTIONS;
    request.headers.n = 1;
    assert_false(edge_cors_is_preflight(&request));
    edge_cors_apply_preflight(&some, origins[0], &headers, &arena);
    assert_field(&headers, "Access-Control-Allow-Methods", "GET, HEAD");
    assert_field(&headers, "Access-Control-Allow-Headers", "Range");
    assert_field(&headers, "Access-Control-Max-Age", "60");
    assert_field(&headers, "Vary", "Origin");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origins_are_matched_whole),
        cmocka_unit_test(what_is_no_origin_is_refused),
        cmocka_unit_test(the_sites_fields_replace_the_upstreams),
        cmocka_unit_test(other_origins_get_nothing_but_vary),
        cmocka_unit_test(a_preflight_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
