#include "base/crypto/aes.h"

#include "base/core/check.h"
#include "base/core/err.h"
#include "base/crypto/hash.h"

#include <assert.h>
#include <nettle/aes.h>
#include <nettle/cbc.h>
#include <nettle/ctr.h>
#include <nettle/gcm.h>
#include <string.h>

static_assert(sizeof(struct aes128_ctx) <= sizeof(struct fb_aes128),
              "the library's state fits into ours");
static_assert(FB_SEAL_KEY == AES256_KEY_SIZE && FB_SEAL_NONCE == GCM_IV_SIZE &&
                  FB_SEAL_TAG == GCM_DIGEST_SIZE && FB_AES_BLOCK == AES_BLOCK_SIZE,
              "sizes are the library's");

static const struct aes128_ctx *aes_state(const struct fb_aes128 *aes)
{
    return (const struct aes128_ctx *)(const void *)aes->state;
}

void fb_aes128_init(struct fb_aes128 *aes, const uint8_t key[FB_AES128_KEY])
{
    aes128_set_encrypt_key((struct aes128_ctx *)(void *)aes->state, key);
}

void fb_aes128_done(struct fb_aes128 *aes)
{
    explicit_bzero(aes, sizeof(*aes));
}

static void aes_block(const void *ctx, size_t len, uint8_t *to, const uint8_t *from)
{
    aes128_encrypt(ctx, len, to, from);
}

void fb_aes128_ctr(const struct fb_aes128 *aes, uint8_t counter[FB_AES_BLOCK], uint8_t *bytes,
                   size_t len)
{
    if (len > 0) {
        ctr_crypt(aes_state(aes), aes_block, FB_AES_BLOCK, counter, len, bytes, bytes);
    }
}

void fb_aes128_cbc(const struct fb_aes128 *aes, uint8_t iv[FB_AES_BLOCK], uint8_t *bytes,
                   size_t len)
{
    FB_REQUIRE(len % FB_AES_BLOCK == 0);
    if (len > 0) {
        cbc_encrypt(aes_state(aes), aes_block, FB_AES_BLOCK, iv, len, bytes, bytes);
    }
}

static void gcm_begin(struct gcm_aes256_ctx *gcm, const uint8_t key[FB_SEAL_KEY],
                      const uint8_t nonce[FB_SEAL_NONCE], struct fb_str context)
{
    gcm_aes256_set_key(gcm, key);
    gcm_aes256_set_iv(gcm, FB_SEAL_NONCE, nonce);
    if (context.len > 0) {
        gcm_aes256_update(gcm, context.len, (const uint8_t *)context.ptr);
    }
}

void fb_seal(const uint8_t key[FB_SEAL_KEY], const uint8_t nonce[FB_SEAL_NONCE],
             struct fb_str context, struct fb_str plain, struct fb_buf *buf)
{
    uint8_t *to = (uint8_t *)fb_buf_reserve(buf, plain.len + FB_SEAL_TAG);
    struct gcm_aes256_ctx gcm;

    gcm_begin(&gcm, key, nonce, context);
    if (plain.len > 0) {
        gcm_aes256_encrypt(&gcm, plain.len, to, (const uint8_t *)plain.ptr);
    }
    gcm_aes256_digest(&gcm, FB_SEAL_TAG, to + plain.len);
    fb_buf_add(buf, plain.len + FB_SEAL_TAG);
    explicit_bzero(&gcm, sizeof(gcm));
}

int fb_unseal(const uint8_t key[FB_SEAL_KEY], const uint8_t nonce[FB_SEAL_NONCE],
              struct fb_str context, struct fb_str sealed, struct fb_buf *buf)
{
    struct gcm_aes256_ctx gcm;
    uint8_t tag[FB_SEAL_TAG];

    if (sealed.len < FB_SEAL_TAG) {
        return FB_E_DENIED;
    }
    size_t len = sealed.len - FB_SEAL_TAG;
    uint8_t *to = (uint8_t *)fb_buf_reserve(buf, len);
    gcm_begin(&gcm, key, nonce, context);
    if (len > 0) {
        gcm_aes256_decrypt(&gcm, len, to, (const uint8_t *)sealed.ptr);
    }
    gcm_aes256_digest(&gcm, FB_SEAL_TAG, tag);
    explicit_bzero(&gcm, sizeof(gcm));
    if (!fb_crypto_equal((struct fb_str){(const char *)tag, FB_SEAL_TAG},
                         fb_str_skip(sealed, len))) {
        explicit_bzero(to, len);
        return FB_E_DENIED;
    }
    fb_buf_add(buf, len);
    return FB_OK;
}
