/*
 * Published files.
 */
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/base64.h"
#include "base/crypto/hash.h"
#include "base/metrics/metrics.h"
#include "base/server/router.h"
#include "origin/access/access.h"
#include "origin/catalog/files.h"
#include "origin/catalog/removals.h"
#include "origin/delivery/delivery_internal.h"
#include "origin/delivery/whole.h"
#include "origin/objects/objects.h"
#include "origin/reply/reply.h"

#include <stdio.h>
#include <string.h>

enum { ETAG_DIGITS = 32 };

#define MANIFEST_MAX_AGE "2" /* seconds */
#define WHOLE            "/whole.mp4"

/* Of what tells of the rest: lists, manifests. */
static bool may_change(struct fb_str path)
{
    return fb_str_ends_with(path, FB_STR(".m3u8")) || fb_str_ends_with(path, FB_STR(".mpd")) ||
           fb_str_ends_with(path, FB_STR(".json"));
}

static struct fb_str cache_control_of(struct fb_str path)
{
    return may_change(path) ? FB_STR("public, max-age=" MANIFEST_MAX_AGE)
                            : FB_STR("public, max-age=31536000, immutable");
}

/* Manifests bear both tags: they go alone where media may stay. */
static void put_tags(char tags[DELIVERY_TAGS_MAX], const struct origin_id *video, bool is_manifest)
{
    char all[ORIGIN_PURGE_TAG_MAX];
    char manifests[ORIGIN_PURGE_TAG_MAX];

    (void)snprintf(tags, DELIVERY_TAGS_MAX, "%s%s%s",
                   origin_purge_tag(ORIGIN_PURGE_MEDIA, video, all), is_manifest ? ", " : "",
                   is_manifest ? origin_purge_tag(ORIGIN_PURGE_MANIFESTS, video, manifests) : "");
}

/* Of a private video: who brings a pass may have it for as long, and nobody else from there. */
static int let_in(struct origin_lookup *lookup, const struct origin_id *video, struct fb_str path)
{
    struct fb_address peer = fb_exchange_peer(lookup->exchange);
    int64_t max_age_s = 0;

    int err = origin_access_media(lookup->delivery->options.access, video, &peer,
                                  fb_exchange_param(lookup->exchange, "pass"), &max_age_s);
    if (err < 0) {
        return FB_E_NOT_FOUND;
    }
    if (max_age_s >= 0) {
        (void)snprintf(lookup->cache_text, sizeof(lookup->cache_text), "private, max-age=%lld",
                       may_change(path) ? 0LL : (long long)max_age_s);
        lookup->found.cache_control = fb_str_from(lookup->cache_text);
    }
    return FB_OK;
}

/* Of the object or whole that was found: ETag of its digest. */
static void put_etag(struct origin_found *found, const uint8_t *sha256)
{
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};

    fb_text_hex(&hex, fb_str_first(fb_sha256_str(sha256), ETAG_DIGITS / 2));
    (void)snprintf(found->etag, sizeof(found->etag), "\"%s\"", hex.ptr);
}

static int open_file(struct origin_lookup *lookup, const struct origin_result_file *file,
                     struct fb_str key)
{
    struct origin_found *found = &lookup->found;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    int err = origin_objects_get(lookup->delivery->options.objects, key, &found->object);
    if (err < 0) {
        return err;
    }
    if (found->object.size != file->size) {
        return FB_E_CORRUPT;
    }
    (void)snprintf(lookup->type_text, sizeof(lookup->type_text), "%s", file->type);
    found->type = fb_str_from(lookup->type_text);
    put_etag(found, file->sha256);
    fb_base64_encode(&text, FB_BASE64_STD, fb_sha256_str(file->sha256));
    (void)snprintf(found->digest, sizeof(found->digest), "sha-256=:%s:", text.ptr);
    return FB_OK;
}

/* The whole of the track in `folder`, whose index lies at `key`. */
static int open_whole(struct origin_lookup *lookup, const struct origin_id *video,
                      struct fb_str folder, struct fb_str key)
{
    const struct origin_delivery_options *options = &lookup->delivery->options;
    struct fb_str version = fb_exchange_param(lookup->exchange, "version");
    struct origin_found *found = &lookup->found;

    int err = origin_objects_stat(options->objects, key, &found->object);
    if (err < 0 || (err = origin_whole_find(options->catalog, options->objects, video, version,
                                            folder, &found->whole)) < 0) {
        return err;
    }
    found->object.size = origin_whole_size(found->whole);
    found->type =
        fb_str_starts_with(folder, FB_STR("a/")) ? FB_STR("audio/mp4") : FB_STR("video/mp4");
    put_etag(found, origin_whole_digest(found->whole));
    return FB_OK;
}

/* On the pool: the row, then the object. Of a whole both are those of its index. */
static int media_find(struct fb_work *work)
{
    struct origin_lookup *lookup = FB_CONTAINER_OF(work, struct origin_lookup, work);
    const struct origin_delivery_options *options = &lookup->delivery->options;
    struct fb_str version = fb_exchange_param(lookup->exchange, "version");
    struct fb_str path = fb_exchange_param(lookup->exchange, "file");
    bool is_whole = fb_str_ends_with(path, FB_STR(WHOLE));
    struct fb_str folder = fb_str_first(path, is_whole ? path.len - strlen(WHOLE) : 0);
    FB_AUTO(fb_buf_done) struct fb_buf name = {0};
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};
    struct origin_found *found = &lookup->found;
    struct origin_result_file file;
    struct origin_id video;
    enum origin_privacy privacy = ORIGIN_PRIVACY_PRIVATE;

    fb_buf_append(&name, is_whole ? folder : path);
    fb_buf_append(&name, is_whole ? FB_STR("/index.sidx") : FB_STR(""));
    int err = origin_id_parse(fb_exchange_param(lookup->exchange, "video"), &video);
    if (err < 0 || (err = origin_catalog_file_get(options->catalog, &video, version,
                                                  fb_buf_str(&name), &file, &privacy)) < 0) {
        return err;
    }
    found->cache_control = cache_control_of(fb_str_from(file.path));
    if (privacy == ORIGIN_PRIVACY_PRIVATE && (err = let_in(lookup, &video, path)) < 0) {
        return err;
    }
    put_tags(found->tags, &video, may_change(fb_str_from(file.path)));
    found->is_open_to_all = true;
    fb_buf_printf(&key, "media/%s/%.*s/%s", video.text, FB_STR_ARG(version), file.path);
    return is_whole ? open_whole(lookup, &video, folder, fb_buf_str(&key))
                    : open_file(lookup, &file, fb_buf_str(&key));
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
