#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/tls/backend.h"

#include <mbedtls/platform_util.h>

#include <gcrypt.h>
#include <pthread.h>
#include <string.h>

/*
 * Libgcrypt: AES-GCM for processors that do two blocks of AES with one instruction (VAES), but have
 * no AVX-512, which is what the multi-buffer library does that with. Without VAES it has no lead.
 */
static bool is_able;
static pthread_once_t able_once = PTHREAD_ONCE_INIT;

static void look(void)
{
    /* A library in the same program may have been here before. */
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P) == 0) {
        if (gcry_check_version(GCRYPT_VERSION) == NULL) {
            return;
        }
        /* Keys of sessions live in memory that is written over, as in all backends. */
        (void)gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
        (void)gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    }
    char *features = gcry_get_config(0, "hwflist");
    is_able = features != NULL && strstr(features, ":intel-vaes-vpclmul:") != NULL;
    gcry_free(features);
}

static bool has(enum fb_tls_aead aead)
{
    FB_REQUIRE(pthread_once(&able_once, look) == 0);
    return is_able && aead != FB_TLS_CHACHA20_POLY1305;
}

static void *key_new(enum fb_tls_aead aead, const uint8_t *bytes)
{
    gcry_cipher_hd_t key = NULL;
    int cipher = aead == FB_TLS_AES_128_GCM ? GCRY_CIPHER_AES128 : GCRY_CIPHER_AES256;

    /* Nothing but memory can be wanting, and without that no program of ours goes on. */
    FB_REQUIRE(gcry_cipher_open(&key, cipher, GCRY_CIPHER_MODE_GCM, 0) == 0);
    FB_REQUIRE(gcry_cipher_setkey(key, bytes, fb_tls_key_size(aead)) == 0);
    return key;
}

static void key_free(void *key)
{
    gcry_cipher_close(key);
}

static void begin(gcry_cipher_hd_t key, const struct fb_tls_job *job)
{
    FB_REQUIRE(gcry_cipher_setiv(key, job->nonce, FB_TLS_IV_SIZE) == 0);
    FB_REQUIRE(gcry_cipher_authenticate(key, job->extra, job->extra_len) == 0);
}

static void seal(void *key, struct fb_tls_job *jobs, size_t n)
{
    for (const struct fb_tls_job *job = jobs; job < jobs + n; job++) {
        begin(key, job);
        /* Its lengths are bounded, and there is nothing else to fail. */
        FB_REQUIRE(gcry_cipher_encrypt(key, job->out, job->len, job->in, job->len) == 0);
        FB_REQUIRE(gcry_cipher_gettag(key, job->tag, FB_TLS_TAG_SIZE) == 0);
    }
}

static bool open_all(void *key, struct fb_tls_job *jobs, size_t n)
{
    bool is_good = true;

    for (const struct fb_tls_job *job = jobs; job < jobs + n; job++) {
        begin(key, job);
        FB_REQUIRE(gcry_cipher_decrypt(key, job->out, job->len, job->in, job->len) == 0);
        if (gcry_cipher_checktag(key, job->tag, FB_TLS_TAG_SIZE) != 0) {
            mbedtls_platform_zeroize(job->out, job->len); /* nobody may look at a forgery */
            is_good = false;
        }
    }
    return is_good;
}

extern const struct fb_tls_backend fb_tls_backend_gcrypt;
const struct fb_tls_backend fb_tls_backend_gcrypt = {
    .name = "gcrypt",
    .has = has,
    .key_new = key_new,
    .key_free = key_free,
    .seal = seal,
    .open = open_all,
};
