#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/base64.h"
#include "base/crypto/hash.h"
#include "origin/auth/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS 1767225600000

static const uint8_t secret[ORIGIN_SECRET_BYTES] = {1, 2, 3};

struct fixture {
    struct origin_token_key *key;
    struct origin_id user;
    struct fb_buf token;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.user = origin_id_new()};
    assert_int_equal(origin_token_key_new(secret, &f.key), FB_OK);
    assert_int_equal(origin_token_issue(f.key, &f.user, NOW_MS, NOW_MS + 60000, &f.token), FB_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fb_buf_done(&f->token);
    origin_token_key_free(f->key);
    return 0;
}

static int check(struct fixture *f, struct fb_str token, int64_t now_ms)
{
    struct origin_id user;
    int err = origin_token_check(f->key, token, now_ms, &user);
    if (err == FB_OK) {
        assert_true(origin_id_equal(&user, &f->user));
    }
    return err;
}

/* A token of `header` and the good one's claims, signed as `alg` HS256 would be. */
static struct fb_buf sign(struct fixture *f, const char *header)
{
    struct fb_buf token = {0};
    uint8_t mac[FB_SHA256_SIZE];
    struct fb_str rest = fb_buf_str(&f->token);
    struct fb_str part;

    (void)fb_str_cut(&rest, '.', &part);
    (void)fb_str_cut(&rest, '.', &part);
    fb_base64_encode(&token, FB_BASE64_URL, fb_str_from(header));
    fb_buf_append_byte(&token, '.');
    fb_buf_append(&token, part);
    fb_hmac_sha256((struct fb_str){(const char *)secret, sizeof(secret)}, fb_buf_str(&token), mac);
    fb_buf_append_byte(&token, '.');
    fb_base64_encode(&token, FB_BASE64_URL, fb_sha256_str(mac));
    return token;
}

static void a_token_says_who_until_it_expires(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(check(f, fb_buf_str(&f->token), NOW_MS), FB_OK);
    assert_int_equal(check(f, fb_buf_str(&f->token), NOW_MS + 59999), FB_OK);
    assert_int_equal(check(f, fb_buf_str(&f->token), NOW_MS + 60000), FB_E_EXPIRED);
}

static void any_changed_letter_is_noticed(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < f->token.len; i++) {
        char kept = f->token.ptr[i];
        f->token.ptr[i] = kept == 'A' ? 'B' : 'A';
        assert_true(check(f, fb_buf_str(&f->token), NOW_MS) < 0);
        f->token.ptr[i] = kept;
    }
    for (size_t n = 0; n < f->token.len; n++) {
        assert_true(check(f, fb_str_first(fb_buf_str(&f->token), n), NOW_MS) < 0);
    }
}

static void another_keys_token_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t other_secret[ORIGIN_SECRET_BYTES] = {9};
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    struct origin_token_key *other = NULL;

    assert_int_equal(origin_token_key_new(other_secret, &other), FB_OK);
    assert_int_equal(origin_token_issue(other, &f->user, NOW_MS, NOW_MS + 60000, &token), FB_OK);
    assert_int_equal(check(f, fb_buf_str(&token), NOW_MS), FB_E_DENIED);
    origin_token_key_free(other);
}

static void the_header_cannot_choose_algorithm_or_key(void **state)
{
    struct fixture *f = *state;
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"kid\":\"0000000000000000\"}",
        "{\"alg\":\"HS512\",\"kid\":\"0000000000000000\"}",
        "{}",
        "[]",
        "null",
        "x",
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(headers); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf token = sign(f, headers[i]);
        assert_int_equal(check(f, fb_buf_str(&token), NOW_MS), FB_E_DENIED);
    }
}

static void what_is_no_token_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      "...",
                                      "a.b.c",
                                      "e30.e30.e30",
                                      "{}",
                                      "e30.e30.A=AA",
                                      "A=AA.e30.e30",
                                      "e30.A=AA.e30",
                                      "e30.e30.A",
                                      "eyJhbGciOiJIUzI1NiJ9.e30.A=AA"};
    char longest[ORIGIN_TOKEN_MAX + 2];

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_int_equal(check(f, fb_str_from(bad[i]), NOW_MS), FB_E_DENIED);
    }
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(check(f, (struct fb_str){longest, sizeof(longest)}, NOW_MS), FB_E_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_token_says_who_until_it_expires, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_changed_letter_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_keys_token_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_header_cannot_choose_algorithm_or_key, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_token_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
