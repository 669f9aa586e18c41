/*
 * URLs that are signed for others, and the secrets of their keys.
 */
#include "base/http/url.h"

#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/base64.h"
#include "base/crypto/hash.h"
#include "origin/objects/objects.h"
#include "origin/upload/s3.h"
#include "origin/upload/upload_internal.h"

#include <string.h>

/* As many as a browser can count and a tool can list; a retry costs one of them. */
enum { PARTS_AIMED_AT = 1000 };
static const uint64_t part_step = UINT64_C(8) * 1024 * 1024;

uint64_t origin_upload_part_size(uint64_t bytes)
{
    uint64_t least = 2 * part_step;
    uint64_t size = bytes / PARTS_AIMED_AT + 1;

    size = (size + part_step - 1) / part_step * part_step;
    return FB_MAX(size, least);
}

int origin_upload_url(const struct origin_upload *service, struct fb_str base,
                      const struct origin_upload_ask *ask, struct fb_buf *buf)
{
    FB_AUTO(fb_buf_done) struct fb_buf path = {0};
    struct fb_str scheme_end = FB_STR("://");
    char number[FB_TEXT_NUMBER_MAX];
    struct fb_url url;

    if (fb_url_parse(base, &url, NULL) < 0) {
        return FB_E_MALFORMED;
    }
    /* Host is signed as clients will send it: what stands between the slashes. */
    struct fb_str host = fb_str_skip(base, url.scheme.len + scheme_end.len);
    host = fb_str_first(host, fb_str_find(host, '/'));
    fb_buf_printf(&path, "/" ORIGIN_BUCKET "/%s/", ask->video->text);
    fb_text_percent_encode(&path, ask->name, "");
    struct origin_presign_options options = {
        .method = ask->method,
        .host = host,
        .path = fb_buf_str(&path),
        .content_length = ask->content_length,
        .now_ms = fb_clock_wall_ms(service->options.clock),
        .expires_s = ask->expires_s,
    };
    if (ask->is_create) {
        options.more[0] = (struct origin_presign_param){FB_STR("uploads"), FB_STR("")};
    } else if (ask->upload != NULL) {
        options.more[0] =
            (struct origin_presign_param){FB_STR("uploadId"), origin_id_str(ask->upload)};
        if (ask->number > 0) {
            options.more[1] = (struct origin_presign_param){FB_STR("partNumber"),
                                                            fb_text_number_at(number, ask->number)};
        }
    }
    fb_buf_printf(buf, "%.*s://%.*s%s?", FB_STR_ARG(url.scheme), FB_STR_ARG(host), path.ptr);
    origin_presign(service->options.signer, &options, buf);
    return FB_OK;
}

void origin_upload_key_secret(const struct origin_upload *service, const struct origin_id *id,
                              struct fb_buf *buf)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    uint8_t mac[FB_SHA256_SIZE];

    fb_buf_printf(&text, "forebay upload key\n%s", id->text);
    fb_hmac_sha256(service->options.signer->secret, fb_buf_str(&text), mac);
    fb_base64_encode(buf, FB_BASE64_URL, fb_sha256_str(mac));
    explicit_bzero(mac, sizeof(mac));
}
