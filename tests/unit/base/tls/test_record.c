#include "base/tls/backend.h"
#include "base/tls/keys13.h"
#include "both_sides.h"

/* ---- one connection's two ends, with keys that were never agreed on ------- */

struct pair {
    struct fb_tls_direction seal;
    struct fb_tls_direction open;
};

/* All that there is to be tried: each version and cipher with each backend that has it. */
struct way {
    enum fb_tls_version version;
    enum fb_tls_aead aead;
    const struct fb_tls_backend *backend;
};

static struct pair pair_of(struct way way, uint16_t max_content)
{
    struct fb_tls_keys keys = {
        .version = way.version, .aead = way.aead, .max_content = max_content};
    struct pair pair;

    for (unsigned i = 0; i < sizeof(keys.out.key); i++) {
        keys.out.key[i] = (uint8_t)i;
    }
    for (unsigned i = 0; i < sizeof(keys.out.iv); i++) {
        keys.out.iv[i] = (uint8_t)(0xa0 + i);
    }
    keys.out.sequence = 1;
    fb_tls_direction_init(&pair.seal, &keys, &keys.out, way.backend);
    fb_tls_direction_init(&pair.open, &keys, &keys.out, way.backend);
    return pair;
}

static struct pair pair_new(enum fb_tls_aead aead, uint16_t max_content)
{
    return pair_of((struct way){FB_TLS_1_2, aead, NULL}, max_content);
}

static struct pair pair_13_new(void)
{
    return pair_of((struct way){FB_TLS_1_3, FB_TLS_AES_128_GCM, NULL}, FB_TLS_RECORD_MAX);
}

static void pair_done(struct pair *pair)
{
    fb_tls_direction_done(&pair->seal);
    fb_tls_direction_done(&pair->open);
}

enum { MAX_WAYS = 2 * FB_TLS_N_AEADS * 4 };

