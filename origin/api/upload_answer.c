/*
 * What creators are told of an upload: where it goes, and what of it is there.
 */
#include "base/core/clock.h"
#include "base/core/text.h"
#include "origin/api/api_internal.h"
#include "origin/api/upload.h"

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

int origin_api_answer_single(struct origin_api_answer *answer, struct fb_json *upload)
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
int origin_api_answer_parts(struct origin_api_answer *answer, const struct origin_id *id,
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
