#include "base/tls/bridge.h"

#include "base/core/attr.h"
#include "base/sys/random.h"

#include <mbedtls/platform_util.h>

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif
#include <string.h>

int fb_tls_random(void *ctx, unsigned char *bytes, size_t size)
{
    (void)ctx;
    fb_random_bytes(bytes, size);
    return 0;
}

#if MBEDTLS_VERSION_NUMBER < 0x03000000

/* AEADs have no MAC keys, and nothing else is negotiated.
 * NOLINTNEXTLINE(readability-function-size): mbedTLS' type */
static int on_keys(void *ctx, const unsigned char *secret, const unsigned char *block_bytes,
                   size_t mac_size, size_t key_size, size_t iv_size,
                   const unsigned char client_random[32], const unsigned char server_random[32],
                   mbedtls_tls_prf_types prf)
{
    struct fb_tls_block *block = ctx;
    size_t size = 2 * (key_size + iv_size);

    (void)secret;
    (void)client_random;
    (void)server_random;
    (void)prf;
    if (mac_size == 0 && size <= sizeof(block->bytes)) {
        memcpy(block->bytes, block_bytes, size);
        block->size = size;
    }
    return 0;
}

void fb_tls_bridge_export(mbedtls_ssl_config *conf, mbedtls_ssl_context *ssl,
                          struct fb_tls_block *block)
{
    (void)ssl;
    mbedtls_ssl_conf_export_keys_ext_cb(conf, on_keys, block);
}

enum fb_tls_version fb_tls_bridge_newest(void)
{
    return FB_TLS_1_2;
}

const char *fb_tls_bridge_about(void)
{
    return "mbedTLS " MBEDTLS_VERSION_STRING ", TLS 1.2";
}

int fb_tls_bridge_versions(mbedtls_ssl_config *conf, enum fb_tls_version min,
                           enum fb_tls_version max)
{
    (void)min;
    (void)max;
    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    return 0;
}

int fb_tls_bridge_cipher(enum fb_tls_aead aead)
{
    (void)aead;
    return 0;
}

void fb_tls_bridge_groups(mbedtls_ssl_config *conf)
{
    static const mbedtls_ecp_group_id groups[] = {MBEDTLS_ECP_DP_CURVE25519,
                                                  MBEDTLS_ECP_DP_SECP256R1,
                                                  MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};
    static const int hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512,
                                 MBEDTLS_MD_NONE};

    mbedtls_ssl_conf_curves(conf, groups);
    mbedtls_ssl_conf_sig_hashes(conf, hashes);
}

int fb_tls_bridge_parse_key(mbedtls_pk_context *key, const unsigned char *pem, size_t size)
{
    return mbedtls_pk_parse_key(key, pem, size, NULL, 0);
}

int fb_tls_bridge_check_pair(const mbedtls_pk_context *public_key, const mbedtls_pk_context *key)
{
    return mbedtls_pk_check_pair(public_key, key);
}

int fb_tls_bridge_sign(mbedtls_pk_context *key, const unsigned char hash[32],
                       unsigned char sig[FB_TLS_SIGNATURE_MAX], size_t *ret_len)
{
    return mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, 32, sig, ret_len, fb_tls_random, NULL);
}

#else

/* 3.6 gives the secret, and what the block follows from. */
static void take_master(struct fb_tls_block *block, const unsigned char *secret, size_t secret_size,
                        const unsigned char *randoms, mbedtls_tls_prf_types prf)
{
    if (mbedtls_ssl_tls_prf(prf, secret, secret_size, "key expansion", randoms, 64, block->bytes,
                            sizeof(block->bytes)) == 0) {
        block->size = sizeof(block->bytes);
    }
}

static void take_traffic(struct fb_tls_block *block, unsigned which, const unsigned char *secret,
                         size_t secret_size)
{
    if (secret_size <= FB_TLS_SECRET_MAX) {
        memcpy(block->secrets[which], secret, secret_size);
        block->n_secrets++;
    }
}

static void on_secret(void *ctx, mbedtls_ssl_key_export_type type, const unsigned char *secret,
                      size_t secret_size, const unsigned char client_random[32],
                      const unsigned char server_random[32], mbedtls_tls_prf_types prf)
{
    struct fb_tls_block *block = ctx;
    unsigned char randoms[64];

    memcpy(randoms, server_random, 32);
    memcpy(randoms + 32, client_random, 32);
    switch (type) {
    case MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET:
        take_master(block, secret, secret_size, randoms, prf);
        break;
    case MBEDTLS_SSL_KEY_EXPORT_TLS1_3_CLIENT_APPLICATION_TRAFFIC_SECRET:
        take_traffic(block, 0, secret, secret_size);
        break;
    case MBEDTLS_SSL_KEY_EXPORT_TLS1_3_SERVER_APPLICATION_TRAFFIC_SECRET:
        take_traffic(block, 1, secret, secret_size);
        break;
    default:
        break; /* those of the handshake itself */
    }
}

