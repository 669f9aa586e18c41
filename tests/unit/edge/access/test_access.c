#include "access_fixture.h"

static enum edge_access_cause ask_url(const char *text, const char *secret, const char *path,
                                      const char *client, int64_t after_s)
{
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    struct edge_access_spec spec = access_spec();
    struct edge_access *access = access_make(&spec);

    token_sign(&token, text, secret);
    enum edge_access_cause cause = access_ask(access, fb_buf_str(&token), path, client, after_s);
    edge_access_unref(access);
    return cause;
}

static enum edge_access_cause ask_jwt(const char *key, const char *claims, const char *path)
{
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    struct edge_access_spec spec = access_spec();
    spec.audience = FB_STR("players");
    spec.issuer = FB_STR("shop");
    struct edge_access *access = access_make(&spec);

    token_jwt(&token, key, claims);
    enum edge_access_cause cause = access_ask(access, fb_buf_str(&token), path, "192.0.2.7", 0);
    edge_access_unref(access);
    return cause;
}

/* ---- signed URLs ------------------------------------------------------- */

#define PLAIN "kid=k2~exp=1767225660~path=/vod/7/"

static void a_signed_url_is_good_until_it_expires(void **state)
{
    (void)state;
    assert_int_equal(ask_url(PLAIN, SECRET, "/vod/7/a.m4s", "192.0.2.7", 0), EDGE_ACCESS_GRANTED);
    assert_int_equal(ask_url(PLAIN, SECRET, "/vod/7/a.m4s", "192.0.2.7", 59), EDGE_ACCESS_GRANTED);
    assert_int_equal(ask_url(PLAIN, SECRET, "/vod/7/a.m4s", "192.0.2.7", 60), EDGE_ACCESS_EXPIRED);
}

static void a_signed_url_may_begin_later(void **state)
{
    static const char text[] = "kid=k2~exp=1767225660~nbf=1767225610~path=/vod/7/";

    (void)state;
    assert_int_equal(ask_url(text, SECRET, "/vod/7/a", "192.0.2.7", 9), EDGE_ACCESS_EARLY);
    assert_int_equal(ask_url(text, SECRET, "/vod/7/a", "192.0.2.7", 10), EDGE_ACCESS_GRANTED);
}

static void a_signed_url_may_be_for_one_network(void **state)
{
    static const char v4[] = "kid=k2~exp=1767225660~net=192.0.2.0/25~path=/";
    static const char v6[] = "kid=k2~exp=1767225660~net=2001:db8::/32~path=/";

    (void)state;
    assert_int_equal(ask_url(v4, SECRET, "/a", "192.0.2.7", 0), EDGE_ACCESS_GRANTED);
    assert_int_equal(ask_url(v4, SECRET, "/a", "::ffff:192.0.2.7", 0), EDGE_ACCESS_GRANTED);
    assert_int_equal(ask_url(v4, SECRET, "/a", "192.0.2.128", 0), EDGE_ACCESS_OTHER_NETWORK);
    assert_int_equal(ask_url(v4, SECRET, "/a", "2001:db8::1", 0), EDGE_ACCESS_OTHER_NETWORK);
    assert_int_equal(ask_url(v6, SECRET, "/a", "2001:db8::1", 0), EDGE_ACCESS_GRANTED);
}

static void clocks_may_differ_by_the_leeway(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    struct edge_access_spec spec = access_spec();
    spec.leeway_s = 5;
    struct edge_access *access = access_make(&spec);

    (void)state;
    token_sign(&token, "kid=k2~exp=1767225660~nbf=1767225610~path=/", SECRET);
    struct fb_str text = fb_buf_str(&token);
    assert_int_equal(access_ask(access, text, "/", "192.0.2.7", 4), EDGE_ACCESS_EARLY);
    assert_int_equal(access_ask(access, text, "/", "192.0.2.7", 5), EDGE_ACCESS_GRANTED);
    assert_int_equal(access_ask(access, text, "/", "192.0.2.7", 64), EDGE_ACCESS_GRANTED);
    assert_int_equal(access_ask(access, text, "/", "192.0.2.7", 65), EDGE_ACCESS_EXPIRED);
    edge_access_unref(access);
}

