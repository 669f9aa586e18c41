/*
 * What the tests of edge/access share: a site's keys, and tokens made the long way.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/hash.h"
#include "base/jose/jose.h"
#include "base/net/address.h"
#include "edge/access/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NOW_S      1767225600
#define SECRET     "sixteen bytes or more"
#define SECRET_OLD "the one that was here before"
#define SECRET_JWT "a secret that signs JSON tokens"
#define EC_POINT                                                                              \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define EC_PRIVATE "{" EC_POINT ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}"

static const struct edge_access_key site_keys[] = {
    {.id = FB_STR("k2"), .algorithm = EDGE_ACCESS_URL, .secret = FB_STR(SECRET)},
    {.id = FB_STR("k1"), .algorithm = EDGE_ACCESS_URL, .secret = FB_STR(SECRET_OLD)},
    {.id = FB_STR("j1"), .algorithm = EDGE_ACCESS_HS256, .secret = FB_STR(SECRET_JWT)},
    {.id = FB_STR("e1"), .algorithm = EDGE_ACCESS_ES256, .text = FB_STR("{" EC_POINT "}")},
};

static inline struct edge_access *access_make(const struct edge_access_spec *spec)
{
    struct edge_access *access = NULL;
    struct fb_diag diag = {0};

    if (edge_access_new(spec, &access, &diag) < 0) {
        fail_msg("%s", diag.text);
    }
    return access;
}

static inline struct edge_access_spec access_spec(void)
{
    return (struct edge_access_spec){.realm = FB_STR("film.example"),
                                     .keys = site_keys,
                                     .n_keys = FB_ARRAY_LEN(site_keys),
                                     .parameter = FB_STR("token"),
                                     .cookie = FB_STR("pass"),
                                     .in_path = true};
}

/* Signs what stands before "~hmac=". */
static inline void token_sign(struct fb_buf *token, const char *text, const char *secret)
{
    uint8_t mac[FB_SHA256_SIZE];

    fb_hmac_sha256(fb_str_from(secret), fb_str_from(text), mac);
    fb_buf_clear(token);
    fb_buf_printf(token, "%s~hmac=", text);
    fb_text_hex(token, fb_sha256_str(mac));
}

/* A JWT of these claims; `key` is "j1" or "e1". */
static inline void token_jwt(struct fb_buf *token, const char *key, const char *claims)
{
    struct fb_jose_key *signer = NULL;
    int err = key[0] == 'j' ? fb_jose_key_of_secret(FB_STR(SECRET_JWT), &signer)
                            : fb_jose_key_parse(FB_STR(EC_PRIVATE), &signer, NULL);

    assert_int_equal(err, FB_OK);
    fb_buf_clear(token);
    assert_int_equal(fb_jose_sign(signer, fb_str_from(key), fb_str_from(claims), token), FB_OK);
    fb_jose_key_free(signer);
}

/* What comes of a request for `path` from `client`, `after_s` after NOW_S. */
static inline enum edge_access_cause access_ask(const struct edge_access *access,
                                                struct fb_str token, const char *path,
                                                const char *client, int64_t after_s)
{
    FB_AUTO(edge_access_grant_done) struct edge_access_grant grant = {0};
    struct fb_address address;

    assert_int_equal(fb_address_from_ip(fb_str_from(client), 1, &address), FB_OK);
    enum edge_access_cause cause = edge_access_verify(access, token, &grant);
    if (cause == EDGE_ACCESS_GRANTED) {
        cause = edge_access_judge(access, &grant, fb_str_from(path), &address,
                                  (NOW_S + after_s) * 1000);
    }
    return cause;
}
