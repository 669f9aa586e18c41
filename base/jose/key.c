#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/crypto/base64.h"
#include "base/jose/jose_internal.h"
#include "base/json/json.h"

#include <string.h>

enum { P256_BYTES = 32 };

/* A SubjectPublicKeyInfo of P-256 up to the point (RFC 5480), and the mark of one that is not
 * compressed: each has these bytes, and 64 more. */
static const uint8_t p256_prefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};

static int key_wrap(cjose_jwk_t *jwk, enum fb_jose_algorithm algorithm, bool is_private,
                    struct fb_jose_key **ret_key)
{
    if (jwk == NULL) {
        return FB_E_FOREIGN;
    }
    struct fb_jose_key *key = FB_NEW(struct fb_jose_key);
    key->jwk = jwk;
    key->algorithm = algorithm;
    key->is_private = is_private;
    *ret_key = key;
    return FB_OK;
}

void fb_jose_key_free(struct fb_jose_key *key)
{
    if (key != NULL) {
        (void)cjose_jwk_release(key->jwk);
        fb_free(key);
    }
}

enum fb_jose_algorithm fb_jose_key_algorithm(const struct fb_jose_key *key)
{
    return key->algorithm;
}

bool fb_jose_key_is_private(const struct fb_jose_key *key)
{
    return key->is_private;
}

int fb_jose_key_of_secret(struct fb_str secret, struct fb_jose_key **ret_key)
{
    cjose_err err;

    return key_wrap(cjose_jwk_create_oct_spec((const uint8_t *)secret.ptr, secret.len, &err),
                    FB_JOSE_HS256, true, ret_key);
}

int fb_jose_key_draw(struct fb_jose_key **ret_key)
{
    cjose_err err;

    return key_wrap(cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &err), FB_JOSE_ES256, true,
                    ret_key);
}

int fb_jose_key_write(const struct fb_jose_key *key, bool with_private, struct fb_buf *buf)
{
    cjose_err err;

    char *text = cjose_jwk_to_json(key->jwk, with_private, &err);
    if (text == NULL) {
        return FB_E_FOREIGN;
    }
    fb_buf_append(buf, fb_str_from(text));
    explicit_bzero(text, strlen(text));
    cjose_get_dealloc()(text);
    return FB_OK;
}

/* The point x, y; `d` may be empty. */
static int key_of_point(struct fb_str x, struct fb_str y, struct fb_str d,
                        struct fb_jose_key **ret_key, struct fb_diag *diag)
{
    uint8_t bytes[3][P256_BYTES];
    cjose_err err;

    memcpy(bytes[0], x.ptr, P256_BYTES);
    memcpy(bytes[1], y.ptr, P256_BYTES);
    if (d.len > 0) {
        memcpy(bytes[2], d.ptr, P256_BYTES);
    }
    cjose_jwk_ec_keyspec spec = {.crv = CJOSE_JWK_EC_P_256,
                                 .d = d.len > 0 ? bytes[2] : NULL,
                                 .dlen = d.len,
                                 .x = bytes[0],
                                 .xlen = P256_BYTES,
                                 .y = bytes[1],
                                 .ylen = P256_BYTES};
    if (key_wrap(cjose_jwk_create_EC_spec(&spec, &err), FB_JOSE_ES256, d.len > 0, ret_key) < 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the key is no point of the curve P-256");
    }
    return FB_OK;
}

/* ---- JWK --------------------------------------------------------------- */

static int jwk_bytes(const struct fb_json *jwk, const char *member, struct fb_buf *buf)
{
    return fb_base64_decode(buf, FB_BASE64_URL, fb_json_str(fb_json_find(jwk, member)));
}

static int key_of_ec(const struct fb_json *jwk, struct fb_jose_key **ret_key, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf x = {0};
    FB_AUTO(fb_buf_done) struct fb_buf y = {0};
    FB_AUTO(fb_buf_done) struct fb_buf d = {0};

    if (!fb_str_equal(fb_json_str(fb_json_find(jwk, "crv")), FB_STR("P-256"))) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "the key is not of the curve P-256");
    }
    if (jwk_bytes(jwk, "x", &x) < 0 || jwk_bytes(jwk, "y", &y) < 0 || jwk_bytes(jwk, "d", &d) < 0 ||
        x.len != P256_BYTES || y.len != P256_BYTES || (d.len != 0 && d.len != P256_BYTES)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "the numbers of the key are not 32 bytes in base64url");
    }
    return key_of_point(fb_buf_str(&x), fb_buf_str(&y), fb_buf_str(&d), ret_key, diag);
}

static int key_of_jwk(struct fb_str text, struct fb_jose_key **ret_key, struct fb_diag *diag)
{
    FB_AUTO(fb_json_freep) struct fb_json *jwk = NULL;
    FB_AUTO(fb_buf_done) struct fb_buf secret = {0};

    if (fb_json_parse(text, FB_JOSE_KEY_FILE_MAX, &jwk, NULL) < 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the key is neither JSON nor PEM");
    }
    struct fb_str type = fb_json_str(fb_json_find(jwk, "kty"));
    if (fb_str_equal(type, FB_STR("EC"))) {
        return key_of_ec(jwk, ret_key, diag);
    }
    if (!fb_str_equal(type, FB_STR("oct"))) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "the key is neither of type EC nor oct");
    }
    if (jwk_bytes(jwk, "k", &secret) < 0 || secret.len == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'k' of the key is not base64url");
    }
    return fb_jose_key_of_secret(fb_buf_str(&secret), ret_key);
}

/* ---- PEM --------------------------------------------------------------- */

/* The base64 between the lines that frame it, without its line ends. */
static int pem_decode(struct fb_str text, struct fb_buf *der)
{
    FB_AUTO(fb_buf_done) struct fb_buf base64 = {0};
    struct fb_str line;
    bool is_inside = false;
    bool is_whole = false;

    while (fb_str_cut(&text, '\n', &line) && !is_whole) {
        if (fb_str_ends_with(line, FB_STR("\r"))) {
            line.len--;
        }
        if (fb_str_equal(line, FB_STR("-----BEGIN PUBLIC KEY-----"))) {
            is_inside = true;
        } else if (fb_str_equal(line, FB_STR("-----END PUBLIC KEY-----"))) {
            is_whole = is_inside;
        } else if (is_inside) {
            fb_buf_append(&base64, line);
        }
    }
    return is_whole ? fb_base64_decode(der, FB_BASE64_STD, fb_buf_str(&base64)) : FB_E_MALFORMED;
}

static int key_of_pem(struct fb_str text, struct fb_jose_key **ret_key, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf der = {0};
    const size_t prefix = sizeof(p256_prefix);

    if (pem_decode(text, &der) < 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the PEM holds no whole PUBLIC KEY");
    }
    if (der.len != prefix + (size_t)2 * P256_BYTES || memcmp(der.ptr, p256_prefix, prefix) != 0) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED,
                           "the PEM's key is not of the curve P-256, uncompressed");
    }
    struct fb_str point = fb_str_skip(fb_buf_str(&der), prefix);
    return key_of_point(point, fb_str_skip(point, P256_BYTES), FB_STR_NONE, ret_key, diag);
}

int fb_jose_key_parse(struct fb_str text, struct fb_jose_key **ret_key, struct fb_diag *diag)
{
    if (fb_str_starts_with(text, FB_STR("-----BEGIN "))) {
        return key_of_pem(text, ret_key, diag);
    }
    return key_of_jwk(text, ret_key, diag);
}