void fb_tls_bridge_export(mbedtls_ssl_config *conf, mbedtls_ssl_context *ssl,
                          struct fb_tls_block *block)
{
    (void)conf;
    mbedtls_ssl_set_export_keys_cb(ssl, on_secret, block);
}

enum fb_tls_version fb_tls_bridge_newest(void)
{
    return FB_TLS_1_3;
}

const char *fb_tls_bridge_about(void)
{
    return "mbedTLS " MBEDTLS_VERSION_STRING ", TLS 1.2 and 1.3";
}

static mbedtls_ssl_protocol_version version_of(enum fb_tls_version version)
{
    return version == FB_TLS_1_3 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2;
}

/* Tickets are resumed with a key agreement of their own: a key that leaks opens nothing of before.
 */
int fb_tls_bridge_versions(mbedtls_ssl_config *conf, enum fb_tls_version min,
                           enum fb_tls_version max)
{
    mbedtls_ssl_conf_min_tls_version(conf, version_of(min));
    mbedtls_ssl_conf_max_tls_version(conf, version_of(max));
    mbedtls_ssl_conf_tls13_key_exchange_modes(conf,
                                              MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ALL);
    return psa_crypto_init() == PSA_SUCCESS ? 0 : -1; /* once; any thread */
}

int fb_tls_bridge_cipher(enum fb_tls_aead aead)
{
    static const int ids[FB_TLS_N_AEADS] = {
        [FB_TLS_AES_128_GCM] = MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
        [FB_TLS_AES_256_GCM] = MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
        [FB_TLS_CHACHA20_POLY1305] = MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    };
    return ids[aead];
}

void fb_tls_bridge_groups(mbedtls_ssl_config *conf)
{
    static const uint16_t groups[] = {
        MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
        MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

    mbedtls_ssl_conf_groups(conf, groups); /* its signatures are SHA-256 and better by preset */
}

int fb_tls_bridge_parse_key(mbedtls_pk_context *key, const unsigned char *pem, size_t size)
{
    return mbedtls_pk_parse_key(key, pem, size, NULL, 0, fb_tls_random, NULL);
}

int fb_tls_bridge_check_pair(const mbedtls_pk_context *public_key, const mbedtls_pk_context *key)
{
    return mbedtls_pk_check_pair(public_key, key, fb_tls_random, NULL);
}

int fb_tls_bridge_sign(mbedtls_pk_context *key, const unsigned char hash[32],
                       unsigned char sig[FB_TLS_SIGNATURE_MAX], size_t *ret_len)
{
    return mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, 32, sig, FB_TLS_SIGNATURE_MAX, ret_len,
                           fb_tls_random, NULL);
}

#endif

/* ---- what a step takes ---------------------------------------------------- */

static bool is_server(const mbedtls_ssl_context *ssl)
{
    return ssl->conf->endpoint == MBEDTLS_SSL_IS_SERVER;
}

#if MBEDTLS_VERSION_NUMBER < 0x03000000

static bool is_13(const mbedtls_ssl_context *ssl)
{
    (void)ssl;
    return false;
}

static bool is_costly_13(const mbedtls_ssl_context *ssl)
{
    return is_13(ssl);
}

static bool reads_13(const mbedtls_ssl_context *ssl)
{
    return is_13(ssl);
}

#else

/* Until it is agreed on, the newest that is offered. */
static bool is_13(const mbedtls_ssl_context *ssl)
{
    return ssl->tls_version == MBEDTLS_SSL_VERSION_TLS1_3;
}

static bool is_costly_13(const mbedtls_ssl_context *ssl)
{
    switch ((mbedtls_ssl_states)ssl->state) {
    case MBEDTLS_SSL_CLIENT_HELLO: /* a key pair */
    case MBEDTLS_SSL_SERVER_CERTIFICATE:
        return !is_server(ssl);
    case MBEDTLS_SSL_SERVER_HELLO: /* the agreement on a key */
    case MBEDTLS_SSL_CERTIFICATE_VERIFY:
    case MBEDTLS_SSL_CLIENT_CERTIFICATE_VERIFY:
        return true;
    case MBEDTLS_SSL_CLIENT_CERTIFICATE:
        return is_server(ssl);
    default:
        return false;
    }
}

