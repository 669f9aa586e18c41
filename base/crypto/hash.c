#include "base/crypto/hash.h"

#include "base/core/check.h"

#include <mbedtls/md.h>

#include <assert.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <string.h>

static_assert(sizeof(struct sha256_ctx) <= sizeof(struct fb_sha256),
              "the library's state fits into ours");
static_assert(sizeof(struct sha512_ctx) <= sizeof(struct fb_sha512),
              "the library's state fits into ours");

static struct sha256_ctx *hash_state(struct fb_sha256 *hash)
{
    return (struct sha256_ctx *)(void *)hash->state;
}

static struct sha512_ctx *hash512_state(struct fb_sha512 *hash)
{
    return (struct sha512_ctx *)(void *)hash->state;
}

void fb_sha1(struct fb_str bytes, uint8_t digest[FB_SHA1_SIZE])
{
    struct sha1_ctx state;

    sha1_init(&state);
    if (bytes.len > 0) {
        sha1_update(&state, bytes.len, (const uint8_t *)bytes.ptr);
    }
    sha1_digest(&state, FB_SHA1_SIZE, digest);
}

void fb_sha256_init(struct fb_sha256 *hash)
{
    sha256_init(hash_state(hash));
}

void fb_sha256_update(struct fb_sha256 *hash, struct fb_str bytes)
{
    if (bytes.len > 0) {
        sha256_update(hash_state(hash), bytes.len, (const uint8_t *)bytes.ptr);
    }
}

void fb_sha256_finish(struct fb_sha256 *hash, uint8_t digest[FB_SHA256_SIZE])
{
    sha256_digest(hash_state(hash), FB_SHA256_SIZE, digest);
    fb_sha256_done(hash);
}

void fb_sha256_done(struct fb_sha256 *hash)
{
    explicit_bzero(hash, sizeof(*hash));
}

void fb_sha256(struct fb_str bytes, uint8_t digest[FB_SHA256_SIZE])
{
    struct fb_sha256 hash = {0};

    fb_sha256_init(&hash);
    fb_sha256_update(&hash, bytes);
    fb_sha256_finish(&hash, digest);
}

void fb_sha512_init(struct fb_sha512 *hash)
{
    sha512_init(hash512_state(hash));
}

void fb_sha512_update(struct fb_sha512 *hash, struct fb_str bytes)
{
    if (bytes.len > 0) {
        sha512_update(hash512_state(hash), bytes.len, (const uint8_t *)bytes.ptr);
    }
}

void fb_sha512_finish(struct fb_sha512 *hash, uint8_t digest[FB_SHA512_SIZE])
{
    sha512_digest(hash512_state(hash), FB_SHA512_SIZE, digest);
    fb_sha512_done(hash);
}

void fb_sha512_done(struct fb_sha512 *hash)
{
    explicit_bzero(hash, sizeof(*hash));
}

static const unsigned char *hash_bytes(struct fb_str str)
{
    return (const unsigned char *)(str.ptr != NULL ? str.ptr : "");
}

void fb_hmac_sha256(struct fb_str key, struct fb_str message, uint8_t mac[FB_SHA256_SIZE])
{
    int err = mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), hash_bytes(key),
                              key.len, hash_bytes(message), message.len, mac);
    FB_REQUIRE(err == 0); /* it would mean that the library was built without the hash */
}

struct fb_str fb_sha256_str(const uint8_t digest[FB_SHA256_SIZE])
{
    return (struct fb_str){(const char *)digest, FB_SHA256_SIZE};
}

bool fb_crypto_equal(struct fb_str a, struct fb_str b)
{
    if (a.len != b.len) {
        return false;
    }
    volatile unsigned char difference = 0;
    for (size_t i = 0; i < a.len; i++) {
        difference = (unsigned char)(difference | (a.ptr[i] ^ b.ptr[i]));
    }
    return difference == 0;
}
