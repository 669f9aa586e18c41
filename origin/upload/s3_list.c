/*
 * Operations on the bucket.
 */
#include "base/core/err.h"
#include "base/core/text.h"
#include "origin/upload/s3_internal.h"

int origin_s3_location(struct origin_s3 *s3)
{
    origin_s3_open(s3, "LocationConstraint");
    origin_s3_close(s3, "LocationConstraint");
    return FB_OK;
}

int origin_s3_versioning(struct origin_s3 *s3)
{
    origin_s3_open(s3, "VersioningConfiguration");
    origin_s3_close(s3, "VersioningConfiguration");
    return FB_OK;
}

static void add_owner(struct origin_s3 *s3, const char *name)
{
    fb_buf_printf(&s3->content, "<%s>", name);
    origin_s3_text(s3, "ID", origin_id_str(&s3->user));
    origin_s3_text(s3, "DisplayName", origin_id_str(&s3->user));
    fb_buf_printf(&s3->content, "</%s>", name);
}

int origin_s3_buckets(struct origin_s3 *s3)
{
    origin_s3_open(s3, "ListAllMyBucketsResult");
    add_owner(s3, "Owner");
    fb_buf_append(&s3->content, FB_STR("<Buckets><Bucket>"));
    origin_s3_text(s3, "Name", FB_STR(ORIGIN_BUCKET));
    origin_s3_time(s3, "CreationDate", 0);
    fb_buf_append(&s3->content, FB_STR("</Bucket></Buckets>"));
    origin_s3_close(s3, "ListAllMyBucketsResult");
    return FB_OK;
}

/* ---- lists ----------------------------------------------------------------------------- */

/* What a list is asked for. */
struct listing {
    struct fb_str prefix;
    bool has_delimiter; /* "/": videos stand for what is in them */
    bool encodes;       /* keys, as URLs do */
    uint32_t max;
    struct fb_str after_video;
    struct fb_str after_id;
    struct origin_id video; /* the only one; empty: all */
};

static int listing_read(struct origin_s3 *s3, const char *max_name, struct listing *ret_listing)
{
    struct fb_str delimiter = origin_params_find(&s3->params, "delimiter");
    struct listing list = {
        .prefix = origin_params_find(&s3->params, "prefix"),
        .has_delimiter = delimiter.len > 0,
        .encodes = fb_str_equal(origin_params_find(&s3->params, "encoding-type"), FB_STR("url")),
    };
    size_t slash = fb_str_find(list.prefix, '/');

    if (list.has_delimiter && !fb_str_equal(delimiter, FB_STR("/"))) {
        return origin_fault_set(&s3->fault, ORIGIN_FAULT_NOT_IMPLEMENTED,
                                "the delimiter can only be '/'");
    }
    if (slash < list.prefix.len &&
        origin_id_parse(fb_str_first(list.prefix, slash), &list.video) < 0) {
        /* No video is named so; that of nobody has nothing. */
        list.video = origin_id_of((const uint8_t[ORIGIN_ID_BYTES]){0});
    }
    int err = origin_s3_number(s3, max_name, ORIGIN_S3_PAGE, ORIGIN_S3_PAGE, &list.max);
    if (err == FB_OK) {
        *ret_listing = list;
    }
    return err;
}

static int listing_rows(struct origin_s3 *s3, const struct listing *list, bool is_open,
                        struct origin_upload_row **ret_rows, size_t *ret_n)
{
    int err = origin_catalog_upload_list(
        s3->service->options.catalog, &s3->arena,
        &(struct origin_upload_query){.owner = &s3->user,
                                      .video = list->video.text[0] != '\0' ? &list->video : NULL,
                                      .is_open = is_open,
                                      .after_video = list->after_video,
                                      .after_id = list->after_id,
                                      .limit = (size_t)list->max + 1},
        ret_rows, ret_n);
    return err < 0 ? origin_fault_of(&s3->fault, err) : FB_OK;
}

static void add_key(struct origin_s3 *s3, const struct listing *list, const char *element,
                    struct fb_str key)
{
    FB_AUTO(fb_buf_done) struct fb_buf encoded = {0};