static void keys_are_in_force_together(void **state)
{
    static const char old[] = "kid=k1~exp=1767225660~path=/";

    (void)state;
    assert_int_equal(ask_url(old, SECRET_OLD, "/a", "192.0.2.7", 0), EDGE_ACCESS_GRANTED);
    assert_int_equal(ask_url(old, SECRET, "/a", "192.0.2.7", 0), EDGE_ACCESS_FORGED);
    assert_int_equal(ask_url("kid=k3~exp=1767225660~path=/", SECRET, "/a", "192.0.2.7", 0),
                     EDGE_ACCESS_UNKNOWN_KEY);
}

/* One that verifies JWTs makes no signed URLs, though its secret would do. */
static void a_key_has_one_use(void **state)
{
    (void)state;
    assert_int_equal(ask_url("kid=j1~exp=1767225660~path=/", SECRET_JWT, "/a", "192.0.2.7", 0),
                     EDGE_ACCESS_UNKNOWN_KEY);
}

static void any_changed_byte_is_noticed(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    struct edge_access_spec spec = access_spec();
    struct edge_access *access = access_make(&spec);

    (void)state;
    token_sign(&token, "kid=k2~exp=1767225660~nbf=1~net=192.0.2.0/24~path=/vod/7/", SECRET);
    assert_int_equal(access_ask(access, fb_buf_str(&token), "/vod/7/", "192.0.2.7", 0),
                     EDGE_ACCESS_GRANTED);
    for (size_t i = 0; i < token.len; i++) {
        char kept = token.ptr[i];
        for (unsigned c = 0; c < 256; c++) {
            /* Both cases of a digit are one number. */
            if ((char)c != kept && ((char)c | 0x20) != kept) {
                token.ptr[i] = (char)c;
                assert_int_not_equal(
                    access_ask(access, fb_buf_str(&token), "/vod/7/", "192.0.2.7", 0),
                    EDGE_ACCESS_GRANTED);
            }
        }
        token.ptr[i] = kept;
        assert_int_not_equal(
            access_ask(access, fb_str_first(fb_buf_str(&token), i), "/vod/7/", "192.0.2.7", 0),
            EDGE_ACCESS_GRANTED);
    }
    edge_access_unref(access);
}

static void what_is_signed_must_be_well_formed_too(void **state)
{
    static const char *const bad[] = {
        "kid=k2",
        "kid=k2~path=/",
        "kid=k2~exp=1767225660",
        "kid=k2~exp=~path=/",
        "kid=k2~exp=-1~path=/",
        "kid=k2~exp=1e9~path=/",
        "kid=k2~exp=99999999999999999999~path=/",
        "kid=k2~exp=9223372036854775807~path=/",
        "kid=k2~exp=1767225660~nbf=~path=/",
        "kid=k2~exp=1767225660~net=~path=/",
        "kid=k2~exp=1767225660~net=192.0.2.1/24~path=/",
        "kid=k2~exp=1767225660~net=192.0.2.0/24~nbf=1~path=/",
        "kid=k2~exp=1767225660~path=",
        "kid=k2~exp=1767225660~path=vod/",
        "kid=k2~exp=1767225660~path=/../",
        "kid=k2~exp=1767225660~path=/%zz",
        "kid=k2~exp=1767225660~path=/a\n/",
        "kid=k2~exp=1767225660~other=1~path=/",
        "exp=1767225660~kid=k2~path=/",
        "",
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_int_equal(ask_url(bad[i], SECRET, "/", "192.0.2.7", 0), EDGE_ACCESS_MALFORMED);
    }
}

/* ---- paths ------------------------------------------------------------- */

