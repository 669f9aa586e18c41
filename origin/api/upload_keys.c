/*
 * Upload keys: what tools sign with in the name of a user.
 */
#include "origin/catalog/upload_keys.h"

#include "base/core/clock.h"
#include "origin/api/api_internal.h"
#include "origin/api/upload.h"

enum { NAME_MAX_CHARACTERS = 60, DAY_S = 24 * 3600, LIFETIME_DAYS = 90, LIFETIME_DAYS_MAX = 366 };

static void store_key(struct fb_json *root, const struct origin_upload_key *key)
{
    fb_json_set_text(root, "access_key_id", key->id.text);
    fb_json_set_str(root, "name", key->name);
    origin_api_set_time(root, "created_at", key->created_ms);
    origin_api_set_time(root, "expires_at", key->expires_ms);
    if (key->used_ms > 0) {
        origin_api_set_time(root, "used_at", key->used_ms);
    } else {
        fb_json_set_null(root, "used_at");
    }
}

static int read_key(const struct fb_json *body, struct origin_upload_key *key, int64_t now_ms,
                    struct fb_diag *diag)
{
    int64_t lifetime_s = (int64_t)LIFETIME_DAYS * DAY_S;

    int err = fb_json_read_int(body, "expires_in", 60, (int64_t)LIFETIME_DAYS_MAX * DAY_S,
                               &lifetime_s, diag);
    if (err < 0 && err != FB_E_NOT_FOUND) {
        return err;
    }
    key->name = FB_STR("");
    err = fb_json_read_str(body, "name", (size_t)ORIGIN_API_UTF8_MAX * NAME_MAX_CHARACTERS,
                           &key->name, diag);
    if (err < 0 && err != FB_E_NOT_FOUND) {
        return err;
    }
    key->created_ms = now_ms;
    key->expires_ms = now_ms + lifetime_s * 1000;
    return origin_api_check_text("name", key->name, NAME_MAX_CHARACTERS, false, diag);
}

/* What a tool of S3 has to be told besides the key. */
static int store_endpoint(const struct origin_api *api, struct fb_call *call, struct fb_json *root)
{
    struct fb_str base;

    int err = origin_api_upload_base(api, call, &base);
    if (err == FB_OK) {
        fb_json_set_str(root, "endpoint", base);
        fb_json_set_text(root, "bucket", ORIGIN_BUCKET);
        fb_json_set_text(root, "region", "us-east-1");
    }
    return err;
}

void origin_api_upload_key_add(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    FB_AUTO(fb_buf_done) struct fb_buf secret = {0};
    struct origin_upload_key key = {.id = origin_id_new()};
    struct fb_diag diag = {.err = FB_OK};

    if (origin_api_user(api, call, &key.user) < 0 || origin_api_optional_body(call, &body) < 0) {
        return;
    }
    if (read_key(body, &key, fb_clock_wall_ms(api->options.clock), &diag) < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return;
    }
    int err = origin_catalog_upload_key_add(api->options.catalog, &key);
    if (err == FB_E_LIMIT) {
        fb_call_problem(call, 409, "too-many-keys",
                        "There may be %d upload keys. Remove one first.", ORIGIN_UPLOAD_KEYS_MAX);
    } else if (err == FB_E_CONFLICT) {
        fb_call_problem(call, 401, "bad-token", "The account is not there any more.");
    } else if (err < 0) {
        origin_api_broken(call, err, "make an upload key");
    }
    if (err < 0 || store_endpoint(api, call, root) < 0) {
        return;
    }
    store_key(root, &key);
    origin_upload_key_secret(api->options.upload, &key.id, &secret);
    fb_json_set_str(root, "secret_access_key", fb_buf_str(&secret));
    origin_api_reply(call, 201, root);
}

void origin_api_upload_keys(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_upload_key *keys = NULL;
    struct origin_id user;
    size_t n = 0;

    if (origin_api_user(api, call, &user) < 0) {
        return;
    }
    int err = origin_catalog_upload_key_list(api->options.catalog, call->arena, &user, &keys, &n);
    if (err < 0) {
        origin_api_broken(call, err, "list upload keys");
        return;
    }
    struct fb_json *items = fb_json_set_array(root, "items");
    for (size_t i = 0; i < n; i++) {
        store_key(fb_json_add_object(items), &keys[i]);
    }
    origin_api_reply(call, 200, root);
}

void origin_api_upload_key_remove(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    struct origin_id user;
    struct origin_id id;

    if (origin_api_user(api, call, &user) < 0) {
        return;
    }
    int err = origin_id_parse(fb_call_param(call, "key"), &id);
    if (err == FB_OK) {
        err = origin_catalog_upload_key_remove(api->options.catalog, &user, &id);
    }
    if (err == FB_E_MALFORMED || err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-key", "There is no such upload key.");
    } else if (err < 0) {
        origin_api_broken(call, err, "remove an upload key");
    } else {
        call->status = 204;
    }
}
