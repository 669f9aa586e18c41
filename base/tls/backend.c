#include "base/tls/backend.h"

#include "base/core/attr.h"

extern const struct fb_tls_backend fb_tls_backend_ipsecmb;
extern const struct fb_tls_backend fb_tls_backend_mbedtls;

/* The best first. */
static const struct fb_tls_backend *const backends[] = {
#ifdef FB_HAS_IPSEC_MB
    &fb_tls_backend_ipsecmb,
#endif
    &fb_tls_backend_mbedtls,
};

const struct fb_tls_backend *fb_tls_backend_for(enum fb_tls_aead aead)
{
    for (size_t i = 0; i + 1 < FB_ARRAY_LEN(backends); i++) {
        if (backends[i]->has(aead)) {
            return backends[i];
        }
    }
    return backends[FB_ARRAY_LEN(backends) - 1]; /* has all */
}

const struct fb_tls_backend *fb_tls_backend_at(size_t i, enum fb_tls_aead aead)
{
    for (size_t k = 0; k < FB_ARRAY_LEN(backends); k++) {
        if (backends[k]->has(aead) && i-- == 0) {
            return backends[k];
        }
    }
    return NULL;
}

const char *fb_tls_aead_name(enum fb_tls_aead aead)
{
    static const char *const names[FB_TLS_N_AEADS] = {
        [FB_TLS_AES_128_GCM] = "aes-128-gcm",
        [FB_TLS_AES_256_GCM] = "aes-256-gcm",
        [FB_TLS_CHACHA20_POLY1305] = "chacha20-poly1305",
    };
    return names[aead];
}
