/*
 * What is told of videos.
 */
#include "base/core/clock.h"
#include "base/crypto/base64.h"
#include "origin/api/api_internal.h"
#include "origin/auth/auth.h"
#include "origin/catalog/renditions.h"

#include <inttypes.h>
#include <stdio.h>

enum { CURSOR_MAX = 64, TAGS_TEXT_MAX = 16 * 1024 };

static void set_time(struct fb_json *root, const char *key, int64_t wall_ms)
{
    char stamp[FB_TIMESTAMP_MAX];
    fb_json_set_text(root, key, fb_timestamp(wall_ms, stamp));
}

/* In 100, and only what is ready is whole. */
static int64_t progress_of(const struct origin_video *video)
{
    return video->status == ORIGIN_VIDEO_READY ? 100 : FB_MIN(video->permille / 10, 99U);
}

void origin_api_video_store(struct fb_json *root, const struct origin_video *video, bool is_owner)
{
    FB_AUTO(fb_json_freep) struct fb_json *tags = NULL;

    fb_json_set_text(root, "id", video->id.text);
    fb_json_set_text(root, "owner", video->owner.text);
    fb_json_set_str(root, "title", video->title);
    fb_json_set_str(root, "description", video->description);
    if (fb_json_parse(video->tags, TAGS_TEXT_MAX, &tags, NULL) == FB_OK) {
        fb_json_set(root, "tags", tags);
        tags = NULL;
    }
    fb_json_set_text(root, "status", origin_video_status_text(video->status));
    fb_json_set_int(root, "progress", progress_of(video));
    set_time(root, "created_at", video->created_ms);
    if (video->status == ORIGIN_VIDEO_READY) {
        fb_json_set_str(root, "version", video->version);
        fb_json_set_int(root, "duration_ms", (int64_t)video->duration_ms);
        fb_json_set_int(root, "width", video->width);
        fb_json_set_int(root, "height", video->height);
        fb_json_set_bool(root, "has_audio", video->has_audio);
        set_time(root, "published_at", video->published_ms);
    }
    if (video->reason.ptr != NULL) {
        fb_json_set_str(root, "reason", video->reason);
    }
    if (is_owner) {
        fb_json_set_str(root, "filename", video->filename);
        fb_json_set_int(root, "size", (int64_t)video->source_bytes);
    }
}

/* True if the caller shows a token of the video's owner. */
static bool call_is_owners(const struct origin_api *api, struct fb_call *call,
                           const struct origin_video *video)
{
    struct fb_str field = fb_headers_find(&call->request->headers, FB_STR("Authorization"));
    struct origin_id user;

    return origin_auth_user(api->options.auth, field, &user) == FB_OK &&
           origin_id_equal(&user, &video->owner);
}

static int store_renditions(const struct origin_api *api, struct fb_json *root,
                            const struct origin_video *video)
{
    struct origin_result_rendition items[ORIGIN_RENDITIONS_MAX];
    size_t n = 0;

    int err =
        origin_catalog_rendition_list(api->options.catalog, &video->id, video->version, items, &n);
    if (err < 0) {
        return err;
    }
    struct fb_json *renditions = fb_json_set_array(root, "renditions");
    for (size_t i = 0; i < n; i++) {
        struct fb_json *item = fb_json_add_object(renditions);
        fb_json_set_int(item, "width", items[i].width);
        fb_json_set_int(item, "height", items[i].height);
        fb_json_set_int(item, "bandwidth", (int64_t)items[i].bandwidth);
        fb_json_set_text(item, "codecs", items[i].codecs);
    }
    return FB_OK;
}

/* `public_url`/media/<id>/<version>/<file>, in the arena. */
static struct fb_str media_url(const struct origin_api *api, struct fb_call *call,
                               const struct origin_video *video, const char *file)
{
    FB_AUTO(fb_buf_done) struct fb_buf url = {0};
    struct fb_str base = api->options.public_url;

    while (fb_str_ends_with(base, FB_STR("/"))) {
        base.len--;
    }
    fb_buf_printf(&url, "%.*s/media/%s/%.*s/%s", FB_STR_ARG(base), video->id.text,
                  FB_STR_ARG(video->version), file);
    return fb_arena_dup(call->arena, fb_buf_str(&url));
}

static void store_poster(const struct origin_api *api, struct fb_call *call, struct fb_json *root,
                         const struct origin_video *video)
{
    if (video->status == ORIGIN_VIDEO_READY) {
        fb_json_set_str(root, "poster_url", media_url(api, call, video, "poster.jpg"));
    }
}

void origin_api_get(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_video video;

    if (origin_api_video(api, call, &video) < 0) {
        return;
    }
    bool is_owner = call_is_owners(api, call, &video);
    if (!is_owner && video.status != ORIGIN_VIDEO_READY) {
        fb_call_problem(call, 404, "no-video", "There is no such video.");
        return;
    }
    origin_api_video_store(root, &video, is_owner);
    store_poster(api, call, root, &video);
    if (video.status == ORIGIN_VIDEO_READY) {
        int err = store_renditions(api, root, &video);
        if (err < 0) {
            origin_api_broken(call, err, "read renditions");
            return;
        }
    }
    origin_api_reply(call, 200, root);
}

