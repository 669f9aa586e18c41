#include "origin/auth/token.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/hash.h"
#include "base/jose/jose.h"
#include "base/json/json.h"

#include <string.h>

#define ISSUER "forebay"

enum { KEY_ID_BYTES = 8, CLAIMS_MAX = 1024 };

struct origin_token_key {
    struct fb_jose_key *jose; /* owned */
    char id[2 * KEY_ID_BYTES + 1];
};

int origin_token_key_new(const uint8_t secret[ORIGIN_SECRET_BYTES],
                         struct origin_token_key **ret_key)
{
    struct origin_token_key *key = FB_NEW(struct origin_token_key);
    uint8_t digest[FB_SHA256_SIZE];
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};

    /* The id tells keys apart and nothing of the secret. */
    fb_hmac_sha256((struct fb_str){(const char *)secret, ORIGIN_SECRET_BYTES}, FB_STR("kid"),
                   digest);
    fb_text_hex(&hex, (struct fb_str){(const char *)digest, KEY_ID_BYTES});
    memcpy(key->id, hex.ptr, hex.len);
    int err = fb_jose_key_of_secret((struct fb_str){(const char *)secret, ORIGIN_SECRET_BYTES},
                                    &key->jose);
    if (err < 0) {
        fb_free(key);
        return err;
    }
    *ret_key = key;
    return FB_OK;
}

void origin_token_key_free(struct origin_token_key *key)
{
    if (key != NULL) {
        fb_jose_key_free(key->jose);
        fb_free(key);
    }
}

int origin_token_issue(const struct origin_token_key *key, const struct origin_id *user,
                       int64_t now_ms, int64_t expires_ms, struct fb_buf *buf)
{
    FB_AUTO(fb_json_freep) struct fb_json *claims = fb_json_new_object();
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    fb_json_set_text(claims, "iss", ISSUER);
    fb_json_set_text(claims, "sub", user->text);
    fb_json_set_int(claims, "iat", now_ms / 1000);
    fb_json_set_int(claims, "exp", expires_ms / 1000);
    fb_json_dump(claims, &text);
    return fb_jose_sign(key->jose, fb_str_from(key->id), fb_buf_str(&text), buf);
}

static int claims_check(struct fb_str text, int64_t now_ms, struct origin_id *ret_user)
{
    FB_AUTO(fb_json_freep) struct fb_json *claims = NULL;

    if (fb_json_parse(text, CLAIMS_MAX, &claims, NULL) < 0 ||
        !fb_str_equal(fb_json_str(fb_json_find(claims, "iss")), FB_STR(ISSUER))) {
        return FB_E_DENIED;
    }
    if (now_ms / 1000 >= fb_json_int(fb_json_find(claims, "exp"), 0)) {
        return FB_E_EXPIRED;
    }
    return origin_id_parse(fb_json_str(fb_json_find(claims, "sub")), ret_user) < 0 ? FB_E_DENIED
                                                                                   : FB_OK;
}

int origin_token_check(const struct origin_token_key *key, struct fb_str token, int64_t now_ms,
                       struct origin_id *ret_user)
{
    FB_AUTO(fb_buf_done) struct fb_buf claims = {0};
    struct fb_jose_header header;

    if (token.len > ORIGIN_TOKEN_MAX || fb_jose_header_read(token, &header) < 0 ||
        !fb_str_equal((struct fb_str){header.kid, header.kid_len}, fb_str_from(key->id)) ||
        fb_jose_verify(key->jose, token, &claims) < 0) {
        return FB_E_DENIED;
    }
    return claims_check(fb_buf_str(&claims), now_ms, ret_user);
}
