/*
 * Uploads of a video's file: where it goes, and what of it is there.
 */
#include "origin/api/upload.h"

#include "base/core/clock.h"
#include "base/core/text.h"
#include "origin/api/api_internal.h"

#include <stdio.h>
#include <string.h>

enum { URLS_AT_FIRST = 16, URLS_AT_ONCE = 100 };

/* ---- what all answers have ------------------------------------------------------------- */

void origin_api_fault(struct fb_call *call, const struct origin_fault *fault, const char *doing)
{
    unsigned status = origin_fault_status(fault->kind);

    if (status == 500) {
        origin_api_broken(call, fault->diag.err, doing);
        return;
    }
    origin_api_refuse(call, status, origin_fault_slug(fault->kind), &fault->diag);
    if (status == 503) {
        fb_headers_add(&call->headers, call->arena, FB_STR("Retry-After"), FB_STR("2"));
    }
}

/* Where this request says that it was sent, unless the configuration knows. */
int origin_api_upload_base(const struct origin_api *api, struct fb_call *call,
                           struct fb_str *ret_base)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    if (api->options.upload_url.len > 0) {
        *ret_base = api->options.upload_url;
        return FB_OK;
    }
    if (call->request->host.len == 0) {
        fb_call_problem(call, 400, "bad-host", "The request's Host is not usable in a URL.");
        return FB_E_NOT_FOUND;
    }
    fb_buf_printf(&text, "http://%.*s", FB_STR_ARG(call->request->host));
    *ret_base = fb_arena_dup(call->arena, fb_buf_str(&text));
    return FB_OK;
}

/* The last part of a key: the declared name, as far as it can be one. */
static struct fb_str name_of(struct fb_str filename)
{
    struct fb_str part = FB_STR("source");

    while (fb_str_cut(&filename, '/', &part)) {
    }
    return part.len > 0 ? part : FB_STR("source");
}

int origin_api_answer_begin(const struct origin_api *api, struct fb_call *call,
                            const struct origin_upload_video *video,
                            struct origin_api_answer *ret_answer)
{
    struct origin_api_answer answer = {.api = api,
                                       .call = call,
                                       .video = video,
                                       .name = name_of(video->filename),
                                       .ask = {.video = &video->id,
                                               .content_length = -1,
                                               .expires_s = api->options.upload_expires_s}};

    int err = origin_api_upload_base(api, call, &answer.base);
    answer.ask.name = answer.name;
    if (err == FB_OK) {
        *ret_answer = answer;
    }
    return err;
}

void origin_api_answer_key(const struct origin_api_answer *answer, struct fb_json *object)
{
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};

    fb_buf_printf(&key, "%s/%.*s", answer->video->id.text, FB_STR_ARG(answer->name));
    fb_json_set_text(object, "bucket", ORIGIN_BUCKET);
    fb_json_set_str(object, "key", fb_buf_str(&key));
}

void origin_api_answer_expiry(const struct origin_api_answer *answer, struct fb_json *object)
{
    int64_t now_ms = fb_clock_wall_ms(answer->api->options.clock);

    origin_api_set_time(object, "expires_at",
                        now_ms + (int64_t)answer->api->options.upload_expires_s * 1000);
}

int origin_api_answer_url(const struct origin_api_answer *answer, struct fb_json *object)
{
    FB_AUTO(fb_buf_done) struct fb_buf url = {0};

    int err = origin_upload_url(answer->api->options.upload, answer->base, &answer->ask, &url);
    if (err < 0) {
        fb_call_problem(answer->call, 400, "bad-host",
                        "The request's Host is not usable in a URL.");
        return err;
    }
    fb_json_set_str(object, "url", fb_buf_str(&url));
    return FB_OK;
}

/* ---- in one piece ------------------------------------------------------------------------- */

static int store_single(struct origin_api_answer *answer, struct fb_json *upload)
{
    char size[FB_TEXT_NUMBER_MAX];
    struct fb_json *headers = NULL;

    answer->ask.method = FB_STR("PUT");
    answer->ask.content_length = (int64_t)answer->video->bytes;
    fb_json_set_text(upload, "method", "PUT");
    int err = origin_api_answer_url(answer, upload);
    if (err < 0) {
        return err;
    }
    headers = fb_json_set_object(upload, "headers");
    fb_json_set_str(headers, "Content-Length",
                    fb_text_number_at(size, (int64_t)answer->video->bytes));
    origin_api_answer_key(answer, upload);
    origin_api_answer_expiry(answer, upload);
    return FB_OK;
}

/* ---- in parts ----------------------------------------------------------------------------------
 */

/* A file that is sent in parts of one size. */
struct parts {
    struct origin_id upload;
    uint64_t size;
    uint32_t n;
    struct origin_upload_part *have;
    size_t n_have;
};

