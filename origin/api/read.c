/*
 * What is told of videos.
 */
#include "base/core/clock.h"
#include "origin/access/access.h"
#include "origin/api/api_internal.h"
#include "origin/catalog/renditions.h"

#include <inttypes.h>
#include <stdio.h>

enum { TAGS_TEXT_MAX = 16 * 1024 };

void origin_api_set_time(struct fb_json *root, const char *key, int64_t wall_ms)
{
    char stamp[FB_TIMESTAMP_MAX];
    fb_json_set_text(root, key, fb_timestamp(wall_ms, stamp));
}

void origin_api_set_name(struct fb_json *root, const char *key, struct fb_str name)
{
    fb_json_set_str(root, key, name.len > 0 ? name : FB_STR_NONE);
}

/* The files that players begin with, by the name of their format. */
static const struct entry {
    const char *format;
    const char *early;
    const char *full;
} entries[] = {
    {"hls", "early.m3u8", "master.m3u8"},
    {"dash", "early.mpd", "manifest.mpd"},
    {"ondemand", "early.mpd", "ondemand.mpd"},
};

/* The first if none is asked for; NULL if there is no such. */
static const struct entry *entry_find(struct fb_str format)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(entries); i++) {
        if (format.ptr == NULL || fb_str_equal(format, fb_str_from(entries[i].format))) {
            return &entries[i];
        }
    }
    return NULL;
}

static void store_counts(struct fb_json *root, const struct origin_video_counters *counters)
{
    struct fb_json *counts = fb_json_set_object(root, "counts");

    fb_json_set_int(counts, "views", counters->views);
    fb_json_set_int(counts, "likes", counters->likes);
    fb_json_set_int(counts, "comments", counters->comments);
    fb_json_set_int(counts, "shares", counters->shares);
    fb_json_set_int(counts, "saves", counters->saves);
}

static void store_owners(struct fb_json *root, const struct origin_video *video)
{
    fb_json_set_str(root, "filename", video->filename);
    fb_json_set_int(root, "size", (int64_t)video->source_bytes);
    origin_countries_store(root, "countries", video->countries);
    fb_json_set_bool(root, "degraded", video->is_degraded);
    if (video->deactivated_ms != 0) {
        struct fb_json *deactivated = fb_json_set_object(root, "deactivated");
        origin_api_set_time(deactivated, "at", video->deactivated_ms);
        fb_json_set_str(deactivated, "reason", video->deactivated_reason);
    }
}

void origin_api_video_store(struct fb_json *root, const struct origin_video *video, bool is_owner)
{
    FB_AUTO(fb_json_freep) struct fb_json *tags = NULL;

    fb_json_set_text(root, "id", video->id.text);
    fb_json_set_text(root, "owner", video->owner.text);
    origin_api_set_name(root, "owner_name", video->owner_name);
    fb_json_set_str(root, "title", video->title);
    fb_json_set_str(root, "description", video->description);
    if (fb_json_parse(video->tags, TAGS_TEXT_MAX, &tags, NULL) == FB_OK) {
        fb_json_set(root, "tags", tags);
        tags = NULL;
    }
    origin_api_set_name(root, "category", video->category);
    origin_api_set_name(root, "sound", video->sound);
    store_counts(root, &video->counters);
    fb_json_set_text(root, "privacy", origin_privacy_text(video->privacy));
    fb_json_set_text(root, "status", origin_video_status_text(video->status));
    fb_json_set_int(root, "progress", origin_api_progress(video));
    origin_api_stage_store(root, video);
    origin_api_set_time(root, "created_at", video->created_ms);
    if (video->status == ORIGIN_VIDEO_READY) {
        fb_json_set_str(root, "version", video->version);
        fb_json_set_int(root, "duration_ms", (int64_t)video->duration_ms);
        fb_json_set_int(root, "width", video->width);
        fb_json_set_int(root, "height", video->height);
        fb_json_set_bool(root, "has_audio", video->has_audio);
        origin_api_set_time(root, "published_at", video->published_ms);
    }
    if (video->reason.ptr != NULL) {
        fb_json_set_str(root, "reason", video->reason);
    }
    if (is_owner) {
        store_owners(root, video);
    }
}

