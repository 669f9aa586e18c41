/*
 * Operations on files and their parts.
 */
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/http/date.h"
#include "origin/upload/s3_internal.h"

#include <stdio.h>

/* ---- puts ------------------------------------------------------------------------------- */

/* The client's own fields (x-amz-meta-*), one a line, as they will be told again. */
static struct fb_str read_meta(struct origin_s3 *s3)
{
    FB_AUTO(fb_buf_done) struct fb_buf meta = {0};
    struct fb_str prefix = FB_STR("x-amz-meta-");

    for (size_t i = 0; i < s3->head->headers.n; i++) {
        const struct fb_header *header = &s3->head->headers.items[i];
        if (fb_str_equal_nocase(fb_str_first(header->name, prefix.len), prefix) &&
            meta.len + header->name.len + header->value.len + 2 <= ORIGIN_META_MAX) {
            fb_buf_append(&meta, header->name);
            fb_buf_append_byte(&meta, ':');
            fb_buf_append(&meta, header->value);
            fb_buf_append_byte(&meta, '\n');
        }
    }
    return fb_text_is_utf8(fb_buf_str(&meta)) ? fb_arena_dup(&s3->arena, fb_buf_str(&meta))
                                              : FB_STR("");
}

static struct origin_ledger_ask ask_of(struct origin_s3 *s3)
{
    return (struct origin_ledger_ask){
        .place = s3->place,
        .size = s3->body.size,
        .type = fb_headers_find(&s3->head->headers, FB_STR("Content-Type")),
        .meta = read_meta(s3),
        .upload = s3->op == ORIGIN_S3_PUT_PART ? &s3->upload : NULL,
        .number = s3->number,
    };
}

int origin_s3_put_begin(struct origin_s3 *s3)
{
    struct origin_ledger_ask ask = ask_of(s3);

    if (s3->op == ORIGIN_S3_PUT_PART) {
        ask.type = FB_STR_NONE; /* clients send what comes to their mind */
    }
    return origin_ledger_put_begin(s3->service->ledger, &ask, &s3->put, &s3->fault);
}

static void add_etag(struct origin_s3 *s3, struct fb_str etag)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    fb_buf_printf(&text, "\"%.*s\"", FB_STR_ARG(etag));
    origin_s3_header(s3, "ETag", fb_buf_str(&text));
}

int origin_s3_put_end(struct origin_s3 *s3)
{
    FB_AUTO(fb_buf_done) struct fb_buf etag = {0};
    struct origin_ledger_put *put = s3->put;

    s3->put = NULL;
    int err = origin_ledger_put_commit(put, s3->body.md5, &s3->body.sum, &s3->fault);
    if (err < 0) {
        return err;
    }
    origin_upload_count(s3->service, s3->op == ORIGIN_S3_PUT_PART ? UPLOAD_PARTS : UPLOAD_FILES, 1);
    fb_text_hex(&etag, (struct fb_str){(const char *)s3->body.md5, FB_MD5_SIZE});
    add_etag(s3, fb_buf_str(&etag));
    if (s3->body.sum.kind != ORIGIN_SUM_NONE) {
        origin_s3_header(s3, origin_sum_field(s3->body.sum.kind), s3->body.sum_text);
    }
    return FB_OK;
}

/* ---- multiparts --------------------------------------------------------------------------- */

static void add_place(struct origin_s3 *s3)
{
    origin_s3_text(s3, "Bucket", FB_STR(ORIGIN_BUCKET));
    origin_s3_text(s3, "Key", s3->key);
}

int origin_s3_create(struct origin_s3 *s3)
{
    struct fb_str sum = fb_headers_find(&s3->head->headers, FB_STR("x-amz-checksum-algorithm"));
    struct fb_str type = fb_headers_find(&s3->head->headers, FB_STR("x-amz-checksum-type"));
    enum origin_sum_kind kind = ORIGIN_SUM_NONE;
    struct origin_ledger_ask ask = ask_of(s3);

    if (sum.len > 0 && origin_sum_kind_of(sum, &kind) < 0) {
        return origin_fault_set(&s3->fault, ORIGIN_FAULT_REQUEST,
                                "checksums are CRC32, CRC32C and SHA256");
    }
    if (type.len > 0 && !fb_str_equal_nocase(type, FB_STR("COMPOSITE"))) {
        return origin_fault_set(&s3->fault, ORIGIN_FAULT_REQUEST,
                                "checksums of files in parts are COMPOSITE");
    }
    int err = origin_ledger_begin(s3->service->ledger, &ask, kind, &s3->upload, &s3->fault);
    if (err < 0) {
        return err;
    }
    if (kind != ORIGIN_SUM_NONE) {
        origin_s3_header(s3, "x-amz-checksum-algorithm", fb_str_from(origin_sum_name(kind)));
        origin_s3_header(s3, "x-amz-checksum-type", FB_STR("COMPOSITE"));
    }
    origin_s3_open(s3, "InitiateMultipartUploadResult");
    add_place(s3);
    origin_s3_text(s3, "UploadId", origin_id_str(&s3->upload));
    origin_s3_close(s3, "InitiateMultipartUploadResult");
    return FB_OK;
}

