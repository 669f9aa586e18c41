/*
 * Lists, and removal of many.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/base64.h"
#include "base/crypto/checksum.h"
#include "base/xml/xml.h"
#include "origin/objects/s3_internal.h"

#include <stdio.h>
#include <string.h>

enum { PAGE = 1000 };

struct list_page {
    struct s3 *s3;
    struct origin_listed *items;
    size_t max;
    size_t n;
    struct origin_listed item; /* being read */
    bool is_ours;              /* its key */
    bool is_truncated;
    struct fb_buf last; /* owned; the last key of the page as the bucket has it */
};

static int on_list_element(void *ctx, struct fb_str path, struct fb_str text)
{
    struct list_page *page = ctx;
    struct fb_str prefix = fb_str_from(page->s3->prefix);
    uint64_t number = 0;

    if (fb_str_equal(path, FB_STR("ListBucketResult/Contents/Key"))) {
        fb_buf_clear(&page->last);
        fb_buf_append(&page->last, text);
        struct fb_str key = fb_str_skip(text, prefix.len);
        page->is_ours = key.len > 0 && key.len <= ORIGIN_OBJECTS_KEY_MAX;
        if (page->is_ours) {
            memcpy(page->item.key, key.ptr, key.len);
            page->item.key[key.len] = '\0';
        }
    } else if (fb_str_equal(path, FB_STR("ListBucketResult/Contents/Size"))) {
        page->item.size = fb_str_to_u64(text, &number) == FB_OK ? number : 0;
    } else if (fb_str_equal(path, FB_STR("ListBucketResult/Contents/LastModified"))) {
        page->item.modified_ms = origin_bucket_time(text);
    } else if (fb_str_equal(path, FB_STR("ListBucketResult/Contents"))) {
        if (page->is_ours && page->n < page->max) {
            page->items[page->n++] = page->item;
        }
    } else if (fb_str_equal(path, FB_STR("ListBucketResult/IsTruncated"))) {
        page->is_truncated = fb_str_equal_nocase(text, FB_STR("true"));
    }
    return FB_OK;
}

static int page_read(struct list_page *page, struct fb_str prefix)
{
    FB_AUTO(fb_buf_done) struct fb_buf query = {0};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct s3_request request = S3_REQUEST("GET", FB_STR_NONE);
    struct s3_answer answer;

    fb_buf_printf(&query,
                  "list-type=2&max-keys=%zu&prefix=", FB_MIN(page->max - page->n, (size_t)PAGE));
    fb_text_percent_encode(&query, fb_str_from(page->s3->prefix), "");
    fb_text_percent_encode(&query, prefix, "");
    fb_buf_append(&query, prefix.len > 0 ? FB_STR("%2F") : FB_STR(""));
    if (page->last.len > 0) {
        fb_buf_append(&query, FB_STR("&start-after="));
        fb_text_percent_encode(&query, fb_buf_str(&page->last), "");
    }
    page->is_truncated = false;
    request.query = query.ptr;
    request.text = &text;
    int err = origin_bucket_do(page->s3, &request, &answer);
    return err < 0 ? err : fb_xml_read(fb_buf_str(&text), on_list_element, page, NULL);
}

int origin_bucket_list(struct origin_objects *objects, struct fb_str prefix, struct fb_str after,
                       struct origin_listed *items, size_t max, size_t *ret_n)
{
    struct list_page page = {.s3 = s3_of(objects), .items = items, .max = max};
    int err = FB_OK;

    if (after.len > 0) {
        fb_buf_printf(&page.last, "%s%.*s", page.s3->prefix, FB_STR_ARG(after));
    }
    do {
        err = page_read(&page, prefix);
    } while (err == FB_OK && page.is_truncated && page.n < max);
    fb_buf_done(&page.last);
    if (err == FB_OK) {
        *ret_n = page.n;
    }
    return err;
}

/* ---- removal of many ------------------------------------------------------------------ */

static void delete_document(struct fb_buf *text, const struct s3 *s3,
                            const struct origin_listed *items, size_t n)
{
    fb_buf_append(text, FB_STR("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                               "<Quiet>true</Quiet>"));
    for (size_t i = 0; i < n; i++) {
        fb_buf_append(text, FB_STR("<Object><Key>"));
        fb_xml_append_text(text, fb_str_from(s3->prefix));
        fb_xml_append_text(text, fb_str_from(items[i].key));
        fb_buf_append(text, FB_STR("</Key></Object>"));
    }
    fb_buf_append(text, FB_STR("</Delete>"));
}

static int on_delete_element(void *ctx, struct fb_str path, struct fb_str text)
{
    struct s3_answer *answer = ctx;

    if (fb_str_equal(path, FB_STR("DeleteResult/Error/Code"))) {
        (void)snprintf(answer->code, sizeof(answer->code), "%.*s", FB_STR_ARG(text));
    }
    return FB_OK;
}

static int remove_many(struct s3 *s3, const struct origin_listed *items, size_t n)
{
    FB_AUTO(fb_buf_done) struct fb_buf document = {0};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(fb_buf_done) struct fb_buf header = {0};
    struct s3_request request = S3_REQUEST("POST", FB_STR_NONE);
    uint8_t digest[FB_MD5_SIZE];
    struct s3_answer answer;
    struct fb_md5 md5;

    delete_document(&document, s3, items, n);
    fb_md5_init(&md5);
    fb_md5_update(&md5, fb_buf_str(&document));
    fb_md5_finish(&md5, digest);
    fb_buf_append(&header, FB_STR("Content-MD5: "));
    fb_base64_encode(&header, FB_BASE64_STD, (struct fb_str){(const char *)digest, sizeof(digest)});
    request.query = "delete=";
    request.header[0] = header.ptr;
    request.bytes = fb_buf_str(&document);
    request.text = &text;
    int err = origin_bucket_do(s3, &request, &answer);
    if (err < 0 || text.len == 0) {
        return err;
    }
    err = fb_xml_read(fb_buf_str(&text), on_delete_element, &answer, NULL);
    return err < 0 ? err : origin_bucket_answer_err(&answer);
}

int origin_bucket_remove_prefix(struct origin_objects *objects, struct fb_str prefix)
{
    FB_AUTO(fb_freep) struct origin_listed *items = fb_alloc(PAGE * sizeof(*items));
    struct fb_buf after = {0};
    size_t n = PAGE;
    int err = FB_OK;

    while (err == FB_OK && n == PAGE) {
        err = origin_bucket_list(objects, prefix, fb_buf_str(&after), items, PAGE, &n);
        if (err == FB_OK && n > 0) {
            fb_buf_clear(&after); /* once more from there: what is removed may still be listed */
            fb_buf_append(&after, fb_str_from(items[n - 1].key));
            err = remove_many(s3_of(objects), items, n);
        }
    }
    fb_buf_done(&after);
    return err;
}
