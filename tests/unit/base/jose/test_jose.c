#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/crypto/base64.h"
#include "base/jose/jose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* RFC 7515 appendix A.3, and the same point in PEM. */
#define EXAMPLE_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EXAMPLE_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EXAMPLE_D "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define EXAMPLE_JWK \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EXAMPLE_X "\",\"y\":\"" EXAMPLE_Y "\"}"
#define EXAMPLE_PRIVATE                                                                    \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EXAMPLE_X "\",\"y\":\"" EXAMPLE_Y "\",\"" \
    "d\":\"" EXAMPLE_D "\"}"
#define EXAMPLE_TOKEN                                                                       \
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt" \
    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5d" \
    "jxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define PAYLOAD "{\"sub\":\"a\"}"

static struct fb_jose_key *key_of(const char *text)
{
    struct fb_jose_key *key = NULL;
    struct fb_diag diag = {0};

    if (fb_jose_key_parse(fb_str_from(text), &key, &diag) < 0) {
        fail_msg("%s", diag.text);
    }
    return key;
}

static int verify(const struct fb_jose_key *key, struct fb_str token)
{
    FB_AUTO(fb_buf_done) struct fb_buf payload = {0};

    return fb_jose_verify(key, token, &payload);
}

static void the_example_of_the_standard_is_good(void **state)
{
    struct fb_jose_key *key = key_of(EXAMPLE_JWK);
    FB_AUTO(fb_buf_done) struct fb_buf payload = {0};

    (void)state;
    assert_int_equal(fb_jose_key_algorithm(key), FB_JOSE_ES256);
    assert_false(fb_jose_key_is_private(key));
    assert_int_equal(fb_jose_verify(key, FB_STR(EXAMPLE_TOKEN), &payload), FB_OK);
    assert_true(fb_str_starts_with(fb_buf_str(&payload), FB_STR("{\"iss\":\"joe\"")));
    fb_jose_key_free(key);
}

/* The frame that the standard gives a public key of P-256, around the example's point. */
static void a_key_in_pem_is_the_same_key(void **state)
{
    static const char frame[] = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
    FB_AUTO(fb_buf_done) struct fb_buf point = {0};
    FB_AUTO(fb_buf_done) struct fb_buf pem = {0};

    (void)state;
    assert_int_equal(fb_base64_decode(&point, FB_BASE64_URL, FB_STR(EXAMPLE_X)), FB_OK);
    assert_int_equal(fb_base64_decode(&point, FB_BASE64_URL, FB_STR(EXAMPLE_Y)), FB_OK);
    fb_buf_printf(&pem, "-----BEGIN PUBLIC KEY-----\r\n%s\n", frame);
    fb_base64_encode(&pem, FB_BASE64_STD, fb_buf_str(&point));
    fb_buf_append(&pem, FB_STR("\n-----END PUBLIC KEY-----\n"));
    struct fb_jose_key *key = key_of(pem.ptr);
    assert_int_equal(verify(key, FB_STR(EXAMPLE_TOKEN)), FB_OK);
    fb_jose_key_free(key);
}

static void what_a_key_signs_it_knows_again(void **state)
{
    static const char *const keys[] = {EXAMPLE_PRIVATE, "{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}"};
    struct fb_jose_header header;

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(keys); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf token = {0};
        struct fb_jose_key *key = key_of(keys[i]);
        assert_true(fb_jose_key_is_private(key));
        assert_int_equal(fb_jose_sign(key, FB_STR("k1"), FB_STR(PAYLOAD), &token), FB_OK);
        assert_int_equal(fb_jose_header_read(fb_buf_str(&token), &header), FB_OK);
        assert_string_equal(header.kid, "k1");
        assert_int_equal(header.algorithm, fb_jose_key_algorithm(key));
        assert_int_equal(verify(key, fb_buf_str(&token)), FB_OK);
        fb_jose_key_free(key);
    }
}

static void a_public_key_signs_nothing(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    struct fb_jose_key *key = key_of(EXAMPLE_JWK);

    (void)state;
    assert_int_equal(fb_jose_sign(key, FB_STR_NONE, FB_STR(PAYLOAD), &token), FB_E_DENIED);
    fb_jose_key_free(key);
}

static void any_changed_letter_is_noticed(void **state)
{
    char token[] = EXAMPLE_TOKEN;
    struct fb_jose_key *key = key_of(EXAMPLE_JWK);

    (void)state;
    for (size_t i = 0; i < sizeof(token) - 1; i++) {
        char kept = token[i];
        token[i] = kept == 'A' ? 'B' : 'A';
        assert_true(verify(key, FB_STR(token)) < 0);
        token[i] = kept;
        assert_true(verify(key, fb_str_first(FB_STR(token), i)) < 0);
    }
    fb_jose_key_free(key);
}

