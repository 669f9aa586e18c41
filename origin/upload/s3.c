#include "origin/upload/s3.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/log/log.h"
#include "base/sys/random.h"
#include "base/xml/xml.h"
#include "origin/catalog/upload_keys.h"
#include "origin/upload/s3_internal.h"

#include <string.h>

struct origin_s3 *origin_s3_new(struct origin_upload *service, const struct fb_request_head *head,
                                int64_t length)
{
    FB_AUTO(fb_buf_done) struct fb_buf id = {0};
    struct origin_s3 *s3 = FB_NEW(struct origin_s3);
    uint64_t number = fb_random_u64();

    *s3 = (struct origin_s3){
        .service = service, .head = head, .length = length, .status = 200, .head_length = -1};
    fb_text_hex(&id, (struct fb_str){(const char *)&number, sizeof(number)});
    memcpy(s3->id, id.ptr, id.len);
    return s3;
}

void origin_s3_drop(struct origin_s3 *s3)
{
    origin_ledger_put_abort(s3->put);
    s3->put = NULL;
}

void origin_s3_free(struct origin_s3 *s3)
{
    origin_s3_drop(s3);
    origin_content_done(&s3->body);
    explicit_bzero(&s3->chain, sizeof(s3->chain));
    fb_buf_done(&s3->content);
    fb_buf_done(&s3->xml);
    fb_arena_done(&s3->arena);
    fb_free(s3);
}

/* ---- who asks ------------------------------------------------------------------------ */

/* The secret of the key that it was signed with, and whose that is. */
static int find_secret(struct origin_s3 *s3, struct fb_buf *secret)
{
    const struct origin_upload_options *options = &s3->service->options;
    struct origin_upload_key key;
    struct origin_id id;

    if (s3->sigv4.is_query && fb_str_equal(s3->sigv4.access_key, options->signer->access_key)) {
        fb_buf_append(secret, options->signer->secret);
        return FB_OK;
    }
    int err = origin_id_parse(s3->sigv4.access_key, &id) < 0
                  ? FB_E_NOT_FOUND
                  : origin_catalog_upload_key_get(options->catalog, &s3->arena, &id, &key);
    if (err == FB_E_NOT_FOUND) {
        return origin_fault_set(&s3->fault, ORIGIN_FAULT_NO_KEY_ID,
                                "the access key is not known here, was revoked or has expired");
    }
    if (err < 0) {
        return origin_fault_of(&s3->fault, err);
    }
    s3->user = key.user;
    origin_upload_key_secret(s3->service, &id, secret);
    return FB_OK;
}

/* Only who has the secret makes it used. */
static void note_use(struct origin_s3 *s3)
{
    struct origin_catalog *catalog = s3->service->options.catalog;
    struct origin_upload_key key;
    struct origin_id id;

    if (s3->user.text[0] == '\0' || origin_id_parse(s3->sigv4.access_key, &id) < 0 ||
        origin_catalog_upload_key_get(catalog, &s3->arena, &id, &key) < 0) {
        return;
    }
    FB_IGNORE(origin_catalog_upload_key_used(catalog, &key)); /* it is for people to look at */
}

static int authenticate(struct origin_s3 *s3)
{
    FB_AUTO(fb_buf_done) struct fb_buf secret = {0};
    int64_t now_ms = fb_clock_wall_ms(s3->service->options.clock);

    if (origin_params_read(s3->head->query, &s3->arena, &s3->params) < 0) {
        return origin_fault_set(&s3->fault, ORIGIN_FAULT_ARGUMENT, "the query is not well-formed");
    }
    int err = origin_sigv4_read(s3->head, &s3->params, &s3->arena, &s3->sigv4, &s3->fault);
    if (err == FB_OK) {
        err = find_secret(s3, &secret);
    }
    if (err == FB_OK) {
        err = origin_sigv4_check(&s3->sigv4,
                                 &(struct origin_sigv4_proof){.secret = fb_buf_str(&secret),
                                                              .request = s3->head,
                                                              .params = &s3->params,
                                                              .now_ms = now_ms},
                                 &s3->arena, &s3->chain, &s3->fault);
        if (secret.len > 0) {
            explicit_bzero(secret.ptr, secret.len);
        }
    }
    if (err == FB_OK) {
        note_use(s3);
    }
    return err;
}

