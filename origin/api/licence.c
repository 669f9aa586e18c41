/*
 * Licences for Clear Key (W3C, Encrypted Media Extensions, 9.1): content keys, for who may play
 * the video that they open.
 *
 * A page of any site may ask: what decides is the access token, or the pass that came with the
 * media, and those no browser adds by itself.
 */
#include "base/crypto/base64.h"
#include "origin/access/access.h"
#include "origin/api/api_internal.h"
#include "origin/keys/keys.h"

#include <string.h>

enum { KIDS_MAX = 16, KID_TEXT_MAX = 32 };

static void let_pages_read(struct fb_call *call)
{
    fb_headers_add(&call->headers, call->arena, FB_STR("Access-Control-Allow-Origin"), FB_STR("*"));
}

void origin_api_clear_key_options(void *ctx, struct fb_call *call)
{
    (void)ctx;
    call->status = 204;
    let_pages_read(call);
    fb_headers_add(&call->headers, call->arena, FB_STR("Access-Control-Allow-Methods"),
                   FB_STR("POST"));
    fb_headers_add(&call->headers, call->arena, FB_STR("Access-Control-Allow-Headers"),
                   FB_STR("Authorization, Content-Type"));
    fb_headers_add(&call->headers, call->arena, FB_STR("Access-Control-Max-Age"), FB_STR("86400"));
}

/* Who asks for a key of the video: as of its manifest, or by a pass for its media. */
static int judge(const struct origin_api *api, struct fb_call *call, const struct origin_id *id)
{
    struct fb_str field = fb_headers_find(&call->request->headers, FB_STR("Authorization"));
    struct fb_str pass = fb_query_param(call->request->query, call->arena, FB_STR("pass"));
    struct fb_address nowhere = {.len = 0};
    struct origin_video video;
    struct origin_view view;
    int64_t max_age_s = 0;

    int err = origin_catalog_video_get(api->options.catalog, call->arena, id, &video);
    if (err == FB_OK) {
        err = origin_access_look(api->options.access, field, &video, &view);
    }
    if (err == FB_OK && !view.may_play) {
        bool is_playable = video.status == ORIGIN_VIDEO_READY && video.deactivated_ms == 0;
        bool has_pass =
            is_playable && pass.ptr != NULL &&
            origin_access_media(api->options.access, id, &nowhere, pass, &max_age_s) == FB_OK;
        err = has_pass ? FB_OK : FB_E_NOT_FOUND;
    }
    if (err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-key", "There is no such key.");
    } else if (err < 0) {
        origin_api_broken(call, err, "see who asks for a key");
    }
    return err < 0 ? err : origin_api_place(api, call, &view, &video);
}

static void store_key(struct fb_json *keys, const struct origin_content_key *key)
{
    struct fb_json *item = fb_json_add_object(keys);
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    fb_json_set_text(item, "kty", "oct");
    fb_base64_encode(&text, FB_BASE64_URL, (struct fb_str){(const char *)key->id, sizeof(key->id)});
    fb_json_set_str(item, "kid", fb_buf_str(&text));
    fb_buf_clear(&text);
    fb_base64_encode(&text, FB_BASE64_URL,
                     (struct fb_str){(const char *)key->key, sizeof(key->key)});
    fb_json_set_str(item, "k", fb_buf_str(&text));
}

static int add_key(const struct origin_api *api, struct fb_call *call, struct fb_str kid,
                   struct fb_json *keys)
{
    FB_AUTO(origin_content_key_done) struct origin_content_key key = {0};
    FB_AUTO(fb_buf_done) struct fb_buf id = {0};
    struct origin_id video;

    if (kid.len > KID_TEXT_MAX || fb_base64_decode(&id, FB_BASE64_URL, kid) < 0 ||
        id.len != ORIGIN_CONTENT_KEY_BYTES) {
        fb_call_problem(call, 400, "bad-kid", "A key id is 16 bytes in base64url.");
        return FB_E_MALFORMED;
    }
    int err = origin_keys_find(api->options.keys, (const uint8_t *)id.ptr, &video, &key);
    if (err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-key", "There is no such key.");
    } else if (err < 0) {
        origin_api_broken(call, err, "find a content key");
    } else if ((err = judge(api, call, &video)) == FB_OK) {
        store_key(keys, &key);
    }
    return err;
}

void origin_api_clear_key(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct fb_json *keys = fb_json_set_array(root, "keys");

    let_pages_read(call);
    if (origin_api_body(call, &body) < 0) {
        return;
    }
    const struct fb_json *kids = fb_json_find(body, "kids");
    size_t n = fb_json_count(kids);
    if (fb_json_type(kids) != FB_JSON_ARRAY || n == 0 || n > KIDS_MAX) {
        fb_call_problem(call, 400, "bad-kid", "'kids' must be an array of 1 to %d key ids.",
                        KIDS_MAX);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (add_key(api, call, fb_json_str(fb_json_at(kids, i)), keys) < 0) {
            return;
        }
    }
    fb_json_set_text(root, "type", "temporary");
    origin_api_reply(call, 200, root);
}
