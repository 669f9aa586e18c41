/*
 * Records: what nobody sealed does not open, and what was sealed opens to what it was, however it
 * was cut into pieces. The first byte selects version and cipher.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/tls/record.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void begin(struct fb_tls_direction *direction, unsigned way)
{
    struct fb_tls_keys keys = {.version = way / 3 % 2 == 0 ? FB_TLS_1_2 : FB_TLS_1_3,
                               .aead = (enum fb_tls_aead)(way % 3),
                               .max_content = 700};

    memset(keys.in.key, 7, sizeof(keys.in.key));
    fb_tls_direction_init(direction, &keys, &keys.in, NULL);
}

static void open_stranger(const uint8_t *data, size_t size)
{
    static uint8_t out[FB_TLS_OPENED_MAX];
    struct fb_tls_direction direction;
    struct fb_str bytes = {(const char *)data + 1, size - 1};
    enum fb_tls_content type = FB_TLS_DATA;
    size_t n_record = 0;
    size_t len = 0;

    begin(&direction, data[0]);
    int err = fb_tls_measure(&direction, bytes, &n_record);
    if (err == FB_OK && n_record <= bytes.len) {
        FB_REQUIRE(fb_tls_open(&direction, fb_str_first(bytes, n_record), out, &len, &type) ==
                   FB_E_CORRUPT);
    }
    fb_tls_direction_done(&direction);
}

static void seal_and_open(const uint8_t *data, size_t size)
{
    static uint8_t sealed[8192];
    static uint8_t out[FB_TLS_OPENED_MAX];
    struct fb_tls_direction to;
    struct fb_tls_direction from;
    const char *bytes = (const char *)data;
    size_t cut = data[0] % size;
    const struct fb_str pieces[] = {{bytes, cut}, {bytes + cut, size - cut}};
    size_t n_open = 0;

    begin(&to, data[0]);
    begin(&from, data[0]);
    size_t n_sealed = fb_tls_sealed_size(&to, size);
    FB_REQUIRE(fb_tls_seal(&to, pieces, 2, 0, size, sealed) == FB_OK);
    for (struct fb_str rest = {(const char *)sealed, n_sealed}; rest.len > 0;) {
        enum fb_tls_content type = FB_TLS_ALERT;
        size_t n_record = 0;
        size_t len = 0;
        FB_REQUIRE(fb_tls_measure(&from, rest, &n_record) == FB_OK && n_record <= rest.len);
        FB_REQUIRE(fb_tls_open(&from, fb_str_first(rest, n_record), out, &len, &type) == FB_OK);
        FB_REQUIRE(type == FB_TLS_DATA && memcmp(out, data + n_open, len) == 0);
        n_open += len;
        rest = fb_str_skip(rest, n_record);
    }
    FB_REQUIRE(n_open == size);
    fb_tls_direction_done(&to);
    fb_tls_direction_done(&from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 2 && size <= 4096) {
        open_stranger(data, size);
        seal_and_open(data, size);
    }
    return 0;
}