static void a_prefix_ends_where_a_segment_does(void **state)
{
    static const struct {
        const char *prefix;
        const char *path;
        bool covers;
    } cases[] = {
        {"/", "/", true},
        {"/", "/a/b", true},
        {"/a", "/a", true},
        {"/a", "/a/b", true},
        {"/a", "/ab", false},
        {"/a", "/a.m3u8", false},
        {"/a", "/a%2Fb", false},
        {"/a", "/", false},
        {"/a/", "/a/", true},
        {"/a/", "/a/b", true},
        {"/a/", "/a", false},
        {"/a/", "/A/b", false},
        {"/a/", "/b/a/", false},
        {"/a/b.m3u8", "/a/b.m3u8", true},
        {"/a/", "/a/..b/c..", true},
        {"/a/", "/a/...", true},
        {"/a/", "/a/b%2Fc", true},
        /* what a server would leave the prefix with, if it decoded slashes */
        {"/a/", "/a/..%2Fb", false},
        {"/a/", "/a/b%2F..%2F..%2Fc", false},
        {"/a/", "/a/b%2F..", false},
        {"/a/", "/a/..%5Cb", false},
        {"/a/", "/a/.%2Fb", false},
        {"", "/a", false},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        if (edge_access_covers(fb_str_from(cases[i].prefix), fb_str_from(cases[i].path)) !=
            cases[i].covers) {
            fail_msg("%s of %s", cases[i].path, cases[i].prefix);
        }
    }
}

static void a_signed_prefix_is_read_in_its_normal_form(void **state)
{
    (void)state;
    assert_int_equal(ask_url("kid=k2~exp=1767225660~path=/%7euser/a%20b/", SECRET, "/~user/a%20b/c",
                             "192.0.2.7", 0),
                     EDGE_ACCESS_GRANTED);
    assert_int_equal(
        ask_url("kid=k2~exp=1767225660~path=/a~net=1/", SECRET, "/a~net=1/b", "192.0.2.7", 0),
        EDGE_ACCESS_GRANTED);
    assert_int_equal(ask_url(PLAIN, SECRET, "/vod/70/a.m4s", "192.0.2.7", 0),
                     EDGE_ACCESS_OTHER_PATH);
}

static void open_paths_need_no_token(void **state)
{
    static const struct fb_str open[] = {FB_STR("/posters/"), FB_STR("/robots.txt")};
    struct edge_access_spec spec = access_spec();
    spec.open = open;
    spec.n_open = 2;
    struct edge_access *access = access_make(&spec);

    (void)state;
    assert_true(edge_access_is_open(access, FB_STR("/posters/7.jpg")));
    assert_true(edge_access_is_open(access, FB_STR("/robots.txt")));
    assert_false(edge_access_is_open(access, FB_STR("/robots.txt2")));
    assert_false(edge_access_is_open(access, FB_STR("/posters/..%2Fvod/7")));
    edge_access_unref(access);
}

/* ---- JWT --------------------------------------------------------------- */

#define CLAIMS(more) "{\"iss\":\"shop\",\"aud\":\"players\",\"exp\":1767225660" more "}"

