#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/tls/backend.h"
#include "base/tls/record.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- vectors -------------------------------------------------------------- */

struct vector {
    enum fb_tls_aead aead;
    const char *key;
    const char *nonce;
    const char *extra;
    const char *plain;
    const char *sealed; /* with the tag after it */
};

/* "The Galois/Counter Mode of Operation", appendix B, test cases 1 to 4 and 13 to 16, as far as
 * records have such lengths; RFC 8439 section 2.8.2. */
static const struct vector vectors[] = {
    {FB_TLS_AES_128_GCM, "00000000000000000000000000000000", "000000000000000000000000", "", "",
     "58e2fccefa7e3061367f1d57a4e7455a"},
    {FB_TLS_AES_128_GCM, "00000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000",
     "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
    {FB_TLS_AES_128_GCM, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985"
     "4d5c2af327cd64a62cf35abd2ba6fab4"},
    {FB_TLS_AES_256_GCM, "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {FB_TLS_AES_256_GCM, "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000", "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {FB_TLS_AES_256_GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
     "b094dac5d93471bdec1a502270e3cc6c"},
    {FB_TLS_CHACHA20_POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
     "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
     "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
     "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
     "637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
     "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
     "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
     "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd060"
     "0691"},
};

static uint8_t digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static size_t unhex(const char *text, uint8_t *bytes)
{
    size_t n = 0;

    for (; text[0] != '\0'; text += 2) {
        bytes[n++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
    }
    return n;
}

static void check_vector(const struct vector *vector, const struct fb_tls_backend *backend)
{
    uint8_t key_bytes[FB_TLS_KEY_MAX] = {0};
    uint8_t plain[128];
    uint8_t sealed[160];
    uint8_t out[128];
    uint8_t tag[FB_TLS_TAG_SIZE];
    struct fb_tls_job job = {.in = plain, .out = out, .tag = tag};

    (void)unhex(vector->key, key_bytes);
    (void)unhex(vector->nonce, job.nonce);
    job.extra_len = unhex(vector->extra, job.extra);
    job.len = unhex(vector->plain, plain);
    assert_int_equal(unhex(vector->sealed, sealed), job.len + FB_TLS_TAG_SIZE);
    void *key = backend->key_new(vector->aead, key_bytes);
    backend->seal(key, &job, 1);
    assert_memory_equal(out, sealed, job.len);
    assert_memory_equal(tag, sealed + job.len, sizeof(tag));
    job.in = sealed;
    assert_true(backend->open(key, &job, 1));
    assert_memory_equal(out, plain, job.len);
    backend->key_free(key);
}

static void every_backend_gives_what_the_standards_give(void **state)
{
    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(vectors); i++) {
        const struct fb_tls_backend *backend = NULL;
        for (size_t k = 0; (backend = fb_tls_backend_at(k, vectors[i].aead)) != NULL; k++) {
            check_vector(&vectors[i], backend);
        }
    }
}

/* ---- all against the last, which every machine has ------------------------- */

enum { MAX_JOBS = 5, MAX_LEN = FB_TLS_RECORD_MAX, SLOT = MAX_LEN + FB_TLS_TAG_SIZE };

struct memory {
    uint8_t plain[MAX_JOBS * SLOT + 64];
    uint8_t first[MAX_JOBS * SLOT + 64];
    uint8_t other[MAX_JOBS * SLOT + 64];
};

/* Mostly short, since what is odd about lengths and places shows there. */
static size_t any_length(struct test_random *random)
{
    return test_random_below(random, 8) == 0 ? test_random_below(random, MAX_LEN + 1)
                                             : test_random_below(random, 600);
}

static size_t any_jobs(struct test_random *random, struct memory *memory,
                       struct fb_tls_job jobs[MAX_JOBS])
{
    size_t n = 1 + test_random_below(random, MAX_JOBS);

    for (size_t i = 0; i < n; i++) {
        jobs[i] = (struct fb_tls_job){
            .in = memory->plain + i * SLOT + test_random_below(random, 48),
            .len = any_length(random),
            .extra_len = test_random_below(random, sizeof(jobs[i].extra) + 1),
        };
        for (size_t k = 0; k < sizeof(jobs[i].nonce); k++) {
            jobs[i].nonce[k] = (uint8_t)test_random_next(random);
        }
        for (size_t k = 0; k < sizeof(jobs[i].extra); k++) {
            jobs[i].extra[k] = (uint8_t)test_random_next(random);
        }
    }
    return n;
}

static void place(struct fb_tls_job *jobs, size_t n, uint8_t *to)
{
    for (size_t i = 0; i < n; i++) {
        jobs[i].out = to;
        jobs[i].tag = to + jobs[i].len;
        to += jobs[i].len + FB_TLS_TAG_SIZE;
    }
}

static const struct fb_tls_backend *last_of(enum fb_tls_aead aead)
{
    const struct fb_tls_backend *last = NULL;
    const struct fb_tls_backend *next = NULL;

    for (size_t i = 0; (next = fb_tls_backend_at(i, aead)) != NULL; i++) {
        last = next;
    }
    assert_non_null(last);
    return last;
}

static void compare_once(struct test_random *random, struct memory *memory, enum fb_tls_aead aead,
                         const struct fb_tls_backend *backend)
{
    const struct fb_tls_backend *last = last_of(aead);
    struct fb_tls_job jobs[MAX_JOBS];
    uint8_t bytes[FB_TLS_KEY_MAX];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)test_random_next(random);
    }
    void *key = backend->key_new(aead, bytes);
    void *other = last->key_new(aead, bytes);
    size_t n = any_jobs(random, memory, jobs);
    size_t at = test_random_below(random, 48);
    memset(memory->first, 0x5a, sizeof(memory->first));
    memset(memory->other, 0x5a, sizeof(memory->other));
    place(jobs, n, memory->first + at);
    backend->seal(key, jobs, n);
    place(jobs, n, memory->other + at);
    last->seal(other, jobs, n);
    /* Equal where nothing was to be written as well. */
    assert_memory_equal(memory->first, memory->other, sizeof(memory->first));
    for (size_t i = 0; i < n; i++) {
        struct fb_tls_job job = jobs[i];
        job.in = jobs[i].out;
        job.out = memory->first;
        assert_true(backend->open(key, &job, 1));
        assert_memory_equal(memory->first, jobs[i].in, job.len);
    }
    backend->key_free(key);
    last->key_free(other);
}

