#include "base/tls/tls_backend.h"

#include "base/core/attr.h"

#include <string.h>

extern const struct fb_tls_backend fb_tls_backend_mbedtls;

/* The best first. */
static const struct fb_tls_backend *const backends[] = {&fb_tls_backend_mbedtls};

const struct fb_tls_backend *fb_tls_backend_for(enum fb_tls_aead aead)
{
    for (size_t i = 0; i + 1 < FB_ARRAY_LEN(backends); i++) {
        if (backends[i]->has(aead)) {
            return backends[i];
        }
    }
    return backends[FB_ARRAY_LEN(backends) - 1]; /* has all */
}

const struct fb_tls_backend *fb_tls_backend_named(const char *name)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(backends); i++) {
        if (strcmp(backends[i]->name, name) == 0) {
            return backends[i];
        }
    }
    return NULL;
}
