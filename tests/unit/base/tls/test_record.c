#include "base/tls/backend.h"
#include "both_sides.h"

/* ---- one connection's two ends, with keys that were never agreed on ------- */

struct pair {
    struct fb_tls_direction seal;
    struct fb_tls_direction open;
};

static struct pair pair_of(enum fb_tls_aead aead, uint16_t max_content,
                           const struct fb_tls_backend *backend)
{
    struct fb_tls_keys keys = {.version = FB_TLS_1_2, .aead = aead, .max_content = max_content};
    struct pair pair;

    for (unsigned i = 0; i < sizeof(keys.out.key); i++) {
        keys.out.key[i] = (uint8_t)i;
    }
    for (unsigned i = 0; i < sizeof(keys.out.iv); i++) {
        keys.out.iv[i] = (uint8_t)(0xa0 + i);
    }
    keys.out.sequence = 1;
    fb_tls_direction_init(&pair.seal, &keys, &keys.out, backend);
    fb_tls_direction_init(&pair.open, &keys, &keys.out, backend);
    return pair;
}

static struct pair pair_new(enum fb_tls_aead aead, uint16_t max_content)
{
    return pair_of(aead, max_content, NULL);
}

static void pair_done(struct pair *pair)
{
    fb_tls_direction_done(&pair->seal);
    fb_tls_direction_done(&pair->open);
}

/* All that there is to be tried: each cipher with each backend that has it. */
struct way {
    enum fb_tls_aead aead;
    const struct fb_tls_backend *backend;
};

enum { MAX_WAYS = FB_TLS_N_AEADS * 4 };

static size_t all_ways(struct way ways[MAX_WAYS])
{
    size_t n = 0;

    for (int aead = 0; aead < FB_TLS_N_AEADS; aead++) {
        const struct fb_tls_backend *backend = NULL;
        for (size_t i = 0; (backend = fb_tls_backend_at(i, (enum fb_tls_aead)aead)) != NULL; i++) {
            assert_true(n < MAX_WAYS);
            ways[n++] = (struct way){(enum fb_tls_aead)aead, backend};
        }
    }
    return n;
}

/* Opens all records of `sealed` to `out`; the length, or a negative code. */
static long open_all(struct fb_tls_direction *direction, struct fb_str sealed, uint8_t *out)
{
    size_t n = 0;

    while (sealed.len > 0) {
        size_t size = 0;
        size_t len = 0;
        enum fb_tls_content type = FB_TLS_ALERT;
        int err = fb_tls_measure(direction, sealed, &size);
        if (err == FB_OK && size > sealed.len) {
            err = FB_E_LATER;
        }
        if (err == FB_OK) {
            err = fb_tls_open(direction, fb_str_first(sealed, size), out + n, &len, &type);
        }
        if (err < 0) {
            return err;
        }
        assert_int_equal(type, FB_TLS_DATA);
        n += len;
        sealed = fb_str_skip(sealed, size);
    }
    return (long)n;
}

static void pieces_come_out_as_they_went_in(void **state)
{
    static const uint16_t sizes[] = {FB_TLS_RECORD_MAX, 512};
    FB_AUTO(fb_freep) uint8_t *plain = fb_alloc(FB_TLS_BATCH_BYTES);
    FB_AUTO(fb_freep) uint8_t *out = fb_alloc(FB_TLS_BATCH_BYTES + FB_TLS_RECORD_MAX);
    struct way ways[MAX_WAYS];
    size_t n_ways = all_ways(ways);

    (void)state;
    for (size_t i = 0; i < FB_TLS_BATCH_BYTES; i++) {
        plain[i] = (uint8_t)(i * 31 + (i >> 8));
    }
    const char *bytes = (const char *)plain;
    const struct fb_str pieces[] = {{bytes, 300},
                                    {bytes + 300, 0},
                                    {bytes + 300, 20000},
                                    {bytes + 20300, 1},
                                    {bytes + 20301, FB_TLS_BATCH_BYTES - 20301}};
    for (size_t way = 0; way < n_ways; way++) {
        for (size_t i = 0; i < FB_ARRAY_LEN(sizes); i++) {
            struct pair pair = pair_of(ways[way].aead, sizes[i], ways[way].backend);
            size_t from = 299;
            size_t to = FB_TLS_BATCH_BYTES;
            size_t size = fb_tls_sealed_size(&pair.seal, to - from);
            FB_AUTO(fb_freep) uint8_t *sealed = fb_alloc(size);
            assert_int_equal(
                fb_tls_seal(&pair.seal, pieces, FB_ARRAY_LEN(pieces), from, to, sealed), FB_OK);
            assert_int_equal(open_all(&pair.open, (struct fb_str){(const char *)sealed, size}, out),
                             to - from);
            assert_memory_equal(out, plain + from, to - from);
            assert_int_equal(pair.seal.sequence, pair.open.sequence);
            pair_done(&pair);
        }
    }
}

