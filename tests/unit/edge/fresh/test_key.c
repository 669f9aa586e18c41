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
        {"a.example.", "/", "a.example/"},
        {"A.example.:80", "/", "a.example/"},
        {"a.example.:8080", "/", "a.example:8080/"},
        {"a_b.xn--bcher-kva.example", "/", "a_b.xn--bcher-kva.example/"},
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
        {".", "/", NULL},
        {"a.example..", "/", NULL},
        {".a.example", "/", NULL},
        {"a.example,b", "/", NULL},
        {"a.example%00", "/", NULL},
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

static const struct fb_str some[] = {FB_STR("b"), FB_STR("t k")};

static const struct edge_key_policy whole = {.query = EDGE_KEY_WHOLE};
static const struct edge_key_policy whole_but = {.query = EDGE_KEY_WHOLE,
                                                 .excluded = some,
                                                 .n_excluded = 2};
static const struct edge_key_policy all = {.query = EDGE_KEY_ALL};
static const struct edge_key_policy all_but = {.query = EDGE_KEY_ALL,
                                               .excluded = some,
                                               .n_excluded = 2};
static const struct edge_key_policy nothing = {.query = EDGE_KEY_NONE};
static const struct edge_key_policy nothing_but = {.query = EDGE_KEY_NONE,
                                                   .included = some,
                                                   .n_included = 2};

static void a_query_counts_as_the_policy_says(void **state)
{
    static const struct {
        const struct edge_key_policy *policy;
        const char *target;
        const char *wanted;
    } cases[] = {
        {&whole, "/x?b=1&a=2&&b=0&", "/x?b=1&a=2&&b=0&"},
        {&whole, "/x?%zz=%41", "/x?%zz=%41"},
        {&whole, "/x?CMCD=br%3D1", "/x"},
        {&whole, "/x?a=1&CMCD=x&b=2", "/x?a=1&b=2"},
        {&whole, "/x?CM%43D=x&CMCD-Session=y&CMCDx=1", "/x?CMCDx=1"},
        {&whole, "/x?cmcd=1", "/x?cmcd=1"},
        {&whole, "/x?_HLS_part=3&a=1&_HLS_msn=2&b=0", "/x?a=1&b=0&_HLS_msn=2&_HLS_part=3"},
        {&whole, "/x?_HLS_skip=YES&_HLS_msn=2&_HLS_msn=1",
         "/x?_HLS_msn=2&_HLS_msn=1&_HLS_skip=YES"},
        {&whole_but, "/x?c=1&b=2&a=3&%62=4&bb=5", "/x?c=1&a=3&bb=5"},
        {&whole_but, "/x?t%20k=1&t+k=2", "/x?t+k=2"},
        {&all, "/x?", "/x"},
        {&all, "/x?&", "/x"},
        {&all, "/x?b=1&&a=2&b=0&", "/x?a=2&b=1&b=0"},
        {&all, "/x?a&a=&a=1", "/x?a&a=&a=1"},
        {&all, "/x?q=a+b&p=a%20b&o=a%2bb", "/x?o=a%2Bb&p=a%20b&q=a+b"},
        {&all, "/x?a=%41%7e%2f/?", "/x?a=A~%2F/?"},
        {&all, "/x?a=100%&b=%zz&c=%", "/x?a=100%25&b=%25zz&c=%25"},
        {&all, "/x?a=%%34%31", "/x?a=%2541"},
        {&all, "/x?a=%26b%3D1", "/x?a=%26b%3D1"},
        {&all, "/x?=1&a", "/x?=1&a"},
        {&all, "/x?z=1&_HLS_msn=2&CMCD=1", "/x?z=1&_HLS_msn=2"},
        {&all_but, "/x?c=1&b=2&%62=4&a=3", "/x?a=3&c=1"},
        {&nothing, "/x?a=1&b=2&t=3", "/x"},
        {&nothing, "/x?_HLS_part=3&a=1&_HLS_msn=2", "/x?_HLS_msn=2&_HLS_part=3"},
        {&nothing_but, "/x?t%20k=3&a=1&b=2&CMCD=4", "/x?b=2&t%20k=3"},
        {&nothing_but, "/x?b=2&b=1", "/x?b=2&b=1"},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
        struct fb_request_head request = make_request("A.example:80", cases[i].target);
        struct edge_target target = {.key = FB_STR_NONE};
        assert_int_equal(edge_key_of(&arena, &request, cases[i].policy, &target), FB_OK);
        if (!fb_str_equal(target.target, fb_str_from(cases[i].wanted))) {
            fail_msg("case %zu: '%s': '%.*s'", i, cases[i].target, FB_STR_ARG(target.target));
        }
        assert_true(fb_str_equal(target.host, FB_STR("a.example")));
        assert_true(target.key.ptr == target.host.ptr);
        assert_true(fb_str_equal(target.path, FB_STR("/x")));
        assert_int_equal(target.query.ptr == NULL, strchr(cases[i].wanted, '?') == NULL);
    }
}

