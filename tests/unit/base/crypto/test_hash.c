/* Vectors: FIPS 180-2 appendix B, RFC 4231. */
#include "base/core/buf.h"
#include "base/core/text.h"
#include "base/crypto/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_hex(const uint8_t digest[FB_SHA256_SIZE], const char *hex)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    fb_text_hex(&text, fb_sha256_str(digest));
    assert_string_equal(text.ptr, hex);
}

static void known_texts_have_their_known_hashes(void **state)
{
    (void)state;
    uint8_t digest[FB_SHA256_SIZE];
    fb_sha256(FB_STR_NONE, digest);
    assert_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    fb_sha256(FB_STR("abc"), digest);
    assert_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void pieces_hash_as_the_whole(void **state)
{
    (void)state;
    static char million[1000000];
    struct fb_sha256 hash;
    uint8_t digest[FB_SHA256_SIZE];
    memset(million, 'a', sizeof(million));

    fb_sha256_init(&hash);
    struct fb_str rest = {million, sizeof(million)};
    for (size_t n = 0; rest.len > 0; n = (n * 7 + 1) % 5000) {
        fb_sha256_update(&hash, fb_str_first(rest, n));
        rest = fb_str_skip(rest, n);
    }
    fb_sha256_finish(&hash, digest);
    assert_hex(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");

    fb_sha256_init(&hash);
    fb_sha256_done(&hash);
    fb_sha256_done(&hash);
}

static void sha512_hashes_pieces_as_the_whole(void **state)
{
    (void)state;
    struct fb_sha512 hash;
    uint8_t digest[FB_SHA512_SIZE];

    fb_sha512_init(&hash);
    fb_sha512_update(&hash, FB_STR("a"));
    fb_sha512_update(&hash, FB_STR_NONE);
    fb_sha512_update(&hash, FB_STR("bc"));
    fb_sha512_finish(&hash, digest);
    /* FIPS 180-4: SHA-512 of "abc". */
    static const uint8_t want[] = {0xdd, 0xaf, 0x35, 0xa1, 0x93, 0x61, 0x7a, 0xba, 0xcc, 0x41, 0x73,
                                   0x49, 0xae, 0x20, 0x41, 0x31, 0x12, 0xe6, 0xfa, 0x4e, 0x89, 0xa9,
                                   0x7e, 0xa2, 0x0a, 0x9e, 0xee, 0xe6, 0x4b, 0x55, 0xd3, 0x9a, 0x21,
                                   0x92, 0x99, 0x2a, 0x27, 0x4f, 0xc1, 0xa8, 0x36, 0xba, 0x3c, 0x23,
                                   0xa3, 0xfe, 0xeb, 0xbd, 0x45, 0x4d, 0x44, 0x23, 0x64, 0x3c, 0xe8,
                                   0x0e, 0x2a, 0x9a, 0xc9, 0x4f, 0xa5, 0x4c, 0xa4, 0x9f};
    assert_memory_equal(digest, want, sizeof(want));

    fb_sha512_init(&hash);
    fb_sha512_done(&hash);
    fb_sha512_done(&hash);
}

static void macs_follow_rfc_4231(void **state)
{
    (void)state;
    uint8_t mac[FB_SHA256_SIZE];
    fb_hmac_sha256(FB_STR("Jefe"), FB_STR("what do ya want for nothing?"), mac);
    assert_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

    char key[131];
    memset(key, 0xaa, sizeof(key)); /* longer than a block */
    fb_hmac_sha256((struct fb_str){key, sizeof(key)},
                   FB_STR("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    assert_hex(mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");

    fb_hmac_sha256(FB_STR_NONE, FB_STR_NONE, mac);
    assert_hex(mac, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void equality_is_of_length_and_bytes(void **state)
{
    (void)state;
    assert_true(fb_crypto_equal(FB_STR("abc"), FB_STR("abc")));
    assert_false(fb_crypto_equal(FB_STR("abc"), FB_STR("abd")));
    assert_false(fb_crypto_equal(FB_STR("abc"), FB_STR("xbc")));
    assert_false(fb_crypto_equal(FB_STR("abc"), FB_STR("ab")));
    assert_true(fb_crypto_equal(FB_STR_NONE, FB_STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_have_their_known_hashes),
        cmocka_unit_test(pieces_hash_as_the_whole),
        cmocka_unit_test(sha512_hashes_pieces_as_the_whole),
        cmocka_unit_test(macs_follow_rfc_4231),
        cmocka_unit_test(equality_is_of_length_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