static void backends_agree_on_whatever_they_are_given(void **state)
{
    enum { ROUNDS = 150 };
    struct test_random random = test_random_new();
    FB_AUTO(fb_freep) struct memory *memory = FB_NEW(struct memory);

    (void)state;
    for (size_t i = 0; i < sizeof(memory->plain); i++) {
        memory->plain[i] = (uint8_t)test_random_next(&random);
    }
    for (int aead = 0; aead < FB_TLS_N_AEADS; aead++) {
        const struct fb_tls_backend *backend = NULL;
        for (size_t i = 0; (backend = fb_tls_backend_at(i, (enum fb_tls_aead)aead)) != NULL; i++) {
            for (unsigned round = 0; round < ROUNDS; round++) {
                compare_once(&random, memory, (enum fb_tls_aead)aead, backend);
            }
        }
    }
}

/* A record whose pieces had to be copied together is sealed where it stands. */
static void sealing_and_opening_in_place_are_the_same(void **state)
{
    static const size_t lengths[] = {0, 1, 15, 16, 17, 64, 127, 128, 255, 4097, FB_TLS_RECORD_MAX};
    FB_AUTO(fb_freep) struct memory *memory = FB_NEW(struct memory);

    (void)state;
    for (size_t i = 0; i < sizeof(memory->plain); i++) {
        memory->plain[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    for (size_t i = 0; i < FB_TLS_N_AEADS * FB_ARRAY_LEN(lengths); i++) {
        enum fb_tls_aead aead = (enum fb_tls_aead)(i % FB_TLS_N_AEADS);
        const struct fb_tls_backend *backend = NULL;
        for (size_t k = 0; (backend = fb_tls_backend_at(k, aead)) != NULL; k++) {
            struct fb_tls_job job = {.in = memory->plain, .len = lengths[i / FB_TLS_N_AEADS]};
            void *key = backend->key_new(aead, memory->plain);
            place(&job, 1, memory->first);
            backend->seal(key, &job, 1);
            memcpy(memory->other, memory->plain, job.len);
            job.in = memory->other;
            place(&job, 1, memory->other);
            backend->seal(key, &job, 1);
            assert_memory_equal(memory->first, memory->other, job.len + FB_TLS_TAG_SIZE);
            assert_true(backend->open(key, &job, 1));
            assert_memory_equal(memory->other, memory->plain, job.len);
            backend->key_free(key);
        }
    }
}

/* ---- what does not open ---------------------------------------------------- */

static void damage_anywhere_is_found_and_nothing_is_given_out(void **state)
{
    uint8_t key_bytes[FB_TLS_KEY_MAX] = {1};
    uint8_t plain[300];
    uint8_t sealed[300];
    uint8_t tag[FB_TLS_TAG_SIZE];
    uint8_t out[300];
    static const uint8_t zeros[300];

    (void)state;
    memset(plain, 'p', sizeof(plain));
    for (size_t i = 0; i < FB_TLS_N_AEADS; i++) {
        const struct fb_tls_backend *backend = NULL;
        for (size_t k = 0; (backend = fb_tls_backend_at(k, (enum fb_tls_aead)i)) != NULL; k++) {
            void *key = backend->key_new((enum fb_tls_aead)i, key_bytes);
            struct fb_tls_job job = {
                .in = plain, .out = sealed, .len = sizeof(plain), .tag = tag, .extra_len = 13};
            backend->seal(key, &job, 1);
            job.in = sealed;
            job.out = out;
            uint8_t *const places[] = {sealed,    sealed + 150, sealed + 299,   tag,    tag + 15,
                                       job.nonce, job.extra,    job.extra + 12, &tag[7]};
            for (size_t m = 0; m < FB_ARRAY_LEN(places); m++) {
                *places[m] ^= 0x10;
                memset(out, 'x', sizeof(out));
                assert_false(backend->open(key, &job, 1));
                assert_memory_equal(out, zeros, sizeof(out));
                *places[m] ^= 0x10;
            }
            assert_true(backend->open(key, &job, 1));
            assert_memory_equal(out, plain, sizeof(plain));
            backend->key_free(key);
        }
    }
}

/* One that does not open fails all, wherever it stands. */
static void one_bad_record_among_good_ones_is_found(void **state)
{
    uint8_t key_bytes[FB_TLS_KEY_MAX] = {2};
    uint8_t plain[3][32] = {"one", "two", "three"};
    uint8_t sealed[3][32];
    uint8_t tags[3][FB_TLS_TAG_SIZE];
    uint8_t out[3][32];
    struct fb_tls_job jobs[3];

    (void)state;
    for (size_t i = 0; i < FB_TLS_N_AEADS; i++) {
        const struct fb_tls_backend *backend = NULL;
        for (size_t k = 0; (backend = fb_tls_backend_at(k, (enum fb_tls_aead)i)) != NULL; k++) {
            void *key = backend->key_new((enum fb_tls_aead)i, key_bytes);
            for (size_t m = 0; m < 3; m++) {
                jobs[m] = (struct fb_tls_job){.in = plain[m],
                                              .out = sealed[m],
                                              .len = 32,
                                              .nonce = {(uint8_t)m},
                                              .tag = tags[m]};
            }
            backend->seal(key, jobs, 3);
            for (size_t m = 0; m < 3; m++) {
                jobs[m].in = sealed[m];
                jobs[m].out = out[m];
            }
            assert_true(backend->open(key, jobs, 3));
            for (size_t m = 0; m < 3; m++) {
                tags[m][0] ^= 1;
                assert_false(backend->open(key, jobs, 3));
                tags[m][0] ^= 1;
            }
            backend->key_free(key);
        }
    }
}

static void every_cipher_has_a_backend_and_a_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < FB_TLS_N_AEADS; i++) {
        enum fb_tls_aead aead = (enum fb_tls_aead)i;
        assert_ptr_equal(fb_tls_backend_for(aead), fb_tls_backend_at(0, aead));
        assert_string_equal(last_of(aead)->name, "mbedtls");
        assert_non_null(fb_tls_aead_name(aead));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_backend_gives_what_the_standards_give),
        cmocka_unit_test(backends_agree_on_whatever_they_are_given),
        cmocka_unit_test(sealing_and_opening_in_place_are_the_same),
        cmocka_unit_test(damage_anywhere_is_found_and_nothing_is_given_out),
        cmocka_unit_test(one_bad_record_among_good_ones_is_found),
        cmocka_unit_test(every_cipher_has_a_backend_and_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
