#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/tls/backend.h"

#ifdef __x86_64__

#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>

#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <string.h>

/*
 * AES-GCM (NIST SP 800-38D) for processors that do two blocks with one instruction, but have no
 * AVX-512, which is what the multi-buffer library does that with. Eight blocks at a time: they are
 * enciphered, and those before are hashed meanwhile, which keeps both kinds of units busy.
 *
 * The hash treats blocks as polynomials whose bits stand in the wrong order. As in "Intel
 * Carry-Less Multiplication Instruction and its Usage for Computing the GCM Mode" (Gueron,
 * Kounavis) bytes are turned, and the one bit that is then still missing is in the powers of the
 * hash key. A product is made of three multiplications (Karatsuba), sums of products are reduced
 * once.
 */
#define VAES_FN     __attribute__((target("avx2,aes,pclmul,vaes,vpclmulqdq")))
#define VAES_INLINE static inline VAES_FN __attribute__((always_inline))

enum { BLOCK = 16, GROUP = 8, GROUP_BYTES = GROUP * BLOCK, MAX_ROUNDS = 14, KEY_ALIGNMENT = 32 };

struct vaes_key {
    __m128i powers[GROUP]; /* of the hash key, the highest first */
    __m128i sums[GROUP];   /* of their halves */
    __m128i rounds[MAX_ROUNDS + 1];
    unsigned n_rounds;
    enum fb_tls_aead aead;
};

/* ---- whether the processor can ------------------------------------------- */

static bool is_able;
static pthread_once_t able_once = PTHREAD_ONCE_INIT;

static void look(void)
{
    enum { LEAF_FEATURES = 7, ECX_VAES = 1 << 9, ECX_VPCLMULQDQ = 1 << 10 };
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    const unsigned needed = ECX_VAES | ECX_VPCLMULQDQ;

    __builtin_cpu_init();
    is_able = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("aes") &&
              __builtin_cpu_supports("pclmul") &&
              __get_cpuid_count(LEAF_FEATURES, 0, &eax, &ebx, &ecx, &edx) != 0 &&
              (ecx & needed) == needed;
}

static bool has(enum fb_tls_aead aead)
{
    FB_REQUIRE(pthread_once(&able_once, look) == 0);
    return is_able && aead != FB_TLS_CHACHA20_POLY1305;
}

/* ---- the hash's field ----------------------------------------------------- */

/* A product that is not reduced, or a sum of some. In each half of a register is one of its own. */
struct sum {
    __m256i low;
    __m256i middle;
    __m256i high;
};

VAES_INLINE __m128i turn(__m128i block)
{
    return _mm_shuffle_epi8(block, _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f));
}

VAES_INLINE __m256i turn_both(__m256i blocks)
{
    return _mm256_shuffle_epi8(blocks, _mm256_broadcastsi128_si256(
                                           _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f)));
}

VAES_INLINE struct sum sum_add(struct sum sum, __m256i blocks, __m256i powers, __m256i sums)
{
    __m256i halves = _mm256_xor_si256(blocks, _mm256_shuffle_epi32(blocks, 0x4e));

    sum.low = _mm256_xor_si256(sum.low, _mm256_clmulepi64_epi128(blocks, powers, 0x00));
    sum.middle = _mm256_xor_si256(sum.middle, _mm256_clmulepi64_epi128(halves, sums, 0x00));
    sum.high = _mm256_xor_si256(sum.high, _mm256_clmulepi64_epi128(blocks, powers, 0x11));
    return sum;
}

/* x^128 + x^7 + x^2 + x + 1, turned. */
VAES_INLINE __m128i polynomial(void)
{
    return _mm_set_epi64x((long long)0xc200000000000000, 1);
}

