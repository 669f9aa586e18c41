/*
 * Requests of S3 that are signed for who sends them.
 */
#include "origin/api/api_internal.h"
#include "origin/api/upload.h"

enum { KEY_TEXT_MAX = 320 };

/* What is to be signed, in the words of Uppy's S3 plugin. */
static int read_ask(const struct fb_json *body, struct origin_upload_ask *ask,
                    struct origin_id *upload, struct fb_diag *diag)
{
    static const char *const methods[] = {"PUT", "POST", "GET", "DELETE", "HEAD"};
    struct fb_str id = fb_json_str(fb_json_find(body, "uploadId"));
    int64_t number = fb_json_int(fb_json_find(body, "partNumber"), 0);
    bool is_known = false;

    int err = fb_json_read_str(body, "method", 16, &ask->method, diag);
    if (err < 0) {
        return err;
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(methods); i++) {
        is_known = is_known || fb_str_equal(ask->method, fb_str_from(methods[i]));
    }
    if (!is_known) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'method' is not one that is signed");
    }
    if (id.ptr != NULL) {
        if (origin_id_parse(id, upload) < 0) {
            return fb_diag_set(diag, FB_E_MALFORMED, "'uploadId' is not one of this site");
        }
        ask->upload = upload;
    }
    if (number < 0 || number > ORIGIN_PART_MAX || (number > 0 && ask->upload == NULL)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'partNumber' must be 1 to %d, with an 'uploadId'",
                           ORIGIN_PART_MAX);
    }
    ask->number = (uint32_t)number;
    ask->is_create = fb_str_equal(ask->method, FB_STR("POST")) && ask->upload == NULL;
    return FB_OK;
}

/* The caller's video of the key, which may still be anything: "<video>", "<video>/<name>". */
static int key_video(const struct origin_api *api, struct fb_call *call, struct fb_str key,
                     struct origin_upload_video *ret_video)
{
    struct origin_upload_video video = {.bytes = 0};
    struct origin_id user;
    struct origin_id id;

    int err = origin_api_user(api, call, &user);
    if (err < 0) {
        return err;
    }
    err = origin_id_parse(fb_str_first(key, fb_str_find(key, '/')), &id);
    if (err == FB_OK) {
        err = origin_catalog_upload_video(api->options.catalog, call->arena, &id, &video);
    }
    if (err == FB_E_MALFORMED || err == FB_E_NOT_FOUND ||
        (err == FB_OK && !origin_id_equal(&video.owner, &user))) {
        fb_call_problem(call, 404, "no-video",
                        "The key must begin with the id of a video of yours.");
        return FB_E_NOT_FOUND;
    }
    if (err < 0) {
        origin_api_broken(call, err, "read a video");
        return err;
    }
    *ret_video = video;
    return FB_OK;
}

void origin_api_upload_sign(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct fb_diag diag = {.err = FB_OK};
    struct origin_upload_video video;
    struct origin_api_answer answer;
    struct origin_id upload;
    struct fb_str key;

    if (origin_api_body(call, &body) < 0) {
        return;
    }
    if (fb_json_read_str(body, "key", KEY_TEXT_MAX, &key, &diag) < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return;
    }
    if (key_video(api, call, key, &video) < 0 ||
        origin_api_answer_begin(api, call, &video, &answer) < 0) {
        return;
    }
    if (read_ask(body, &answer.ask, &upload, &diag) < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return;
    }
    /* The name is the client's, if it is one. */
    struct origin_ledger_place place = {.name = FB_STR_NONE};
    if (origin_upload_key_read(key, &place) == FB_OK) {
        answer.name = place.name;
        answer.ask.name = place.name;
    }
    fb_json_set_str(root, "method", answer.ask.method);
    if (origin_api_answer_url(&answer, root) == FB_OK) {
        origin_api_answer_key(&answer, root);
        origin_api_answer_expiry(&answer, root);
        origin_api_reply(call, 200, root);
    }
}
