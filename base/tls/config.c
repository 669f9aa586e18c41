#include "base/tls/config.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/tls/config_internal.h"
#include "base/tls/curves.h"
#include "base/tls/session.h"
#include "base/tls/sessions.h"
#include "base/tls/tickets.h"

#include <mbedtls/platform_util.h>

/* Most wanted first: AES-128 is what processors and record sealers are fastest at. */
struct cipher {
    struct fb_str name;
    int id;
    enum fb_tls_aead aead;
};

static const struct cipher ciphers[] = {
    {{"TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256", 39},
     MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
     FB_TLS_AES_128_GCM},
    {{"TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256", 37},
     MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
     FB_TLS_AES_128_GCM},
    {{"TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384", 39},
     MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
     FB_TLS_AES_256_GCM},
    {{"TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384", 37},
     MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
     FB_TLS_AES_256_GCM},
    {{"TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256", 45},
     MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
     FB_TLS_CHACHA20_POLY1305},
    {{"TLS-ECDHE-RSA-WITH-CHACHA20-POLY1305-SHA256", 43},
     MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
     FB_TLS_CHACHA20_POLY1305},
};

static const struct cipher *cipher_find(struct fb_str name)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(ciphers); i++) {
        if (fb_str_equal(ciphers[i].name, name)) {
            return &ciphers[i];
        }
    }
    return NULL;
}

bool fb_tls_cipher_is_known(struct fb_str name)
{
    return cipher_find(name) != NULL;
}

struct fb_str fb_tls_cipher_name(size_t i)
{
    return i < FB_ARRAY_LEN(ciphers) ? ciphers[i].name : FB_STR_NONE;
}

/* The n-th that is wanted; NULL after the last, or if there is none of that name. */
static const struct cipher *cipher_at(const struct fb_tls_options *options, size_t n)
{
    if (options->n_ciphers == 0) {
        return n < FB_ARRAY_LEN(ciphers) ? &ciphers[n] : NULL;
    }
    return n < options->n_ciphers ? cipher_find(options->ciphers[n]) : NULL;
}

/* Those of TLS 1.3, which name neither key agreement nor signature, once each, then those of 1.2.
 */
static int config_set_ciphers(struct fb_tls_config *config, const struct fb_tls_options *options,
                              struct fb_diag *diag)
{
    const struct cipher *cipher = NULL;
    bool has[FB_TLS_N_AEADS] = {false};
    size_t n = 0;

    FB_REQUIRE(options->n_ciphers <= FB_TLS_MAX_CIPHERS);
    for (size_t i = 0; i < options->n_ciphers; i++) {
        if (cipher_at(options, i) == NULL) {
            return fb_diag_set(diag, FB_E_UNSUPPORTED, "there is no cipher '%.*s'",
                               FB_STR_ARG(options->ciphers[i]));
        }
    }
    for (size_t i = 0; (cipher = cipher_at(options, i)) != NULL; i++) {
        int id = has[cipher->aead] ? 0 : fb_tls_bridge_cipher(cipher->aead);
        has[cipher->aead] = true;
        if (id != 0) {
            config->ciphers[n++] = id;
        }
    }
    for (size_t i = 0; (cipher = cipher_at(options, i)) != NULL; i++) {
        config->ciphers[n++] = cipher->id;
    }
    mbedtls_ssl_conf_ciphersuites(&config->base, config->ciphers);
    return FB_OK;
}

static int config_set_versions(struct fb_tls_config *config, const struct fb_tls_options *options,
                               struct fb_diag *diag)
{
    enum fb_tls_version newest = fb_tls_bridge_newest();
    enum fb_tls_version min = options->min_version == 0 ? FB_TLS_1_2 : options->min_version;
    enum fb_tls_version max = options->max_version == 0 ? newest : options->max_version;