VAES_INLINE __m128i reduce(struct sum sum)
{
    __m128i low =
        _mm_xor_si128(_mm256_castsi256_si128(sum.low), _mm256_extracti128_si256(sum.low, 1));
    __m128i middle =
        _mm_xor_si128(_mm256_castsi256_si128(sum.middle), _mm256_extracti128_si256(sum.middle, 1));
    __m128i high =
        _mm_xor_si128(_mm256_castsi256_si128(sum.high), _mm256_extracti128_si256(sum.high, 1));
    __m128i folded = _mm_clmulepi64_si128(polynomial(), low, 0x01);

    middle = _mm_xor_si128(middle, _mm_xor_si128(low, high));
    low = _mm_shuffle_epi32(low, 0x4e);
    middle = _mm_xor_si128(middle, _mm_xor_si128(low, folded));
    folded = _mm_clmulepi64_si128(polynomial(), middle, 0x01);
    middle = _mm_shuffle_epi32(middle, 0x4e);
    return _mm_xor_si128(high, _mm_xor_si128(middle, folded));
}

VAES_INLINE __m128i halves_sum(__m128i power)
{
    return _mm_xor_si128(power, _mm_shuffle_epi32(power, 0x4e));
}

VAES_FN static __m128i multiply(__m128i a, __m128i b)
{
    struct sum none = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};

    return reduce(sum_add(none, _mm256_zextsi128_si256(a), _mm256_zextsi128_si256(b),
                          _mm256_zextsi128_si256(halves_sum(b))));
}

/* Hashes blocks that were turned, at most GROUP of them. */
VAES_INLINE __m128i hash_few(const struct vaes_key *key, __m128i hash, const __m128i *blocks,
                             size_t n)
{
    struct sum sum = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};

    for (size_t i = 0; i < n; i++) {
        __m128i block = i == 0 ? _mm_xor_si128(hash, blocks[0]) : blocks[i];
        sum = sum_add(sum, _mm256_zextsi128_si256(block),
                      _mm256_zextsi128_si256(key->powers[GROUP - n + i]),
                      _mm256_zextsi128_si256(key->sums[GROUP - n + i]));
    }
    return n == 0 ? hash : reduce(sum);
}

/* ---- keys ---------------------------------------------------------------- */

VAES_INLINE __m128i encipher(const struct vaes_key *key, __m128i block)
{
    block = _mm_xor_si128(block, key->rounds[0]);
    for (unsigned i = 1; i < key->n_rounds; i++) {
        block = _mm_aesenc_si128(block, key->rounds[i]);
    }
    return _mm_aesenclast_si128(block, key->rounds[key->n_rounds]);
}

/* FIPS 197 section 5.2: words are the key, then each the one `n_words` before it plus the one
 * before it, which for some of them goes through the S-box. */
VAES_FN static void expand(struct vaes_key *key, const uint8_t *bytes)
{
    unsigned n_words = fb_tls_key_size(key->aead) / 4;
    uint32_t words[4 * (MAX_ROUNDS + 1)];
    uint32_t constant = 1;

    memcpy(words, bytes, fb_tls_key_size(key->aead));
    for (unsigned i = n_words; i < 4 * (key->n_rounds + 1); i++) {
        uint32_t word = words[i - 1];
        if (i % 4 == 0) {
            /* Gives the S-box of a word, and the same turned by a byte. */
            __m128i boxed = _mm_aeskeygenassist_si128(_mm_set1_epi32((int)word), 0);
            bool is_turned = i % n_words == 0;
            word = (uint32_t)(is_turned ? _mm_extract_epi32(boxed, 1) ^ (int)constant
                                        : _mm_extract_epi32(boxed, 0));
            constant = is_turned ? constant << 1 ^ (constant >> 7) * 0x11b : constant;
        }
        words[i] = words[i - n_words] ^ word;
    }
    memcpy(key->rounds, words, sizeof(__m128i) * (key->n_rounds + 1));
    mbedtls_platform_zeroize(words, sizeof(words));
}

