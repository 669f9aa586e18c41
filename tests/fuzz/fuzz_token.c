/*
 * Hostile access tokens. Without the key none is accepted.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "origin/auth/token.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t secret[ORIGIN_SECRET_BYTES] = {0x5a, 0x11};
    struct origin_token_key *key = NULL;
    struct origin_id user;

    int err = origin_token_key_new(secret, &key);
    FB_REQUIRE(err == FB_OK);
    err = origin_token_check(key, (struct fb_str){(const char *)data, size}, 0, &user);
    FB_REQUIRE(err == FB_E_DENIED);
    origin_token_key_free(key);
    return 0;
}
