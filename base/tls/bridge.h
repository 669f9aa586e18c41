/*
 * The bridge: where mbedTLS 2.28 and 3.6 differ, for base/tls alone.
 *
 * TLS 1.2 is spoken with both, 1.3 with 3.6. Both give the master secret of a handshake
 * of 1.2; 2.28 gives the keys that follow from it too. Of 1.3 there are traffic secrets (keys13.h).
 */
#pragma once

#include "base/tls/keys.h"

#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include <mbedtls/version.h>
/* The version decides what else there is. */
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What mbedTLS asks for random bytes. */
int fb_tls_random(void *ctx, unsigned char *bytes, size_t size);

/* The key block of one connection (RFC 5246 section 6.3): keys of client and server, then their
 * fixed IVs. What a cipher needs less than the longest stands at the beginning. Or, of TLS 1.3, the
 * traffic secrets of client and server. */
struct fb_tls_block {
    size_t size; /* 0: not there yet, or of 1.3 */
    uint8_t bytes[2 * (32 + 12)];
    size_t n_secrets; /* 2 of 1.3, once they are there */
    uint8_t secrets[2][FB_TLS_SECRET_MAX];
};

/* Has the handshake of `ssl`, which `conf` is used by alone, put the block there. */
void fb_tls_bridge_export(mbedtls_ssl_config *conf, mbedtls_ssl_context *ssl,
                          struct fb_tls_block *block);

/* The newest version that there is. */
enum fb_tls_version fb_tls_bridge_newest(void);

const char *fb_tls_bridge_about(void);

/* These, and those between; both are there. Zero or mbedTLS's code. */
int fb_tls_bridge_versions(mbedtls_ssl_config *conf, enum fb_tls_version min,
                           enum fb_tls_version max);

/* A cipher of TLS 1.3; 0 if there is none. */
int fb_tls_bridge_cipher(enum fb_tls_aead aead);

/* X25519, P-256, P-384; SHA-256 and better. */
void fb_tls_bridge_groups(mbedtls_ssl_config *conf);

enum { FB_TLS_SIGNATURE_MAX = MBEDTLS_PK_SIGNATURE_MAX_SIZE };

/* As of mbedTLS; zero or its codes. */
int fb_tls_bridge_parse_key(mbedtls_pk_context *key, const unsigned char *pem, size_t size);
int fb_tls_bridge_check_pair(const mbedtls_pk_context *public_key, const mbedtls_pk_context *key);
int fb_tls_bridge_sign(mbedtls_pk_context *key, const unsigned char hash[32],
                       unsigned char sig[FB_TLS_SIGNATURE_MAX], size_t *ret_len);

/* True if the next step makes or verifies a signature, or agrees on a key. */
bool fb_tls_bridge_is_costly(const mbedtls_ssl_context *ssl);

/* True if that step begins with a message of the peer's. */
bool fb_tls_bridge_reads(const mbedtls_ssl_context *ssl);

/* True if a message of the peer's is left in a record that was read. */
bool fb_tls_bridge_has_message(const mbedtls_ssl_context *ssl);

/* What the alert was that a step failed with. */
unsigned fb_tls_bridge_alert(const mbedtls_ssl_context *ssl);

/* True at a step that a handshake passes only if its keys do not follow from a session of before.
 */
bool fb_tls_bridge_is_full(const mbedtls_ssl_context *ssl);

bool fb_tls_bridge_is_over(const mbedtls_ssl_context *ssl);

/* Once it is over: what was agreed on, the number of the first record that is to be sent after it,
 * and what the content of a record may be. */
enum fb_tls_version fb_tls_bridge_version(const mbedtls_ssl_context *ssl);
uint64_t fb_tls_bridge_n_sent(const mbedtls_ssl_context *ssl);
size_t fb_tls_bridge_max_content(const mbedtls_ssl_context *ssl);

/* True if a code says that there is no version or cipher in common. */
bool fb_tls_bridge_is_unsupported(int code);