/* Whoever knows the id may follow the progress: a page that waits for a video
 * has no token, and ids cannot be guessed. */
void origin_api_status(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_video video;

    if (origin_api_video(api, call, &video) < 0) {
        return;
    }
    fb_json_set_text(root, "id", video.id.text);
    fb_json_set_text(root, "status", origin_video_status_text(video.status));
    fb_json_set_int(root, "progress", progress_of(&video));
    if (video.reason.ptr != NULL) {
        fb_json_set_str(root, "reason", video.reason);
    }
    origin_api_reply(call, 200, root);
}

void origin_api_manifest(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    struct fb_str format = fb_query_param(call->request->query, call->arena, FB_STR("format"));
    bool is_dash = fb_str_equal(format, FB_STR("dash"));
    struct origin_video video;

    if (format.ptr != NULL && !is_dash && !fb_str_equal(format, FB_STR("hls"))) {
        fb_call_problem(call, 400, "bad-format", "The format must be hls or dash.");
        return;
    }
    if (origin_api_video(api, call, &video) < 0) {
        return;
    }
    if (video.status != ORIGIN_VIDEO_READY) {
        fb_call_problem(call, 409, "not-ready", "This video is not ready: it is %s.",
                        origin_video_status_text(video.status));
        return;
    }
    call->status = 302;
    fb_headers_add(&call->headers, call->arena, FB_STR("Location"),
                   media_url(api, call, &video, is_dash ? "manifest.mpd" : "master.m3u8"));
    fb_headers_add(&call->headers, call->arena, FB_STR("Cache-Control"), FB_STR("no-store"));
}

/* ---- pages ---------------------------------------------------------------------- */

/* A cursor is opaque: it says after which video the next page begins. */
static struct fb_str cursor_of(struct fb_call *call, int64_t seq)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    char plain[CURSOR_MAX];

    int n = snprintf(plain, sizeof(plain), "seq:%" PRId64, seq);
    fb_base64_encode(&text, FB_BASE64_URL, (struct fb_str){plain, (size_t)n});
    return fb_arena_dup(call->arena, fb_buf_str(&text));
}

static int cursor_parse(struct fb_str cursor, int64_t *ret_seq)
{
    FB_AUTO(fb_buf_done) struct fb_buf plain = {0};
    uint64_t seq = 0;

    if (cursor.len > CURSOR_MAX || fb_base64_decode(&plain, FB_BASE64_URL, cursor) < 0 ||
        !fb_str_starts_with(fb_buf_str(&plain), FB_STR("seq:")) ||
        fb_str_to_u64(fb_str_skip(fb_buf_str(&plain), 4), &seq) < 0 || seq == 0 ||
        seq > INT64_MAX) {
        return FB_E_MALFORMED;
    }
    *ret_seq = (int64_t)seq;
    return FB_OK;
}

static int read_page(struct fb_call *call, struct origin_video_query *query)
{
    struct fb_str cursor = fb_query_param(call->request->query, call->arena, FB_STR("cursor"));
    struct fb_str limit = fb_query_param(call->request->query, call->arena, FB_STR("limit"));
    uint64_t number = ORIGIN_API_PAGE_DEFAULT;

    if (cursor.ptr != NULL && cursor_parse(cursor, &query->before_seq) < 0) {
        fb_call_problem(call, 400, "bad-cursor", "The cursor is not one of ours.");
        return FB_E_MALFORMED;
    }
    if (limit.ptr != NULL &&
        (fb_str_to_u64(limit, &number) < 0 || number < 1 || number > ORIGIN_API_PAGE_MAX)) {
        fb_call_problem(call, 400, "bad-limit", "The limit must be 1 to %d.", ORIGIN_API_PAGE_MAX);
        return FB_E_MALFORMED;
    }
    query->limit = (size_t)number;
    return FB_OK;
}

void origin_api_list(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct fb_str owner = fb_query_param(call->request->query, call->arena, FB_STR("owner"));
    struct origin_video_query query = {.owner = NULL};
    struct origin_video *videos = NULL;
    struct origin_id user;
    size_t n = 0;

    if (owner.ptr != NULL && !fb_str_equal(owner, FB_STR("me"))) {
        fb_call_problem(call, 400, "bad-owner", "The owner can only be me.");
        return;
    }
    if (owner.ptr != NULL) {
        if (origin_api_user(api, call, &user) < 0) {
            return;
        }
        query.owner = &user;
    }
    if (read_page(call, &query) < 0) {
        return;
    }
    size_t wanted = query.limit++; /* one more tells whether there is a next page */
    int err = origin_catalog_video_list(api->options.catalog, call->arena, &query, &videos, &n);
    if (err < 0) {
        origin_api_broken(call, err, "list videos");
        return;
    }
    struct fb_json *items = fb_json_set_array(root, "videos");
    for (size_t i = 0; i < FB_MIN(n, wanted); i++) {
        struct fb_json *item = fb_json_add_object(items);
        origin_api_video_store(item, &videos[i], query.owner != NULL);
        store_poster(api, call, item, &videos[i]);
    }
    if (n > wanted) {
        fb_json_set_str(root, "next_cursor", cursor_of(call, videos[wanted - 1].seq));
    } else {
        fb_json_set_null(root, "next_cursor");
    }
    origin_api_reply(call, 200, root);
}