VAES_FN static void set_powers(struct vaes_key *key)
{
    __m128i first = turn(encipher(key, _mm_setzero_si128()));
    /* Times x: what is carried out comes back in as the polynomial, and from the lower half in the
     * upper. */
    __m128i carry = _mm_srai_epi32(_mm_shuffle_epi32(first, 0xd3), 31);

    carry = _mm_and_si128(carry, _mm_set_epi64x((long long)0xc200000000000001, 1));
    first = _mm_xor_si128(_mm_add_epi64(first, first), carry);
    key->powers[GROUP - 1] = first;
    for (int i = GROUP - 2; i >= 0; i--) {
        key->powers[i] = multiply(key->powers[i + 1], first);
    }
    for (int i = 0; i < GROUP; i++) {
        key->sums[i] = halves_sum(key->powers[i]);
    }
}

static void *key_new(enum fb_tls_aead aead, const uint8_t *bytes)
{
    struct vaes_key *key = fb_alloc_aligned(KEY_ALIGNMENT, sizeof(*key));

    memset(key, 0, sizeof(*key));
    key->aead = aead;
    key->n_rounds = aead == FB_TLS_AES_128_GCM ? 10 : 14;
    expand(key, bytes);
    set_powers(key);
    return key;
}

static void key_free(void *ptr)
{
    if (ptr != NULL) {
        mbedtls_platform_zeroize(ptr, sizeof(struct vaes_key));
        fb_free(ptr);
    }
}

/* ---- eight blocks at a time ------------------------------------------------ */

struct group {
    __m256i a; /* the first two blocks */
    __m256i b;
    __m256i c;
    __m256i d;
};

VAES_INLINE __m256i load(const uint8_t *bytes)
{
    return _mm256_loadu_si256((const __m256i_u *)(const void *)bytes);
}

VAES_INLINE __m256i load_round(const struct vaes_key *key, unsigned i)
{
    return _mm256_broadcastsi128_si256(key->rounds[i]);
}

VAES_INLINE __m256i load_pair(const __m128i *powers)
{
    return _mm256_load_si256((const __m256i *)(const void *)powers);
}

/* Counters of the next group, whose pairs are one number apart and counted in turned order. */
VAES_INLINE struct group count(__m256i *counters)
{
    const __m256i two = _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 2);
    __m256i b = _mm256_add_epi32(*counters, two);
    __m256i c = _mm256_add_epi32(b, two);
    __m256i d = _mm256_add_epi32(c, two);
    struct group group = {turn_both(*counters), turn_both(b), turn_both(c), turn_both(d)};

    *counters = _mm256_add_epi32(d, two);
    return group;
}

VAES_INLINE struct group one_round(const struct vaes_key *key, struct group group, unsigned i)
{
    __m256i round = load_round(key, i);

    return (struct group){
        _mm256_aesenc_epi128(group.a, round), _mm256_aesenc_epi128(group.b, round),
        _mm256_aesenc_epi128(group.c, round), _mm256_aesenc_epi128(group.d, round)};
}

VAES_INLINE struct group encipher_group(const struct vaes_key *key, struct group group,
                                        bool is_long)
{
    __m256i round = load_round(key, 0);

    group = (struct group){_mm256_xor_si256(group.a, round), _mm256_xor_si256(group.b, round),
                           _mm256_xor_si256(group.c, round), _mm256_xor_si256(group.d, round)};
    group = one_round(key, group, 1);
    group = one_round(key, group, 2);
    group = one_round(key, group, 3);
    group = one_round(key, group, 4);
    group = one_round(key, group, 5);
    group = one_round(key, group, 6);
    group = one_round(key, group, 7);
    group = one_round(key, group, 8);
    group = one_round(key, group, 9);
    if (is_long) {
        group = one_round(key, group, 10);
        group = one_round(key, group, 11);
        group = one_round(key, group, 12);
        group = one_round(key, group, 13);
    }
    round = load_round(key, is_long ? 14 : 10);
    return (struct group){
        _mm256_aesenclast_epi128(group.a, round), _mm256_aesenclast_epi128(group.b, round),
        _mm256_aesenclast_epi128(group.c, round), _mm256_aesenclast_epi128(group.d, round)};
}

