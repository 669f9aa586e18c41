/*
 * Objects of a bucket (s3_internal.h).
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/http/url.h"
#include "base/sys/file.h"
#include "origin/model/task.h"
#include "origin/objects/s3_internal.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT_MS = 5000,
    STALL_TIMEOUT_MS = 30000,
    MAX_ATTEMPTS = 5,
    PREFIX_MAX = 255,
    SPOOL_MODE = 0700
};

#define PART_BYTES (16UL << 20)

/* ---- reading ------------------------------------------------------------------- */

static int s3_find(struct origin_objects *objects, struct fb_str key,
                   struct origin_object *ret_object)
{
    struct s3_answer answer;

    int err = origin_bucket_do(s3_of(objects), &S3_REQUEST("HEAD", key), &answer);
    if (err < 0) {
        return err;
    }
    struct origin_object object = {
        .fd = -1, .size = answer.length, .modified_ms = answer.modified_ms};
    memcpy(object.etag, answer.etag, sizeof(object.etag));
    *ret_object = object;
    return FB_OK;
}

/* If-Match: an object that was replaced is no longer the one that was opened. */
static int s3_read(const struct origin_object *object, uint64_t offset, void *buf, size_t n)
{
    struct s3_request request = S3_REQUEST("GET", fb_str_from(object->key));
    char header[ORIGIN_ETAG_MAX + 16];
    struct s3_answer answer;

    if (object->etag[0] != '\0') {
        (void)snprintf(header, sizeof(header), "If-Match: \"%s\"", object->etag);
        request.header[0] = header;
    }
    request.into = buf;
    request.into_len = n;
    request.into_offset = offset;
    return origin_bucket_do(s3_of(object->objects), &request, &answer);
}

static int s3_remove(struct origin_objects *objects, struct fb_str key)
{
    struct s3_answer answer;

    int err = origin_bucket_do(s3_of(objects), &S3_REQUEST("DELETE", key), &answer);
    return err == FB_E_NOT_FOUND ? FB_OK : err;
}

/* ---- open and close -------------------------------------------------------------- */

static void s3_close(struct origin_objects *objects)
{
    struct s3 *s3 = s3_of(objects);

    origin_bucket_handles_done(s3);
    origin_bucket_credentials_done(&s3->credentials);
    (void)pthread_mutex_destroy(&s3->lock);
    fb_free(s3->url);
    fb_free(s3->prefix);
    fb_free(s3->region);
    fb_free(s3->ca_file);
    fb_free(s3->spool);
    fb_free(s3->credentials_path);
    fb_free(s3);
}

static const struct origin_objects_ops s3_ops = {
    .kind = "s3",
    .close = s3_close,
    .put_begin = origin_bucket_put_begin,
    .put_write = origin_bucket_put_write,
    .put_commit = origin_bucket_put_commit,
    .put_abort = origin_bucket_put_abort,
    .put_file = origin_bucket_put_file,
    .multipart_begin = origin_bucket_multipart_begin,
    .multipart_part = origin_bucket_multipart_part,
    .put_commit_part = origin_bucket_put_commit_part,
    .multipart_parts = origin_bucket_multipart_parts,
    .multipart_complete = origin_bucket_multipart_complete,
    .multipart_abort = origin_bucket_multipart_abort,
    .multipart_list = origin_bucket_multipart_list,
    .get = s3_find,
    .stat = s3_find,
    .read = s3_read,
    .list = origin_bucket_list,
    .remove = s3_remove,
    .remove_prefix = origin_bucket_remove_prefix,
};

/* The rules for names of buckets that all servers share. */
static bool bucket_is_good(struct fb_str bucket)
{
    for (size_t i = 0; i < bucket.len; i++) {
        char c = bucket.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_plain && (i == 0 || i + 1 == bucket.len || (c != '-' && c != '.'))) {
            return false;
        }
    }
    return bucket.len >= 3 && bucket.len <= 63;
}

/* "s3://<bucket>[/<prefix>]" */
static int s3_set_place(struct s3 *s3, const struct origin_objects_options *options,
                        struct fb_diag *diag)
{
    struct fb_str rest = fb_str_skip(options->url, 5);
    struct fb_str bucket = fb_str_first(rest, fb_str_find(rest, '/'));
    struct fb_str prefix = fb_str_skip(rest, bucket.len + 1);
    struct fb_str endpoint = options->s3.endpoint;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct fb_url url;