    if (list->encodes) {
        fb_text_percent_encode(&encoded, key, "/");
        key = fb_buf_str(&encoded);
    }
    origin_s3_text(s3, element, key);
}

static struct fb_str row_key(struct origin_s3 *s3, const struct origin_upload_row *row)
{
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};

    fb_buf_printf(&key, "%s/%.*s", row->video.text, FB_STR_ARG(row->name));
    return fb_arena_dup(&s3->arena, fb_buf_str(&key));
}

static void add_listing(struct origin_s3 *s3, const struct listing *list, const char *bucket,
                        bool is_cut)
{
    origin_s3_text(s3, bucket, FB_STR(ORIGIN_BUCKET));
    add_key(s3, list, "Prefix", list->prefix);
    if (list->has_delimiter) {
        origin_s3_text(s3, "Delimiter", FB_STR("/"));
    }
    if (list->encodes) {
        origin_s3_text(s3, "EncodingType", FB_STR("url"));
    }
    origin_s3_text(s3, "IsTruncated", is_cut ? FB_STR("true") : FB_STR("false"));
}

/* Where the list goes on: after this video. Of each there is one file. */
static void read_marker(struct origin_s3 *s3, struct listing *list, bool is_v2)
{
    static const char *const names[] = {"continuation-token", "start-after"};
    struct fb_str marker = FB_STR_NONE;

    for (size_t i = 0; is_v2 && marker.len == 0 && i < FB_ARRAY_LEN(names); i++) {
        marker = origin_params_find(&s3->params, names[i]);
    }
    if (!is_v2) {
        marker = origin_params_find(&s3->params, "marker");
    }
    list->after_video = fb_str_first(marker, fb_str_find(marker, '/'));
    list->after_id = marker.len > 0 ? FB_STR("~") : FB_STR_NONE;
}

static void add_object(struct origin_s3 *s3, const struct listing *list,
                       const struct origin_upload_row *row, bool with_owner)
{
    struct fb_str key = row_key(s3, row);

    if (!fb_str_starts_with(key, list->prefix)) {
        return;
    }
    if (list->has_delimiter && list->video.text[0] == '\0') {
        fb_buf_append(&s3->content, FB_STR("<CommonPrefixes>"));
        add_key(s3, list, "Prefix", fb_str_first(key, fb_str_find(key, '/') + 1));
        fb_buf_append(&s3->content, FB_STR("</CommonPrefixes>"));
        return;
    }
    fb_buf_append(&s3->content, FB_STR("<Contents>"));
    add_key(s3, list, "Key", key);
    origin_s3_time(s3, "LastModified", row->touched_ms);
    origin_s3_etag(s3, row->etag);
    origin_s3_int(s3, "Size", (int64_t)row->bytes);
    origin_s3_text(s3, "StorageClass", FB_STR("STANDARD"));
    if (with_owner) {
        add_owner(s3, "Owner");
    }
    fb_buf_append(&s3->content, FB_STR("</Contents>"));
}

int origin_s3_objects(struct origin_s3 *s3)
{
    struct fb_str type = origin_params_find(&s3->params, "list-type");
    bool is_v2 = fb_str_equal(type, FB_STR("2"));
    struct origin_upload_row *rows = NULL;
    struct listing list = {.max = 0};
    size_t n = 0;

    int err = listing_read(s3, "max-keys", &list);
    if (err < 0) {
        return err;
    }
    read_marker(s3, &list, is_v2);
    if ((err = listing_rows(s3, &list, false, &rows, &n)) < 0) {
        return err;
    }
    bool is_cut = n > list.max;
    n = is_cut ? list.max : n;
    origin_s3_open(s3, "ListBucketResult");
    add_listing(s3, &list, "Name", is_cut);
    origin_s3_int(s3, "MaxKeys", list.max);
    if (is_v2) {
        origin_s3_int(s3, "KeyCount", (int64_t)n);
    }
    if (is_cut && n > 0) {
        origin_s3_text(s3, is_v2 ? "NextContinuationToken" : "NextMarker",
                       origin_id_str(&rows[n - 1].video));
    }
    for (size_t i = 0; i < n; i++) {
        add_object(s3, &list, &rows[i], !is_v2 || origin_s3_has(s3, "fetch-owner"));
    }
    origin_s3_close(s3, "ListBucketResult");
    return FB_OK;
}

