/*
 * Uploads of a video's file: begun, found again, ended.
 */
#include "origin/api/upload.h"

#include "origin/api/api_internal.h"

/* ---- which one ------------------------------------------------------------------------- */

int origin_api_upload_newest(const struct origin_api *api, struct fb_call *call,
                             const struct origin_id *video, struct origin_id *ret_upload)
{
    struct origin_upload_row *rows = NULL;
    size_t newest = 0;
    size_t n = 0;

    int err = origin_catalog_upload_list(
        api->options.catalog, call->arena,
        &(struct origin_upload_query){
            .video = video, .is_open = true, .limit = ORIGIN_OPEN_AT_ONCE},
        &rows, &n);
    if (err < 0 || n == 0) {
        return err < 0 ? err : FB_E_NOT_FOUND;
    }
    for (size_t i = 1; i < n; i++) {
        newest = rows[i].touched_ms > rows[newest].touched_ms ? i : newest;
    }
    *ret_upload = rows[newest].id;
    return FB_OK;
}

/* The one that is named, or else the newest; answers the call if there is none. */
static int find_upload(const struct origin_api *api, struct fb_call *call,
                       const struct origin_id *video, struct fb_str text,
                       struct origin_id *ret_upload)
{
    struct origin_ledger_place place = {.video = *video};
    struct origin_fault fault = {.kind = ORIGIN_FAULT_NONE};
    struct origin_upload_row row;

    int err = text.ptr != NULL ? origin_id_parse(text, ret_upload)
                               : origin_api_upload_newest(api, call, video, ret_upload);
    if (err == FB_OK) {
        err = origin_ledger_find(origin_upload_ledger(api->options.upload), call->arena, &place,
                                 ret_upload, &row, &fault);
        if (err < 0) {
            origin_api_fault(call, &fault, "find an upload");
        }
    } else if (err == FB_E_MALFORMED || err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-upload", "There is no such upload.");
    } else {
        origin_api_broken(call, err, "find an upload");
    }
    return err;
}

/* ---- how it is sent ----------------------------------------------------------------------------
 */

int origin_api_upload_mode(const struct fb_json *body, enum origin_api_upload_mode *ret_mode,
                           struct fb_diag *diag)
{
    static const char *const names[] = {
        [ORIGIN_API_UPLOAD_AUTO] = "auto",
        [ORIGIN_API_UPLOAD_SINGLE] = "single",
        [ORIGIN_API_UPLOAD_MULTIPART] = "multipart",
        [ORIGIN_API_UPLOAD_SIGN] = "sign",
    };
    struct fb_str text = fb_json_str(fb_json_find(body, "upload"));
    enum fb_json_type type = fb_json_type(fb_json_find(body, "upload"));

    if (type == FB_JSON_ABSENT || type == FB_JSON_NULL) {
        *ret_mode = ORIGIN_API_UPLOAD_AUTO;
        return FB_OK;
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
        if (fb_str_equal(text, fb_str_from(names[i]))) {
            *ret_mode = (enum origin_api_upload_mode)i;
            return FB_OK;
        }
    }
    return fb_diag_set(diag, FB_E_MALFORMED, "'upload' must be auto, single, multipart or sign");
}

static int begin_multipart(struct origin_api_answer *answer, struct origin_id *ret_upload)
{
    struct origin_ledger_ask ask = {.place = {.video = answer->video->id, .name = answer->name}};
    struct origin_fault fault = {.kind = ORIGIN_FAULT_NONE};

    int err = origin_ledger_begin(origin_upload_ledger(answer->api->options.upload), &ask,
                                  ORIGIN_SUM_NONE, ret_upload, &fault);
    if (err < 0) {
        origin_api_fault(answer->call, &fault, "begin an upload");
    }
    return err;
}

int origin_api_upload_store(const struct origin_api *api, struct fb_call *call,
                            const struct origin_upload_video *video,
                            enum origin_api_upload_mode mode, bool may_resume, struct fb_json *root)
{
    struct fb_json *upload = fb_json_set_object(root, "upload");
    struct origin_id id = {""};
    struct origin_api_answer answer;