/* The public key, of which everybody has a copy, used as a secret: the classic. */
static void the_token_does_not_choose_the_algorithm(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    struct fb_jose_key *public = key_of(EXAMPLE_JWK);
    struct fb_jose_key *secret = NULL;

    (void)state;
    assert_int_equal(fb_jose_key_of_secret(FB_STR(EXAMPLE_JWK), &secret), FB_OK);
    assert_int_equal(fb_jose_sign(secret, FB_STR_NONE, FB_STR(PAYLOAD), &token), FB_OK);
    assert_int_equal(verify(public, fb_buf_str(&token)), FB_E_DENIED);
    assert_int_equal(verify(secret, FB_STR(EXAMPLE_TOKEN)), FB_E_DENIED);
    fb_jose_key_free(secret);
    fb_jose_key_free(public);
}

static void what_is_no_token_is_refused(void **state)
{
    static const char *const headers[] = {"{\"alg\":\"none\"}",
                                          "{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false}",
                                          "{\"alg\":\"ES256\",\"kid\":7}",
                                          "{\"alg\":[\"ES256\"]}",
                                          "{\"alg\":\"ES256\",\"alg\":\"none\"}",
                                          "{}",
                                          "[]",
                                          "null",
                                          "x",
                                          ""};
    static const char *const bad[] = {"",           ".",           "..",          "...",
                                      "e30.e30",    "a.b.c",       "e30.e30.e30", "e30.e30.A=AA",
                                      "A=AA.e30.x", "e30..e30",    "e30.e30.",    "e30.e30.e30.e30",
                                      " e30.e30.A", "e30.A=AA.e30"};
    static char longest[FB_JOSE_TOKEN_MAX + 2];
    struct fb_jose_key *key = key_of(EXAMPLE_JWK);
    struct fb_str rest =
        fb_str_skip(FB_STR(EXAMPLE_TOKEN), fb_str_find(FB_STR(EXAMPLE_TOKEN), '.'));

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_true(verify(key, fb_str_from(bad[i])) < 0);
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(headers); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf token = {0};
        fb_base64_encode(&token, FB_BASE64_URL, fb_str_from(headers[i]));
        fb_buf_append(&token, rest);
        assert_true(verify(key, fb_buf_str(&token)) < 0);
    }
    memset(longest, 'a', sizeof(longest));
    assert_true(verify(key, (struct fb_str){longest, sizeof(longest)}) < 0);
    fb_jose_key_free(key);
}

static void what_is_no_key_is_refused_without_being_quoted(void **state)
{
    static const char *const bad[] = {
        "",
        "secret",
        "[]",
        "{\"kty\":\"RSA\",\"n\":\"secret\"}",
        "{\"kty\":\"oct\"}",
        "{\"kty\":\"oct\",\"k\":\"\"}",
        "{\"kty\":\"oct\",\"k\":\"secret=\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"secret\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"secret\",\"y\":\"secret\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EXAMPLE_X "\",\"y\":\"" EXAMPLE_X "\"}",
        "-----BEGIN PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nsecret\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nc2VjcmV0\n-----END PUBLIC KEY-----\n",
        "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n",
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        struct fb_jose_key *key = NULL;
        struct fb_diag diag = {0};
        assert_true(fb_jose_key_parse(fb_str_from(bad[i]), &key, &diag) < 0);
        assert_null(key);
        assert_null(strstr(diag.text, "secret"));
        assert_true(strlen(diag.text) > 0);
    }
}

static void a_drawn_key_is_read_again_and_its_public_half_only_verifies(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf secret = {0};
    FB_AUTO(fb_buf_done) struct fb_buf public = {0};
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    FB_AUTO(fb_buf_done) struct fb_buf payload = {0};
    struct fb_jose_key *drawn = NULL;
    struct fb_jose_key *again = NULL;
    struct fb_jose_key *half = NULL;

    assert_int_equal(fb_jose_key_draw(&drawn), FB_OK);
    assert_int_equal(fb_jose_key_write(drawn, true, &secret), FB_OK);
    assert_int_equal(fb_jose_key_write(drawn, false, &public), FB_OK);
    assert_int_equal(fb_jose_key_parse(fb_buf_str(&secret), &again, NULL), FB_OK);
    assert_int_equal(fb_jose_key_parse(fb_buf_str(&public), &half, NULL), FB_OK);
    assert_true(fb_jose_key_is_private(again));
    assert_false(fb_jose_key_is_private(half));
    assert_int_equal(fb_jose_sign(again, FB_STR("k"), FB_STR("{}"), &token), FB_OK);
    assert_int_equal(fb_jose_verify(half, fb_buf_str(&token), &payload), FB_OK);
    assert_true(fb_str_equal(fb_buf_str(&payload), FB_STR("{}")));
    fb_jose_key_free(drawn);
    fb_jose_key_free(again);
    fb_jose_key_free(half);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_standard_is_good),
        cmocka_unit_test(a_key_in_pem_is_the_same_key),
        cmocka_unit_test(what_a_key_signs_it_knows_again),
        cmocka_unit_test(a_public_key_signs_nothing),
        cmocka_unit_test(any_changed_letter_is_noticed),
        cmocka_unit_test(the_token_does_not_choose_the_algorithm),
        cmocka_unit_test(what_is_no_token_is_refused),
        cmocka_unit_test(what_is_no_key_is_refused_without_being_quoted),
        cmocka_unit_test(a_drawn_key_is_read_again_and_its_public_half_only_verifies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
