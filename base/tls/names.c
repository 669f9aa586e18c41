#include "base/core/alloc.h"
#include "base/tls/config_internal.h"

#include <mbedtls/oid.h>

#include <string.h>

enum { TLS_NAME_MAX = 253 };

/* A copy in lower case; what no name has is shown as '?', so that it can be logged. */
static char *name_copy(const unsigned char *bytes, size_t len)
{
    char *name = fb_memdup0(bytes, len < TLS_NAME_MAX ? len : TLS_NAME_MAX);

    for (char *c = name; *c != 0; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)(*c - 'A' + 'a');
        } else if (*c <= ' ' || *c > '~') {
            *c = '?';
        }
    }
    return name;
}

static bool is_kind(const mbedtls_x509_sequence *name, unsigned kind)
{
    return (name->buf.tag & (MBEDTLS_ASN1_TAG_CLASS_MASK | MBEDTLS_ASN1_TAG_VALUE_MASK)) ==
           (int)(MBEDTLS_ASN1_CONTEXT_SPECIFIC | kind);
}

static char *common_name(const mbedtls_x509_crt *certificate)
{
    for (const mbedtls_x509_name *part = &certificate->subject; part != NULL; part = part->next) {
        if (part->oid.p != NULL && MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &part->oid) == 0) {
            return name_copy(part->val.p, part->val.len);
        }
    }
    return NULL;
}

char *fb_tls_name_of(const mbedtls_x509_crt *certificate, size_t n)
{
    const mbedtls_x509_sequence *name = &certificate->subject_alt_names;
    size_t n_seen = 0;

    for (; name != NULL && name->buf.p != NULL; name = name->next) {
        if (is_kind(name, MBEDTLS_X509_SAN_DNS_NAME) && n_seen++ == n) {
            return name_copy(name->buf.p, name->buf.len);
        }
    }
    return n == 0 && n_seen == 0 ? common_name(certificate) : NULL;
}

bool fb_tls_has_address(const mbedtls_x509_crt *certificate, struct fb_str address)
{
    const mbedtls_x509_sequence *name = &certificate->subject_alt_names;

    for (; name != NULL && name->buf.p != NULL; name = name->next) {
        if (is_kind(name, MBEDTLS_X509_SAN_IP_ADDRESS) && name->buf.len == address.len &&
            memcmp(name->buf.p, address.ptr, address.len) == 0) {
            return true;
        }
    }
    return false;
}

enum tls_match fb_tls_match_name(struct fb_str pattern, struct fb_str name)
{
    if (fb_str_equal(pattern, name)) {
        return TLS_MATCH_EXACT;
    }
    if (!fb_str_starts_with(pattern, FB_STR("*."))) {
        return TLS_MATCH_NONE;
    }
    struct fb_str rest = fb_str_skip(name, fb_str_find(name, '.'));
    bool is_one_label = rest.len > 1 && rest.len < name.len;
    return is_one_label && fb_str_equal(fb_str_skip(pattern, 1), rest) ? TLS_MATCH_WILDCARD
                                                                       : TLS_MATCH_NONE;
}
