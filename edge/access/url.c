#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/hash.h"
#include "edge/access/access_internal.h"

#include <stdint.h>

/* kid=ID~exp=SECONDS[~nbf=SECONDS][~net=NETWORK]~path=PREFIX~hmac=HEX, in this order. The path is
 * the last that is signed, so that it may hold whatever a path may. */
struct url_token {
    struct fb_str signed_part; /* all before "~hmac=" */
    struct fb_str kid;
    struct fb_str exp;
    struct fb_str nbf; /* ptr NULL: none; as `net` */
    struct fb_str net;
    struct fb_str path;
    struct fb_str mac;
};

bool edge_access_is_url_token(struct fb_str token)
{
    return fb_str_starts_with(token, FB_STR("kid="));
}

/* The value of the field `name=` that `*rest` begins with, which is left behind it. */
static bool url_take(struct fb_str *rest, struct fb_str name, struct fb_str *ret_value)
{
    struct fb_str from = *rest;

    if (!fb_str_starts_with(from, name)) {
        return false;
    }
    from = fb_str_skip(from, name.len);
    *ret_value = fb_str_first(from, fb_str_find(from, '~'));
    *rest = fb_str_skip(from, ret_value->len + 1);
    return true;
}

static bool url_parse(struct fb_str text, struct url_token *token)
{
    static const struct fb_str mark = FB_STR("~hmac=");
    const size_t behind = mark.len + (size_t)2 * FB_SHA256_SIZE;

    if (text.len < behind || text.len > EDGE_ACCESS_TOKEN_MAX) {
        return false;
    }
    token->signed_part = fb_str_first(text, text.len - behind);
    struct fb_str end = fb_str_skip(text, token->signed_part.len);
    token->mac = fb_str_skip(end, mark.len);
    struct fb_str rest = token->signed_part;
    if (!fb_str_starts_with(end, mark) || !url_take(&rest, FB_STR("kid="), &token->kid) ||
        !url_take(&rest, FB_STR("exp="), &token->exp)) {
        return false;
    }
    (void)url_take(&rest, FB_STR("nbf="), &token->nbf); /* may be left out, as the next */
    (void)url_take(&rest, FB_STR("net="), &token->net);
    if (!fb_str_starts_with(rest, FB_STR("path="))) {
        return false;
    }
    token->path = fb_str_skip(rest, 5);
    return true;
}

static const struct access_key *url_key(const struct edge_access *access, struct fb_str id)
{
    for (size_t i = 0; i < access->n_keys; i++) {
        if (access->keys[i].algorithm == EDGE_ACCESS_URL && fb_str_equal(access->keys[i].id, id)) {
            return &access->keys[i];
        }
    }
    return NULL;
}

static bool url_is_signed(const struct access_key *key, const struct url_token *token)
{
    uint8_t mac[FB_SHA256_SIZE];
    uint8_t told[FB_SHA256_SIZE];

    fb_hmac_sha256(key->secret, token->signed_part, mac);
    return fb_text_unhex(token->mac, told, sizeof(told)) == FB_OK &&
           fb_crypto_equal(fb_sha256_str(mac), fb_sha256_str(told));
}

static bool url_seconds(struct fb_str text, int64_t *ret_seconds)
{
    uint64_t seconds = 0;

    if (fb_str_to_u64(text, &seconds) < 0 || seconds > INT64_MAX / 4) {
        return false;
    }
    *ret_seconds = (int64_t)seconds;
    return true;
}

enum edge_access_cause edge_access_verify_url(const struct edge_access *access, struct fb_str token,
                                              struct edge_access_grant *grant)
{
    struct url_token parts = {0};

    if (!url_parse(token, &parts)) {
        return EDGE_ACCESS_MALFORMED;
    }
    const struct access_key *key = url_key(access, parts.kid);
    if (key == NULL) {
        return EDGE_ACCESS_UNKNOWN_KEY;
    }
    if (!url_is_signed(key, &parts)) {
        return EDGE_ACCESS_FORGED;
    }
    grant->not_before_s = INT64_MIN;
    grant->has_network = parts.net.ptr != NULL;
    bool is_good =
        url_seconds(parts.exp, &grant->expires_s) &&
        (parts.nbf.ptr == NULL || url_seconds(parts.nbf, &grant->not_before_s)) &&
        (!grant->has_network || fb_network_parse(parts.net, &grant->network, NULL) == FB_OK) &&
        edge_access_grant_path(grant, parts.path) == FB_OK;
    return is_good ? EDGE_ACCESS_GRANTED : EDGE_ACCESS_MALFORMED;
}
