#include "both_sides.h"

static bool is_13(void)
{
    return version_of_both == FB_TLS_1_3;
}

/* ---- what is agreed on ---------------------------------------------------- */

static void both_sides_have_the_same_keys(void **state)
{
    struct sides s;

    (void)state;
    shake(&s, server_new(), client_new(), "a.example");
    assert_int_equal(s.client.err, FB_OK);
    assert_int_equal(s.server.err, FB_OK);
    assert_memory_equal(&s.client.keys.out, &s.server.keys.in, sizeof(s.client.keys.out));
    assert_memory_equal(&s.client.keys.in, &s.server.keys.out, sizeof(s.client.keys.in));
    assert_int_equal(s.server.keys.aead, FB_TLS_AES_128_GCM);
    assert_int_equal(s.server.keys.out.sequence, is_13() ? 0 : 1); /* of 1.2 the Finished */
    assert_int_equal(s.server.keys.version, version_of_both);
    assert_int_equal(s.server.keys.max_content, FB_TLS_RECORD_MAX);
    sides_done(&s);
}

static void facts_tell_names_and_cipher(void **state)
{
    struct sides s;

    (void)state;
    shake(&s, server_new(), client_new(), "A.Example");
    assert_string_equal(s.server.facts->server_name, "a.example");
    assert_string_equal(s.client.facts->peer_name, "a.example");
    assert_null(s.server.facts->peer_name);
    assert_null(s.server.facts->protocol);
    assert_string_equal(s.server.facts->cipher, is_13()
                                                    ? "TLS1-3-AES-128-GCM-SHA256"
                                                    : "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256");
    assert_int_equal(s.client.facts->version, version_of_both);
    assert_false(s.server.facts->is_resumed);
    sides_done(&s);
}

static void costly_steps_wait_to_be_allowed(void **state)
{
    struct sides s;

    (void)state;
    shake(&s, server_new(), client_new(), "a.example");
    assert_int_equal(s.server.n_costly,
                     is_13() ? 1 : 2); /* its signature; the agreement on a key */
    assert_int_equal(s.client.n_costly, is_13() ? 2 : 1);
    sides_done(&s);
}

static void the_server_prefers_its_first_protocol(void **state)
{
    static const char *const servers[] = {"h2", "http/1.1"};
    static const char *const clients[] = {"http/1.1", "h2"};
    struct sides s;

    (void)state;
    shake(&s,
          config_new(&(struct fb_tls_options){.certificates = &server_certificate,
                                              .n_certificates = 1,
                                              .protocols = servers,
                                              .n_protocols = 2}),
          config_new(&(struct fb_tls_options){.is_client = true,
                                              .authorities = PEM(TEST_CA_PEM),
                                              .protocols = clients,
                                              .n_protocols = 2}),
          "a.example");
    assert_string_equal(s.server.facts->protocol, "h2");
    assert_string_equal(s.client.facts->protocol, "h2");
    sides_done(&s);
}

static void ciphers_are_those_that_were_named(void **state)
{
    static const struct {
        struct fb_str name;
        enum fb_tls_aead aead;
    } cases[] = {
        {{"TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384", 39}, FB_TLS_AES_256_GCM},
        {{"TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256", 45}, FB_TLS_CHACHA20_POLY1305},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct sides s;
        shake(&s,
              config_new(&(struct fb_tls_options){.certificates = &server_certificate,
                                                  .n_certificates = 1,
                                                  .ciphers = &cases[i].name,
                                                  .n_ciphers = 1}),
              client_new(), "a.example");
        assert_int_equal(s.client.err, FB_OK);
        assert_int_equal(s.server.keys.aead, cases[i].aead);
        assert_memory_equal(&s.client.keys.out, &s.server.keys.in, sizeof(s.client.keys.out));
        sides_done(&s);
    }
}

