#include "base/jose/jose.h"

#include "base/core/err.h"
#include "base/crypto/base64.h"
#include "base/jose/jose_internal.h"
#include "base/json/json.h"

#include <cjose/cjose.h>

#include <string.h>

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

/* ---- headers ----------------------------------------------------------- */

/* Three parts in strict base64url, the first of which is decoded. cjose aborts the program on
 * some that are not, such as "A=AA" (an assertion in its decoder), and takes others for what
 * they nearly are. */
static int token_read(struct fb_str token, struct fb_buf *header)
{
    FB_AUTO(fb_buf_done) struct fb_buf rest = {0};
    struct fb_str part;
    unsigned n_parts = 0;

    if (token.len == 0 || token.len > FB_JOSE_TOKEN_MAX) {
        return FB_E_MALFORMED;
    }
    while (fb_str_cut(&token, '.', &part)) {
        struct fb_buf *into = n_parts++ == 0 ? header : &rest;
        if (part.len == 0 || fb_base64_decode(into, FB_BASE64_URL, part) < 0) {
            return FB_E_MALFORMED;
        }
    }
    return n_parts == 3 ? FB_OK : FB_E_MALFORMED;
}

static enum fb_jose_algorithm algorithm_of(struct fb_str name)
{
    if (fb_str_equal(name, FB_STR("HS256"))) {
        return FB_JOSE_HS256;
    }
    return fb_str_equal(name, FB_STR("ES256")) ? FB_JOSE_ES256 : FB_JOSE_OTHER;
}

int fb_jose_header_read(struct fb_str token, struct fb_jose_header *ret_header)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(fb_json_freep) struct fb_json *json = NULL;

    if (token_read(token, &text) < 0 ||
        fb_json_parse(fb_buf_str(&text), FB_JOSE_TOKEN_MAX, &json, NULL) < 0 ||
        fb_json_type(json) != FB_JSON_OBJECT) {
        return FB_E_MALFORMED;
    }
    const struct fb_json *kid = fb_json_find(json, "kid");
    struct fb_str kid_text = fb_json_str(kid);
    if (fb_json_find(json, "crit") != NULL || kid_text.len > FB_JOSE_KID_MAX ||
        (kid != NULL && kid_text.ptr == NULL)) {
        return FB_E_MALFORMED;
    }
    struct fb_jose_header header = {.algorithm =
                                        algorithm_of(fb_json_str(fb_json_find(json, "alg")))};
    if (kid_text.len > 0) {
        memcpy(header.kid, kid_text.ptr, kid_text.len);
        header.kid_len = kid_text.len;
    }
    *ret_header = header;
    return FB_OK;
}

/* ---- signatures -------------------------------------------------------- */

int fb_jose_verify(const struct fb_jose_key *key, struct fb_str token, struct fb_buf *buf)
{
    struct fb_jose_header header;
    uint8_t *text = NULL;
    size_t len = 0;
    cjose_err err;

    if (fb_jose_header_read(token, &header) < 0) {
        return FB_E_MALFORMED;
    }
    if (header.algorithm != key->algorithm) {
        return FB_E_DENIED;
    }
    FB_AUTO(jws_done) cjose_jws_t *jws = cjose_jws_import(token.ptr, token.len, &err);
    if (jws == NULL || !cjose_jws_verify(jws, key->jwk, &err) ||
        !cjose_jws_get_plaintext(jws, &text, &len, &err)) {
        return FB_E_DENIED;
    }
    fb_buf_append(buf, (struct fb_str){(const char *)text, len});
    return FB_OK;
}

static cjose_header_t *header_make(const struct fb_jose_key *key, struct fb_str kid)
{
    char text[FB_JOSE_KID_MAX + 1] = {0};
    cjose_err err;

    if (kid.len > FB_JOSE_KID_MAX) {
        return NULL;
    }
    if (kid.len > 0) {
        memcpy(text, kid.ptr, kid.len);
    }
    FB_AUTO(header_done) cjose_header_t *header = cjose_header_new(&err);
    const char *algorithm =
        key->algorithm == FB_JOSE_HS256 ? CJOSE_HDR_ALG_HS256 : CJOSE_HDR_ALG_ES256;
    if (header == NULL || !cjose_header_set(header, CJOSE_HDR_ALG, algorithm, &err) ||
        (kid.len > 0 && !cjose_header_set(header, CJOSE_HDR_KID, text, &err)) ||
        !cjose_header_set(header, "typ", "JWT", &err)) {
        return NULL;
    }
    return cjose_header_retain(header);
}

int fb_jose_sign(const struct fb_jose_key *key, struct fb_str kid, struct fb_str payload,
                 struct fb_buf *buf)
{
    const char *compact = NULL;
    cjose_err err;

    if (!key->is_private) {
        return FB_E_DENIED;
    }
    FB_AUTO(header_done) cjose_header_t *header = header_make(key, kid);
    if (header == NULL) {
        return FB_E_FOREIGN;
    }
    FB_AUTO(jws_done)
    cjose_jws_t *jws =
        cjose_jws_sign(key->jwk, header, (const uint8_t *)payload.ptr, payload.len, &err);
    if (jws == NULL || !cjose_jws_export(jws, &compact, &err)) {
        return FB_E_FOREIGN;
    }
    fb_buf_append(buf, fb_str_from(compact));
    return FB_OK;
}