static void the_claims_of_a_jwt_are_checked(void **state)
{
    static const struct {
        const char *claims;
        enum edge_access_cause cause;
    } cases[] = {
        {CLAIMS(""), EDGE_ACCESS_GRANTED},
        {CLAIMS(",\"path\":\"/vod/\""), EDGE_ACCESS_GRANTED},
        {CLAIMS(",\"path\":[\"/live/\",\"/vod/\"]"), EDGE_ACCESS_GRANTED},
        {CLAIMS(",\"path\":[\"/live/\"]"), EDGE_ACCESS_OTHER_PATH},
        {CLAIMS(",\"path\":[]"), EDGE_ACCESS_MALFORMED},
        {CLAIMS(",\"path\":7"), EDGE_ACCESS_MALFORMED},
        {CLAIMS(",\"path\":null"), EDGE_ACCESS_MALFORMED},
        {CLAIMS(",\"path\":\"\""), EDGE_ACCESS_MALFORMED},
        {CLAIMS(",\"path\":[\"/vod/\",7]"), EDGE_ACCESS_MALFORMED},
        {CLAIMS(",\"nbf\":1767225600"), EDGE_ACCESS_GRANTED},
        {CLAIMS(",\"nbf\":1767225600.5"), EDGE_ACCESS_GRANTED},
        {CLAIMS(",\"nbf\":1767225601"), EDGE_ACCESS_EARLY},
        {CLAIMS(",\"nbf\":\"1\""), EDGE_ACCESS_MALFORMED},
        {CLAIMS(",\"net\":\"192.0.2.0/24\""), EDGE_ACCESS_GRANTED},
        {CLAIMS(",\"net\":\"192.0.3.0/24\""), EDGE_ACCESS_OTHER_NETWORK},
        {CLAIMS(",\"net\":7"), EDGE_ACCESS_MALFORMED},
        {"{\"iss\":\"shop\",\"aud\":\"players\"}", EDGE_ACCESS_MALFORMED},
        {"{\"iss\":\"shop\",\"aud\":\"players\",\"exp\":1767225600}", EDGE_ACCESS_EXPIRED},
        {"{\"iss\":\"shop\",\"aud\":\"players\",\"exp\":1767225600.9}", EDGE_ACCESS_EXPIRED},
        {"{\"iss\":\"shop\",\"aud\":\"players\",\"exp\":1e300}", EDGE_ACCESS_MALFORMED},
        {"{\"iss\":\"shop\",\"aud\":\"players\",\"exp\":-1}", EDGE_ACCESS_MALFORMED},
        {"{\"iss\":\"shop\",\"aud\":\"players\",\"exp\":\"1767225660\"}", EDGE_ACCESS_MALFORMED},
        {"{\"iss\":\"shop\",\"aud\":[\"a\",\"players\"],\"exp\":1767225660}", EDGE_ACCESS_GRANTED},
        {"{\"iss\":\"shop\",\"aud\":[\"a\"],\"exp\":1767225660}", EDGE_ACCESS_OTHER_AUDIENCE},
        {"{\"iss\":\"shop\",\"exp\":1767225660}", EDGE_ACCESS_OTHER_AUDIENCE},
        {"{\"aud\":\"players\",\"exp\":1767225660}", EDGE_ACCESS_OTHER_AUDIENCE},
        {"[]", EDGE_ACCESS_MALFORMED},
        {"7", EDGE_ACCESS_MALFORMED},
        {"", EDGE_ACCESS_MALFORMED},
        {"{\"exp\":1767225660,\"exp\":9767225660}", EDGE_ACCESS_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        enum edge_access_cause cause = ask_jwt("j1", cases[i].claims, "/vod/7");
        if (cause != cases[i].cause) {
            fail_msg("%s: %s", cases[i].claims, edge_access_cause_name(cause));
        }
    }
    assert_int_equal(ask_jwt("e1", CLAIMS(",\"path\":\"/vod/\""), "/vod/7"), EDGE_ACCESS_GRANTED);
    assert_int_equal(ask_jwt("e1", CLAIMS(",\"path\":\"/vod/\""), "/voda"), EDGE_ACCESS_OTHER_PATH);
}

static void a_jwt_of_an_unknown_key_is_told_from_a_forged_one(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    struct edge_access_spec spec = access_spec();
    struct edge_access *access = access_make(&spec);

    (void)state;
    token_jwt(&token, "j9", CLAIMS(""));
    assert_int_equal(access_ask(access, fb_buf_str(&token), "/", "192.0.2.7", 0),
                     EDGE_ACCESS_UNKNOWN_KEY);
    token_jwt(&token, "j1", CLAIMS(""));
    token.ptr[token.len - 2] = token.ptr[token.len - 2] == 'A' ? 'B' : 'A';
    assert_int_equal(access_ask(access, fb_buf_str(&token), "/", "192.0.2.7", 0),
                     EDGE_ACCESS_FORGED);
    assert_int_equal(access_ask(access, FB_STR("e30.e30.A=AA"), "/", "192.0.2.7", 0),
                     EDGE_ACCESS_MALFORMED);
    assert_true(edge_access_is_costly(access, fb_buf_str(&token)));
    assert_false(edge_access_is_costly(access, FB_STR("kid=k1~")));
    edge_access_unref(access);
}

/* ---- keys -------------------------------------------------------------- */

static void keys_that_cannot_be_used_are_refused(void **state)
{
    static const struct edge_access_key bad[][2] = {
        {{.id = FB_STR("a"), .secret = FB_STR("short")}},
        {{.id = FB_STR(""), .secret = FB_STR(SECRET)}},
        {{.id = FB_STR("a~b"), .secret = FB_STR(SECRET)}},
        {{.id = FB_STR("a"), .secret = FB_STR(SECRET)},
         {.id = FB_STR("a"), .secret = FB_STR(SECRET)}},
        {{.id = FB_STR("a"), .algorithm = EDGE_ACCESS_ES256, .text = FB_STR(EC_PRIVATE)}},
        {{.id = FB_STR("a"), .algorithm = EDGE_ACCESS_ES256, .text = FB_STR("secret words")}},
        {{.id = FB_STR("a"), .algorithm = EDGE_ACCESS_HS256, .text = FB_STR("{" EC_POINT "}")}},
        {{.id = FB_STR("a"),
          .algorithm = EDGE_ACCESS_ES256,
          .text = FB_STR("{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}")}},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        struct edge_access *access = NULL;
        struct fb_diag diag = {0};
        const struct edge_access_spec spec = {.keys = bad[i],
                                              .n_keys = bad[i][1].id.ptr != NULL ? 2 : 1};
        assert_true(edge_access_new(&spec, &access, &diag) < 0);
        assert_true(strncmp(diag.text, "key '", 5) == 0);
        assert_null(strstr(diag.text, SECRET));
        assert_null(strstr(diag.text, "secret words"));
    }
}

/* ---- refusals ---------------------------------------------------------- */

static void a_refusal_says_what_its_reader_may_know(void **state)
{
    struct fb_arena arena = {0};
    struct edge_access_spec spec = access_spec();
    struct edge_access *both = access_make(&spec);
    spec.n_keys = 2;
    struct edge_access *urls = access_make(&spec);

    (void)state;
    struct edge_access_refusal r =
        edge_access_refuse(both, &arena, EDGE_ACCESS_MISSING, EDGE_ACCESS_NOWHERE);
    assert_int_equal(r.status, 401);
    assert_true(fb_str_equal(r.challenge, FB_STR("Bearer realm=\"film.example\"")));
    r = edge_access_refuse(both, &arena, EDGE_ACCESS_EXPIRED, EDGE_ACCESS_BEARER);
    assert_int_equal(r.status, 401);
    assert_true(fb_str_ends_with(r.challenge, FB_STR("error=\"invalid_token\"")));
    r = edge_access_refuse(both, &arena, EDGE_ACCESS_OTHER_PATH, EDGE_ACCESS_BEARER);
    assert_int_equal(r.status, 403);
    assert_true(fb_str_ends_with(r.challenge, FB_STR("error=\"insufficient_scope\"")));
    r = edge_access_refuse(both, &arena, EDGE_ACCESS_EXPIRED, EDGE_ACCESS_QUERY);
    assert_int_equal(r.status, 403);
    assert_null(r.challenge.ptr);
    r = edge_access_refuse(urls, &arena, EDGE_ACCESS_MISSING, EDGE_ACCESS_NOWHERE);
    assert_int_equal(r.status, 403);
    const char *forged =
        edge_access_refuse(both, &arena, EDGE_ACCESS_FORGED, EDGE_ACCESS_QUERY).detail;
    const char *unknown =
        edge_access_refuse(both, &arena, EDGE_ACCESS_UNKNOWN_KEY, EDGE_ACCESS_QUERY).detail;
    assert_string_equal(forged, unknown);
    edge_access_unref(urls);
    edge_access_unref(both);
    fb_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_url_is_good_until_it_expires),
        cmocka_unit_test(a_signed_url_may_begin_later),
        cmocka_unit_test(a_signed_url_may_be_for_one_network),
        cmocka_unit_test(clocks_may_differ_by_the_leeway),
        cmocka_unit_test(keys_are_in_force_together),
        cmocka_unit_test(a_key_has_one_use),
        cmocka_unit_test(any_changed_byte_is_noticed),
        cmocka_unit_test(what_is_signed_must_be_well_formed_too),
        cmocka_unit_test(a_prefix_ends_where_a_segment_does),
        cmocka_unit_test(a_signed_prefix_is_read_in_its_normal_form),
        cmocka_unit_test(open_paths_need_no_token),
        cmocka_unit_test(the_claims_of_a_jwt_are_checked),
        cmocka_unit_test(a_jwt_of_an_unknown_key_is_told_from_a_forged_one),
        cmocka_unit_test(keys_that_cannot_be_used_are_refused),
        cmocka_unit_test(a_refusal_says_what_its_reader_may_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
