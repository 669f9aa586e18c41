#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/tls/backend.h"

#ifdef FB_HAS_IPSEC_MB

#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>

#include <intel-ipsec-mb.h>
#include <pthread.h>
#include <string.h>

/*
 * Intel's multi-buffer library: AES and GHASH interleaved, as wide as the processor is. Its calls
 * for one message at a time are used, which keep nothing in the manager: after it was made it is
 * read only, and shared by all threads.
 */
static IMB_MGR *manager; /* NULL: not to be used on this machine */
static pthread_once_t manager_once = PTHREAD_ONCE_INIT;

static bool is_sound(IMB_MGR *mgr)
{
    const uint64_t needed = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
    bool has_failed = (mgr->features & IMB_FEATURE_SELF_TEST) != 0 &&
                      (mgr->features & IMB_FEATURE_SELF_TEST_PASS) == 0;

    /* Without these instructions it emulates them, and is no faster than others. */
    return imb_get_errno(mgr) == 0 && !has_failed && (mgr->features & needed) == needed;
}

static void manager_make(void)
{
    IMB_MGR *mgr = alloc_mb_mgr(0);

    if (mgr == NULL) {
        return;
    }
    init_mb_mgr_auto(mgr, NULL);
    if (is_sound(mgr)) {
        manager = mgr;
    } else {
        free_mb_mgr(mgr);
    }
}

static bool has(enum fb_tls_aead aead)
{
    (void)aead;
    FB_REQUIRE(pthread_once(&manager_once, manager_make) == 0);
    return manager != NULL;
}

/* ---- keys ---------------------------------------------------------------- */

struct ipsecmb_key {
    struct gcm_key_data gcm; /* first: it is aligned */
    enum fb_tls_aead aead;
    uint8_t chacha[32];
};

enum { KEY_ALIGNMENT = 64 };

static void *key_new(enum fb_tls_aead aead, const uint8_t *bytes)
{
    struct ipsecmb_key *key = fb_alloc_aligned(KEY_ALIGNMENT, sizeof(*key));

    memset(key, 0, sizeof(*key));
    key->aead = aead;
    switch (aead) {
    case FB_TLS_AES_128_GCM:
        IMB_AES128_GCM_PRE(manager, bytes, &key->gcm);
        break;
    case FB_TLS_AES_256_GCM:
        IMB_AES256_GCM_PRE(manager, bytes, &key->gcm);
        break;
    case FB_TLS_CHACHA20_POLY1305:
        memcpy(key->chacha, bytes, sizeof(key->chacha));
        break;
    }
    return key;
}

static void key_free(void *ptr)
{
    if (ptr != NULL) {
        mbedtls_platform_zeroize(ptr, sizeof(struct ipsecmb_key));
        fb_free(ptr);
    }
}

/* ---- sealing and opening ------------------------------------------------- */

struct work {
    struct gcm_context_data gcm;
    struct chacha20_poly1305_context_data chacha;
};

static void seal_one(const struct ipsecmb_key *key, struct work *work, const struct fb_tls_job *job)
{
    switch (key->aead) {
    case FB_TLS_AES_128_GCM:
        IMB_AES128_GCM_ENC(manager, &key->gcm, &work->gcm, job->out, job->in, job->len, job->nonce,
                           job->extra, job->extra_len, job->tag, FB_TLS_TAG_SIZE);
        break;
    case FB_TLS_AES_256_GCM:
        IMB_AES256_GCM_ENC(manager, &key->gcm, &work->gcm, job->out, job->in, job->len, job->nonce,
                           job->extra, job->extra_len, job->tag, FB_TLS_TAG_SIZE);
        break;
    case FB_TLS_CHACHA20_POLY1305:
        IMB_CHACHA20_POLY1305_INIT(manager, key->chacha, &work->chacha, job->nonce, job->extra,
                                   job->extra_len);
        IMB_CHACHA20_POLY1305_ENC_UPDATE(manager, key->chacha, &work->chacha, job->out, job->in,
                                         job->len);
        IMB_CHACHA20_POLY1305_ENC_FINALIZE(manager, &work->chacha, job->tag, FB_TLS_TAG_SIZE);
        break;
    }
}

static bool open_one(const struct ipsecmb_key *key, struct work *work, const struct fb_tls_job *job)
{
    uint8_t tag[FB_TLS_TAG_SIZE] = {0};

    switch (key->aead) {
    case FB_TLS_AES_128_GCM:
        IMB_AES128_GCM_DEC(manager, &key->gcm, &work->gcm, job->out, job->in, job->len, job->nonce,
                           job->extra, job->extra_len, tag, FB_TLS_TAG_SIZE);
        break;
    case FB_TLS_AES_256_GCM:
        IMB_AES256_GCM_DEC(manager, &key->gcm, &work->gcm, job->out, job->in, job->len, job->nonce,
                           job->extra, job->extra_len, tag, FB_TLS_TAG_SIZE);
        break;
    case FB_TLS_CHACHA20_POLY1305:
        IMB_CHACHA20_POLY1305_INIT(manager, key->chacha, &work->chacha, job->nonce, job->extra,
                                   job->extra_len);
        IMB_CHACHA20_POLY1305_DEC_UPDATE(manager, key->chacha, &work->chacha, job->out, job->in,
                                         job->len);
        IMB_CHACHA20_POLY1305_DEC_FINALIZE(manager, &work->chacha, tag, FB_TLS_TAG_SIZE);
        break;
    }
    if (mbedtls_ct_memcmp(tag, job->tag, sizeof(tag)) == 0) {
        return true;
    }
    mbedtls_platform_zeroize(job->out, job->len); /* nobody may look at what is forged */
    return false;
}

static void seal(void *key, struct fb_tls_job *jobs, size_t n)
{
    struct work work;

    for (size_t i = 0; i < n; i++) {
        seal_one(key, &work, &jobs[i]);
    }
    mbedtls_platform_zeroize(&work, sizeof(work));
}

static bool open_all(void *key, struct fb_tls_job *jobs, size_t n)
{
    struct work work;
    bool is_good = true;

    for (size_t i = 0; i < n; i++) {
        is_good = open_one(key, &work, &jobs[i]) && is_good;
    }
    mbedtls_platform_zeroize(&work, sizeof(work));
    return is_good;
}

extern const struct fb_tls_backend fb_tls_backend_ipsecmb;
const struct fb_tls_backend fb_tls_backend_ipsecmb = {
    .name = "ipsec-mb",
    .has = has,
    .key_new = key_new,
    .key_free = key_free,
    .seal = seal,
    .open = open_all,
};

#else /* there is none for this kind of processor */
typedef int fb_tls_backend_ipsecmb_is_absent;
#endif
