/*
 * Published files.
 */
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/base64.h"
#include "base/metrics/metrics.h"
#include "base/server/router.h"
#include "origin/catalog/files.h"
#include "origin/delivery/delivery_internal.h"
#include "origin/objects/objects.h"
#include "origin/reply/reply.h"

#include <stdio.h>

enum { ETAG_DIGITS = 32 };

static struct fb_str digest_bytes(const struct origin_result_file *file, size_t n)
{
    return (struct fb_str){(const char *)file->sha256, n};
}

static struct fb_str cache_control_of(struct fb_str path)
{
    bool may_change = fb_str_ends_with(path, FB_STR(".m3u8")) ||
                      fb_str_ends_with(path, FB_STR(".mpd")) ||
                      fb_str_ends_with(path, FB_STR(".json"));
    return may_change ? FB_STR("public, max-age=2") : FB_STR("public, max-age=31536000, immutable");
}

/* On the pool: the row, then the object. */
static int media_find(struct fb_work *work)
{
    struct origin_lookup *lookup = FB_CONTAINER_OF(work, struct origin_lookup, work);
    const struct origin_delivery_options *options = &lookup->delivery->options;
    struct fb_str version = fb_exchange_param(lookup->exchange, "version");
    struct fb_str path = fb_exchange_param(lookup->exchange, "file");
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct origin_found *found = &lookup->found;
    struct origin_result_file file;
    struct origin_id video;

    int err = origin_id_parse(fb_exchange_param(lookup->exchange, "video"), &video);
    if (err < 0 ||
        (err = origin_catalog_file_get(options->catalog, &video, version, path, &file)) < 0) {
        return err;
    }
    fb_buf_printf(&text, "media/%s/%.*s/%s", video.text, FB_STR_ARG(version), file.path);
    err = origin_objects_get(options->objects, fb_buf_str(&text), &found->object);
    if (err < 0) {
        return err;
    }
    if (found->object.size != file.size) {
        return FB_E_CORRUPT;
    }
    found->is_open_to_all = true;
    found->cache_control = cache_control_of(fb_str_from(file.path));
    (void)snprintf(lookup->type_text, sizeof(lookup->type_text), "%s", file.type);
    found->type = fb_str_from(lookup->type_text);
    fb_buf_clear(&text);
    fb_text_hex(&text, digest_bytes(&file, ETAG_DIGITS / 2));
    (void)snprintf(found->etag, sizeof(found->etag), "\"%s\"", text.ptr);
    fb_buf_clear(&text);
    fb_base64_encode(&text, FB_BASE64_STD, digest_bytes(&file, ORIGIN_DIGEST_LEN));
    (void)snprintf(found->digest, sizeof(found->digest), "sha-256=:%s:", text.ptr);
    return FB_OK;
}

static void media_finished(void *ctx, const struct fb_exchange_outcome *outcome)
{
    struct origin_delivery *delivery = ctx;
    bool is_error = outcome->status >= 500 || outcome->result < 0;

    fb_metrics_add(delivery->metrics, DELIVERY_REQUESTS, 1);
    fb_metrics_add(delivery->metrics, DELIVERY_ERRORS, is_error ? 1 : 0);
    fb_metrics_add(delivery->metrics, DELIVERY_BYTES, outcome->body_bytes);
}

void origin_delivery_media(void *ctx, struct fb_exchange *exchange)
{
    fb_exchange_set_hooks(exchange,
                          &(struct fb_exchange_hooks){.ctx = ctx, .finished = media_finished});
    origin_lookup_start(ctx, exchange, media_find);
}

void origin_delivery_media_options(void *ctx, struct fb_exchange *exchange)
{
    (void)ctx;
    origin_reply_preflight(exchange, "GET, HEAD, OPTIONS", "Range, If-None-Match, If-Range");
}

/* Of a player whose edge counts no views, and passes it on: nobody wants it, and no page shall
 * show an error for that. */
void origin_delivery_beacon(void *ctx, struct fb_exchange *exchange)
{
    (void)ctx;
    origin_reply_preflight(exchange, "POST", "Content-Type");
}
