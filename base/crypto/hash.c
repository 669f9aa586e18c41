#include "base/crypto/hash.h"

#include "base/core/check.h"

#include <mbedtls/md.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <mbedtls/version.h>

#include <assert.h>
#include <string.h>

/* mbedTLS 3 gave the functions that return a result the plain names. */
#if MBEDTLS_VERSION_NUMBER < 0x03000000
#define SHA256_STARTS mbedtls_sha256_starts_ret
#define SHA256_UPDATE mbedtls_sha256_update_ret
#define SHA256_FINISH mbedtls_sha256_finish_ret
#define SHA512_STARTS mbedtls_sha512_starts_ret
#define SHA512_UPDATE mbedtls_sha512_update_ret
#define SHA512_FINISH mbedtls_sha512_finish_ret
#else
#define SHA256_STARTS mbedtls_sha256_starts
#define SHA256_UPDATE mbedtls_sha256_update
#define SHA256_FINISH mbedtls_sha256_finish
#define SHA512_STARTS mbedtls_sha512_starts
#define SHA512_UPDATE mbedtls_sha512_update
#define SHA512_FINISH mbedtls_sha512_finish
#endif

static_assert(sizeof(mbedtls_sha256_context) <= sizeof(struct fb_sha256),
              "the library's state fits into ours");
static_assert(sizeof(mbedtls_sha512_context) <= sizeof(struct fb_sha512),
              "the library's state fits into ours");

static mbedtls_sha256_context *hash_state(struct fb_sha256 *hash)
{
    return (mbedtls_sha256_context *)(void *)hash->state;
}

/* The software implementations cannot fail; a result other than 0 means that
 * the library was built without the hash. */
static void hash_require(int result)
{
    FB_REQUIRE(result == 0);
}

void fb_sha256_init(struct fb_sha256 *hash)
{
    mbedtls_sha256_init(hash_state(hash));
    hash_require(SHA256_STARTS(hash_state(hash), 0));
}

void fb_sha256_update(struct fb_sha256 *hash, struct fb_str bytes)
{
    if (bytes.len > 0) {
        hash_require(SHA256_UPDATE(hash_state(hash), (const unsigned char *)bytes.ptr, bytes.len));
    }
}

void fb_sha256_finish(struct fb_sha256 *hash, uint8_t digest[FB_SHA256_SIZE])
{
    hash_require(SHA256_FINISH(hash_state(hash), digest));
    fb_sha256_done(hash);
}

void fb_sha256_done(struct fb_sha256 *hash)
{
    mbedtls_sha256_free(hash_state(hash));
    *hash = (struct fb_sha256){0};
}

void fb_sha256(struct fb_str bytes, uint8_t digest[FB_SHA256_SIZE])
{
    struct fb_sha256 hash = {0};

    fb_sha256_init(&hash);
    fb_sha256_update(&hash, bytes);
    fb_sha256_finish(&hash, digest);
}

static mbedtls_sha512_context *hash512_state(struct fb_sha512 *hash)
{
    return (mbedtls_sha512_context *)(void *)hash->state;
}

void fb_sha512_init(struct fb_sha512 *hash)
{
    mbedtls_sha512_init(hash512_state(hash));
    hash_require(SHA512_STARTS(hash512_state(hash), 0));
}

void fb_sha512_update(struct fb_sha512 *hash, struct fb_str bytes)
{
    if (bytes.len > 0) {
        hash_require(
            SHA512_UPDATE(hash512_state(hash), (const unsigned char *)bytes.ptr, bytes.len));
    }
}

void fb_sha512_finish(struct fb_sha512 *hash, uint8_t digest[FB_SHA512_SIZE])
{
    hash_require(SHA512_FINISH(hash512_state(hash), digest));
    fb_sha512_done(hash);
}

void fb_sha512_done(struct fb_sha512 *hash)
{
    mbedtls_sha512_free(hash512_state(hash));
    *hash = (struct fb_sha512){0};
}

static const unsigned char *hash_bytes(struct fb_str str)
{
    return (const unsigned char *)(str.ptr != NULL ? str.ptr : "");
}

void fb_hmac_sha256(struct fb_str key, struct fb_str message, uint8_t mac[FB_SHA256_SIZE])
{
    hash_require(mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), hash_bytes(key),
                                 key.len, hash_bytes(message), message.len, mac));
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
