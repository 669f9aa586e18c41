#include "base/core/str.h"
#include "base/tls/keys13.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* RFC 8448 section 3. */
static void keys_are_those_of_rfc_8448(void **state)
{
    static const uint8_t secret[32] =
        "\xa1\x1a\xf9\xf0\x55\x31\xf8\x56\xad\x47\x11\x6b\x45\xa9\x50\x32"
        "\x82\x04\xb4\xf4\x4b\xfb\x6b\x3a\x4b\x4f\x1f\x3f\xcb\x63\x16\x43";
    struct fb_tls_traffic traffic = {.sequence = 7};

    (void)state;
    fb_tls_traffic_expand(FB_TLS_AES_128_GCM, secret, &traffic);
    assert_memory_equal(traffic.key,
                        "\x9f\x02\x28\x3b\x6c\x9c\x07\xef\xc2\x6b\xb9\xf2\xac\x92\xe3\x56", 16);
    assert_memory_equal(traffic.iv, "\xcf\x78\x2b\x88\xdd\x83\x54\x9a\xad\xf1\xe9\x84", 12);
    assert_memory_equal(traffic.secret, secret, sizeof(secret));
    assert_int_equal(traffic.sequence, 0);
}

/* From RFC 8448's secret of the client; SHA-384 of bytes from 0 to 47: made with Python's hmac. */
static void next_keys_follow_from_the_secret(void **state)
{
    static const uint8_t secret[32] =
        "\x9e\x40\x64\x6c\xe7\x9a\x7f\x9d\xc0\x5a\xf8\x88\x9b\xce\x65\x52"
        "\x87\x5a\xfa\x0b\x06\xdf\x00\x87\xf7\x92\xeb\xb7\xc1\x75\x04\xa5";
    static const uint8_t next[32] =
        "\xfc\xdf\xcc\x72\x72\x5a\xae\xe4\x8b\xf6\x4e\x4f\xd8\xb7\x49\xcd"
        "\xbd\xba\xb3\x9d\x90\xda\x0b\x26\xe2\x24\x5c\xa6\xea\x16\x72\x07";
    static const uint8_t next_384[48] =
        "\x40\x13\x31\xb6\x3e\x9d\x59\xf2\x02\xe8\xf0\x41\x04\x2d\x95\x16"
        "\xf4\xcd\x7f\xa2\xe2\xee\x14\x63\x1d\x3b\x49\xfc\x34\x0d\x7a\xf3"
        "\x7f\xc2\xc0\xc9\xf2\x52\xd8\x03\x6f\x81\xec\x5b\x85\xcb\xe5\xdb";
    struct fb_tls_traffic traffic = {.sequence = 7};
    uint8_t bytes[48];

    (void)state;
    fb_tls_traffic_expand(FB_TLS_AES_128_GCM, secret, &traffic);
    traffic.sequence = 7;
    fb_tls_traffic_update(FB_TLS_AES_128_GCM, &traffic);
    assert_memory_equal(traffic.secret, next, sizeof(next));
    assert_int_equal(traffic.sequence, 0);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    fb_tls_traffic_expand(FB_TLS_AES_256_GCM, bytes, &traffic);
    fb_tls_traffic_update(FB_TLS_AES_256_GCM, &traffic);
    assert_memory_equal(traffic.secret, next_384, sizeof(next_384));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_those_of_rfc_8448),
        cmocka_unit_test(next_keys_follow_from_the_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
