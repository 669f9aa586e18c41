#include "base/tls/backend.h"

#include "base/core/attr.h"

extern const struct fb_tls_backend fb_tls_backend_gcrypt;
extern const struct fb_tls_backend fb_tls_backend_ipsecmb;
extern const struct fb_tls_backend fb_tls_backend_mbedtls;

enum { N_BACKENDS = 3 };

/* The best first; NULL is not built in. */
struct order {
    const struct fb_tls_backend *backends[N_BACKENDS];
};

#ifdef FB_HAS_IPSEC_MB
#define IPSECMB &fb_tls_backend_ipsecmb
#else
#define IPSECMB NULL
#endif

/* Where a processor does four blocks at a time, the multi-buffer library has that too. */
static const struct order *order_get(void)
{
    static const struct order by_two = {{&fb_tls_backend_gcrypt, IPSECMB, &fb_tls_backend_mbedtls}};
#ifdef __x86_64__
    static const struct order by_four = {
        {IPSECMB, &fb_tls_backend_gcrypt, &fb_tls_backend_mbedtls}};

    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512ifma")) {
        return &by_four;
    }
#endif
    return &by_two;
}

const struct fb_tls_backend *fb_tls_backend_at(size_t i, enum fb_tls_aead aead)
{
    const struct order *order = order_get();

    for (size_t k = 0; k < N_BACKENDS; k++) {
        const struct fb_tls_backend *backend = order->backends[k];
        if (backend != NULL && backend->has(aead) && i-- == 0) {
            return backend;
        }
    }
    return NULL;
}

const struct fb_tls_backend *fb_tls_backend_for(enum fb_tls_aead aead)
{
    return fb_tls_backend_at(0, aead); /* mbedTLS has all */
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
