/*
 * Hostile tokens and keys: without the secret no token is accepted, and what is no key is refused
 * without a word of it.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/jose/jose.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str text = {(const char *)data, size};
    struct fb_buf payload = {0};
    struct fb_jose_key *key = NULL;
    struct fb_diag diag = {0};

    int err = fb_jose_key_of_secret(FB_STR("\x5a\x11 not to be guessed"), &key);
    FB_REQUIRE(err == FB_OK);
    FB_REQUIRE(fb_jose_verify(key, text, &payload) < 0);
    FB_REQUIRE(payload.len == 0);
    fb_jose_key_free(key);

    if (fb_jose_key_parse(text, &key, &diag) == FB_OK) {
        FB_REQUIRE(fb_jose_verify(key, text, &payload) < 0); /* no text is both */
        fb_jose_key_free(key);
    } else {
        FB_REQUIRE(diag.text[0] != '\0');
    }
    fb_buf_done(&payload);
    return 0;
}
