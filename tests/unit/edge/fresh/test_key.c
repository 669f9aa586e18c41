#include "base/core/buf.h"
#include "base/core/err.h"
#include "edge/fresh/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct fb_request_head make_request(const char *host, const char *target)
{
    struct fb_request_head request = {.host = fb_str_from(host), .target = fb_str_from(target)};
    size_t question = fb_str_find(request.target, '?');

    request.path = fb_str_first(request.target, question);
    if (question < request.target.len) {
        request.query = fb_str_skip(request.target, question + 1);
    }
    return request;
}

static void one_resource_has_one_key(void **state)
{
    static const struct {
        const char *host;
        const char *target;
        const char *key; /* NULL: refused */
    } cases[] = {
        {"a.example", "/v/1.m4s", "a.example/v/1.m4s"},
        {"A.Example", "/v/1.m4s", "a.example/v/1.m4s"},
        {"a.example:80", "/v/1.m4s", "a.example/v/1.m4s"},
        {"a.example:443", "/", "a.example/"},
        {"a.example:8080", "/", "a.example:8080/"},
        {"a.example:", "/", "a.example/"},
        {"127.0.0.1:80", "/", "127.0.0.1/"},
        {"[::1]:80", "/", "[::1]/"},
        {"[::80]", "/", "[::80]/"},
        {"[2001:db8::1]:8080", "/", "[2001:db8::1]:8080/"},
        {"a.example", "/x?b=1&a=%2f", "a.example/x?b=1&a=%2f"},
        {"a.example", "/x?", "a.example/x?"},
        {"a.example", "/x", "a.example/x"},
        {"a.example", "/%61/./b/../c", "a.example/a/c"},
        {"a.example", "/a%2fb", "a.example/a%2Fb"},
        {"a.example", "/../etc", NULL},
        {"a.example", "/a%zz", NULL},
        {"a.example", "*", NULL},
        {"a.example", "", NULL},
        {"", "/", NULL},
        {"a b", "/", NULL},
        {"a/b", "/", NULL},
        {"a\nb", "/", NULL},
        {"a?b", "/", NULL},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
        struct fb_request_head request = make_request(cases[i].host, cases[i].target);
        struct edge_target target = {.key = FB_STR_NONE};
        int err = edge_key_of(&arena, &request, NULL, &target);
        struct fb_str key = target.key;
        bool is_right = cases[i].key != NULL
                            ? err == FB_OK && fb_str_equal(key, fb_str_from(cases[i].key))
                            : err == FB_E_MALFORMED;
        if (!is_right) {
            fail_msg("'%s' '%s': %d '%.*s'", cases[i].host, cases[i].target, err, FB_STR_ARG(key));
        }
    }
}

static void a_key_has_a_limit(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    FB_AUTO(fb_buf_done) struct fb_buf target = {0};
    struct edge_target ret;

    (void)state;
    fb_buf_append_byte(&target, '/');
    while (target.len <= EDGE_KEY_MAX) {
        fb_buf_append_byte(&target, 'x');
    }
    struct fb_request_head request = make_request("a.example", target.ptr);
    assert_int_equal(edge_key_of(&arena, &request, NULL, &ret), FB_E_LIMIT);
}

struct line {
    const char *name;
    const char *value;
};

static struct fb_headers make_headers(struct fb_arena *arena, const struct line *lines)
{
    struct fb_headers headers = {0};

    for (; lines->name != NULL; lines++) {
        fb_headers_add(&headers, arena, fb_str_from(lines->name), fb_str_from(lines->value));
    }
    return headers;
}

/* True if two requests get the same variant under `vary`. */
static bool same_variant(const char *vary, const struct line *a, const struct line *b)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_headers first = make_headers(&arena, a);
    struct fb_headers second = make_headers(&arena, b);

    return fb_str_equal(edge_variant_of(&arena, fb_str_from(vary), &first),
                        edge_variant_of(&arena, fb_str_from(vary), &second));
}

static void variants_differ_where_selecting_fields_do(void **state)
{
    static const struct {
        const char *vary;
        struct line a[3];
        struct line b[3];
        bool is_same;
    } cases[] = {
        {"", {{"Accept", "a"}}, {{"Accept", "b"}}, true},
        {"Accept", {{"Accept", "a"}}, {{"accept", "a"}}, true},
        {"ACCEPT", {{"Accept", "a"}}, {{"Accept", "b"}}, false},
        {"Accept", {{"Accept", "a"}}, {{NULL, NULL}}, false},
        {"Accept", {{"Accept", ""}}, {{NULL, NULL}}, false},
        {"Accept", {{"Accept", "a, b"}}, {{"Accept", "a ,b"}}, true},
        {"Accept", {{"Accept", "a, b"}}, {{"Accept", "a"}, {"Accept", "b"}}, true},
        {"Accept", {{"Accept", "a,b"}}, {{"Accept", "b,a"}}, false},
        {"Accept, Origin", {{"Origin", "x"}}, {{"Accept", "x"}}, false},
        {"Accept, Origin",
         {{"Origin", "x"}, {"Accept", "y"}},
         {{"Accept", "y"}, {"Origin", "x"}},
         true},
        {"Origin", {{"Accept", "x"}}, {{"Accept", "y"}}, true},
        {"Accept-Encoding",
         {{"Accept-Encoding", "gzip, br"}},
         {{"Accept-Encoding", "br;q=0.9,gzip"}},
         true},
        {"Accept-Encoding",
         {{"Accept-Encoding", "gzip"}},
         {{"Accept-Encoding", "gzip;q=0"}},
         false},
        {"Accept-Encoding", {{"Accept-Encoding", "gzip;q=0.0"}}, {{NULL, NULL}}, true},
        {"Accept-Encoding", {{"Accept-Encoding", "zstd"}}, {{NULL, NULL}}, true},
        {"Accept-Encoding", {{"Accept-Encoding", "br"}}, {{"Accept-Encoding", "gzip"}}, false},
        /* What a value holds cannot look like another line. */
        {"A, B", {{"A", "x\nb: y"}}, {{"A", "x"}, {"B", "y"}}, false},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        if (same_variant(cases[i].vary, cases[i].a, cases[i].b) != cases[i].is_same) {
            fail_msg("case %zu: Vary: %s", i, cases[i].vary);
        }
    }
}

static void vary_lines_are_joined(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    const struct line lines[] = {{"Vary", "Accept"}, {"vary", "Origin"}, {NULL, NULL}};

    (void)state;
    struct fb_headers headers = make_headers(&arena, lines);
    assert_true(fb_str_equal(edge_vary_of(&arena, &headers), FB_STR("Accept, Origin")));
    struct fb_headers none = {0};
    assert_null(edge_vary_of(&arena, &none).ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_resource_has_one_key),
        cmocka_unit_test(a_key_has_a_limit),
        cmocka_unit_test(variants_differ_where_selecting_fields_do),
        cmocka_unit_test(vary_lines_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
