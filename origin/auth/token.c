#include "origin/auth/token.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/base64.h"
#include "base/crypto/hash.h"
#include "base/json/json.h"

#include <cjose/cjose.h>

#include <stdbool.h>
#include <string.h>

#define ISSUER "forebay"

enum { KEY_ID_BYTES = 8, CLAIMS_MAX = 1024 };

struct origin_token_key {
    cjose_jwk_t *jwk; /* owned */
    char id[2 * KEY_ID_BYTES + 1];
};

static void jws_done(cjose_jws_t **jws)
{
    if (*jws != NULL) {
        cjose_jws_release(*jws);
    }
}

static void header_done(cjose_header_t **header)
{
    if (*header != NULL) {
        cjose_header_release(*header);
    }
}

int origin_token_key_new(const uint8_t secret[ORIGIN_SECRET_BYTES],
                         struct origin_token_key **ret_key)
{
    struct origin_token_key *key = FB_NEW(struct origin_token_key);
    uint8_t digest[FB_SHA256_SIZE];
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};
    cjose_err err;

    /* The id tells keys apart and nothing of the secret. */
    fb_hmac_sha256((struct fb_str){(const char *)secret, ORIGIN_SECRET_BYTES}, FB_STR("kid"),
                   digest);
    fb_text_hex(&hex, (struct fb_str){(const char *)digest, KEY_ID_BYTES});
    memcpy(key->id, hex.ptr, hex.len);
    key->jwk = cjose_jwk_create_oct_spec(secret, ORIGIN_SECRET_BYTES, &err);
    if (key->jwk == NULL) {
        fb_free(key);
        return FB_E_FOREIGN;
    }
    *ret_key = key;
    return FB_OK;
}

void origin_token_key_free(struct origin_token_key *key)
{
    if (key != NULL) {
        (void)cjose_jwk_release(key->jwk);
        fb_free(key);
    }
}

int origin_token_issue(const struct origin_token_key *key, const struct origin_id *user,
                       int64_t now_ms, int64_t expires_ms, struct fb_buf *buf)
{
    FB_AUTO(fb_json_freep) struct fb_json *claims = fb_json_new_object();
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    const char *compact = NULL;
    cjose_err err;

    fb_json_set_text(claims, "iss", ISSUER);
    fb_json_set_text(claims, "sub", user->text);
    fb_json_set_int(claims, "iat", now_ms / 1000);
    fb_json_set_int(claims, "exp", expires_ms / 1000);
    fb_json_dump(claims, &text);

    FB_AUTO(header_done) cjose_header_t *header = cjose_header_new(&err);
    if (header == NULL || !cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_HS256, &err) ||
        !cjose_header_set(header, CJOSE_HDR_KID, key->id, &err) ||
        !cjose_header_set(header, "typ", "JWT", &err)) {
        return FB_E_FOREIGN;
    }
    FB_AUTO(jws_done)
    cjose_jws_t *jws = cjose_jws_sign(key->jwk, header, (const uint8_t *)text.ptr, text.len, &err);
    if (jws == NULL || !cjose_jws_export(jws, &compact, &err)) {
        return FB_E_FOREIGN;
    }
    fb_buf_append(buf, fb_str_from(compact));
    return FB_OK;
}

static bool header_is_ours(const struct origin_token_key *key, cjose_jws_t *jws)
{
    cjose_err err;
    cjose_header_t *header = cjose_jws_get_protected(jws); /* borrowed from jws */
    const char *alg = header != NULL ? cjose_header_get(header, CJOSE_HDR_ALG, &err) : NULL;
    const char *kid = header != NULL ? cjose_header_get(header, CJOSE_HDR_KID, &err) : NULL;

    return alg != NULL && strcmp(alg, CJOSE_HDR_ALG_HS256) == 0 && kid != NULL &&
           strcmp(kid, key->id) == 0;
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

/* Three parts in strict base64url. cjose aborts the program on some that are not,
 * such as "A=AA" (an assertion in its decoder), and takes others for what they
 * nearly are. */
static bool token_is_well_spelt(struct fb_str token)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    struct fb_str part;
    unsigned n_parts = 0;

    while (fb_str_cut(&token, '.', &part)) {
        if (part.len == 0 || fb_base64_decode(&bytes, FB_BASE64_URL, part) < 0) {
            return false;
        }
        n_parts++;
    }
    return n_parts == 3;
}

int origin_token_check(const struct origin_token_key *key, struct fb_str token, int64_t now_ms,
                       struct origin_id *ret_user)
{
    uint8_t *text = NULL;
    size_t len = 0;
    cjose_err err;

    if (token.len == 0 || token.len > ORIGIN_TOKEN_MAX || !token_is_well_spelt(token)) {
        return FB_E_DENIED;
    }
    FB_AUTO(jws_done) cjose_jws_t *jws = cjose_jws_import(token.ptr, token.len, &err);
    if (jws == NULL || !header_is_ours(key, jws) || !cjose_jws_verify(jws, key->jwk, &err) ||
        !cjose_jws_get_plaintext(jws, &text, &len, &err)) {
        return FB_E_DENIED;
    }
    return claims_check((struct fb_str){(const char *)text, len}, now_ms, ret_user);
}
