/*
 * AES (FIPS 197), by Nettle, which takes the processor's instructions: counter mode and cipher
 * block chaining with 128-bit keys for media (ISO/IEC 23001-7), and GCM with 256-bit keys for
 * what is sealed.
 *
 * Ownership  The caller's storage: init → done, which leaves it zero.
 * Threads    Pure functions, any thread; a struct one at a time.
 * Failures   FB_E_DENIED for what was not sealed with this key, nonce and context.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FB_AES_BLOCK = 16,
    FB_AES128_KEY = 16,
    FB_SEAL_KEY = 32,
    FB_SEAL_NONCE = 12,
    FB_SEAL_TAG = 16, /* bytes that sealing adds */
};

struct fb_aes128 {
    uint64_t state[24]; /* private */
};

void fb_aes128_init(struct fb_aes128 *aes, const uint8_t key[FB_AES128_KEY]);
void fb_aes128_done(struct fb_aes128 *aes);

/* Counter mode in place, from and with the block `counter`, which is left at the next unused one:
 * the rest of the last block's key stream is lost. */
void fb_aes128_ctr(const struct fb_aes128 *aes, uint8_t counter[FB_AES_BLOCK], uint8_t *bytes,
                   size_t len);

/* Encrypts whole blocks in place, chained behind `iv`, which is left at the last of them. */
void fb_aes128_cbc(const struct fb_aes128 *aes, uint8_t iv[FB_AES_BLOCK], uint8_t *bytes,
                   size_t len);

/* Appends `plain` sealed, FB_SEAL_TAG bytes longer. A nonce is used once with a key. `context` is
 * what has to be the same when it is opened. */
void fb_seal(const uint8_t key[FB_SEAL_KEY], const uint8_t nonce[FB_SEAL_NONCE],
             struct fb_str context, struct fb_str plain, struct fb_buf *buf);

/* Appends what was sealed; FB_E_DENIED with `buf` as it was. */
FB_MUST_CHECK int fb_unseal(const uint8_t key[FB_SEAL_KEY], const uint8_t nonce[FB_SEAL_NONCE],
                            struct fb_str context, struct fb_str sealed, struct fb_buf *buf);
