/*
 * Hashes: SHA-256 and SHA-512 (Nettle, which uses the processor's instructions for the former
 * where mbedTLS 2.28 does not), HMAC-SHA-256 (mbedTLS 2.28 or 3.6), and comparison that takes
 * the same time wherever two secrets differ.
 *
 * Threads    Pure functions, any thread; a struct fb_sha256 or fb_sha512 one at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { FB_SHA1_SIZE = 20, FB_SHA256_SIZE = 32, FB_SHA512_SIZE = 64 };

/* A hash in progress: init → update … → finish (or done to give up). */
struct fb_sha256 {
    uint64_t state[20]; /* private */
};

void fb_sha256_init(struct fb_sha256 *hash);
void fb_sha256_update(struct fb_sha256 *hash, struct fb_str bytes);
void fb_sha256_finish(struct fb_sha256 *hash, uint8_t digest[FB_SHA256_SIZE]);
void fb_sha256_done(struct fb_sha256 *hash); /* leaves it zero */

/* For formats that ask for it and do not rely on it, such as the handshake of RFC 6455. */
void fb_sha1(struct fb_str bytes, uint8_t digest[FB_SHA1_SIZE]);

/* Of `bytes` at once. */
void fb_sha256(struct fb_str bytes, uint8_t digest[FB_SHA256_SIZE]);

/* The same for SHA-512. */
struct fb_sha512 {
    uint64_t state[32]; /* private */
};

void fb_sha512_init(struct fb_sha512 *hash);
void fb_sha512_update(struct fb_sha512 *hash, struct fb_str bytes);
void fb_sha512_finish(struct fb_sha512 *hash, uint8_t digest[FB_SHA512_SIZE]);
void fb_sha512_done(struct fb_sha512 *hash); /* leaves it zero */

void fb_hmac_sha256(struct fb_str key, struct fb_str message, uint8_t mac[FB_SHA256_SIZE]);

/* A view of a digest, for fb_text_hex() and fb_base64_encode(). */
struct fb_str fb_sha256_str(const uint8_t digest[FB_SHA256_SIZE]);

/* Equal length and bytes; the time depends on the lengths alone. */
bool fb_crypto_equal(struct fb_str a, struct fb_str b);