    int err = origin_api_answer_begin(api, call, video, &answer);
    if (err < 0) {
        return err;
    }
    if (mode == ORIGIN_API_UPLOAD_AUTO) {
        mode = video->bytes > api->options.multipart_from ? ORIGIN_API_UPLOAD_MULTIPART
                                                          : ORIGIN_API_UPLOAD_SINGLE;
    }
    if (mode == ORIGIN_API_UPLOAD_SINGLE) {
        return origin_api_answer_single(&answer, upload);
    }
    if (mode == ORIGIN_API_UPLOAD_SIGN) {
        fb_json_set_text(upload, "method", "sign");
        origin_api_answer_key(&answer, upload);
        return FB_OK;
    }
    err = may_resume ? origin_api_upload_newest(api, call, &video->id, &id) : FB_E_NOT_FOUND;
    if (err == FB_E_NOT_FOUND) {
        err = begin_multipart(&answer, &id);
    } else if (err < 0) {
        origin_api_broken(call, err, "find an upload");
    }
    return err < 0 ? err : origin_api_answer_parts(&answer, &id, NULL, upload);
}

/* ---- requests ----------------------------------------------------------------------------------
 */

/* The caller's video of the path, which waits for its upload. */
static int waiting_video(const struct origin_api *api, struct fb_call *call,
                         struct origin_upload_video *ret_video)
{
    struct origin_upload_video waiting;
    struct origin_video video;

    int err = origin_api_own_video(api, call, &video);
    if (err < 0) {
        return err;
    }
    err = origin_catalog_upload_video(api->options.catalog, call->arena, &video.id, &waiting);
    if (err < 0) {
        origin_api_broken(call, err, "read a video");
        return err;
    }
    if (!waiting.is_waiting) {
        fb_call_problem(call, 409, "upload-closed",
                        "The upload of this video was completed before.");
        return FB_E_CONFLICT;
    }
    *ret_video = waiting;
    return FB_OK;
}

/* The content as an object; none is an empty one. */
int origin_api_optional_body(struct fb_call *call, struct fb_json **ret_body)
{
    if (call->body.len > 0) {
        return origin_api_body(call, ret_body);
    }
    *ret_body = fb_json_new_object();
    return FB_OK;
}

void origin_api_upload(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    enum origin_api_upload_mode mode = ORIGIN_API_UPLOAD_AUTO;
    struct fb_diag diag = {.err = FB_OK};
    struct origin_upload_video video;

    if (waiting_video(api, call, &video) < 0 || origin_api_optional_body(call, &body) < 0) {
        return;
    }
    if (origin_api_upload_mode(body, &mode, &diag) < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return;
    }
    fb_json_set_text(root, "id", video.id.text);
    if (origin_api_upload_store(api, call, &video, mode,
                                !fb_json_bool(fb_json_find(body, "anew"), false), root) == FB_OK) {
        origin_api_reply(call, 200, root);
    }
}

void origin_api_upload_parts(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_upload_video video;
    struct origin_api_answer answer;
    struct origin_id id;

    if (waiting_video(api, call, &video) < 0 || origin_api_optional_body(call, &body) < 0 ||
        origin_api_answer_begin(api, call, &video, &answer) < 0 ||
        find_upload(api, call, &video.id, fb_json_str(fb_json_find(body, "upload_id")), &id) < 0) {
        return;
    }
    if (origin_api_answer_parts(&answer, &id, fb_json_find(body, "parts"), root) == FB_OK) {
        origin_api_reply(call, 200, root);
    }
}

void origin_api_upload_abort(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    struct origin_fault fault = {.kind = ORIGIN_FAULT_NONE};
    struct origin_upload_video video;
    struct origin_id id;

    if (waiting_video(api, call, &video) < 0 ||
        find_upload(api, call, &video.id, fb_call_param(call, "upload"), &id) < 0) {
        return;
    }
    struct origin_ledger_place place = {.video = video.id};
    if (origin_ledger_abort(origin_upload_ledger(api->options.upload), &place, &id, &fault) < 0) {
        origin_api_fault(call, &fault, "end an upload");
        return;
    }
    call->status = 204;
}
