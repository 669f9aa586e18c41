/*
 * Which operation a request is, and on what.
 */
#include "base/core/err.h"
#include "base/core/text.h"
#include "origin/upload/s3_internal.h"

#include <string.h>

bool origin_s3_has(const struct origin_s3 *s3, const char *name)
{
    for (size_t i = 0; i < s3->params.n; i++) {
        if (fb_str_equal(s3->params.items[i].name, fb_str_from(name))) {
            return true;
        }
    }
    return false;
}

int origin_s3_number(struct origin_s3 *s3, const char *name, uint32_t preset, uint32_t max,
                     uint32_t *ret_number)
{
    struct fb_str text = origin_params_find(&s3->params, name);
    uint64_t number = preset;

    if (text.len > 0 && fb_str_to_u64(text, &number) < 0) {
        return origin_fault_set(&s3->fault, ORIGIN_FAULT_ARGUMENT, "%s is not a number", name);
    }
    *ret_number = number < max ? (uint32_t)number : max;
    return FB_OK;
}

/* What of S3 is about other things than files. */
static bool is_foreign(const struct origin_s3 *s3)
{
    static const char *const names[] = {
        "acl",
        "accelerate",
        "analytics",
        "attributes",
        "cors",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "lifecycle",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "restore",
        "retention",
        "select",
        "tagging",
        "torrent",
        "versions",
        "website",
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
        if (origin_s3_has(s3, names[i])) {
            return true;
        }
    }
    return false;
}

static int not_implemented(struct origin_s3 *s3)
{
    return origin_fault_set(&s3->fault, ORIGIN_FAULT_NOT_IMPLEMENTED,
                            "this operation of S3 is not there; uploads are");
}

static int wrong_method(struct origin_s3 *s3)
{
    return origin_fault_set(&s3->fault, ORIGIN_FAULT_METHOD,
                            "this method is not allowed here; what was uploaded is not read back");
}

static int route_bucket(struct origin_s3 *s3)
{
    switch (s3->head->method) {
    case FB_METHOD_GET:
        s3->op = origin_s3_has(s3, "location")     ? ORIGIN_S3_LOCATION
                 : origin_s3_has(s3, "versioning") ? ORIGIN_S3_VERSIONING
                 : origin_s3_has(s3, "uploads")    ? ORIGIN_S3_LIST_UPLOADS
                                                   : ORIGIN_S3_LIST_OBJECTS;
        return FB_OK;
    case FB_METHOD_HEAD:
        s3->op = ORIGIN_S3_HEAD_BUCKET;
        return FB_OK;
    case FB_METHOD_PUT:
        s3->op = ORIGIN_S3_CREATE_BUCKET;
        return FB_OK;
    case FB_METHOD_POST:
        s3->op = ORIGIN_S3_DELETE_OBJECTS;
        return origin_s3_has(s3, "delete") ? FB_OK : not_implemented(s3);
    default:
        return wrong_method(s3);
    }
}

int origin_upload_key_read(struct fb_str key, struct origin_ledger_place *ret_place)
{
    size_t slash = fb_str_find(key, '/');
    struct fb_str name = fb_str_skip(key, slash + 1);
    struct origin_ledger_place place = {.name = name};

    if (origin_id_parse(fb_str_first(key, slash), &place.video) < 0 || name.len == 0 ||
        name.len > ORIGIN_KEY_NAME_MAX || fb_str_find(name, '/') < name.len ||
        !fb_text_is_utf8(name)) {
        return FB_E_NOT_FOUND;
    }
    for (size_t i = 0; i < name.len; i++) {
        if ((uint8_t)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f) {
            return FB_E_NOT_FOUND;
        }
    }
    *ret_place = place;
    return FB_OK;
}

/* uploadId and partNumber. */
static int read_upload(struct origin_s3 *s3)
{
    struct fb_str id = origin_params_find(&s3->params, "uploadId");

    if (origin_id_parse(id, &s3->upload) < 0) {
        return origin_fault_set(&s3->fault, ORIGIN_FAULT_NO_UPLOAD, "there is no such upload");
    }
    return FB_OK;
}

static int route_put(struct origin_s3 *s3)
{
    if (fb_headers_find(&s3->head->headers, FB_STR("x-amz-copy-source")).ptr != NULL) {
        return not_implemented(s3);
    }
    s3->op = ORIGIN_S3_PUT;
    if (!origin_s3_has(s3, "uploadId") && !origin_s3_has(s3, "partNumber")) {
        return FB_OK;
    }
    s3->op = ORIGIN_S3_PUT_PART;
    int err = origin_s3_number(s3, "partNumber", 0, UINT32_MAX, &s3->number);
    return err < 0 ? err : read_upload(s3);
}

static int route_file(struct origin_s3 *s3)
{
    bool has_upload = origin_s3_has(s3, "uploadId");

    switch (s3->head->method) {
    case FB_METHOD_PUT:
        return route_put(s3);
    case FB_METHOD_POST:
        if (origin_s3_has(s3, "uploads")) {
            s3->op = ORIGIN_S3_CREATE;
            return FB_OK;
        }
        s3->op = ORIGIN_S3_COMPLETE;
        return has_upload ? read_upload(s3) : not_implemented(s3);
    case FB_METHOD_GET:
        s3->op = ORIGIN_S3_LIST_PARTS;
        return has_upload ? read_upload(s3) : wrong_method(s3);
    case FB_METHOD_DELETE:
        s3->op = has_upload ? ORIGIN_S3_ABORT : ORIGIN_S3_DELETE;
        return has_upload ? read_upload(s3) : FB_OK;
    case FB_METHOD_HEAD:
        s3->op = ORIGIN_S3_HEAD;
        return FB_OK;
    default:
        return wrong_method(s3);
    }
}

int origin_s3_route(struct origin_s3 *s3)
{
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};
    struct fb_str rest = s3->head->path;
    struct fb_str bucket = FB_STR("/" ORIGIN_BUCKET);

    if (is_foreign(s3)) {
        return not_implemented(s3);
    }
    if (fb_str_equal(rest, FB_STR("/"))) {
        s3->op = ORIGIN_S3_LIST_BUCKETS;
        return s3->head->method == FB_METHOD_GET ? FB_OK : wrong_method(s3);
    }
    rest = fb_str_skip(rest, bucket.len);
    if (rest.len <= 1) {
        return route_bucket(s3);
    }
    if (fb_text_percent_decode(&key, fb_str_skip(rest, 1)) < 0) {
        return origin_fault_set(&s3->fault, ORIGIN_FAULT_ARGUMENT, "the key is not well-formed");
    }
    s3->key = fb_arena_dup(&s3->arena, fb_buf_str(&key));
    if (origin_upload_key_read(s3->key, &s3->place) < 0) {
        return origin_fault_set(&s3->fault, ORIGIN_FAULT_NO_KEY,
                                "keys are the id of a video of yours, '/', and a name");
    }
    s3->place.owner = s3->user;
    return route_file(s3);
}