static uint32_t count_parts(uint64_t bytes, uint64_t size)
{
    return (uint32_t)(bytes / size + (bytes % size > 0 ? 1 : 0));
}

static uint64_t size_of_part(const struct parts *parts, uint64_t bytes, uint32_t number)
{
    return number < parts->n ? parts->size : bytes - (uint64_t)(parts->n - 1) * parts->size;
}

static int parts_read(struct origin_api_answer *answer, const struct origin_id *upload,
                      struct parts *ret_parts)
{
    struct parts parts = {.upload = *upload, .size = origin_upload_part_size(answer->video->bytes)};

    parts.n = count_parts(answer->video->bytes, parts.size);
    int err = origin_catalog_upload_parts(
        answer->api->options.catalog, answer->call->arena,
        &(struct origin_upload_part_query){.upload = upload, .limit = ORIGIN_PART_MAX}, &parts.have,
        &parts.n_have);
    if (err < 0) {
        origin_api_broken(answer->call, err, "read the parts of an upload");
        return err;
    }
    *ret_parts = parts;
    return FB_OK;
}

static int store_part_url(struct origin_api_answer *answer, const struct parts *parts,
                          struct fb_json *urls, uint32_t number)
{
    struct fb_json *item = fb_json_add_object(urls);
    uint64_t size = size_of_part(parts, answer->video->bytes, number);

    answer->ask.method = FB_STR("PUT");
    answer->ask.upload = &parts->upload;
    answer->ask.number = number;
    answer->ask.content_length = (int64_t)size;
    fb_json_set_int(item, "part", number);
    fb_json_set_int(item, "size", (int64_t)size);
    int err = origin_api_answer_url(answer, item);
    answer->ask.upload = NULL; /* `parts` may go before the answer does */
    return err;
}

/* The first parts that are not there. */
static int store_missing(struct origin_api_answer *answer, const struct parts *parts,
                         struct fb_json *urls)
{
    size_t at = 0;
    size_t n = 0;

    for (uint32_t number = 1; number <= parts->n && n < URLS_AT_FIRST; number++) {
        while (at < parts->n_have && parts->have[at].number < number) {
            at++;
        }
        if (at < parts->n_have && parts->have[at].number == number) {
            continue;
        }
        int err = store_part_url(answer, parts, urls, number);
        if (err < 0) {
            return err;
        }
        n++;
    }
    return FB_OK;
}

static int store_asked(struct origin_api_answer *answer, const struct parts *parts,
                       const struct fb_json *numbers, struct fb_json *urls)
{
    size_t n = fb_json_count(numbers);
    bool is_good = fb_json_type(numbers) == FB_JSON_ARRAY && n <= URLS_AT_ONCE;

    for (size_t i = 0; is_good && i < n; i++) {
        int64_t number = fb_json_int(fb_json_at(numbers, i), 0);
        is_good = number >= 1 && number <= parts->n;
        if (is_good && store_part_url(answer, parts, urls, (uint32_t)number) < 0) {
            return FB_E_MALFORMED;
        }
    }
    if (!is_good) {
        fb_call_problem(answer->call, 422, "bad-field",
                        "'parts' must be an array of up to %d numbers from 1 to %u.", URLS_AT_ONCE,
                        parts->n);
        return FB_E_MALFORMED;
    }
    return FB_OK;
}

/* `numbers` may be NULL: those that are missing. */
static int store_multipart(struct origin_api_answer *answer, const struct origin_id *id,
                           const struct fb_json *numbers, struct fb_json *upload)
{
    struct parts parts;

    int err = parts_read(answer, id, &parts);
    if (err < 0) {
        return err;
    }
    fb_json_set_text(upload, "method", "multipart");
    origin_api_answer_key(answer, upload);
    fb_json_set_text(upload, "upload_id", parts.upload.text);
    fb_json_set_int(upload, "part_size", (int64_t)parts.size);
    fb_json_set_int(upload, "parts", parts.n);
    struct fb_json *uploaded = fb_json_set_array(upload, "uploaded");
    for (size_t i = 0; i < parts.n_have; i++) {
        struct fb_json *item = fb_json_add_object(uploaded);
        fb_json_set_int(item, "part", parts.have[i].number);
        fb_json_set_int(item, "size", (int64_t)parts.have[i].bytes);
        fb_json_set_str(item, "etag", parts.have[i].etag);
    }
    struct fb_json *urls = fb_json_set_array(upload, "urls");
    err = fb_json_type(numbers) != FB_JSON_ABSENT ? store_asked(answer, &parts, numbers, urls)
                                                  : store_missing(answer, &parts, urls);
    origin_api_answer_expiry(answer, upload);
    return err;
}

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
        return store_single(&answer, upload);
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
    return err < 0 ? err : store_multipart(&answer, &id, NULL, upload);
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
    if (store_multipart(&answer, &id, fb_json_find(body, "parts"), root) == FB_OK) {
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