static bool reads_13(const mbedtls_ssl_context *ssl)
{
    switch ((mbedtls_ssl_states)ssl->state) {
    case MBEDTLS_SSL_SERVER_HELLO:
    case MBEDTLS_SSL_SERVER_CERTIFICATE:
    case MBEDTLS_SSL_CERTIFICATE_VERIFY:
        return !is_server(ssl);
    case MBEDTLS_SSL_CLIENT_HELLO:
    case MBEDTLS_SSL_CLIENT_CERTIFICATE:
    case MBEDTLS_SSL_CLIENT_CERTIFICATE_VERIFY:
        return is_server(ssl);
    default:
        return true;
    }
}

#endif

bool fb_tls_bridge_is_costly(const mbedtls_ssl_context *ssl)
{
    if (is_13(ssl)) {
        return is_costly_13(ssl);
    }
    switch (ssl->state) {
    case MBEDTLS_SSL_SERVER_KEY_EXCHANGE: /* a key pair; its signature, made or verified */
    case MBEDTLS_SSL_CLIENT_KEY_EXCHANGE:
    case MBEDTLS_SSL_CERTIFICATE_VERIFY:
        return true;
    case MBEDTLS_SSL_SERVER_CERTIFICATE: /* the chain's signatures */
        return !is_server(ssl);
    case MBEDTLS_SSL_CLIENT_CERTIFICATE:
        return is_server(ssl);
    default:
        return false;
    }
}

bool fb_tls_bridge_reads(const mbedtls_ssl_context *ssl)
{
    if (is_13(ssl)) {
        return reads_13(ssl);
    }
    switch (ssl->state) {
    case MBEDTLS_SSL_SERVER_CERTIFICATE:
    case MBEDTLS_SSL_SERVER_KEY_EXCHANGE:
        return !is_server(ssl);
    case MBEDTLS_SSL_CLIENT_CERTIFICATE:
    case MBEDTLS_SSL_CLIENT_KEY_EXCHANGE:
    case MBEDTLS_SSL_CERTIFICATE_VERIFY:
        return is_server(ssl);
    default:
        return true;
    }
}

bool fb_tls_bridge_has_message(const mbedtls_ssl_context *ssl)
{
    return mbedtls_ssl_check_pending(ssl) != 0;
}

unsigned fb_tls_bridge_alert(const mbedtls_ssl_context *ssl)
{
    return ssl->in_msg[1];
}

bool fb_tls_bridge_is_full(const mbedtls_ssl_context *ssl)
{
    return ssl->state ==
           (is_13(ssl) ? MBEDTLS_SSL_CERTIFICATE_VERIFY : MBEDTLS_SSL_SERVER_HELLO_DONE);
}

bool fb_tls_bridge_is_over(const mbedtls_ssl_context *ssl)
{
    return ssl->state == MBEDTLS_SSL_HANDSHAKE_OVER;
}

enum fb_tls_version fb_tls_bridge_version(const mbedtls_ssl_context *ssl)
{
    return is_13(ssl) ? FB_TLS_1_3 : FB_TLS_1_2;
}

/* Of TLS 1.2 the Finished was record 0. Of 1.3 that had keys of its own; a server's tickets follow
 * it with those of the records. */
uint64_t fb_tls_bridge_n_sent(const mbedtls_ssl_context *ssl)
{
    uint64_t n = 0;

    if (!is_13(ssl)) {
        return 1;
    }
    for (size_t i = 0; i < sizeof(ssl->cur_out_ctr); i++) {
        n = n << 8 | ssl->cur_out_ctr[i];
    }
    return n;
}

/* Of 1.3 mbedTLS leaves room for the type, which without record_size_limit nobody asked for. */
size_t fb_tls_bridge_max_content(const mbedtls_ssl_context *ssl)
{
    size_t n = (size_t)mbedtls_ssl_get_max_out_record_payload(ssl);

#ifndef MBEDTLS_SSL_RECORD_SIZE_LIMIT
    return is_13(ssl) ? n + 1 : n;
#else
    return n;
#endif
}

bool fb_tls_bridge_is_unsupported(int code)
{
    switch (code) {
#if MBEDTLS_VERSION_NUMBER < 0x03000000
    case MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN:
    case MBEDTLS_ERR_SSL_NO_USABLE_CIPHERSUITE:
    case MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION:
#else
    case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
    case MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL:
#endif
        return true;
    default:
        return false;
    }
}