static void without_a_cipher_in_common_there_is_no_connection(void **state)
{
    static const struct fb_str names[] = {{"TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384", 39},
                                          {"TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256", 39}};
    const struct fb_str name = names[1];
    struct sides s;

    (void)state;
    shake(
        &s,
        config_new(&(struct fb_tls_options){.certificates = &server_certificate,
                                            .n_certificates = 1,
                                            .ciphers = &names[0],
                                            .n_ciphers = 1}),
        config_new(&(struct fb_tls_options){
            .is_client = true, .authorities = PEM(TEST_CA_PEM), .ciphers = &name, .n_ciphers = 1}),
        "a.example");
    assert_int_equal(s.server.err, FB_E_UNSUPPORTED);
    assert_int_equal(s.client.err, FB_E_CLOSED); /* it was told by an alert */
}

static void older_side_decides(void **state)
{
    (void)state;
    for (int is_client = 0; is_client < 2; is_client++) {
        enum fb_tls_version older = FB_TLS_1_2;
        struct sides s;
        shake(&s,
              config_new(&(struct fb_tls_options){.certificates = &server_certificate,
                                                  .n_certificates = 1,
                                                  .max_version = is_client ? 0 : older}),
              config_new(&(struct fb_tls_options){.is_client = true,
                                                  .authorities = PEM(TEST_CA_PEM),
                                                  .max_version = is_client ? older : 0}),
              "a.example");
        assert_int_equal(s.client.facts->version, FB_TLS_1_2);
        assert_int_equal(s.server.facts->version, FB_TLS_1_2);
        assert_memory_equal(&s.client.keys.out, &s.server.keys.in, sizeof(s.client.keys.out));
        sides_done(&s);
    }
}

static void without_a_version_in_common_there_is_no_connection(void **state)
{
    struct sides s;

    (void)state;
    if (!is_13()) {
        return; /* there is none but 1.2 */
    }
    shake(&s,
          config_new(&(struct fb_tls_options){
              .certificates = &server_certificate, .n_certificates = 1, .min_version = FB_TLS_1_3}),
          config_new(&(struct fb_tls_options){
              .is_client = true, .authorities = PEM(TEST_CA_PEM), .max_version = FB_TLS_1_2}),
          "a.example");
    assert_int_equal(s.server.err, FB_E_UNSUPPORTED);
    assert_int_equal(s.client.err, FB_E_CLOSED);
}

/* ---- certificates --------------------------------------------------------- */

static void name_selects_the_certificate(void **state)
{
    const struct fb_tls_certificate certificates[] = {server_certificate,
                                                      {PEM(TEST_SECOND_PEM), PEM(TEST_SECOND_KEY)}};
    struct sides s;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        static const char *const names[] = {"x.b.example", "c.example"};
        shake(
            &s,
            config_new(&(struct fb_tls_options){.certificates = certificates, .n_certificates = 2}),
            client_new(), names[i]);
        assert_int_equal(s.client.err, FB_OK);
        assert_string_equal(s.client.facts->peer_name, i == 0 ? "a.example" : "c.example");
        sides_done(&s);
    }
}

static void each_client_gets_the_kind_of_key_it_can_do(void **state)
{
    const struct fb_tls_certificate certificates[] = {server_certificate,
                                                      {PEM(TEST_RSA_PEM), PEM(TEST_RSA_KEY)}};
    /* What a cipher of TLS 1.3 does not say. */
    static const struct fb_str rsa_alone = {"TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256", 37};
    struct sides s;

    (void)state;
    for (size_t n_ciphers = 0; n_ciphers < 2; n_ciphers++) {
        shake(
            &s,
            config_new(&(struct fb_tls_options){.certificates = certificates, .n_certificates = 2}),
            config_new(&(struct fb_tls_options){.is_client = true,
                                                .authorities = PEM(TEST_CA_PEM),
                                                .max_version = FB_TLS_1_2,
                                                .ciphers = &rsa_alone,
                                                .n_ciphers = n_ciphers}),
            "a.example");
        assert_int_equal(s.client.err, FB_OK);
        assert_non_null(
            strstr(s.client.facts->cipher, n_ciphers == 0 ? "ECDHE-ECDSA" : "ECDHE-RSA"));
        sides_done(&s);
    }
}

static void server_of_another_name_is_refused(void **state)
{
    struct sides s;

    (void)state;
    shake(&s, server_new(), client_new(), "other.example");
    assert_int_equal(s.client.err, FB_E_DENIED);
    assert_non_null(strstr(s.client.diag.text, "CN"));
    assert_int_equal(s.server.err, FB_E_CLOSED);
}