static int store_relation(const struct origin_api *api, struct fb_json *root,
                          const struct origin_view *view, const struct origin_video *video)
{
    struct origin_relation relation;

    int err = origin_catalog_relation(api->options.catalog, &view->user, &video->id, &relation);
    if (err == FB_OK) {
        struct fb_json *mine = fb_json_set_object(root, "mine");
        fb_json_set_bool(mine, "liked", relation.has_liked);
        fb_json_set_bool(mine, "saved", relation.has_saved);
        fb_json_set_bool(mine, "following", relation.is_following);
    }
    return err;
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

/* `public_url`[/<pass>]/media/<id>/<version>/<file>, in the arena. */
static struct fb_str media_url(const struct origin_api *api, struct fb_arena *arena,
                               const struct origin_video *video, const char *file)
{
    FB_AUTO(fb_buf_done) struct fb_buf url = {0};
    struct fb_str base = api->options.public_url;
    struct fb_str pass = origin_access_pass(api->options.access, arena, video);

    while (fb_str_ends_with(base, FB_STR("/"))) {
        base.len--;
    }
    fb_buf_append(&url, base);
    if (pass.len > 0) {
        fb_buf_append_byte(&url, '/');
        fb_buf_append(&url, pass);
    }
    fb_buf_printf(&url, "/media/%s/%.*s/%s", video->id.text, FB_STR_ARG(video->version), file);
    return fb_arena_dup(arena, fb_buf_str(&url));
}

void origin_api_poster_store(const struct origin_api *api, struct fb_arena *arena,
                             struct fb_json *root, const struct origin_video *video)
{
    if (video->status == ORIGIN_VIDEO_READY) {
        fb_json_set_str(root, "poster_url", media_url(api, arena, video, "poster.jpg"));
    }
}

struct fb_json *origin_api_video_add(const struct origin_api *api, struct fb_call *call,
                                     struct fb_json *items, const struct origin_video *video,
                                     bool is_owner)
{
    struct fb_json *item = fb_json_add_object(items);

    origin_api_video_store(item, video, is_owner);
    origin_api_poster_store(api, call->arena, item, video);
    return item;
}

static int store_all(const struct origin_api *api, struct fb_call *call, struct fb_json *root,
                     const struct origin_video *video, const struct origin_view *view)
{
    int err = FB_OK;

    origin_api_video_store(root, video, view->sees_all);
    origin_api_poster_store(api, call->arena, root, video);
    if (view->user.text[0] != '\0') {
        err = store_relation(api, root, view, video);
    }
    return err == FB_OK && video->status == ORIGIN_VIDEO_READY ? store_renditions(api, root, video)
                                                               : err;
}

static void no_video(struct fb_call *call)
{
    fb_call_problem(call, 404, "no-video", "There is no such video.");
}

void origin_api_get(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_video video;
    struct origin_view view;

    if (origin_api_look(api, call, &video, &view) < 0) {
        return;
    }
    if (!view.may_see) {
        no_video(call);
        return;
    }
    int err = store_all(api, call, root, &video, &view);
    if (err == FB_OK) {
        origin_api_reply(call, 200, root);
    } else {
        origin_api_broken(call, err, "read a video");
    }
}

/* The video of the path in any state, unless an admin took it away or it is private: 404. Else
 * whoever knows the id may follow the progress: a page that waits for a video has no token, and ids
 * cannot be guessed. */
static int followed_video(const struct origin_api *api, struct fb_call *call,
                          struct origin_video *ret_video, struct origin_view *ret_view)
{
    int err = origin_api_look(api, call, ret_video, ret_view);
    if (err == FB_OK && (!ret_view->may_follow || ret_video->deactivated_ms != 0)) {
        no_video(call);
        return FB_E_NOT_FOUND;
    }
    return err;
}

void origin_api_status(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_video video;
    struct origin_view view;

    if (followed_video(api, call, &video, &view) < 0) {
        return;
    }
    origin_api_status_store(root, &video);
    origin_api_reply(call, 200, root);
}

/* `url` with what the player tells of itself (CMCD), as it was written: else the edge would take
 * who asks for the playlist for another player than who asks for its segments. */
static struct fb_str with_cmcd(struct fb_call *call, struct fb_str url)
{
    struct fb_str rest = call->request->query;
    struct fb_str part = FB_STR_NONE;

    while (fb_str_cut(&rest, '&', &part)) {
        if (fb_str_starts_with(part, FB_STR("CMCD="))) {
            FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
            fb_buf_printf(&buf, "%.*s?%.*s", FB_STR_ARG(url), FB_STR_ARG(part));
            return fb_arena_dup(call->arena, fb_buf_str(&buf));
        }
    }
    return url;
}

void origin_api_manifest(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    struct fb_str format = fb_query_param(call->request->query, call->arena, FB_STR("format"));
    const struct entry *entry = entry_find(format);
    struct origin_video video;
    struct origin_view view;

    if (entry == NULL) {
        fb_call_problem(call, 400, "bad-format", "The format must be hls, dash or ondemand.");
        return;
    }
    if (followed_video(api, call, &video, &view) < 0) {
        return;
    }
    if (video.status != ORIGIN_VIDEO_READY) {
        fb_call_problem(call, 409, "not-ready", "This video is not ready: it is %s.",
                        origin_video_status_text(video.status));
        return;
    }
    if (origin_api_place(api, call, &view, &video) < 0) {
        return;
    }
    bool is_early = video.stage == ORIGIN_STAGE_EARLY;
    struct fb_str url = media_url(api, call->arena, &video, is_early ? entry->early : entry->full);
    call->status = 302;
    fb_headers_add(&call->headers, call->arena, FB_STR("Location"), with_cmcd(call, url));
    fb_headers_add(&call->headers, call->arena, FB_STR("Cache-Control"), FB_STR("no-store"));
}

/* ---- pages ---------------------------------------------------------------------- */

static void reply_list(const struct origin_api *api, struct fb_call *call,
                       struct origin_video_query *query)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_video *videos = NULL;
    size_t wanted = query->limit++; /* one more tells whether there is a next page */
    size_t n = 0;

    int err = origin_catalog_video_list(api->options.catalog, call->arena, query, &videos, &n);
    if (err < 0) {
        origin_api_broken(call, err, "list videos");
        return;
    }
    struct fb_json *items = fb_json_set_array(root, "videos");
    for (size_t i = 0; i < FB_MIN(n, wanted); i++) {
        origin_api_video_add(api, call, items, &videos[i], query->in_any_state);
    }
    if (n > wanted) {
        origin_api_next_cursor(root, "seq:%" PRId64, videos[wanted - 1].seq);
    } else {
        fb_json_set_null(root, "next_cursor");
    }
    origin_api_reply(call, 200, root);
}

void origin_api_list(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    struct fb_str owner = fb_query_param(call->request->query, call->arena, FB_STR("owner"));
    struct origin_video_query query = {.owner = NULL};
    struct origin_id user;

    if (fb_str_equal(owner, FB_STR("me"))) {
        if (origin_api_user(api, call, &user) < 0) {
            return;
        }
        query.in_any_state = true;
    } else if (owner.ptr != NULL && origin_id_parse(owner, &user) < 0) {
        fb_call_problem(call, 400, "bad-owner", "The owner must be me or the id of a user.");
        return;
    }
    query.owner = owner.ptr != NULL ? &user : NULL;
    if (origin_api_number_page(call, FB_STR("seq:"), &query.before_seq, &query.limit) < 0) {
        return;
    }
    reply_list(api, call, &query);
}

void origin_api_following(void *ctx, struct fb_call *call)
{
    struct origin_video_query query = {.owner = NULL};
    struct origin_id user;

    if (origin_api_user(ctx, call, &user) < 0 ||
        origin_api_number_page(call, FB_STR("seq:"), &query.before_seq, &query.limit) < 0) {
        return;
    }
    query.follower = &user;
    reply_list(ctx, call, &query);
}