VAES_INLINE void put_pair(uint8_t *out, __m256i stream, const uint8_t *in)
{
    _mm256_storeu_si256((__m256i_u *)(void *)out, _mm256_xor_si256(stream, load(in)));
}

VAES_INLINE void put_group(uint8_t *out, struct group stream, const uint8_t *in)
{
    put_pair(out, stream.a, in);
    put_pair(out + 32, stream.b, in + 32);
    put_pair(out + 64, stream.c, in + 64);
    put_pair(out + 96, stream.d, in + 96);
}

VAES_INLINE struct sum hash_pair(const struct vaes_key *key, struct sum sum, __m256i blocks, int i)
{
    return sum_add(sum, blocks, load_pair(key->powers + i), load_pair(key->sums + i));
}

VAES_INLINE __m128i hash_group(const struct vaes_key *key, __m128i hash, const uint8_t *bytes)
{
    __m256i none = _mm256_setzero_si256();
    __m256i first = _mm256_xor_si256(turn_both(load(bytes)), _mm256_zextsi128_si256(hash));
    struct sum sum = hash_pair(key, (struct sum){none, none, none}, first, 0);

    sum = hash_pair(key, sum, turn_both(load(bytes + 32)), 2);
    sum = hash_pair(key, sum, turn_both(load(bytes + 64)), 4);
    sum = hash_pair(key, sum, turn_both(load(bytes + 96)), 6);
    return reduce(sum);
}

/* How far a message is. */
struct place {
    __m128i counter; /* of the next block, turned */
    __m128i hash;
};

/* Enciphers or deciphers `n` groups and hashes what is sealed of them. */
VAES_INLINE void run_groups(const struct vaes_key *key, struct place *place,
                            const struct fb_tls_job *job, size_t n, bool is_sealing, bool is_long)
{
    __m256i counters = _mm256_add_epi32(_mm256_broadcastsi128_si256(place->counter),
                                        _mm256_set_epi32(0, 0, 0, 1, 0, 0, 0, 0));
    __m128i hash = place->hash;
    const uint8_t *in = job->in;
    uint8_t *out = job->out;

    for (size_t i = 0; i < n; i++) {
        struct group stream = encipher_group(key, count(&counters), is_long);
        if (!is_sealing) {
            hash = hash_group(key, hash, in);
        } else if (i > 0) {
            hash = hash_group(key, hash, out - GROUP_BYTES);
        }
        put_group(out, stream, in);
        in += GROUP_BYTES;
        out += GROUP_BYTES;
    }
    if (is_sealing && n > 0) {
        hash = hash_group(key, hash, out - GROUP_BYTES);
    }
    *place = (struct place){_mm256_castsi256_si128(counters), hash};
}

VAES_FN static void seal_groups(const struct vaes_key *key, struct place *place,
                                const struct fb_tls_job *job, size_t n)
{
    if (key->n_rounds == 10) {
        run_groups(key, place, job, n, true, false);
    } else {
        run_groups(key, place, job, n, true, true);
    }
}

VAES_FN static void open_groups(const struct vaes_key *key, struct place *place,
                                const struct fb_tls_job *job, size_t n)
{
    if (key->n_rounds == 10) {
        run_groups(key, place, job, n, false, false);
    } else {
        run_groups(key, place, job, n, false, true);
    }
}

/* ---- one message ---------------------------------------------------------- */

VAES_INLINE __m128i load_block(const uint8_t *bytes)
{
    return _mm_loadu_si128((const __m128i_u *)(const void *)bytes);
}

VAES_INLINE void store_block(uint8_t *bytes, __m128i block)
{
    _mm_storeu_si128((__m128i_u *)(void *)bytes, block);
}

/* `len` bytes, at most a block, and zeros after them. */
VAES_INLINE __m128i load_part(const uint8_t *bytes, size_t len)
{
    uint8_t block[BLOCK] = {0};

    memcpy(block, bytes, len);
    return load_block(block);
}

