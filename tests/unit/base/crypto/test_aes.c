/*
 * Against published vectors: NIST SP 800-38A (F.2.1, F.5.1) and the GCM specification's test
 * case 16.
 */
#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/aes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char sp_key[] = "2b7e151628aed2a6abf7158809cf4f3c";
static const char sp_plain[] = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";

static void unhex(const char *hex, void *bytes, size_t size)
{
    assert_int_equal(fb_text_unhex(fb_str_from(hex), bytes, size), FB_OK);
}

static void assert_hex(const void *bytes, size_t size, const char *hex)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    fb_text_hex(&text, (struct fb_str){bytes, size});
    assert_string_equal(text.ptr, hex);
}

static void counter_mode_is_that_of_the_standard(void **state)
{
    (void)state;
    uint8_t key[FB_AES128_KEY];
    uint8_t counter[FB_AES_BLOCK];
    uint8_t bytes[32];
    struct fb_aes128 aes;

    unhex(sp_key, key, sizeof(key));
    unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", counter, sizeof(counter));
    unhex(sp_plain, bytes, sizeof(bytes));
    fb_aes128_init(&aes, key);
    fb_aes128_ctr(&aes, counter, bytes, 16);
    fb_aes128_ctr(&aes, counter, bytes + 16, 16);
    fb_aes128_done(&aes);

    assert_hex(bytes, sizeof(bytes),
               "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff");
    assert_hex(counter, sizeof(counter), "f0f1f2f3f4f5f6f7f8f9fafbfcfdff01");
}

static void chaining_is_that_of_the_standard(void **state)
{
    (void)state;
    uint8_t key[FB_AES128_KEY];
    uint8_t iv[FB_AES_BLOCK];
    uint8_t bytes[32];
    struct fb_aes128 aes;

    unhex(sp_key, key, sizeof(key));
    unhex("000102030405060708090a0b0c0d0e0f", iv, sizeof(iv));
    unhex(sp_plain, bytes, sizeof(bytes));
    fb_aes128_init(&aes, key);
    fb_aes128_cbc(&aes, iv, bytes, 16);
    fb_aes128_cbc(&aes, iv, bytes + 16, 16);
    fb_aes128_done(&aes);

    assert_hex(bytes, sizeof(bytes),
               "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2");
}

/* The key, nonce, context and plain text of test case 16. */
struct case16 {
    uint8_t key[FB_SEAL_KEY];
    uint8_t nonce[FB_SEAL_NONCE];
    char context[20];
    char plain[60];
};

static struct case16 case16_new(void)
{
    struct case16 it;

    unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", it.key, 32);
    unhex("cafebabefacedbaddecaf888", it.nonce, sizeof(it.nonce));
    unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", it.context, sizeof(it.context));
    unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
          "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
          it.plain, sizeof(it.plain));
    return it;
}

static void what_was_sealed_opens_again(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf sealed = {0};
    FB_AUTO(fb_buf_done) struct fb_buf opened = {0};
    struct case16 it = case16_new();
    struct fb_str context = {it.context, sizeof(it.context)};

    fb_seal(it.key, it.nonce, context, (struct fb_str){it.plain, sizeof(it.plain)}, &sealed);
    assert_hex(sealed.ptr, sealed.len,
               "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
               "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
               "76fc6ece0f4e1768cddf8853bb2d551b");
    assert_int_equal(fb_unseal(it.key, it.nonce, context, fb_buf_str(&sealed), &opened), FB_OK);
    assert_int_equal(opened.len, sizeof(it.plain));
    assert_memory_equal(opened.ptr, it.plain, sizeof(it.plain));
}

static void a_seal_that_was_touched_stays_shut(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf sealed = {0};
    FB_AUTO(fb_buf_done) struct fb_buf opened = {0};
    struct case16 it = case16_new();
    struct fb_str context = {it.context, sizeof(it.context)};

    fb_seal(it.key, it.nonce, context, FB_STR("a key"), &sealed);
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.ptr[i] ^= 1;
        assert_int_equal(fb_unseal(it.key, it.nonce, context, fb_buf_str(&sealed), &opened),
                         FB_E_DENIED);
        sealed.ptr[i] ^= 1;
    }
    assert_int_equal(fb_unseal(it.key, it.nonce, FB_STR("other"), fb_buf_str(&sealed), &opened),
                     FB_E_DENIED);
    assert_int_equal(fb_unseal(it.key, it.nonce, context,
                               fb_str_first(fb_buf_str(&sealed), FB_SEAL_TAG - 1), &opened),
                     FB_E_DENIED);
    assert_int_equal(opened.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counter_mode_is_that_of_the_standard),
        cmocka_unit_test(chaining_is_that_of_the_standard),
        cmocka_unit_test(what_was_sealed_opens_again),
        cmocka_unit_test(a_seal_that_was_touched_stays_shut),
    };
    return cmocka_run_group_tests_name("aes", tests, NULL, NULL);
}
