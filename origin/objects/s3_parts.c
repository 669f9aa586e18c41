/*
 * Multiparts, by the server's own.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/xml/xml.h"
#include "origin/objects/s3_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 1000 };

static void copy_text(char *to, size_t size, struct fb_str from)
{
    size_t n = FB_MIN(from.len, size - 1);

    memcpy(to, from.ptr, n);
    to[n] = '\0';
}

static uint64_t number_of(struct fb_str text)
{
    uint64_t number = 0;
    return fb_str_to_u64(text, &number) == FB_OK ? number : 0;
}

/* "<before>uploadId=<id>" */
static void query_with_id(struct fb_buf *query, const char *before, struct fb_str id)
{
    fb_buf_printf(query, "%suploadId=", before);
    fb_text_percent_encode(query, id, "");
}

/* ---- begin and abort ---------------------------------------------------------------- */

static int on_begun_element(void *ctx, struct fb_str path, struct fb_str text)
{
    if (fb_str_equal(path, FB_STR("InitiateMultipartUploadResult/UploadId"))) {
        if (text.len == 0 || text.len > ORIGIN_MULTIPART_ID_MAX) {
            return FB_E_LIMIT;
        }
        copy_text(ctx, ORIGIN_MULTIPART_ID_MAX + 1, text);
    }
    return FB_OK;
}

int origin_bucket_multipart_begin(struct origin_objects *objects, struct fb_str key,
                                  char ret_id[ORIGIN_MULTIPART_ID_MAX + 1])
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct s3_request request = S3_REQUEST("POST", key);
    char id[ORIGIN_MULTIPART_ID_MAX + 1] = "";
    struct s3_answer answer;

    request.query = "uploads=";
    request.text = &text;
    int err = origin_bucket_do(s3_of(objects), &request, &answer);
    if (err < 0 || (err = fb_xml_read(fb_buf_str(&text), on_begun_element, id, NULL)) < 0) {
        return err;
    }
    if (id[0] == '\0') {
        return FB_E_FOREIGN;
    }
    copy_text(ret_id, ORIGIN_MULTIPART_ID_MAX + 1, fb_str_from(id));
    return FB_OK;
}

int origin_bucket_multipart_abort(struct origin_objects *objects, struct fb_str key,
                                  struct fb_str id)
{
    FB_AUTO(fb_buf_done) struct fb_buf query = {0};
    struct s3_request request = S3_REQUEST("DELETE", key);
    struct s3_answer answer;

    query_with_id(&query, "", id);
    request.query = query.ptr;
    int err = origin_bucket_do(s3_of(objects), &request, &answer);
    return err == FB_E_NOT_FOUND ? FB_OK : err;
}

/* ---- parts --------------------------------------------------------------------------- */

int origin_bucket_part_send(struct s3 *s3, struct fb_str key, struct fb_str id,
                            const struct s3_part_content *content,
                            char ret_etag[ORIGIN_ETAG_MAX + 1])
{
    FB_AUTO(fb_buf_done) struct fb_buf query = {0};
    struct s3_request request = S3_REQUEST("PUT", key);
    struct s3_answer answer;

    fb_buf_printf(&query, "partNumber=%u&", content->number);
    query_with_id(&query, "", id);
    request.query = query.ptr;
    request.fd = content->fd;
    request.offset = content->offset;
    request.length = content->length;
    request.sha256 = content->sha256;
    int err = origin_bucket_do(s3, &request, &answer);
    if (err == FB_OK) {
        memcpy(ret_etag, answer.etag, sizeof(answer.etag));
    }
    return err;
}

struct parts_reading {
    struct origin_part_page *page;
    size_t n;
    struct origin_part part; /* being read */
    bool is_truncated;
};

static int on_parts_element(void *ctx, struct fb_str path, struct fb_str text)
{
    struct parts_reading *reading = ctx;
    static const struct fb_str in_part = FB_STR("ListPartsResult/Part/");

    if (fb_str_starts_with(path, in_part)) {
        struct fb_str name = fb_str_skip(path, in_part.len);
        if (fb_str_equal(name, FB_STR("PartNumber"))) {
            reading->part.number = (uint32_t)number_of(text);
        } else if (fb_str_equal(name, FB_STR("Size"))) {
            reading->part.size = number_of(text);
        } else if (fb_str_equal(name, FB_STR("LastModified"))) {
            reading->part.modified_ms = origin_bucket_time(text);
        } else if (fb_str_equal(name, FB_STR("ETag"))) {
            origin_bucket_etag_copy(reading->part.etag, text);
        }
    } else if (fb_str_equal(path, FB_STR("ListPartsResult/Part"))) {
        if (reading->n < reading->page->max) {
            reading->page->parts[reading->n++] = reading->part;
        }
        reading->part = (struct origin_part){.number = 0};
    } else if (fb_str_equal(path, FB_STR("ListPartsResult/IsTruncated"))) {
        reading->is_truncated = fb_str_equal_nocase(text, FB_STR("true"));
    }
    return FB_OK;
}