/* Nonce, header and what is authenticated, as other implementations have them: made with Python's
 * cryptography from the keys of pair_new(). */
static void record_is_that_of_the_standard(void **state)
{
    static const struct {
        size_t n_header;
        const char *header;
        const char *content;
    } records[FB_TLS_N_AEADS] = {
        [FB_TLS_AES_128_GCM] = {13, "\x17\x03\x03\x00\x1f\x00\x00\x00\x00\x00\x00\x00\x01",
                                "\x20\x1e\x6e\x97\x0e\xe5\x0e\xad\xe0\xa8\x94\x64\x36\x95\x70\x0d"
                                "\xab\x12\xfa\x44\x55\xfe\xdd"},
        [FB_TLS_AES_256_GCM] = {13, "\x17\x03\x03\x00\x1f\x00\x00\x00\x00\x00\x00\x00\x01",
                                "\xd6\xc0\xca\xeb\x0e\x15\xbf\x8c\xce\xc5\x2d\xcd\x0c\x20\x39\x05"
                                "\x54\x26\x3b\x13\x71\xab\x1d"},
        [FB_TLS_CHACHA20_POLY1305] = {5, "\x17\x03\x03\x00\x17",
                                      "\x14\x1a\xbe\x96\x8d\x1c\x3a\x88\x02\xbb\x8e\x49\x76\x74"
                                      "\xfb\x32\x21\x8b\xd2\xe1\xe5\xba\x41"},
    };
    const struct fb_str piece = FB_STR("forebay");
    struct way ways[MAX_WAYS];
    size_t n_ways = all_ways(ways);

    (void)state;
    for (size_t i = 0; i < n_ways; i++) {
        struct pair pair = pair_of(ways[i].aead, FB_TLS_RECORD_MAX, ways[i].backend);
        size_t n_header = records[ways[i].aead].n_header;
        uint8_t sealed[FB_TLS_OVERHEAD_MAX + 7];
        assert_int_equal(fb_tls_sealed_size(&pair.seal, piece.len), n_header + 23);
        assert_int_equal(fb_tls_seal(&pair.seal, &piece, 1, 0, piece.len, sealed), FB_OK);
        assert_memory_equal(sealed, records[ways[i].aead].header, n_header);
        assert_memory_equal(sealed + n_header, records[ways[i].aead].content, 23);
        pair_done(&pair);
    }
}

static void alert_is_a_record_of_its_own(void **state)
{
    struct pair pair = pair_new(FB_TLS_AES_256_GCM, FB_TLS_RECORD_MAX);
    uint8_t sealed[FB_TLS_SEALED_ALERT_MAX];
    static uint8_t out[FB_TLS_RECORD_MAX];
    enum fb_tls_content type = FB_TLS_DATA;
    size_t len = 0;

    (void)state;
    size_t size = fb_tls_seal_alert(&pair.seal, FB_TLS_CLOSE_NOTIFY, sealed);
    assert_int_equal(
        fb_tls_open(&pair.open, (struct fb_str){(const char *)sealed, size}, out, &len, &type),
        FB_OK);
    assert_int_equal(type, FB_TLS_ALERT);
    assert_int_equal(len, 2);
    assert_memory_equal(out, "\x01\x00", 2);
    size = fb_tls_seal_alert(&pair.seal, FB_TLS_BAD_RECORD_MAC, sealed);
    assert_int_equal(
        fb_tls_open(&pair.open, (struct fb_str){(const char *)sealed, size}, out, &len, &type),
        FB_OK);
    assert_memory_equal(out, "\x02\x14", 2);
    pair_done(&pair);
}

