#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/tls/backend.h"

#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>

/* What every machine has. */
struct mbedtls_key {
    enum fb_tls_aead aead;
    union {
        mbedtls_gcm_context gcm;
        mbedtls_chachapoly_context chacha;
    } of;
};

static bool key_is_chacha(const struct mbedtls_key *key)
{
    return key->aead == FB_TLS_CHACHA20_POLY1305;
}

static bool has(enum fb_tls_aead aead)
{
    (void)aead;
    return true;
}

static void *key_new(enum fb_tls_aead aead, const uint8_t *bytes)
{
    struct mbedtls_key *key = FB_NEW(struct mbedtls_key);

    key->aead = aead;
    if (key_is_chacha(key)) {
        mbedtls_chachapoly_init(&key->of.chacha);
        FB_REQUIRE(mbedtls_chachapoly_setkey(&key->of.chacha, bytes) == 0);
    } else {
        mbedtls_gcm_init(&key->of.gcm);
        FB_REQUIRE(mbedtls_gcm_setkey(&key->of.gcm, MBEDTLS_CIPHER_ID_AES, bytes,
                                      8 * fb_tls_key_size(aead)) == 0);
    }
    return key;
}

static void key_free(void *ptr)
{
    struct mbedtls_key *key = ptr;

    if (key == NULL) {
        return;
    }
    if (key_is_chacha(key)) {
        mbedtls_chachapoly_free(&key->of.chacha);
    } else {
        mbedtls_gcm_free(&key->of.gcm);
    }
    fb_free(key);
}

static void seal(void *ptr, struct fb_tls_job *jobs, size_t n)
{
    struct mbedtls_key *key = ptr;

    for (struct fb_tls_job *job = jobs; job < jobs + n; job++) {
        int code =
            key_is_chacha(key)
                ? mbedtls_chachapoly_encrypt_and_tag(&key->of.chacha, job->len, job->nonce,
                                                     job->extra, job->extra_len, job->in, job->out,
                                                     job->tag)
                : mbedtls_gcm_crypt_and_tag(&key->of.gcm, MBEDTLS_GCM_ENCRYPT, job->len, job->nonce,
                                            sizeof(job->nonce), job->extra, job->extra_len, job->in,
                                            job->out, FB_TLS_TAG_SIZE, job->tag);
        FB_REQUIRE(code == 0); /* lengths are bounded, and there is nothing else to fail */
    }
}

static bool open_one(struct mbedtls_key *key, const struct fb_tls_job *job)
{
    if (key_is_chacha(key)) {
        return mbedtls_chachapoly_auth_decrypt(&key->of.chacha, job->len, job->nonce, job->extra,
                                               job->extra_len, job->tag, job->in, job->out) == 0;
    }
    return mbedtls_gcm_auth_decrypt(&key->of.gcm, job->len, job->nonce, sizeof(job->nonce),
                                    job->extra, job->extra_len, job->tag, FB_TLS_TAG_SIZE, job->in,
                                    job->out) == 0;
}

static bool open_all(void *ptr, struct fb_tls_job *jobs, size_t n)
{
    bool is_good = true;

    for (size_t i = 0; i < n; i++) {
        is_good = open_one(ptr, &jobs[i]) && is_good;
    }
    return is_good;
}

extern const struct fb_tls_backend fb_tls_backend_mbedtls;
const struct fb_tls_backend fb_tls_backend_mbedtls = {
    .name = "mbedtls",
    .has = has,
    .key_new = key_new,
    .key_free = key_free,
    .seal = seal,
    .open = open_all,
};