int origin_bucket_multipart_parts(struct origin_objects *objects, struct fb_str key,
                                  struct fb_str id, struct origin_part_page *page)
{
    FB_AUTO(fb_buf_done) struct fb_buf query = {0};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct parts_reading reading = {.page = page, .is_truncated = true};
    struct s3_request request = S3_REQUEST("GET", key);
    struct s3_answer answer;

    request.text = &text;
    while (reading.is_truncated && reading.n < page->max) {
        size_t n_before = reading.n;
        uint32_t after = n_before > 0 ? page->parts[n_before - 1].number : page->after;
        fb_buf_clear(&query);
        fb_buf_printf(&query, "max-parts=%zu&part-number-marker=%u&",
                      FB_MIN(page->max - n_before, (size_t)PAGE), after);
        query_with_id(&query, "", id);
        request.query = query.ptr;
        reading.is_truncated = false;
        int err = origin_bucket_do(s3_of(objects), &request, &answer);
        if (err < 0 ||
            (err = fb_xml_read(fb_buf_str(&text), on_parts_element, &reading, NULL)) < 0) {
            return err;
        }
        if (reading.n == n_before) {
            break;
        }
    }
    page->n = reading.n;
    return FB_OK;
}

/* ---- complete -------------------------------------------------------------------------- */

/* Whether the parts are those that are named, which servers tell in various ways, or too late. */
static int parts_check(struct origin_objects *objects, struct fb_str key, struct fb_str id,
                       const struct origin_part_name *names, size_t n_names, uint64_t *ret_size)
{
    FB_AUTO(fb_freep) struct origin_part *parts = fb_alloc(ORIGIN_PART_MAX * sizeof(*parts));
    struct origin_part_page page = {.max = ORIGIN_PART_MAX, .parts = parts};
    uint64_t size = 0;
    size_t at = 0;

    int err = origin_bucket_multipart_parts(objects, key, id, &page);
    for (size_t i = 0; err == FB_OK && i < n_names; i++) {
        while (at < page.n && parts[at].number < names[i].number) {
            at++;
        }
        if (at == page.n || parts[at].number != names[i].number ||
            !fb_str_equal_nocase(fb_str_from(parts[at].etag), names[i].etag)) {
            return FB_E_CONFLICT;
        }
        size += parts[at].size;
    }
    if (err == FB_OK) {
        *ret_size = size;
    }
    return err;
}

static void complete_document(struct fb_buf *text, const struct origin_part_name *names, size_t n)
{
    fb_buf_append(text, FB_STR("<CompleteMultipartUpload"
                               " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"));
    for (size_t i = 0; i < n; i++) {
        fb_buf_printf(text, "<Part><PartNumber>%u</PartNumber><ETag>&quot;", names[i].number);
        fb_xml_append_text(text, names[i].etag);
        fb_buf_append(text, FB_STR("&quot;</ETag></Part>"));
    }
    fb_buf_append(text, FB_STR("</CompleteMultipartUpload>"));
}

int origin_bucket_multipart_complete(struct origin_objects *objects, struct fb_str key,
                                     struct fb_str id, const struct origin_part_name *parts,
                                     size_t n_parts)
{
    FB_AUTO(fb_buf_done) struct fb_buf document = {0};
    FB_AUTO(fb_buf_done) struct fb_buf query = {0};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct s3_request request = S3_REQUEST("POST", key);
    struct s3_answer answer;
    uint64_t size = 0;

    int err = parts_check(objects, key, id, parts, n_parts, &size);
    if (err < 0) {
        return err;
    }
    complete_document(&document, parts, n_parts);
    query_with_id(&query, "", id);
    request.query = query.ptr;
    request.bytes = fb_buf_str(&document);
    request.text = &text;
    err = origin_bucket_do(s3_of(objects), &request, &answer);
    if (err == FB_E_NOT_FOUND && answer.was_retried) {
        /* Perhaps an attempt did it whose answer was lost. */
        struct s3_answer found;
        int seen = origin_bucket_do(s3_of(objects), &S3_REQUEST("HEAD", key), &found);
        return seen == FB_OK && found.length == size ? FB_OK : err;
    }
    return err;
}