static void address_must_stand_in_the_certificate(void **state)
{
    struct sides s;

    (void)state;
    shake(&s, server_new(), client_new(), "127.0.0.1");
    assert_int_equal(s.client.err, FB_OK);
    assert_null(s.server.facts->server_name);
    sides_done(&s);
    shake(&s, server_new(), client_new(), "127.0.0.2");
    assert_int_equal(s.client.err, FB_E_DENIED);
    sides_done(&s);
}

static void server_that_nobody_signed_is_refused(void **state)
{
    struct sides s;

    (void)state;
    shake(
        &s, server_new(),
        config_new(&(struct fb_tls_options){.is_client = true, .authorities = PEM(TEST_OTHER_PEM)}),
        "a.example");
    assert_int_equal(s.client.err, FB_E_DENIED);
}

static void expired_certificate_is_refused_by_clients(void **state)
{
    const struct fb_tls_certificate expired = {PEM(TEST_EXPIRED_PEM), PEM(TEST_EXPIRED_KEY)};
    struct sides s;

    (void)state;
    shake(&s, config_new(&(struct fb_tls_options){.certificates = &expired, .n_certificates = 1}),
          client_new(), "a.example");
    assert_int_equal(s.client.err, FB_E_DENIED);
    assert_non_null(strstr(s.client.diag.text, "expired"));
}

/* ---- mutual TLS ----------------------------------------------------------- */

static struct fb_tls_config *mutual_new(void)
{
    return config_new(&(struct fb_tls_options){
        .certificates = &server_certificate, .n_certificates = 1, .authorities = PEM(TEST_CA_PEM)});
}

static void client_with_a_certificate_is_known_by_name(void **state)
{
    const struct fb_tls_certificate own = {PEM(TEST_CLIENT_PEM), PEM(TEST_CLIENT_KEY)};
    struct sides s;

    (void)state;
    shake(&s, mutual_new(),
          config_new(&(struct fb_tls_options){.is_client = true,
                                              .authorities = PEM(TEST_CA_PEM),
                                              .certificates = &own,
                                              .n_certificates = 1}),
          "a.example");
    assert_int_equal(s.server.err, FB_OK);
    assert_string_equal(s.server.facts->peer_name, "node-7");
    sides_done(&s);
}

static void client_without_a_certificate_is_refused(void **state)
{
    struct sides s;

    (void)state;
    shake(&s, mutual_new(), client_new(), "a.example");
    assert_int_equal(s.server.err, FB_E_DENIED);
    sides_done(&s);
}

/* ---- hostile bytes -------------------------------------------------------- */

static void no_tls_is_malformed(void **state)
{
    struct fb_tls_config *server = server_new();
    struct side side = {.err = FB_OK};

    (void)state;
    assert_int_equal(fb_tls_handshake_new(server, FB_STR_NONE, &side.handshake), FB_OK);
    assert_int_equal(fb_tls_handshake_feed(side.handshake, FB_STR("GET / HTTP/1.1\r\n\r\n")),
                     FB_OK);
    assert_int_equal(fb_tls_handshake_step(side.handshake, false, &side.step, &side.diag),
                     FB_E_MALFORMED);
    fb_tls_handshake_free(side.handshake);
    fb_tls_config_unref(server);
}

static void endless_handshake_hits_a_limit(void **state)
{
    static const char bytes[4096];
    struct fb_tls_config *server = server_new();
    struct fb_tls_handshake *handshake = NULL;
    int err = FB_OK;
    size_t n = 0;

    (void)state;
    assert_int_equal(fb_tls_handshake_new(server, FB_STR_NONE, &handshake), FB_OK);
    for (; err == FB_OK; n += sizeof(bytes)) {
        err = fb_tls_handshake_feed(handshake, (struct fb_str){bytes, sizeof(bytes)});
    }
    assert_int_equal(err, FB_E_LIMIT);
    assert_true(n <= FB_TLS_HANDSHAKE_MAX + sizeof(bytes));
    fb_tls_handshake_free(handshake);
    fb_tls_config_unref(server);
}