    if (min > newest) {
        int err = fb_diag_set(diag, FB_E_UNSUPPORTED, "TLS 1.3 is not available");
        return fb_diag_blame(diag, err, &options->min_version);
    }
    if (min > max || max > newest) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "no version of TLS is left");
    }
    if (fb_tls_bridge_versions(&config->base, min, max) != 0) {
        return fb_diag_set(diag, FB_E_FOREIGN, "TLS cannot be set up");
    }
    return FB_OK;
}

static int config_set_protocols(struct fb_tls_config *config, const struct fb_tls_options *options,
                                struct fb_diag *diag)
{
    FB_REQUIRE(options->n_protocols <= FB_TLS_MAX_PROTOCOLS);
    for (size_t i = 0; i < options->n_protocols; i++) {
        config->protocols[i] = fb_str_dup(fb_str_from(options->protocols[i]));
    }
    if (options->n_protocols > 0 &&
        mbedtls_ssl_conf_alpn_protocols(&config->base, config->protocols) != 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "a protocol's name is empty or too long");
    }
    return FB_OK;
}

/* ---- certificates --------------------------------------------------------- */

int fb_tls_config_choose(const struct fb_tls_config *config, mbedtls_ssl_context *ssl,
                         struct fb_str name)
{
    enum tls_match best = TLS_MATCH_NONE;

    for (size_t i = 0; i < config->n_identities; i++) {
        enum tls_match match = fb_tls_identity_match(&config->identities[i], name);
        best = FB_MAX(best, match);
    }
    for (size_t i = 0; best != TLS_MATCH_NONE && i < config->n_identities; i++) {
        struct tls_identity *identity = &config->identities[i];
        if (fb_tls_identity_match(identity, name) == best &&
            mbedtls_ssl_set_hs_own_cert(ssl, &identity->chain, &identity->key) != 0) {
            return -1;
        }
    }
    return 0;
}

/* The first one, and those for the same name, which differ in their keys. */
static int config_set_presets(struct fb_tls_config *config)
{
    struct tls_identity *first = &config->identities[0];

    for (size_t i = 0; i < config->n_identities; i++) {
        struct tls_identity *one = &config->identities[i];
        bool is_preset =
            i == 0 || (first->n_names > 0 &&
                       fb_tls_identity_match(one, fb_str_from(first->names[0])) == TLS_MATCH_EXACT);
        if (is_preset && mbedtls_ssl_conf_own_cert(&config->base, &one->chain, &one->key) != 0) {
            return -1;
        }
    }
    return 0;
}

static int config_load_certificates(struct fb_tls_config *config,
                                    const struct fb_tls_options *options, struct fb_diag *diag)
{
    size_t n = options->n_certificates;

    FB_REQUIRE(n <= FB_TLS_MAX_CERTIFICATES);
    FB_REQUIRE(options->is_client ? n <= 1 : n >= 1);
    config->identities = fb_alloc_array(n, sizeof(*config->identities));
    for (size_t i = 0; i < n; i++) {
        config->n_identities++;
        int err = fb_tls_identity_load(&config->identities[i], &options->certificates[i],
                                       options->is_client, diag);
        if (err < 0) {
            return err;
        }
        int64_t expires_s = fb_tls_identity_expires_s(&config->identities[i]);
        config->expires_s = FB_MIN(config->expires_s, expires_s);
    }
    if (n > 0 && config_set_presets(config) != 0) {
        return fb_diag_set(diag, FB_E_FOREIGN, "the certificates cannot be put into use");
    }
    return FB_OK;
}

static int config_load_authorities(struct fb_tls_config *config,
                                   const struct fb_tls_options *options, struct fb_diag *diag)
{
    if (options->authorities.text.ptr == NULL) {
        FB_REQUIRE(!options->is_client);
        mbedtls_ssl_conf_authmode(&config->base, MBEDTLS_SSL_VERIFY_NONE);
        return FB_OK;
    }
    int err = fb_tls_chain_load(&config->authorities, &options->authorities, true, diag);
    if (err < 0) {
        return fb_diag_blame(diag, err, &options->authorities);
    }
    mbedtls_ssl_conf_ca_chain(&config->base, &config->authorities, NULL);
    mbedtls_ssl_conf_authmode(&config->base, MBEDTLS_SSL_VERIFY_REQUIRED);
    return FB_OK;
}