/* ---- sweeping ---------------------------------------------------------------------------- */

struct multiparts_page {
    struct s3 *s3;
    int64_t before_ms;
    struct origin_multipart *items;
    size_t max;
    size_t n;
    struct origin_multipart item; /* being read */
    bool is_ours;                 /* its key */
    bool is_truncated;
    struct fb_buf key_marker; /* owned; for the next page */
    struct fb_buf id_marker;  /* owned */
};

static int on_upload_element(struct multiparts_page *page, struct fb_str name, struct fb_str text)
{
    if (fb_str_equal(name, FB_STR("Key"))) {
        struct fb_str prefix = fb_str_from(page->s3->prefix);
        struct fb_str key = fb_str_skip(text, prefix.len);
        page->is_ours = fb_str_starts_with(text, prefix) && key.len <= ORIGIN_OBJECTS_KEY_MAX;
        copy_text(page->item.key, sizeof(page->item.key), key);
    } else if (fb_str_equal(name, FB_STR("UploadId"))) {
        copy_text(page->item.id, sizeof(page->item.id), text);
    } else if (fb_str_equal(name, FB_STR("Initiated"))) {
        page->item.begun_ms = origin_bucket_time(text);
    }
    return FB_OK;
}

static int on_multiparts_element(void *ctx, struct fb_str path, struct fb_str text)
{
    struct multiparts_page *page = ctx;
    static const struct fb_str in_upload = FB_STR("ListMultipartUploadsResult/Upload/");

    if (fb_str_starts_with(path, in_upload)) {
        return on_upload_element(page, fb_str_skip(path, in_upload.len), text);
    }
    if (fb_str_equal(path, FB_STR("ListMultipartUploadsResult/Upload"))) {
        if (page->is_ours && page->item.begun_ms < page->before_ms && page->n < page->max) {
            page->items[page->n++] = page->item;
        }
    } else if (fb_str_equal(path, FB_STR("ListMultipartUploadsResult/IsTruncated"))) {
        page->is_truncated = fb_str_equal_nocase(text, FB_STR("true"));
    } else if (fb_str_equal(path, FB_STR("ListMultipartUploadsResult/NextKeyMarker"))) {
        fb_text_percent_encode(&page->key_marker, text, "");
    } else if (fb_str_equal(path, FB_STR("ListMultipartUploadsResult/NextUploadIdMarker"))) {
        fb_text_percent_encode(&page->id_marker, text, "");
    }
    return FB_OK;
}

static int multiparts_read(struct multiparts_page *page, struct fb_buf *query)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct s3_request request = S3_REQUEST("GET", FB_STR_NONE);
    struct s3_answer answer;

    fb_buf_clear(query);
    fb_buf_printf(query,
                  "key-marker=%s&prefix=", page->key_marker.len > 0 ? page->key_marker.ptr : "");
    fb_text_percent_encode(query, fb_str_from(page->s3->prefix), "");
    fb_buf_printf(
        query, "&upload-id-marker=%s&uploads=", page->id_marker.len > 0 ? page->id_marker.ptr : "");
    fb_buf_clear(&page->key_marker);
    fb_buf_clear(&page->id_marker);
    page->is_truncated = false;
    request.query = query->ptr;
    request.text = &text;
    int err = origin_bucket_do(page->s3, &request, &answer);
    return err < 0 ? err : fb_xml_read(fb_buf_str(&text), on_multiparts_element, page, NULL);
}

int origin_bucket_multipart_list(struct origin_objects *objects, int64_t before_ms,
                                 struct origin_multipart *items, size_t max, size_t *ret_n)
{
    FB_AUTO(fb_buf_done) struct fb_buf query = {0};
    struct multiparts_page page = {
        .s3 = s3_of(objects), .before_ms = before_ms, .items = items, .max = max};
    int err = FB_OK;

    do {
        err = multiparts_read(&page, &query);
    } while (err == FB_OK && page.is_truncated && page.key_marker.len > 0 && page.n < max);
    fb_buf_done(&page.key_marker);
    fb_buf_done(&page.id_marker);
    if (err == FB_OK) {
        *ret_n = page.n;
    }
    return err;
}
