#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/tls/config_internal.h"

#include <mbedtls/error.h>
#include <mbedtls/oid.h>

#include <string.h>

enum { RSA_LEAST_BITS = 2048, EC_LEAST_BITS = 256 };

/* What mbedTLS says of a code, for a person. */
static const char *reason(int code, char text[128])
{
    mbedtls_strerror(code, text, 128);
    return text;
}

int fb_tls_chain_load(mbedtls_x509_crt *chain, const struct fb_tls_pem *pem, bool may_skip,
                      struct fb_diag *diag)
{
    char text[128];

    if (pem->text.len == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is empty", pem->name);
    }
    /* mbedTLS takes text for PEM only with its NUL. */
    FB_AUTO(fb_freep) char *copy = fb_str_dup(pem->text);
    int code = mbedtls_x509_crt_parse(chain, (const unsigned char *)copy, pem->text.len + 1);
    if (code < 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' holds no certificate: %s", pem->name,
                           reason(code, text));
    }
    if (code > 0 && (!may_skip || chain->version == 0)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' holds certificates that cannot be read",
                           pem->name);
    }
    return FB_OK;
}

static int load_key(mbedtls_pk_context *key, const struct fb_tls_pem *pem, struct fb_diag *diag)
{
    char text[128];

    FB_AUTO(fb_freep) char *copy = fb_str_dup(pem->text);
    int code = fb_tls_bridge_parse_key(key, (const unsigned char *)copy, pem->text.len + 1);
    mbedtls_platform_zeroize(copy, pem->text.len);
    if (code == MBEDTLS_ERR_PK_PASSWORD_REQUIRED || code == MBEDTLS_ERR_PK_PASSWORD_MISMATCH) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' needs a password: store the key without one",
                           pem->name);
    }
    return code == 0 ? FB_OK
                     : fb_diag_set(diag, FB_E_MALFORMED, "'%s' holds no private key: %s", pem->name,
                                   reason(code, text));
}

static int check_strength(const struct tls_identity *identity, const char *name,
                          struct fb_diag *diag)
{
    mbedtls_pk_type_t type = mbedtls_pk_get_type(&identity->chain.pk);
    size_t n_bits = mbedtls_pk_get_bitlen(&identity->chain.pk);

    if (type != MBEDTLS_PK_RSA && type != MBEDTLS_PK_ECKEY && type != MBEDTLS_PK_ECDSA) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "the key of '%s' is neither RSA nor ECDSA",
                           name);
    }
    if (n_bits < (type == MBEDTLS_PK_RSA ? RSA_LEAST_BITS : EC_LEAST_BITS)) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED,
                           "the key of '%s' has %zu bits, which is too weak", name, n_bits);
    }
    return FB_OK;
}

/* Each certificate is signed by the next. */
static int check_order(const mbedtls_x509_crt *chain, const char *name, struct fb_diag *diag)
{
    for (const mbedtls_x509_crt *one = chain; one->next != NULL; one = one->next) {
        const mbedtls_x509_buf *issuer = &one->issuer_raw;
        const mbedtls_x509_buf *next = &one->next->subject_raw;
        if (issuer->len != next->len || memcmp(issuer->p, next->p, next->len) != 0) {
            return fb_diag_set(
                diag, FB_E_MALFORMED,
                "'%s' has its certificates in the wrong order: the leaf comes first, "
                "then the one that signed it, and so on",
                name);
        }
    }
    return FB_OK;
}

/* A signature tells that the key is the certificate's; and an ECDSA key computes a table at its
 * first one, which later ones, on other threads, only read. */
static int check_pair(struct tls_identity *identity, const struct fb_tls_certificate *files,
                      struct fb_diag *diag)
{
    static const unsigned char hash[32] = {1};
    unsigned char sig[FB_TLS_SIGNATURE_MAX];
    size_t len = 0;

    if (fb_tls_bridge_check_pair(&identity->chain.pk, &identity->key) != 0 ||
        fb_tls_bridge_sign(&identity->key, hash, sig, &len) != 0 ||
        mbedtls_pk_verify(&identity->chain.pk, MBEDTLS_MD_SHA256, hash, sizeof(hash), sig, len) !=
            0) {
        return fb_diag_set(diag, FB_E_CONFLICT,
                           "the key in '%s' is not that of the certificate in '%s'",
                           files->key.name, files->chain.name);
    }
    return FB_OK;
}

static int check_usage(const struct tls_identity *identity, const char *name, bool is_client,
                       struct fb_diag *diag)
{
    static const char server_auth[] = MBEDTLS_OID_SERVER_AUTH;
    static const char client_auth[] = MBEDTLS_OID_CLIENT_AUTH;

    if (mbedtls_x509_crt_check_extended_key_usage(&identity->chain,
                                                  is_client ? client_auth : server_auth,
                                                  sizeof(server_auth) - 1) != 0) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "the certificate in '%s' is not one for %s",
                           name, is_client ? "clients" : "servers");
    }
    return FB_OK;
}

static void load_names(struct tls_identity *identity)
{
    char *name = NULL;

    while ((name = fb_tls_name_of(&identity->chain, identity->n_names)) != NULL) {
        identity->names =
            fb_realloc(identity->names, (identity->n_names + 1) * sizeof(*identity->names));
        identity->names[identity->n_names++] = name;
    }
}

int fb_tls_identity_load(struct tls_identity *identity, const struct fb_tls_certificate *files,
                         bool is_client, struct fb_diag *diag)
{
    const char *name = files->chain.name;
    const struct fb_tls_pem *culprit = &files->chain;

    mbedtls_x509_crt_init(&identity->chain);
    mbedtls_pk_init(&identity->key);
    int err = fb_tls_chain_load(&identity->chain, &files->chain, false, diag);
    if (err == FB_OK) {
        err = load_key(&identity->key, &files->key, diag);
        culprit = err < 0 ? &files->key : culprit;
    }
    if (err == FB_OK) {
        err = check_strength(identity, name, diag);
    }
    if (err == FB_OK) {
        err = check_order(&identity->chain, name, diag);
    }
    if (err == FB_OK) {
        err = check_pair(identity, files, diag);
    }
    if (err == FB_OK) {
        err = check_usage(identity, name, is_client, diag);
    }
    if (err < 0) {
        return fb_diag_blame(diag, err, culprit);
    }
    load_names(identity);
    return FB_OK;
}

void fb_tls_identity_done(struct tls_identity *identity)
{
    mbedtls_x509_crt_free(&identity->chain);
    mbedtls_pk_free(&identity->key);
    for (size_t i = 0; i < identity->n_names; i++) {
        fb_free(identity->names[i]);
    }
    fb_free(identity->names);
    *identity = (struct tls_identity){.n_names = 0};
}

enum tls_match fb_tls_identity_match(const struct tls_identity *identity, struct fb_str name)
{
    enum tls_match best = TLS_MATCH_NONE;

    for (size_t i = 0; i < identity->n_names; i++) {
        enum tls_match match = fb_tls_match_name(fb_str_from(identity->names[i]), name);
        best = FB_MAX(best, match);
    }
    return best;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2 ? 1 : 0;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

int64_t fb_tls_identity_expires_s(const struct tls_identity *identity)
{
    const mbedtls_x509_time *to = &identity->chain.valid_to;

    int of_day_s = to->hour * 3600 + to->min * 60 + to->sec;

    return days_of(to->year, to->mon, to->day) * 86400 + of_day_s;
}
