#include "origin/access/pass.h"

#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/hash.h"

#include <inttypes.h>

void origin_pass_sign(const struct origin_pass_keys *keys, struct fb_str path, int64_t expires_s,
                      struct fb_buf *buf)
{
    const struct origin_pass_key *key = &keys->items[0];
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    uint8_t mac[FB_SHA256_SIZE];

    fb_buf_printf(&text, "kid=%.*s~exp=%" PRId64 "~path=%.*s", FB_STR_ARG(key->id), expires_s,
                  FB_STR_ARG(path));
    fb_hmac_sha256(key->secret, fb_buf_str(&text), mac);
    fb_buf_append(&text, FB_STR("~hmac="));
    fb_text_hex(&text, fb_sha256_str(mac));
    fb_buf_append(buf, fb_buf_str(&text));
}

/* The value behind `name` at the start of `*rest`, up to a '~'. */
static bool take(struct fb_str *rest, struct fb_str name, struct fb_str *ret_value)
{
    if (!fb_str_starts_with(*rest, name) || !fb_str_cut(rest, '~', ret_value)) {
        return false;
    }
    *ret_value = fb_str_skip(*ret_value, name.len);
    return true;
}

static bool is_signed(const struct origin_pass_key *key, struct fb_str text, struct fb_str hex)
{
    uint8_t mac[FB_SHA256_SIZE];
    uint8_t told[FB_SHA256_SIZE];

    fb_hmac_sha256(key->secret, text, mac);
    return fb_text_unhex(hex, told, sizeof(told)) == FB_OK &&
           fb_crypto_equal(fb_sha256_str(mac), fb_sha256_str(told));
}

int origin_pass_verify(const struct origin_pass_keys *keys, struct fb_str pass, struct fb_str path,
                       int64_t now_s, int64_t *ret_expires_s)
{
    struct fb_str rest = pass;
    struct fb_str kid;
    struct fb_str exp;
    struct fb_str prefix;
    struct fb_str hmac;
    uint64_t expires_s = 0;
    bool is_good = false;

    if (pass.len > ORIGIN_PASS_MAX || !take(&rest, FB_STR("kid="), &kid) ||
        !take(&rest, FB_STR("exp="), &exp) || !take(&rest, FB_STR("path="), &prefix) ||
        !take(&rest, FB_STR("hmac="), &hmac) || rest.len > 0 ||
        fb_str_to_u64(exp, &expires_s) < 0 || expires_s > INT64_MAX / 4) {
        return FB_E_DENIED;
    }
    struct fb_str text = fb_str_first(pass, pass.len - hmac.len - 6); /* "~hmac=" */
    for (size_t i = 0; i < keys->n; i++) {
        is_good = is_good ||
                  (fb_str_equal(keys->items[i].id, kid) && is_signed(&keys->items[i], text, hmac));
    }
    if (!is_good || now_s >= (int64_t)expires_s || !fb_str_ends_with(prefix, FB_STR("/")) ||
        !fb_str_starts_with(path, prefix)) {
        return FB_E_DENIED;
    }
    *ret_expires_s = (int64_t)expires_s;
    return FB_OK;
}
