/*
 * What the files of base/tls share: a configuration from inside.
 */
#pragma once

#include "base/tls/bridge.h"
#include "base/tls/config.h"

#include <stdatomic.h>

/* A certificate with its key. */
struct tls_identity {
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
    char **names; /* owned; DNS names in lower case, some with "*." */
    size_t n_names;
};

struct fb_tls_config {
    atomic_uint n_refs;
    bool is_client;
    mbedtls_ssl_config base; /* each handshake has a flat copy, which borrows from it */
    struct tls_identity *identities;
    size_t n_identities;
    mbedtls_x509_crt authorities;
    int ciphers[FB_TLS_MAX_CIPHERS + FB_TLS_N_AEADS + 1];
    const char *protocols[FB_TLS_MAX_PROTOCOLS + 1]; /* owned each */
    struct fb_tls_tickets *tickets;                  /* counted; NULL: none */
    struct fb_tls_sessions *sessions;                /* owned; a client's */
    int64_t expires_s;
};

/* Has the handshake offer the certificates for `name`, in lower case: all of the best match, of
 * which it takes the one whose kind of key the client can do. Zero, or mbedTLS's code. */
int fb_tls_config_choose(const struct fb_tls_config *config, mbedtls_ssl_context *ssl,
                         struct fb_str name);

/* ---- tls_identity.c ------------------------------------------------------ */

/* Reads certificates and key and sees that they fit each other. `*identity` is initialised, and
 * done with fb_tls_identity_done() whatever comes of it. */
FB_MUST_CHECK int fb_tls_identity_load(struct tls_identity *identity,
                                       const struct fb_tls_certificate *files, bool is_client,
                                       struct fb_diag *diag);
void fb_tls_identity_done(struct tls_identity *identity);

/* The certificates of a PEM file; with `may_skip`, those of them that mbedTLS can read. */
FB_MUST_CHECK int fb_tls_chain_load(mbedtls_x509_crt *chain, const struct fb_tls_pem *pem,
                                    bool may_skip, struct fb_diag *diag);

enum tls_match { TLS_MATCH_NONE, TLS_MATCH_WILDCARD, TLS_MATCH_EXACT };

/* Whether it is for `name`, in lower case. */
enum tls_match fb_tls_identity_match(const struct tls_identity *identity, struct fb_str name);

/* When the leaf ends, Unix time. */
int64_t fb_tls_identity_expires_s(const struct tls_identity *identity);

/* ---- tls_names.c --------------------------------------------------------- */

/* The n-th DNS name of a certificate, of its alternative names or if it has none its common name,
 * in lower case; NULL after the last. The caller frees it with fb_free(). */
char *fb_tls_name_of(const mbedtls_x509_crt *certificate, size_t n);

/* True if the certificate is for an address: 4 or 16 bytes. */
bool fb_tls_has_address(const mbedtls_x509_crt *certificate, struct fb_str address);

/* RFC 6125 section 6.4.3: "*." stands for one label at the left. Both in lower case. */
enum tls_match fb_tls_match_name(struct fb_str pattern, struct fb_str name);
