/*
 * Signing, and URLs that are signed.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
#include "base/core/clock.h"
#include "base/core/text.h"
#include "origin/upload/presign.h"
#include "origin/upload/sigv4.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ALGORITHM "AWS4-HMAC-SHA256"

enum { DATE_LEN = 8 };

static struct fb_str mac_str(const uint8_t mac[FB_SHA256_SIZE])
{
    return (struct fb_str){(const char *)mac, FB_SHA256_SIZE};
}

void origin_sigv4_key(struct fb_str secret, struct fb_str scope, uint8_t ret_key[FB_SHA256_SIZE])
{
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    struct fb_str part;

    fb_buf_append(&first, FB_STR("AWS4"));
    fb_buf_append(&first, secret);
    while (fb_str_cut(&scope, '/', &part)) {
        uint8_t mac[FB_SHA256_SIZE];
        fb_hmac_sha256(fb_buf_str(&first), part, mac);
        fb_buf_clear(&first);
        fb_buf_append(&first, mac_str(mac));
    }
    memcpy(ret_key, first.ptr, FB_SHA256_SIZE);
    explicit_bzero(first.ptr, first.len);
}

void origin_sigv4_sign(const struct origin_sigv4_canon *canon, const uint8_t key[FB_SHA256_SIZE],
                       struct fb_buf *buf)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    uint8_t digest[FB_SHA256_SIZE];

    const struct fb_str lines[] = {canon->method,  canon->path,  canon->query,
                                   canon->headers, canon->names, canon->payload};
    for (size_t i = 0; i < FB_ARRAY_LEN(lines); i++) {
        fb_buf_append(&text, lines[i]);
        if (i + 1 < FB_ARRAY_LEN(lines)) {
            fb_buf_append_byte(&text, '\n');
        }
    }
    fb_sha256(fb_buf_str(&text), digest);

    fb_buf_clear(&text);
    fb_buf_printf(&text, ALGORITHM "\n%.*s\n%.*s\n", FB_STR_ARG(canon->moment),
                  FB_STR_ARG(canon->scope));
    fb_text_hex(&text, mac_str(digest));
    fb_hmac_sha256(mac_str(key), fb_buf_str(&text), digest);
    fb_text_hex(buf, mac_str(digest));
}

void origin_sigv4_moment(struct fb_buf *buf, int64_t now_ms)
{
    char stamp[FB_TIMESTAMP_MAX];

    for (const char *c = fb_timestamp(now_ms, stamp); *c != '\0' && *c != '.'; c++) {
        if (*c != '-' && *c != ':') {
            fb_buf_append_byte(buf, *c);
        }
    }
    fb_buf_append_byte(buf, 'Z');
}

/* ---- URLs -------------------------------------------------------------------------- */

enum { N_PARAMS = 5 + ORIGIN_PRESIGN_MAX_MORE };

static int text_compare(const void *a, const void *b)
{
    return fb_str_compare(fb_buf_str(a), fb_buf_str(b));
}

static void param_set(struct fb_buf *param, struct fb_str name, struct fb_str value)
{
    fb_text_percent_encode(param, name, "");
    fb_buf_append_byte(param, '=');
    fb_text_percent_encode(param, value, "");
}

/* The parameters in the order of their canonical forms. */
static void presign_query(const struct origin_presigner *signer,
                          const struct origin_presign_options *options,
                          const struct origin_sigv4_canon *canon, struct fb_buf *query)
{
    FB_AUTO(fb_buf_done) struct fb_buf credential = {0};
    struct fb_buf params[N_PARAMS] = {{0}};
    char expires[FB_TEXT_NUMBER_MAX];
    size_t n = 0;

    fb_buf_printf(&credential, "%.*s/%.*s", FB_STR_ARG(signer->access_key),
                  FB_STR_ARG(canon->scope));
    param_set(&params[n++], FB_STR("X-Amz-Algorithm"), FB_STR(ALGORITHM));
    param_set(&params[n++], FB_STR("X-Amz-Credential"), fb_buf_str(&credential));
    param_set(&params[n++], FB_STR("X-Amz-Date"), canon->moment);
    param_set(&params[n++], FB_STR("X-Amz-Expires"),
              fb_text_number_at(expires, options->expires_s));
    param_set(&params[n++], FB_STR("X-Amz-SignedHeaders"), canon->names);
    for (size_t i = 0; i < ORIGIN_PRESIGN_MAX_MORE && options->more[i].name.ptr != NULL; i++) {
        param_set(&params[n++], options->more[i].name, options->more[i].value);
    }
    qsort(params, n, sizeof(params[0]), text_compare);
    for (size_t i = 0; i < n; i++) {
        if (i > 0) {
            fb_buf_append_byte(query, '&');
        }
        fb_buf_append(query, fb_buf_str(&params[i]));
        fb_buf_done(&params[i]);
    }
}

void origin_presign(const struct origin_presigner *signer,
                    const struct origin_presign_options *options, struct fb_buf *buf)
{
    FB_AUTO(fb_buf_done) struct fb_buf moment = {0};
    FB_AUTO(fb_buf_done) struct fb_buf scope = {0};
    FB_AUTO(fb_buf_done) struct fb_buf query = {0};
    FB_AUTO(fb_buf_done) struct fb_buf headers = {0};
    uint8_t key[FB_SHA256_SIZE];
    bool is_bound = options->content_length >= 0;

    origin_sigv4_moment(&moment, options->now_ms);
    fb_buf_printf(&scope, "%.*s/%.*s/s3/aws4_request", DATE_LEN, moment.ptr,
                  FB_STR_ARG(signer->region));
    if (is_bound) {
        fb_buf_printf(&headers, "content-length:%" PRId64 "\n", options->content_length);
    }
    fb_buf_printf(&headers, "host:%.*s\n", FB_STR_ARG(options->host));

    struct origin_sigv4_canon canon = {
        .method = options->method,
        .path = options->path,
        .headers = fb_buf_str(&headers),
        .names = is_bound ? FB_STR("content-length;host") : FB_STR("host"),
        .payload = FB_STR("UNSIGNED-PAYLOAD"),
        .moment = fb_buf_str(&moment),
        .scope = fb_buf_str(&scope),
    };
    presign_query(signer, options, &canon, &query);
    canon.query = fb_buf_str(&query);
    fb_buf_append(buf, canon.query);
    fb_buf_append(buf, FB_STR("&X-Amz-Signature="));
    origin_sigv4_key(signer->secret, canon.scope, key);
    origin_sigv4_sign(&canon, key, buf);
}
