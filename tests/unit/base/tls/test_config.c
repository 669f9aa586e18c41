#include "both_sides.h"

static int try_new(struct fb_tls_pem chain, struct fb_tls_pem key, struct fb_diag *diag)
{
    struct fb_tls_certificate certificate = {chain, key};
    struct fb_tls_config *config = NULL;

    int err = fb_tls_config_new(
        &(struct fb_tls_options){.certificates = &certificate, .n_certificates = 1}, &config, diag);
    if (err == FB_OK) {
        fb_tls_config_unref(config);
    }
    return err;
}

static void failures_name_the_file_and_what_is_wrong(void **state)
{
    const struct {
        struct fb_tls_pem chain;
        struct fb_tls_pem key;
        int err;
        const char *words;
    } cases[] = {
        {PEM(""), PEM(TEST_SERVER_KEY), FB_E_MALFORMED, "'\"\"' is empty"},
        {PEM("no PEM"), PEM(TEST_SERVER_KEY), FB_E_MALFORMED, "holds no certificate"},
        {PEM(TEST_SERVER_KEY), PEM(TEST_SERVER_KEY), FB_E_MALFORMED, "holds no certificate"},
        {PEM(TEST_SERVER_PEM), PEM(TEST_SERVER_PEM), FB_E_MALFORMED, "holds no private key"},
        {PEM(TEST_SERVER_PEM), PEM(TEST_LOCKED_KEY), FB_E_MALFORMED, "password"},
        {PEM(TEST_SERVER_PEM), PEM(TEST_SECOND_KEY), FB_E_CONFLICT, "is not that of"},
        {PEM(TEST_SERVER_PEM), PEM(TEST_RSA_KEY), FB_E_CONFLICT, "is not that of"},
        {PEM(TEST_WEAK_PEM), PEM(TEST_WEAK_KEY), FB_E_UNSUPPORTED, "1024 bits"},
        {PEM(TEST_CLIENT_PEM), PEM(TEST_CLIENT_KEY), FB_E_UNSUPPORTED, "is not one for servers"},
        {PEM(TEST_CA_PEM TEST_SERVER_PEM), PEM(TEST_SERVER_KEY), FB_E_MALFORMED, "wrong order"},
        {PEM(TEST_SERVER_PEM TEST_CA_PEM), PEM(TEST_SERVER_KEY), FB_OK, ""},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fb_diag diag = {.err = FB_OK};
        assert_int_equal(try_new(cases[i].chain, cases[i].key, &diag), cases[i].err);
        assert_non_null(strstr(diag.text, cases[i].words));
    }
}

static void unknown_cipher_is_named(void **state)
{
    static const struct fb_str name = {"TLS-RSA-WITH-RC4-128-MD5", 24};
    struct fb_tls_config *config = NULL;
    struct fb_diag diag;

    (void)state;
    assert_int_equal(fb_tls_config_new(&(struct fb_tls_options){.certificates = &server_certificate,
                                                                .n_certificates = 1,
                                                                .ciphers = &name,
                                                                .n_ciphers = 1},
                                       &config, &diag),
                     FB_E_UNSUPPORTED);
    assert_non_null(strstr(diag.text, "RC4"));
    assert_false(fb_tls_cipher_is_known(name));
    assert_true(fb_tls_cipher_is_known(FB_STR("TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256")));
    size_t n = 0;
    for (; fb_tls_cipher_name(n).len > 0; n++) {
        assert_true(fb_tls_cipher_is_known(fb_tls_cipher_name(n)));
    }
    assert_int_equal(n, 6);
}

static void the_first_end_of_a_certificate_is_told(void **state)
{
    const struct fb_tls_certificate both[] = {server_certificate,
                                              {PEM(TEST_EXPIRED_PEM), PEM(TEST_EXPIRED_KEY)}};
    struct fb_tls_config *one =
        config_new(&(struct fb_tls_options){.certificates = both, .n_certificates = 1});
    struct fb_tls_config *two =
        config_new(&(struct fb_tls_options){.certificates = both, .n_certificates = 2});
    struct fb_tls_config *none = client_new();

    (void)state;
    assert_true(fb_tls_config_expires_s(one) == 4733510400); /* 2120-01-01 */
    assert_true(fb_tls_config_expires_s(two) == 1609459200); /* 2021-01-01 */
    assert_true(fb_tls_config_expires_s(none) == INT64_MAX);
    fb_tls_config_unref(one);
    fb_tls_config_unref(two);
    fb_tls_config_unref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_name_the_file_and_what_is_wrong),
        cmocka_unit_test(unknown_cipher_is_named),
        cmocka_unit_test(the_first_end_of_a_certificate_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