/* ---- begin, content, end ----------------------------------------------------------------- */

static bool is_put(const struct origin_s3 *s3)
{
    return s3->op == ORIGIN_S3_PUT || s3->op == ORIGIN_S3_PUT_PART;
}

int origin_s3_begin(struct origin_s3 *s3)
{
    origin_upload_count(s3->service, UPLOAD_REQUESTS, 1);
    int err = authenticate(s3);
    if (err < 0 || (err = origin_s3_route(s3)) < 0) {
        return err;
    }
    if (s3->length < 0 && !is_put(s3) && s3->head->method != FB_METHOD_POST) {
        s3->length = 0;
    }
    err = origin_content_init(&s3->body, s3->head, s3->length, &s3->sigv4, &s3->chain, &s3->fault);
    if (err < 0) {
        return err;
    }
    if (is_put(s3)) {
        return origin_s3_put_begin(s3);
    }
    return s3->body.size <= ORIGIN_S3_XML_MAX
               ? FB_OK
               : origin_fault_set(&s3->fault, ORIGIN_FAULT_XML, "the document is too large");
}

static int sink(void *ctx, const struct fb_str *pieces, size_t n, struct origin_fault *fault)
{
    struct origin_s3 *s3 = ctx;

    if (s3->put != NULL) {
        for (size_t i = 0; i < n; i++) {
            origin_upload_count(s3->service, UPLOAD_BYTES, pieces[i].len);
        }
        return origin_ledger_put_write(s3->put, pieces, n, fault);
    }
    for (size_t i = 0; i < n; i++) {
        fb_buf_append(&s3->xml, pieces[i]);
    }
    return FB_OK;
}

int origin_s3_add(struct origin_s3 *s3, const struct fb_slice *slices, size_t n)
{
    int err = FB_OK;

    for (size_t i = 0; err == FB_OK && i < n; i++) {
        err = origin_content_add(&s3->body, slices[i].bytes, sink, s3, &s3->fault);
    }
    return err;
}

int origin_s3_end(struct origin_s3 *s3)
{
    static int (*const operations[])(struct origin_s3 * s3) = {
        [ORIGIN_S3_LIST_BUCKETS] = origin_s3_buckets,
        [ORIGIN_S3_LOCATION] = origin_s3_location,
        [ORIGIN_S3_VERSIONING] = origin_s3_versioning,
        [ORIGIN_S3_LIST_UPLOADS] = origin_s3_uploads,
        [ORIGIN_S3_LIST_OBJECTS] = origin_s3_objects,
        [ORIGIN_S3_DELETE_OBJECTS] = origin_s3_delete_many,
        [ORIGIN_S3_PUT] = origin_s3_put_end,
        [ORIGIN_S3_PUT_PART] = origin_s3_put_end,
        [ORIGIN_S3_CREATE] = origin_s3_create,
        [ORIGIN_S3_COMPLETE] = origin_s3_complete,
        [ORIGIN_S3_LIST_PARTS] = origin_s3_parts,
        [ORIGIN_S3_ABORT] = origin_s3_abort,
        [ORIGIN_S3_HEAD] = origin_s3_look,
        [ORIGIN_S3_DELETE] = origin_s3_delete,
    };

    int err = origin_content_finish(&s3->body, &s3->fault);
    if (err < 0 || s3->op == ORIGIN_S3_HEAD_BUCKET || s3->op == ORIGIN_S3_CREATE_BUCKET) {
        return err; /* these say that it is there, no more */
    }
    return operations[s3->op](s3);
}

/* ---- answers --------------------------------------------------------------------------------- */

void origin_s3_header(struct origin_s3 *s3, const char *name, struct fb_str value)
{
    fb_headers_add(&s3->headers, &s3->arena, fb_str_from(name), fb_arena_dup(&s3->arena, value));
}

void origin_s3_open(struct origin_s3 *s3, const char *name)
{
    s3->status = 200;
    fb_buf_clear(&s3->content);
    origin_s3_header(s3, "Content-Type", FB_STR("application/xml"));
    fb_buf_printf(&s3->content,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<%s xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
                  name);
}