/* Any byte of the client's second flight that is not as it was: nobody is let in. */
static void changed_byte_never_passes(void **state)
{
    (void)state;
    for (size_t place = 5; place < 110; place += 7) {
        struct fb_tls_config *server = server_new();
        struct fb_tls_config *client = client_new();
        struct sides s;
        sides_begin(&s, server, client, "a.example");
        side_step(&s.client, &s.server);
        side_step(&s.server, &s.client);
        assert_int_equal(
            fb_tls_handshake_step(s.client.handshake, true, &s.client.step, &s.client.diag), FB_OK);
        struct fb_str output = fb_tls_handshake_output(s.client.handshake);
        FB_AUTO(fb_freep) char *copy = fb_memdup0(output.ptr, output.len);
        copy[place % output.len] ^= 1;
        assert_int_equal(
            fb_tls_handshake_feed(s.server.handshake, (struct fb_str){copy, output.len}), FB_OK);
        s.server.err =
            fb_tls_handshake_step(s.server.handshake, true, &s.server.step, &s.server.diag);
        assert_true(s.server.err < 0 || s.server.step != FB_TLS_DONE);
        fb_tls_handshake_free(s.server.handshake);
        fb_tls_handshake_free(s.client.handshake);
        fb_tls_config_unref(server);
        fb_tls_config_unref(client);
    }
}

static void bytes_may_come_one_by_one(void **state)
{
    struct fb_tls_config *server = server_new();
    struct fb_tls_config *client = client_new();
    struct sides s;

    (void)state;
    sides_begin(&s, server, client, "a.example");
    assert_int_equal(
        fb_tls_handshake_step(s.client.handshake, true, &s.client.step, &s.client.diag), FB_OK);
    struct fb_str output = fb_tls_handshake_output(s.client.handshake);
    for (size_t i = 0; i < output.len; i++) {
        assert_int_equal(
            fb_tls_handshake_feed(s.server.handshake, (struct fb_str){output.ptr + i, 1}), FB_OK);
        assert_int_equal(
            fb_tls_handshake_step(s.server.handshake, false, &s.server.step, &s.server.diag),
            FB_OK);
        assert_int_equal(s.server.step, i + 1 < output.len ? FB_TLS_NEEDS_BYTES : FB_TLS_IS_COSTLY);
    }
    fb_tls_handshake_sent(s.client.handshake, output.len);
    sides_run(&s);
    assert_int_equal(s.server.err, FB_OK);
    assert_int_equal(s.server.step, FB_TLS_DONE);
    side_end(&s.server);
    side_end(&s.client);
    sides_done(&s);
    fb_tls_config_unref(server);
    fb_tls_config_unref(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_have_the_same_keys),
        cmocka_unit_test(facts_tell_names_and_cipher),
        cmocka_unit_test(costly_steps_wait_to_be_allowed),
        cmocka_unit_test(the_server_prefers_its_first_protocol),
        cmocka_unit_test(ciphers_are_those_that_were_named),
        cmocka_unit_test(without_a_cipher_in_common_there_is_no_connection),
        cmocka_unit_test(older_side_decides),
        cmocka_unit_test(without_a_version_in_common_there_is_no_connection),
        cmocka_unit_test(name_selects_the_certificate),
        cmocka_unit_test(each_client_gets_the_kind_of_key_it_can_do),
        cmocka_unit_test(server_of_another_name_is_refused),
        cmocka_unit_test(address_must_stand_in_the_certificate),
        cmocka_unit_test(server_that_nobody_signed_is_refused),
        cmocka_unit_test(expired_certificate_is_refused_by_clients),
        cmocka_unit_test(client_with_a_certificate_is_known_by_name),
        cmocka_unit_test(client_without_a_certificate_is_refused),
        cmocka_unit_test(no_tls_is_malformed),
        cmocka_unit_test(endless_handshake_hits_a_limit),
        cmocka_unit_test(changed_byte_never_passes),
        cmocka_unit_test(bytes_may_come_one_by_one),
    };
    int n_failed = cmocka_run_group_tests_name("TLS 1.2", tests, NULL, NULL);
    if (fb_tls_newest() == FB_TLS_1_3) {
        version_of_both = FB_TLS_1_3;
        n_failed += cmocka_run_group_tests_name("TLS 1.3", tests, NULL, NULL);
    }
    return n_failed;
}