static void some_parameters_are_nobodys_to_choose(void **state)
{
    (void)state;
    assert_int_equal(edge_parameter_of(FB_STR("_HLS_part")), EDGE_PARAMETER_ALWAYS);
    assert_int_equal(edge_parameter_of(FB_STR("CMCD")), EDGE_PARAMETER_NEVER);
    assert_int_equal(edge_parameter_of(FB_STR("token")), EDGE_PARAMETER_BY_POLICY);
    assert_int_equal(edge_parameter_of(FB_STR("")), EDGE_PARAMETER_BY_POLICY);
}

static void many_parameters_are_put_in_order_too(void **state)
{
    enum { N = 2000 };
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    FB_AUTO(fb_buf_done) struct fb_buf written = {0};
    struct edge_target target;

    (void)state;
    fb_buf_append(&written, FB_STR("/?"));
    for (int i = N; i > 0; i--) {
        fb_buf_printf(&written, "%s%04d", i == N ? "" : "&", i % 1000);
    }
    struct fb_request_head request = make_request("h", written.ptr);
    assert_int_equal(edge_key_of(&arena, &request, &all, &target), FB_OK);
    assert_true(fb_str_starts_with(target.query, FB_STR("0000&0000&0001&0001&")));
    assert_true(fb_str_ends_with(target.query, FB_STR("&0999&0999")));
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

    /* What is short enough as it is written may be too long in its normal form. */
    fb_buf_clear(&target);
    fb_buf_append(&target, FB_STR("/?"));
    while (target.len < EDGE_KEY_MAX / 2) {
        fb_buf_append_byte(&target, '%');
    }
    request = make_request("a.example", target.ptr);
    assert_int_equal(edge_key_of(&arena, &request, NULL, &ret), FB_OK);
    assert_int_equal(edge_key_of(&arena, &request, &all, &ret), FB_E_LIMIT);
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
        {"Accept-Language",
         {{"Accept-Language", " en,,de"}},
         {{"Accept-Language", "en, de"}},
         true},
        /* A comma is a part of what is no list. */
        {"Cookie", {{"Cookie", "a=1,b=2"}}, {{"cookie", "a=1,b=2"}}, true},
        {"Cookie", {{"Cookie", "a=1,b=2"}}, {{"Cookie", "a=1, b=2"}}, false},
        {"Cookie", {{"Cookie", "a=1,"}}, {{"Cookie", "a=1"}}, false},
        {"Cookie", {{"Cookie", "a=1, b=2"}}, {{"Cookie", "a=1"}, {"Cookie", "b=2"}}, false},
        {"Cookie", {{"Cookie", ""}}, {{NULL, NULL}}, false},
        {"User-Agent", {{"User-Agent", "A (B,C)"}}, {{"User-Agent", "A (B, C)"}}, false},
        {"X-Kind", {{"X-Kind", "a;b"}, {"Y", "c"}}, {{"Y", "d"}, {"x-kind", "a;b"}}, true},
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

static void a_list_of_names_has_a_limit(void **state)
{
    (void)state;
    assert_true(edge_vary_fits(FB_STR_NONE));
    assert_true(edge_vary_fits(FB_STR("a,b,c,d,e,f,g,h, i,j,k,l,m,n,o,,p")));
    assert_false(edge_vary_fits(FB_STR("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q")));
    assert_false(edge_vary_fits(FB_STR("a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_resource_has_one_key),
        cmocka_unit_test(a_query_counts_as_the_policy_says),
        cmocka_unit_test(some_parameters_are_nobodys_to_choose),
        cmocka_unit_test(many_parameters_are_put_in_order_too),
        cmocka_unit_test(a_key_has_a_limit),
        cmocka_unit_test(variants_differ_where_selecting_fields_do),
        cmocka_unit_test(vary_lines_are_joined),
        cmocka_unit_test(a_list_of_names_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