int origin_s3_complete(struct origin_s3 *s3)
{
    FB_AUTO(fb_buf_done) struct fb_buf location = {0};
    struct origin_ledger_part *parts = NULL;
    struct origin_upload_row row;
    size_t n = 0;

    int err = origin_s3_complete_read(fb_buf_str(&s3->xml), &s3->arena, &parts, &n, &s3->fault);
    if (err < 0) {
        return err;
    }
    err = origin_ledger_complete(
        s3->service->ledger, &s3->arena,
        &(struct origin_ledger_completion){
            .place = &s3->place, .upload = &s3->upload, .parts = parts, .n = n},
        &row, &s3->fault);
    if (err < 0) {
        return err;
    }
    origin_upload_count(s3->service, UPLOAD_COMPLETED, 1);
    fb_buf_printf(&location, "http://%.*s%.*s", FB_STR_ARG(s3->head->host),
                  FB_STR_ARG(s3->head->path));
    origin_s3_header(s3, "Location", fb_buf_str(&location));
    origin_s3_open(s3, "CompleteMultipartUploadResult");
    origin_s3_text(s3, "Location", fb_buf_str(&location));
    add_place(s3);
    origin_s3_etag(s3, row.etag);
    origin_s3_sum(s3, row.sum);
    origin_s3_close(s3, "CompleteMultipartUploadResult");
    return FB_OK;
}

int origin_s3_abort(struct origin_s3 *s3)
{
    s3->status = 204;
    return origin_ledger_abort(s3->service->ledger, &s3->place, &s3->upload, &s3->fault);
}

/* The place of the upload, if it is this user's. */
static int find_upload(struct origin_s3 *s3, struct origin_upload_row *ret_row)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_upload_video video;

    int err =
        origin_catalog_upload_video(s3->service->options.catalog, &arena, &s3->place.video, &video);
    if (err == FB_E_NOT_FOUND ||
        (err == FB_OK && s3->user.text[0] != '\0' && !origin_id_equal(&video.owner, &s3->user))) {
        return origin_fault_set(&s3->fault, ORIGIN_FAULT_NO_UPLOAD, "there is no such upload");
    }
    if (err < 0) {
        return origin_fault_of(&s3->fault, err);
    }
    return origin_ledger_find(s3->service->ledger, &s3->arena, &s3->place, &s3->upload, ret_row,
                              &s3->fault);
}

int origin_s3_parts(struct origin_s3 *s3)
{
    struct origin_upload_part *parts = NULL;
    struct origin_upload_row row;
    uint32_t after = 0;
    uint32_t max = 0;
    size_t n = 0;

    int err = find_upload(s3, &row);
    if (err < 0 || (err = origin_s3_number(s3, "part-number-marker", 0, UINT32_MAX, &after)) < 0 ||
        (err = origin_s3_number(s3, "max-parts", ORIGIN_S3_PAGE, ORIGIN_S3_PAGE, &max)) < 0) {
        return err;
    }
    err = origin_catalog_upload_parts(s3->service->options.catalog, &s3->arena,
                                      &(struct origin_upload_part_query){.upload = &s3->upload,
                                                                         .after = after,
                                                                         .limit = (size_t)max + 1},
                                      &parts, &n);
    if (err < 0) {
        return origin_fault_of(&s3->fault, err);
    }
    bool is_cut = n > max;
    n = is_cut ? max : n;
    origin_s3_open(s3, "ListPartsResult");
    add_place(s3);
    origin_s3_text(s3, "UploadId", origin_id_str(&s3->upload));
    origin_s3_int(s3, "PartNumberMarker", after);
    origin_s3_int(s3, "NextPartNumberMarker", n > 0 ? parts[n - 1].number : after);
    origin_s3_int(s3, "MaxParts", max);
    origin_s3_text(s3, "IsTruncated", is_cut ? FB_STR("true") : FB_STR("false"));
    origin_s3_text(s3, "StorageClass", FB_STR("STANDARD"));
    for (size_t i = 0; i < n; i++) {
        fb_buf_append(&s3->content, FB_STR("<Part>"));
        origin_s3_int(s3, "PartNumber", parts[i].number);
        origin_s3_time(s3, "LastModified", parts[i].at_ms);
        origin_s3_etag(s3, parts[i].etag);
        origin_s3_int(s3, "Size", (int64_t)parts[i].bytes);
        origin_s3_sum(s3, parts[i].sum);
        fb_buf_append(&s3->content, FB_STR("</Part>"));
    }
    origin_s3_close(s3, "ListPartsResult");
    return FB_OK;
}

/* ---- the file -------------------------------------------------------------------------------- */

int origin_s3_look(struct origin_s3 *s3)
{
    struct fb_str mode = fb_headers_find(&s3->head->headers, FB_STR("x-amz-checksum-mode"));
    struct origin_upload_row row;
    char date[FB_DATE_MAX];
    struct fb_str line;

    int err = origin_ledger_whole(s3->service->ledger, &s3->arena, &s3->place, &row, &s3->fault);
    if (err < 0) {
        return err;
    }
    add_etag(s3, row.etag);
    origin_s3_header(s3, "Last-Modified", fb_date_format(row.touched_ms / 1000, date));
    origin_s3_header(s3, "Content-Type", FB_STR("application/octet-stream"));
    if (fb_str_equal_nocase(mode, FB_STR("ENABLED"))) {
        origin_s3_sum_field(s3, row.sum);
    }
    while (fb_str_cut(&row.meta, '\n', &line) && line.len > 0) {
        size_t colon = fb_str_find(line, ':');
        fb_headers_add(&s3->headers, &s3->arena, fb_str_first(line, colon),
                       fb_str_skip(line, colon + 1));
    }
    s3->head_length = (int64_t)row.bytes;
    return FB_OK;
}

int origin_s3_delete(struct origin_s3 *s3)
{
    s3->status = 204;
    return origin_ledger_remove(s3->service->ledger, &s3->place, &s3->fault);
}
