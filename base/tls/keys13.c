#include "base/tls/keys13.h"

#include "base/core/check.h"

#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>

#include <string.h>

static size_t put_text(uint8_t *to, struct fb_str prefix, struct fb_str text)
{
    to[0] = (uint8_t)(prefix.len + text.len);
    memcpy(to + 1, prefix.ptr, prefix.len);
    if (text.len > 0) {
        memcpy(to + 1 + prefix.len, text.ptr, text.len);
    }
    return 1 + prefix.len + text.len;
}

void fb_tls_expand_label(enum fb_tls_aead aead, const uint8_t *secret, struct fb_str label,
                         struct fb_str context, uint8_t *out, size_t size)
{
    size_t n_secret = fb_tls_secret_size(aead);
    uint8_t info[2 + 1 + 6 + FB_TLS_LABEL_MAX + 1 + FB_TLS_CONTEXT_MAX];
    uint8_t expanded[FB_TLS_SECRET_MAX];

    FB_REQUIRE(label.len <= FB_TLS_LABEL_MAX && context.len <= FB_TLS_CONTEXT_MAX);
    FB_REQUIRE(size <= sizeof(expanded));
    info[0] = (uint8_t)(size >> 8);
    info[1] = (uint8_t)size;
    size_t n = 2 + put_text(info + 2, FB_STR("tls13 "), label);
    n += put_text(info + n, FB_STR(""), context);
    const mbedtls_md_info_t *hash =
        mbedtls_md_info_from_type(n_secret == 48 ? MBEDTLS_MD_SHA384 : MBEDTLS_MD_SHA256);
    FB_REQUIRE(hash != NULL);
    FB_REQUIRE(mbedtls_hkdf_expand(hash, secret, n_secret, info, n, expanded, size) == 0);
    memcpy(out, expanded, size);
    mbedtls_platform_zeroize(expanded, sizeof(expanded));
}

void fb_tls_traffic_expand(enum fb_tls_aead aead, const uint8_t *secret,
                           struct fb_tls_traffic *ret_traffic)
{
    struct fb_tls_traffic traffic = {.sequence = 0};

    memcpy(traffic.secret, secret, fb_tls_secret_size(aead));
    fb_tls_expand_label(aead, secret, FB_STR("key"), FB_STR_NONE, traffic.key,
                        fb_tls_key_size(aead));
    fb_tls_expand_label(aead, secret, FB_STR("iv"), FB_STR_NONE, traffic.iv, sizeof(traffic.iv));
    *ret_traffic = traffic;
    mbedtls_platform_zeroize(&traffic, sizeof(traffic));
}

void fb_tls_traffic_update(enum fb_tls_aead aead, struct fb_tls_traffic *traffic)
{
    uint8_t secret[FB_TLS_SECRET_MAX] = {0};

    fb_tls_expand_label(aead, traffic->secret, FB_STR("traffic upd"), FB_STR_NONE, secret,
                        fb_tls_secret_size(aead));
    fb_tls_traffic_expand(aead, secret, traffic);
    mbedtls_platform_zeroize(secret, sizeof(secret));
}