/* ---- hostile bytes -------------------------------------------------------- */

static void repeated_or_damaged_record_does_not_open(void **state)
{
    const struct fb_str piece = FB_STR("once");
    static uint8_t out[FB_TLS_RECORD_MAX];
    struct way ways[MAX_WAYS];
    size_t n_ways = all_ways(ways);

    (void)state;
    for (size_t way = 0; way < n_ways; way++) {
        struct pair pair = pair_of(ways[way].aead, FB_TLS_RECORD_MAX, ways[way].backend);
        uint8_t sealed[FB_TLS_OVERHEAD_MAX + 4];
        struct fb_str record = {(const char *)sealed, fb_tls_sealed_size(&pair.seal, piece.len)};
        assert_int_equal(fb_tls_seal(&pair.seal, &piece, 1, 0, piece.len, sealed), FB_OK);
        for (size_t i = 0; i < record.len; i++) {
            if (i >= 1 && i < FB_TLS_HEADER_SIZE) {
                continue; /* what fb_tls_measure() looks at */
            }
            sealed[i] ^= 1;
            assert_int_equal(open_all(&pair.open, record, out), FB_E_CORRUPT);
            sealed[i] ^= 1;
        }
        assert_int_equal(open_all(&pair.open, record, out), 4);
        assert_int_equal(open_all(&pair.open, record, out), FB_E_CORRUPT);
        pair_done(&pair);
    }
}

static void header_that_none_has_is_refused(void **state)
{
    static const struct {
        struct fb_str bytes;
        int err;
    } cases[] = {
        {{"\x17\x03\x03\x00", 4}, FB_E_LATER},
        {{"\x17\x03\x03\x00\x18", 5}, FB_OK},
        {{"\x17\x03\x03\x40\x18", 5}, FB_OK},
        {{"\x17\x03\x03\x40\x19", 5}, FB_E_LIMIT},
        {{"\x17\x03\x03\xff\xff", 5}, FB_E_LIMIT},
        {{"\x17\x03\x03\x00\x17", 5}, FB_E_MALFORMED}, /* no room for a tag */
        {{"\x17\x03\x01\x00\x20", 5}, FB_E_MALFORMED},
        {{"\x13\x03\x03\x00\x20", 5}, FB_E_MALFORMED},
        {{"\x18\x03\x03\x00\x20", 5}, FB_E_MALFORMED}, /* a heartbeat */
        {{"GET /", 5}, FB_E_MALFORMED},
    };
    struct pair pair = pair_new(FB_TLS_AES_128_GCM, FB_TLS_RECORD_MAX);

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        size_t size = 0;
        assert_int_equal(fb_tls_measure(&pair.open, cases[i].bytes, &size), cases[i].err);
    }
    pair_done(&pair);
}

static void numbers_of_records_do_not_repeat(void **state)
{
    struct pair pair = pair_new(FB_TLS_AES_128_GCM, FB_TLS_RECORD_MAX);
    const struct fb_str piece = FB_STR("x");
    uint8_t sealed[FB_TLS_OVERHEAD_MAX + 1];

    (void)state;
    pair.seal.sequence = UINT64_MAX - 1;
    assert_int_equal(fb_tls_seal(&pair.seal, &piece, 1, 0, 1, sealed), FB_E_LIMIT);
    pair_done(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_come_out_as_they_went_in),
        cmocka_unit_test(record_is_that_of_the_standard),
        cmocka_unit_test(alert_is_a_record_of_its_own),
        cmocka_unit_test(repeated_or_damaged_record_does_not_open),
        cmocka_unit_test(header_that_none_has_is_refused),
        cmocka_unit_test(numbers_of_records_do_not_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