static size_t all_ways(struct way ways[MAX_WAYS])
{
    static const enum fb_tls_version versions[] = {FB_TLS_1_2, FB_TLS_1_3};
    size_t n = 0;

    for (unsigned k = 0; k < FB_ARRAY_LEN(versions) * FB_TLS_N_AEADS; k++) {
        enum fb_tls_aead aead = (enum fb_tls_aead)(k % FB_TLS_N_AEADS);
        const struct fb_tls_backend *backend = NULL;
        for (size_t i = 0; (backend = fb_tls_backend_at(i, aead)) != NULL; i++) {
            assert_true(n < MAX_WAYS);
            ways[n++] = (struct way){versions[k / FB_TLS_N_AEADS], aead, backend};
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
            struct pair pair = pair_of(ways[way], sizes[i]);
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
        size_t n_content;
        const char *content;
    } records[2][FB_TLS_N_AEADS] = {
        {
            [FB_TLS_AES_128_GCM] = {13, "\x17\x03\x03\x00\x1f\x00\x00\x00\x00\x00\x00\x00\x01", 23,
                                    "\x20\x1e\x6e\x97\x0e\xe5\x0e\xad\xe0\xa8\x94\x64\x36\x95"
                                    "\x70\x0d\xab\x12\xfa\x44\x55\xfe\xdd"},
            [FB_TLS_AES_256_GCM] = {13, "\x17\x03\x03\x00\x1f\x00\x00\x00\x00\x00\x00\x00\x01", 23,
                                    "\xd6\xc0\xca\xeb\x0e\x15\xbf\x8c\xce\xc5\x2d\xcd\x0c\x20"
                                    "\x39\x05\x54\x26\x3b\x13\x71\xab\x1d"},
            [FB_TLS_CHACHA20_POLY1305] = {5, "\x17\x03\x03\x00\x17", 23,
                                          "\x14\x1a\xbe\x96\x8d\x1c\x3a\x88\x02\xbb\x8e\x49"
                                          "\x76\x74\xfb\x32\x21\x8b\xd2\xe1\xe5\xba\x41"},
        },
        {
            [FB_TLS_AES_128_GCM] = {5, "\x17\x03\x03\x00\x18", 24,
                                    "\x59\x95\x14\xff\xc8\x8b\xf5\xf8\xc4\x59\x6e\xd0\x95\x83"
                                    "\x5f\xac\x88\x16\xe8\xeb\x51\xbb\xe9\x75"},
            [FB_TLS_AES_256_GCM] = {5, "\x17\x03\x03\x00\x18", 24,
                                    "\x33\xf1\xb1\x02\xb2\x8e\x64\x8e\x46\x37\xcb\x34\xce\x3c"
                                    "\xf1\xdf\x1c\x5b\x0f\x25\x4f\x57\xdd\x9d"},
            [FB_TLS_CHACHA20_POLY1305] = {5, "\x17\x03\x03\x00\x18", 24,
                                          "\x14\x1a\xbe\x96\x8d\x1c\x3a\xfa\xd0\x9f\x3a\x85"
                                          "\xa3\xd6\xbd\x26\x5c\x7d\xb1\x30\xf0\xe3\x6b\x4b"},
        },
    };
    const struct fb_str piece = FB_STR("forebay");
    struct way ways[MAX_WAYS];
    size_t n_ways = all_ways(ways);

    (void)state;
    for (size_t i = 0; i < n_ways; i++) {
        struct pair pair = pair_of(ways[i], FB_TLS_RECORD_MAX);
        bool is_13 = ways[i].version == FB_TLS_1_3;
        size_t n_header = records[is_13][ways[i].aead].n_header;
        size_t n_content = records[is_13][ways[i].aead].n_content;
        uint8_t sealed[FB_TLS_OVERHEAD_MAX + 7];
        assert_int_equal(fb_tls_sealed_size(&pair.seal, piece.len), n_header + n_content);
        assert_int_equal(fb_tls_seal(&pair.seal, &piece, 1, 0, piece.len, sealed), FB_OK);
        assert_memory_equal(sealed, records[is_13][ways[i].aead].header, n_header);
        assert_memory_equal(sealed + n_header, records[is_13][ways[i].aead].content, n_content);
        pair_done(&pair);
    }
}

/* RFC 8448 section 3: application data of the client. */
static void record_is_that_of_rfc_8448(void **state)
{
    static const uint8_t secret[32] =
        "\x9e\x40\x64\x6c\xe7\x9a\x7f\x9d\xc0\x5a\xf8\x88\x9b\xce\x65\x52"
        "\x87\x5a\xfa\x0b\x06\xdf\x00\x87\xf7\x92\xeb\xb7\xc1\x75\x04\xa5";
    static const char record[] =
        "\x17\x03\x03\x00\x43\xa2\x3f\x70\x54\xb6\x2c\x94\xd0\xaf\xfa\xfe\x82\x28"
        "\xba\x55\xcb\xef\xac\xea\x42\xf9\x14\xaa\x66\xbc\xab\x3f\x2b\x98\x19\xa8"
        "\xa5\xb4\x6b\x39\x5b\xd5\x4a\x9a\x20\x44\x1e\x2b\x62\x97\x4e\x1f\x5a\x62"
        "\x92\xa2\x97\x70\x14\xbd\x1e\x3d\xea\xe6\x3a\xee\xbb\x21\x69\x49\x15\xe4";
    struct fb_tls_keys keys = {
        .version = FB_TLS_1_3, .aead = FB_TLS_AES_128_GCM, .max_content = FB_TLS_RECORD_MAX};
    struct fb_tls_direction direction;
    uint8_t sealed[sizeof(record) - 1];
    char bytes[50];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)i;
    }
    const struct fb_str piece = {bytes, sizeof(bytes)};
    fb_tls_traffic_expand(FB_TLS_AES_128_GCM, secret, &keys.out);
    fb_tls_direction_init(&direction, &keys, &keys.out, NULL);
    assert_int_equal(fb_tls_sealed_size(&direction, sizeof(bytes)), sizeof(sealed));
    assert_int_equal(fb_tls_seal(&direction, &piece, 1, 0, sizeof(bytes), sealed), FB_OK);
    assert_memory_equal(sealed, record, sizeof(sealed));
    fb_tls_direction_done(&direction);
}

/* ---- what TLS 1.3 hides --------------------------------------------------- */

/* Opens one that was sealed from `content`, with whatever it ends. */
static int open_sealed(struct fb_str content, size_t *ret_len, enum fb_tls_content *ret_type)
{
    struct pair pair = pair_13_new();
    static uint8_t sealed[FB_TLS_SEALED_MAX];
    static uint8_t out[FB_TLS_OPENED_MAX];
    struct fb_tls_job job = {.in = (const uint8_t *)content.ptr,
                             .out = sealed + FB_TLS_HEADER_SIZE,
                             .len = content.len,
                             .extra_len = FB_TLS_HEADER_SIZE};
    struct fb_str record = {(const char *)sealed,
                            FB_TLS_HEADER_SIZE + content.len + FB_TLS_TAG_SIZE};
    size_t size = 0;

    memcpy(sealed, "\x17\x03\x03", 3);
    sealed[3] = (uint8_t)((content.len + FB_TLS_TAG_SIZE) >> 8);
    sealed[4] = (uint8_t)(content.len + FB_TLS_TAG_SIZE);
    memcpy(job.extra, sealed, FB_TLS_HEADER_SIZE);
    memcpy(job.nonce, pair.seal.iv, sizeof(job.nonce));
    job.nonce[FB_TLS_IV_SIZE - 1] ^= 1;
    job.tag = job.out + content.len;
    pair.seal.backend->seal(pair.seal.key, &job, 1);
    int err = fb_tls_measure(&pair.open, record, &size);
    if (err == FB_OK) {
        assert_int_equal(size, record.len);
        err = fb_tls_open(&pair.open, record, out, ret_len, ret_type);
    }
    pair_done(&pair);
    return err;
}

