#include "base/core/buf.h"
#include "base/core/text.h"
#include "base/crypto/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void checksums_are_those_of_their_definitions(void **state)
{
    struct fb_str check = FB_STR("123456789");

    (void)state;
    assert_int_equal(fb_crc32(0, check), 0xcbf43926U);
    assert_int_equal(fb_crc32c(0, check), 0xe3069283U);
    assert_int_equal(fb_crc32(0, FB_STR("")), 0);
    assert_int_equal(fb_crc32c(0, (struct fb_str){NULL, 0}), 0);

    /* RFC 3720 appendix B.4: 32 bytes that count up */
    char counting[32];
    for (size_t i = 0; i < sizeof(counting); i++) {
        counting[i] = (char)i;
    }
    assert_int_equal(fb_crc32c(0, (struct fb_str){counting, sizeof(counting)}), 0x46dd794eU);
}

static void pieces_give_the_same_as_the_whole(void **state)
{
    static char bytes[1000];
    struct fb_str whole = {bytes, sizeof(bytes)};

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)(i * 7 + i / 13);
    }
    for (size_t cut = 0; cut <= 40; cut++) {
        struct fb_str first = fb_str_first(whole, cut);
        struct fb_str rest = fb_str_skip(whole, cut);
        assert_int_equal(fb_crc32(fb_crc32(0, first), rest), fb_crc32(0, whole));
        assert_int_equal(fb_crc32c(fb_crc32c(0, first), rest), fb_crc32c(0, whole));
    }
}

static void assert_md5(struct fb_str first, struct fb_str rest, const char *hex)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    uint8_t digest[FB_MD5_SIZE];
    struct fb_md5 hash;

    fb_md5_init(&hash);
    fb_md5_update(&hash, first);
    fb_md5_update(&hash, rest);
    fb_md5_finish(&hash, digest);
    fb_text_hex(&text, (struct fb_str){(const char *)digest, sizeof(digest)});
    assert_string_equal(text.ptr, hex);
}

static void md5_is_that_of_rfc_1321(void **state)
{
    (void)state;
    assert_md5(FB_STR(""), FB_STR(""), "d41d8cd98f00b204e9800998ecf8427e");
    assert_md5(FB_STR("message"), FB_STR(" digest"), "f96b697d7cb7938d525a2f31aaf161d0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_those_of_their_definitions),
        cmocka_unit_test(pieces_give_the_same_as_the_whole),
        cmocka_unit_test(md5_is_that_of_rfc_1321),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
