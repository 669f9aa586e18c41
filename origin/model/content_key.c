#include "origin/model/content_key.h"

#include "base/core/err.h"
#include "base/core/text.h"
#include "base/json/json.h"
#include "base/sys/random.h"

#include <string.h>

static const char *const scheme_names[ORIGIN_N_SCHEMES] = {
    [ORIGIN_SCHEME_CLEAR] = "clear",
    [ORIGIN_SCHEME_CENC] = "cenc",
    [ORIGIN_SCHEME_CBCS] = "cbcs",
};

const char *origin_scheme_text(enum origin_scheme scheme)
{
    return scheme_names[scheme];
}

int origin_scheme_parse(struct fb_str text, enum origin_scheme *ret_scheme)
{
    for (unsigned i = 0; i < ORIGIN_N_SCHEMES; i++) {
        if (fb_str_equal(text, fb_str_from(scheme_names[i]))) {
            *ret_scheme = (enum origin_scheme)i;
            return FB_OK;
        }
    }
    return FB_E_MALFORMED;
}

void origin_content_key_draw(enum origin_scheme scheme, struct origin_content_key *ret_key)
{
    *ret_key = (struct origin_content_key){.scheme = scheme};
    if (scheme != ORIGIN_SCHEME_CLEAR) {
        fb_random_bytes(ret_key->id, sizeof(ret_key->id));
        fb_random_bytes(ret_key->key, sizeof(ret_key->key));
    }
}

void origin_content_key_done(struct origin_content_key *key)
{
    explicit_bzero(key, sizeof(*key));
}

static void store_hex(struct fb_json *object, const char *name, const uint8_t *bytes)
{
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};

    fb_text_hex(&hex, (struct fb_str){(const char *)bytes, ORIGIN_CONTENT_KEY_BYTES});
    fb_json_set_str(object, name, fb_buf_str(&hex));
    explicit_bzero(hex.ptr, hex.len);
}

void origin_content_key_store(struct fb_json *object, const struct origin_content_key *key)
{
    fb_json_set_text(object, "scheme", origin_scheme_text(key->scheme));
    if (key->scheme != ORIGIN_SCHEME_CLEAR) {
        store_hex(object, "kid", key->id);
        store_hex(object, "key", key->key);
    }
}

static int load_hex(const struct fb_json *object, const char *name, uint8_t *bytes,
                    struct fb_diag *diag)
{
    if (fb_text_unhex(fb_json_str(fb_json_find(object, name)), bytes, ORIGIN_CONTENT_KEY_BYTES) <
        0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' must be 32 hexadecimal digits", name);
    }
    return FB_OK;
}

int origin_content_key_load(const struct fb_json *object, struct origin_content_key *ret_key,
                            struct fb_diag *diag)
{
    struct origin_content_key key = {.scheme = ORIGIN_SCHEME_CLEAR};

    if (origin_scheme_parse(fb_json_str(fb_json_find(object, "scheme")), &key.scheme) < 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'scheme' must be clear, cenc or cbcs");
    }
    if (key.scheme != ORIGIN_SCHEME_CLEAR) {
        int err = load_hex(object, "kid", key.id, diag);
        err = err == FB_OK ? load_hex(object, "key", key.key, diag) : err;
        if (err < 0) {
            origin_content_key_done(&key);
            return err;
        }
    }
    *ret_key = key;
    origin_content_key_done(&key);
    return FB_OK;
}
