/*
 * Backends: what seals and opens records.
 *
 *     gcrypt     Libgcrypt, for AES where the processor has instructions that do two blocks at a
 *                time; the best, but for AVX-512
 *     ipsec-mb   Intel's multi-buffer library, where it was built in and the processor has
 *                instructions for AES; the best with AVX-512
 *     mbedtls    everywhere
 *
 * Each is a constant table of functions; all give the same bytes. The best one that the machine
 * has is chosen for each kind of key.
 *
 * Ownership  key_new → key_free.
 * Threads    The tables: any. A key: one at a time.
 */
#pragma once

#include "base/core/str.h"
#include "base/tls/keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One record to seal, or to open in the other direction. */
struct fb_tls_job {
    const uint8_t *in; /* content, or sealed content; may be `out` itself */
    uint8_t *out;
    size_t len; /* of the content */
    uint8_t nonce[FB_TLS_IV_SIZE];
    uint8_t extra[16]; /* authenticated too */
    size_t extra_len;
    uint8_t *tag; /* FB_TLS_TAG_SIZE bytes: written, or compared with */
};

struct fb_tls_backend {
    const char *name; /* as /status shows it */
    bool (*has)(enum fb_tls_aead aead);
    void *(*key_new)(enum fb_tls_aead aead, const uint8_t *key);
    void (*key_free)(void *key); /* wipes it */
    void (*seal)(void *key, struct fb_tls_job *jobs, size_t n);
    /* False if any does not open; what is in `out` is then worth nothing. */
    bool (*open)(void *key, struct fb_tls_job *jobs, size_t n);
};

/* The best that this machine has for `aead`. Any thread. */
const struct fb_tls_backend *fb_tls_backend_for(enum fb_tls_aead aead);

/* The `i`-th of those that this machine has for `aead`, the best first; NULL after the last. */
const struct fb_tls_backend *fb_tls_backend_at(size_t i, enum fb_tls_aead aead);

/* As /status and the metrics spell it. */
const char *fb_tls_aead_name(enum fb_tls_aead aead);