/* The last bytes, less than a block; returns what is sealed of them. */
VAES_FN static __m128i run_part(const struct vaes_key *key, __m128i counter, const uint8_t *in,
                                uint8_t *out, size_t len, bool is_sealing)
{
    __m128i content = load_part(in, len);
    uint8_t bytes[BLOCK];

    store_block(bytes, _mm_xor_si128(content, encipher(key, turn(counter))));
    memcpy(out, bytes, len);
    return is_sealing ? load_part(bytes, len) : content;
}

/* The bytes after the last whole group, and the block of sizes that ends what is hashed. */
VAES_FN static __m128i run_rest(const struct vaes_key *key, const struct place *place,
                                const struct fb_tls_job *job, bool is_sealing)
{
    const __m128i one = _mm_set_epi32(0, 0, 0, 1);
    __m128i blocks[GROUP + 1];
    __m128i counter = place->counter;
    size_t i = job->len - job->len % GROUP_BYTES;
    size_t n = 0;

    for (; job->len - i >= BLOCK; i += BLOCK) {
        __m128i in = load_block(job->in + i);
        __m128i out = _mm_xor_si128(in, encipher(key, turn(counter)));
        store_block(job->out + i, out);
        blocks[n++] = turn(is_sealing ? out : in);
        counter = _mm_add_epi32(counter, one);
    }
    if (i < job->len) {
        blocks[n++] =
            turn(run_part(key, counter, job->in + i, job->out + i, job->len - i, is_sealing));
    }
    blocks[n++] = _mm_set_epi64x((long long)job->extra_len * 8, (long long)job->len * 8);
    if (n > GROUP) {
        __m128i hash = hash_few(key, place->hash, blocks, 1);
        return hash_few(key, hash, blocks + 1, GROUP);
    }
    return hash_few(key, place->hash, blocks, n);
}

VAES_FN static void run(const struct vaes_key *key, const struct fb_tls_job *job, bool is_sealing,
                        uint8_t tag[FB_TLS_TAG_SIZE])
{
    size_t n_groups = job->len / GROUP_BYTES;
    uint8_t nonce[BLOCK] = {[BLOCK - 1] = 1};

    FB_REQUIRE(job->extra_len <= BLOCK);
    memcpy(nonce, job->nonce, FB_TLS_IV_SIZE);
    __m128i first = load_block(nonce);
    __m128i mask = encipher(key, first);
    __m128i extra = turn(load_part(job->extra, job->extra_len));
    struct place place = {
        .counter = _mm_add_epi32(turn(first), _mm_set_epi32(0, 0, 0, 1)),
        .hash = hash_few(key, _mm_setzero_si128(), &extra, job->extra_len > 0 ? 1 : 0)};
    if (is_sealing) {
        seal_groups(key, &place, job, n_groups);
    } else {
        open_groups(key, &place, job, n_groups);
    }
    __m128i hash = run_rest(key, &place, job, is_sealing);
    store_block(tag, _mm_xor_si128(turn(hash), mask));
}

static void seal(void *key, struct fb_tls_job *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        run(key, &jobs[i], true, jobs[i].tag);
    }
}

static bool open_all(void *key, struct fb_tls_job *jobs, size_t n)
{
    bool is_good = true;

    for (size_t i = 0; i < n; i++) {
        uint8_t tag[FB_TLS_TAG_SIZE];
        run(key, &jobs[i], false, tag);
        if (mbedtls_ct_memcmp(tag, jobs[i].tag, sizeof(tag)) != 0) {
            mbedtls_platform_zeroize(jobs[i].out, jobs[i].len); /* nobody may look at a forgery */
            is_good = false;
        }
    }
    return is_good;
}

extern const struct fb_tls_backend fb_tls_backend_vaes;
const struct fb_tls_backend fb_tls_backend_vaes = {
    .name = "vaes",
    .has = has,
    .key_new = key_new,
    .key_free = key_free,
    .seal = seal,
    .open = open_all,
};

#else /* there is none for this kind of processor */
typedef int fb_tls_backend_vaes_is_absent;
#endif