    if (!bucket_is_good(bucket) || (prefix.len > 0 && !origin_path_is_plain(prefix, PREFIX_MAX))) {
        return fb_diag_set(diag, FB_E_MALFORMED, "expected s3://<bucket>[/<prefix>]");
    }
    int err = fb_url_parse(endpoint, &url, diag);
    if (err < 0) {
        return fb_diag_prefix(diag, err, "endpoint '%.*s'", FB_STR_ARG(endpoint));
    }
    struct fb_str authority = fb_str_skip(endpoint, url.scheme.len + 3); /* "://" */
    authority = fb_str_first(authority, fb_str_find(authority, '/'));
    if (options->s3.has_bucket_host) {
        fb_buf_printf(&text, "%.*s://%.*s.%.*s", FB_STR_ARG(url.scheme), FB_STR_ARG(bucket),
                      FB_STR_ARG(authority));
    } else {
        fb_buf_printf(&text, "%.*s://%.*s/%.*s", FB_STR_ARG(url.scheme), FB_STR_ARG(authority),
                      FB_STR_ARG(bucket));
    }
    s3->url = fb_str_dup(fb_buf_str(&text));
    fb_buf_clear(&text);
    fb_buf_printf(&text, prefix.len > 0 ? "%.*s/" : "%.*s", FB_STR_ARG(prefix));
    s3->prefix = fb_str_dup(fb_buf_str(&text));
    return FB_OK;
}

static char *text_or(struct fb_str text, const char *preset)
{
    return fb_str_dup(text.len > 0 ? text : fb_str_from(preset));
}

static int s3_set_spool(struct s3 *s3, struct fb_str spool, struct fb_diag *diag)
{
    const char *temporary = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */

    s3->spool = text_or(spool, temporary != NULL && temporary[0] == '/' ? temporary : "/tmp");
    int err = spool.len > 0 ? fb_dir_make(AT_FDCWD, s3->spool, SPOOL_MODE) : FB_OK;
    return err < 0 ? fb_diag_set(diag, err, "make the spool '%s': %s", s3->spool, fb_err_text(err))
                   : FB_OK;
}

/* Whether the bucket is there and we may use it, so that a wrong word is found at start. */
static int s3_look(struct s3 *s3, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct s3_request request = S3_REQUEST("GET", FB_STR_NONE);
    struct s3_answer answer;

    request.query = "list-type=2&max-keys=1";
    request.text = &text;
    int err = origin_bucket_do(s3, &request, &answer);
    if (err < 0 && answer.code[0] != '\0') {
        return fb_diag_set(diag, err, "%s: %s (%s)", s3->url, fb_err_text(err), answer.code);
    }
    if (err < 0 && answer.cause[0] != '\0') {
        return fb_diag_set(diag, err, "%s: %s", s3->url, answer.cause);
    }
    return err < 0 ? fb_diag_set(diag, err, "%s: %s", s3->url, fb_err_text(err)) : FB_OK;
}

int origin_bucket_open(const struct origin_objects_options *options,
                       struct origin_objects **ret_objects, struct fb_diag *diag)
{
    const struct origin_bucket_options *given = &options->s3;
    struct s3 *s3 = FB_NEW(struct s3);

    (void)curl_global_init(CURL_GLOBAL_DEFAULT); /* counted, and safe from threads since 7.84 */
    s3->base.ops = &s3_ops;
    (void)pthread_mutex_init(&s3->lock, NULL);
    s3->region = text_or(given->region, "us-east-1");
    s3->ca_file = given->ca_file.len > 0 ? fb_str_dup(given->ca_file) : NULL;
    s3->credentials_path = fb_str_dup(given->credentials);
    s3->connect_timeout_ms =
        given->connect_timeout_ms > 0 ? given->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    s3->stall_timeout_ms = given->stall_timeout_ms > 0 ? given->stall_timeout_ms : STALL_TIMEOUT_MS;
    s3->max_attempts = given->max_attempts > 0 ? given->max_attempts : MAX_ATTEMPTS;
    s3->part_bytes =
        given->part_bytes > 0 ? FB_MAX(given->part_bytes, (uint64_t)S3_LEAST_PART) : PART_BYTES;
    int err = s3_set_place(s3, options, diag);
    if (err == FB_OK) {
        err = s3_set_spool(s3, given->spool, diag);
    }
    if (err == FB_OK) {
        err = origin_bucket_credentials_load(s3->credentials_path, &s3->credentials, diag);
    }
    if (err == FB_OK) {
        err = s3_look(s3, diag);
    }
    if (err < 0) {
        s3_close(&s3->base);
        return fb_diag_prefix(diag, err, "objects '%.*s'", FB_STR_ARG(options->url));
    }
    *ret_objects = &s3->base;
    return FB_OK;
}
