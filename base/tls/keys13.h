/*
 * Traffic keys of TLS 1.3: what follows from a secret (RFC 8446 section 7).
 *
 * Threads    Any; pure functions.
 */
#pragma once

#include "base/core/str.h"
#include "base/tls/keys.h"

#include <stddef.h>
#include <stdint.h>

/* Of a cipher's hash, and so of its secrets: SHA-256, or SHA-384 of AES-256-GCM. */
static inline size_t fb_tls_secret_size(enum fb_tls_aead aead)
{
    return aead == FB_TLS_AES_256_GCM ? 48 : 32;
}

enum { FB_TLS_LABEL_MAX = 32, FB_TLS_CONTEXT_MAX = 255 };

/* HKDF-Expand-Label of section 7.1, with the cipher's hash; `label` without its "tls13 ", at most
 * FB_TLS_LABEL_MAX bytes, `context` FB_TLS_CONTEXT_MAX. `out` may be `secret`. */
void fb_tls_expand_label(enum fb_tls_aead aead, const uint8_t *secret, struct fb_str label,
                         struct fb_str context, uint8_t *out, size_t size);

/* The keys of a direction, for its record 0. */
void fb_tls_traffic_expand(enum fb_tls_aead aead, const uint8_t *secret,
                           struct fb_tls_traffic *ret_traffic);

/* Those after a KeyUpdate (section 7.2), for record 0 again. */
void fb_tls_traffic_update(enum fb_tls_aead aead, struct fb_tls_traffic *traffic);