/* ---- life ----------------------------------------------------------------- */

static int config_load(struct fb_tls_config *config, const struct fb_tls_options *options,
                       struct fb_diag *diag)
{
    int end = options->is_client ? MBEDTLS_SSL_IS_CLIENT : MBEDTLS_SSL_IS_SERVER;

    if (mbedtls_ssl_config_defaults(&config->base, end, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
        return fb_diag_set(diag, FB_E_FOREIGN, "TLS cannot be set up");
    }
    mbedtls_ssl_conf_rng(&config->base, fb_tls_random, NULL);
    fb_tls_bridge_groups(&config->base);
    int err = config_set_versions(config, options, diag);
    if (err == FB_OK) {
        err = config_set_ciphers(config, options, diag);
    }
    if (err == FB_OK) {
        err = config_set_protocols(config, options, diag);
    }
    if (err == FB_OK) {
        err = config_load_certificates(config, options, diag);
    }
    if (err == FB_OK) {
        err = config_load_authorities(config, options, diag);
    }
    if (err == FB_OK) {
        fb_tls_session_use_tickets(&config->base, config->tickets, options->is_client);
    }
    return err;
}

int fb_tls_config_new(const struct fb_tls_options *options, struct fb_tls_config **ret_config,
                      struct fb_diag *diag)
{
    struct fb_tls_config *config = FB_NEW(struct fb_tls_config);
    bool is_mutual = !options->is_client && options->authorities.text.ptr != NULL;

    fb_tls_curves_init();
    atomic_init(&config->n_refs, 1);
    config->is_client = options->is_client;
    config->expires_s = INT64_MAX;
    if (options->tickets != NULL && !is_mutual) {
        config->tickets = fb_tls_tickets_ref(options->tickets);
    }
    if (options->is_client) {
        config->sessions = fb_tls_sessions_new();
    }
    mbedtls_ssl_config_init(&config->base);
    mbedtls_x509_crt_init(&config->authorities);
    int err = config_load(config, options, diag);
    if (err < 0) {
        fb_tls_config_unref(config);
        return err;
    }
    *ret_config = config;
    return FB_OK;
}

struct fb_tls_config *fb_tls_config_ref(struct fb_tls_config *config)
{
    (void)atomic_fetch_add_explicit(&config->n_refs, 1, memory_order_relaxed);
    return config;
}

void fb_tls_config_unref(struct fb_tls_config *config)
{
    if (config == NULL || atomic_fetch_sub_explicit(&config->n_refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    mbedtls_ssl_config_free(&config->base);
    for (size_t i = 0; i < config->n_identities; i++) {
        fb_tls_identity_done(&config->identities[i]);
    }
    fb_free(config->identities);
    mbedtls_x509_crt_free(&config->authorities);
    for (size_t i = 0; config->protocols[i] != NULL; i++) {
        union {
            const char *shown;
            char *owned;
        } protocol = {.shown = config->protocols[i]};
        fb_free(protocol.owned);
    }
    fb_tls_tickets_unref(config->tickets);
    fb_tls_sessions_free(config->sessions);
    fb_free(config);
}

enum fb_tls_version fb_tls_newest(void)
{
    return fb_tls_bridge_newest();
}

const char *fb_tls_about(void)
{
    return fb_tls_bridge_about();
}

void fb_tls_wipe(void *bytes, size_t size)
{
    if (size > 0) {
        mbedtls_platform_zeroize(bytes, size);
    }
}

int64_t fb_tls_config_expires_s(const struct fb_tls_config *config)
{
    return config->expires_s;
}