static void type_is_the_last_byte_that_is_not_zero(void **state)
{
    static char longest[FB_TLS_OPENED_MAX + 1];
    static const struct {
        struct fb_str content;
        int err;
        size_t len;
        enum fb_tls_content type;
    } cases[] = {
        {{"abc\x17", 4}, FB_OK, 3, FB_TLS_DATA},
        {{"abc\x17\0\0\0", 7}, FB_OK, 3, FB_TLS_DATA},
        {{"\x17\0\0", 3}, FB_OK, 0, FB_TLS_DATA},
        {{"\1\0\x15\0", 4}, FB_OK, 2, FB_TLS_ALERT},
        {{"\x18\0\0\1\0\x16", 6}, FB_OK, 5, FB_TLS_HANDSHAKE},
        {{"\x15", 1}, FB_E_UNSUPPORTED, 0, FB_TLS_DATA}, /* an alert that says nothing */
        {{"\x16\0", 2}, FB_E_UNSUPPORTED, 0, FB_TLS_DATA},
        {{"\0\0\0", 3}, FB_E_UNSUPPORTED, 0, FB_TLS_DATA},  /* of no kind */
        {{"\1\x14", 2}, FB_E_UNSUPPORTED, 0, FB_TLS_DATA},  /* a change of ciphers */
        {{"abc\x18", 4}, FB_E_UNSUPPORTED, 0, FB_TLS_DATA}, /* a heartbeat */
        {{longest, FB_TLS_OPENED_MAX}, FB_OK, FB_TLS_RECORD_MAX, FB_TLS_DATA},
        {{longest, FB_TLS_OPENED_MAX + 1}, FB_E_LIMIT, 0, FB_TLS_DATA},
    };

    (void)state;
    longest[FB_TLS_RECORD_MAX] = FB_TLS_DATA;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        enum fb_tls_content type = FB_TLS_CHANGE_CIPHER_SPEC;
        size_t len = 0;
        assert_int_equal(open_sealed(cases[i].content, &len, &type), cases[i].err);
        assert_int_equal(len, cases[i].len);
        assert_true(cases[i].err < 0 || type == cases[i].type);
    }
}

static void keys_are_updated_on_both_sides_at_the_same_place(void **state)
{
    const struct fb_str piece = FB_STR("after");
    static uint8_t out[FB_TLS_OPENED_MAX];
    uint8_t sealed[FB_TLS_OVERHEAD_MAX + 5];

    (void)state;
    for (int aead = 0; aead < FB_TLS_N_AEADS; aead++) {
        struct pair pair =
            pair_of((struct way){FB_TLS_1_3, (enum fb_tls_aead)aead, NULL}, FB_TLS_RECORD_MAX);
        struct fb_str record = {(const char *)sealed, fb_tls_sealed_size(&pair.seal, piece.len)};
        pair.seal.sequence = UINT64_C(1) << 24;
        assert_true(fb_tls_direction_is_worn(&pair.seal));
        fb_tls_direction_update(&pair.seal);
        assert_false(fb_tls_direction_is_worn(&pair.seal));
        assert_int_equal(fb_tls_seal(&pair.seal, &piece, 1, 0, piece.len, sealed), FB_OK);
        assert_int_equal(open_all(&pair.open, record, out), FB_E_CORRUPT);
        fb_tls_direction_update(&pair.open);
        assert_int_equal(open_all(&pair.open, record, out), 5);
        pair_done(&pair);
    }
}

static void alert_is_a_record_of_its_own(void **state)
{
    struct pair pair = pair_new(FB_TLS_AES_256_GCM, FB_TLS_RECORD_MAX);
    uint8_t sealed[FB_TLS_SEALED_ALERT_MAX];
    static uint8_t out[FB_TLS_OPENED_MAX];
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
    static uint8_t out[FB_TLS_OPENED_MAX];
    struct way ways[MAX_WAYS];
    size_t n_ways = all_ways(ways);

    (void)state;
    for (size_t way = 0; way < n_ways; way++) {
        struct pair pair = pair_of(ways[way], FB_TLS_RECORD_MAX);
        uint8_t sealed[FB_TLS_OVERHEAD_MAX + 4];
        struct fb_str record = {(const char *)sealed, fb_tls_sealed_size(&pair.seal, piece.len)};
        assert_int_equal(fb_tls_seal(&pair.seal, &piece, 1, 0, piece.len, sealed), FB_OK);
        for (size_t i = 0; i < record.len; i++) {
            bool is_shown = i > 0 || ways[way].version == FB_TLS_1_3;
            if (is_shown && i < FB_TLS_HEADER_SIZE) {
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
        cmocka_unit_test(record_is_that_of_rfc_8448),
        cmocka_unit_test(type_is_the_last_byte_that_is_not_zero),
        cmocka_unit_test(keys_are_updated_on_both_sides_at_the_same_place),
        cmocka_unit_test(alert_is_a_record_of_its_own),
        cmocka_unit_test(repeated_or_damaged_record_does_not_open),
        cmocka_unit_test(header_that_none_has_is_refused),
        cmocka_unit_test(numbers_of_records_do_not_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