void origin_s3_close(struct origin_s3 *s3, const char *name)
{
    fb_buf_printf(&s3->content, "</%s>\n", name);
}

void origin_s3_text(struct origin_s3 *s3, const char *name, struct fb_str text)
{
    fb_buf_printf(&s3->content, "<%s>", name);
    fb_xml_append_text(&s3->content, text);
    fb_buf_printf(&s3->content, "</%s>", name);
}

void origin_s3_int(struct origin_s3 *s3, const char *name, int64_t number)
{
    char text[FB_TEXT_NUMBER_MAX];

    origin_s3_text(s3, name, fb_text_number_at(text, number));
}

void origin_s3_time(struct origin_s3 *s3, const char *name, int64_t wall_ms)
{
    char stamp[FB_TIMESTAMP_MAX];

    origin_s3_text(s3, name, fb_str_from(fb_timestamp(wall_ms, stamp)));
}

void origin_s3_etag(struct origin_s3 *s3, struct fb_str etag)
{
    fb_buf_printf(&s3->content, "<ETag>&quot;%.*s&quot;</ETag>", FB_STR_ARG(etag));
}

void origin_s3_sum(struct origin_s3 *s3, struct fb_str sum)
{
    size_t space = fb_str_find(sum, ' ');

    if (space < sum.len) {
        fb_buf_printf(&s3->content, "<Checksum%.*s>%.*s</Checksum%.*s>", (int)space, sum.ptr,
                      FB_STR_ARG(fb_str_skip(sum, space + 1)), (int)space, sum.ptr);
    }
}

void origin_s3_sum_field(struct origin_s3 *s3, struct fb_str sum)
{
    enum origin_sum_kind kind = ORIGIN_SUM_NONE;
    size_t space = fb_str_find(sum, ' ');

    if (space < sum.len && origin_sum_kind_of(fb_str_first(sum, space), &kind) == FB_OK) {
        origin_s3_header(s3, origin_sum_field(kind), fb_str_skip(sum, space + 1));
    }
}

/* A sentence for people: with its capital and its full stop. */
static void append_sentence(struct fb_buf *buf, const char *text)
{
    char first = text[0] >= 'a' && text[0] <= 'z' ? (char)(text[0] - 'a' + 'A') : text[0];

    fb_xml_append_text(buf, (struct fb_str){&first, 1});
    fb_xml_append_text(buf, fb_str_from(text + 1));
    fb_buf_append_byte(buf, '.');
}

void origin_s3_refuse(struct origin_s3 *s3)
{
    enum origin_fault_kind kind = s3->fault.kind;
    const char *code = origin_fault_code(kind);

    origin_upload_count(s3->service, UPLOAD_REFUSED, 1);
    bool is_ours = origin_fault_status(kind) >= 500 && kind != ORIGIN_FAULT_NOT_IMPLEMENTED &&
                   kind != ORIGIN_FAULT_BUSY; /* that is for a client to heed */
    if (is_ours) {
        FB_LOG(WARN, "upload", "could not serve a request", FB_LOG_TEXT("request", s3->id),
               FB_LOG_TEXT("code", code), FB_LOG_TEXT("cause", fb_err_text(s3->fault.diag.err)));
    }
    s3->headers = (struct fb_headers){.n = 0};
    s3->head_length = -1;
    origin_s3_header(s3, "Content-Type", FB_STR("application/xml"));
    fb_buf_clear(&s3->content);
    fb_buf_printf(&s3->content,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>",
                  code);
    append_sentence(&s3->content, s3->fault.diag.text);
    fb_buf_append(&s3->content, FB_STR("</Message>"));
    origin_s3_text(s3, "Resource", s3->head->path);
    origin_s3_text(s3, "RequestId", fb_str_from(s3->id));
    fb_buf_append(&s3->content, FB_STR("</Error>\n"));
    s3->status = origin_fault_status(kind);
    if (s3->status == 503) {
        origin_s3_header(s3, "Retry-After", FB_STR("2"));
    }
}