int origin_s3_uploads(struct origin_s3 *s3)
{
    struct origin_upload_row *rows = NULL;
    struct listing list = {.max = 0};
    size_t n = 0;

    int err = listing_read(s3, "max-uploads", &list);
    if (err < 0) {
        return err;
    }
    struct fb_str marker = origin_params_find(&s3->params, "key-marker");
    list.after_video = fb_str_first(marker, fb_str_find(marker, '/'));
    list.after_id = origin_params_find(&s3->params, "upload-id-marker");
    if ((err = listing_rows(s3, &list, true, &rows, &n)) < 0) {
        return err;
    }
    bool is_cut = n > list.max;
    n = is_cut ? list.max : n;
    origin_s3_open(s3, "ListMultipartUploadsResult");
    add_listing(s3, &list, "Bucket", is_cut);
    origin_s3_int(s3, "MaxUploads", list.max);
    if (is_cut && n > 0) {
        add_key(s3, &list, "NextKeyMarker", row_key(s3, &rows[n - 1]));
        origin_s3_text(s3, "NextUploadIdMarker", origin_id_str(&rows[n - 1].id));
    }
    for (size_t i = 0; i < n; i++) {
        struct fb_str key = row_key(s3, &rows[i]);
        if (!fb_str_starts_with(key, list.prefix)) {
            continue;
        }
        fb_buf_append(&s3->content, FB_STR("<Upload>"));
        add_key(s3, &list, "Key", key);
        origin_s3_text(s3, "UploadId", origin_id_str(&rows[i].id));
        add_owner(s3, "Initiator");
        add_owner(s3, "Owner");
        origin_s3_text(s3, "StorageClass", FB_STR("STANDARD"));
        origin_s3_time(s3, "Initiated", rows[i].begun_ms);
        fb_buf_append(&s3->content, FB_STR("</Upload>"));
    }
    origin_s3_close(s3, "ListMultipartUploadsResult");
    return FB_OK;
}

/* ---- many at once ------------------------------------------------------------------------ */

static void add_deleted(struct origin_s3 *s3, struct fb_str key, bool is_quiet)
{
    struct origin_ledger_place place = {.name = FB_STR_NONE};
    struct origin_fault fault = {.kind = ORIGIN_FAULT_NONE};
    int err = FB_OK;

    if (origin_upload_key_read(key, &place) == FB_OK) {
        place.owner = s3->user;
        err = origin_ledger_remove(s3->service->ledger, &place, &fault);
    }
    if (err < 0) {
        fb_buf_append(&s3->content, FB_STR("<Error>"));
        origin_s3_text(s3, "Key", key);
        origin_s3_text(s3, "Code", fb_str_from(origin_fault_code(fault.kind)));
        origin_s3_text(s3, "Message", fb_str_from(fault.diag.text));
        fb_buf_append(&s3->content, FB_STR("</Error>"));
    } else if (!is_quiet) {
        fb_buf_append(&s3->content, FB_STR("<Deleted>"));
        origin_s3_text(s3, "Key", key);
        fb_buf_append(&s3->content, FB_STR("</Deleted>"));
    }
}

int origin_s3_delete_many(struct origin_s3 *s3)
{
    struct fb_str *keys = NULL;
    bool is_quiet = false;
    size_t n = 0;

    int err =
        origin_s3_delete_read(fb_buf_str(&s3->xml), &s3->arena, &keys, &n, &is_quiet, &s3->fault);
    if (err < 0) {
        return err;
    }
    origin_s3_open(s3, "DeleteResult");
    for (size_t i = 0; i < n; i++) {
        add_deleted(s3, keys[i], is_quiet);
    }
    origin_s3_close(s3, "DeleteResult");
    return FB_OK;
}
