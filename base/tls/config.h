/*
 * TLS configurations: what one side of a connection has and asks for.
 *
 * Built whole and checked, then never changed: a reload builds another, and handshakes under way
 * end with the one that they began with. A server has one or more certificates; the name that a
 * client asks for (SNI) selects those that bear it, exactly or by a wildcard, and the first ones
 * serve who asks for none or another. With an ECDSA and an RSA certificate for one name, each
 * client gets the one it understands.
 *
 *     server   certificates, protocols by preference; with `authorities`, clients without a
 *              certificate signed by one of these are refused (mutual TLS)
 *     client   authorities that the server's certificate must be signed by, and if that asks for
 *              one, a certificate of its own; it resumes sessions with servers (sessions.h)
 *
 * Versions 1.2 and, with mbedTLS 3.6, 1.3. Ciphers are AEADs with forward secrecy, nothing else:
 *
 *     TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256     TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256
 *     TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384     TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384
 *     TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256  TLS-ECDHE-RSA-WITH-CHACHA20-POLY1305-SHA256
 *
 * TLS 1.3 has the same AEADs without the rest of the name, and takes them from the same list: who
 * names those of AES-256 alone has no other with either version.
 *
 * Compression, renegotiation, early data and 1.1 are off. Groups: X25519, P-256, P-384.
 *
 * Ownership  Counted. Everything given to fb_tls_config_new() is copied or counted.
 * Threads    Any.
 * Failures   FB_E_MALFORMED (no PEM, no certificate, a key with a password), FB_E_CONFLICT (a key
 *            that is not the certificate's), FB_E_UNSUPPORTED (too weak, unknown cipher or
 * version), FB_E_EXPIRED never: an expired certificate is a warning, see fb_tls_config_expires_s().
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/tls/keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_tls_config;
struct fb_tls_tickets;

/* PEM text, and what messages call it: the file's name. */
struct fb_tls_pem {
    struct fb_str text; /* ptr NULL: none */
    const char *name;
};

struct fb_tls_certificate {
    struct fb_tls_pem chain; /* the leaf first, then who signed it */
    struct fb_tls_pem key;   /* ECDSA or RSA, without a password */
};

enum { FB_TLS_MAX_CERTIFICATES = 64, FB_TLS_MAX_PROTOCOLS = 8, FB_TLS_MAX_CIPHERS = 16 };

struct fb_tls_options {
    bool is_client;
    const struct fb_tls_certificate *certificates;
    size_t n_certificates; /* 1..64 for servers, 0..1 for clients */
    struct fb_tls_pem authorities;
    enum fb_tls_version min_version; /* 0: FB_TLS_1_2 */
    enum fb_tls_version max_version; /* 0: fb_tls_newest() */
    const struct fb_str *ciphers;    /* most wanted first; see above */
    size_t n_ciphers;                /* 0: all, AES-128-GCM first */
    const char *const *protocols;    /* ALPN, most wanted first */
    size_t n_protocols;              /* 0: none is agreed on */
    struct fb_tls_tickets *tickets;  /* servers'; NULL: each handshake is a full one. Mutual TLS
                                        has none: a session would outlive its certificate */
};

/* `diag` blames the member of `options`, or of its certificates, that is wrong. */
FB_MUST_CHECK int fb_tls_config_new(const struct fb_tls_options *options,
                                    struct fb_tls_config **ret_config, struct fb_diag *diag);
struct fb_tls_config *fb_tls_config_ref(struct fb_tls_config *config);
void fb_tls_config_unref(struct fb_tls_config *config); /* accepts NULL */

/* When the first of its own certificates ends, Unix time; INT64_MAX without one. */
int64_t fb_tls_config_expires_s(const struct fb_tls_config *config);

/* The newest version that there is: 1.3 with mbedTLS 3.6, else 1.2. */
enum fb_tls_version fb_tls_newest(void);

/* What shakes hands and what it speaks: "mbedTLS 3.6.6, TLS 1.2 and 1.3". */
const char *fb_tls_about(void);

/* Overwrites what was secret, in a way that no compiler leaves out. */
void fb_tls_wipe(void *bytes, size_t size);

/* The name of a cipher as `ciphers` has it is known; for tables of a configuration. */
bool fb_tls_cipher_is_known(struct fb_str name);

/* The `i`-th of those names, most wanted first; FB_STR_NONE after the last. */
struct fb_str fb_tls_cipher_name(size_t i);
