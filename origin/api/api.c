#include "origin/api/api.h"

#include "base/core/alloc.h"
#include "base/http/content_type.h"
#include "base/log/log.h"
#include "origin/access/access.h"
#include "origin/api/api_internal.h"
#include "origin/api/peer.h"
#include "origin/auth/auth.h"
#include "origin/cues/cues.h"

#include <errno.h>
#include <stdio.h>

enum { BODY_MAX = 64 * 1024 };

struct origin_api *origin_api_new(const struct origin_api_options *options)
{
    struct origin_api *api = FB_NEW(struct origin_api);
    api->options = *options;
    return api;
}

void origin_api_free(struct origin_api *api)
{
    fb_free(api);
}

/* ---- what comes in --------------------------------------------------------- */

int origin_api_body(struct fb_call *call, struct fb_json **ret_body)
{
    struct fb_str type = fb_headers_find(&call->request->headers, FB_STR("Content-Type"));
    struct fb_diag diag = {.err = FB_OK};
    FB_AUTO(fb_json_freep) struct fb_json *root = NULL;

    if (type.ptr != NULL && !fb_content_type_is(type, FB_STR("application/json"))) {
        fb_call_problem(call, 415, NULL, "The content must be application/json.");
        return FB_E_UNSUPPORTED;
    }
    int err = fb_json_parse(call->body, BODY_MAX, &root, &diag);
    if (err < 0) {
        fb_call_problem(call, 400, "bad-json", "The content is not JSON: %s.", diag.text);
        return err;
    }
    if (fb_json_type(root) != FB_JSON_OBJECT) {
        fb_call_problem(call, 400, "bad-json", "The content must be a JSON object.");
        return FB_E_MALFORMED;
    }
    *ret_body = root;
    root = NULL;
    return FB_OK;
}

int origin_api_user(const struct origin_api *api, struct fb_call *call, struct origin_id *ret_user)
{
    struct fb_str field = fb_headers_find(&call->request->headers, FB_STR("Authorization"));

    int err = origin_auth_user(api->options.auth, field, ret_user);
    if (err == FB_OK) {
        return FB_OK;
    }
    if (err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 401, "log-in", "Log in to do this.");
    } else if (err == FB_E_EXPIRED) {
        fb_call_problem(call, 401, "token-expired", "The access token has expired.");
    } else {
        fb_call_problem(call, 401, "bad-token", "The access token is not valid.");
    }
    fb_headers_add(&call->headers, call->arena, FB_STR("WWW-Authenticate"),
                   err == FB_E_NOT_FOUND ? FB_STR("Bearer")
                                         : FB_STR("Bearer error=\"invalid_token\""));
    return err;
}

int origin_api_video(const struct origin_api *api, struct fb_call *call,
                     struct origin_video *ret_video)
{
    struct origin_id id;
    int err = origin_id_parse(fb_call_param(call, "id"), &id);
    if (err == FB_OK) {
        err = origin_catalog_video_get(api->options.catalog, call->arena, &id, ret_video);
    }
    if (err == FB_E_MALFORMED || err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-video", "There is no such video.");
    } else if (err < 0) {
        origin_api_broken(call, err, "read a video");
    }
    return err;
}

struct fb_address origin_api_peer(const struct origin_api *api, const struct fb_call *call)
{
    struct origin_api_trusted trusted = {.networks = api->options.trusted,
                                         .n = api->options.n_trusted};
    return origin_api_peer_of(&call->peer, &call->request->headers, &trusted);
}

int origin_api_look(const struct origin_api *api, struct fb_call *call,
                    struct origin_video *ret_video, struct origin_view *ret_view)
{
    struct fb_str field = fb_headers_find(&call->request->headers, FB_STR("Authorization"));
    struct origin_video video;

    int err = origin_api_video(api, call, &video);
    if (err < 0) {
        return err;
    }
    err = origin_access_look(api->options.access, field, &video, ret_view);
    if (err < 0) {
        origin_api_broken(call, err, "see who looks at a video");
        return err;
    }
    *ret_video = video;
    return FB_OK;
}

int origin_api_seen_video(const struct origin_api *api, struct fb_call *call,
                          struct origin_video *ret_video)
{
    struct origin_video video;
    struct origin_view view;

    int err = origin_api_look(api, call, &video, &view);
    if (err < 0) {
        return err;
    }
    if (!view.may_play) {
        fb_call_problem(call, 404, "no-video", "There is no such video.");
        return FB_E_NOT_FOUND;
    }
    *ret_video = video;
    return FB_OK;
}

int origin_api_own_video(const struct origin_api *api, struct fb_call *call,
                         struct origin_video *ret_video)
{
    struct origin_video video = {.privacy = ORIGIN_PRIVACY_PRIVATE};
    struct origin_id user;

    int err = origin_api_user(api, call, &user);
    if (err < 0 || (err = origin_api_video(api, call, &video)) < 0) {
        return err;
    }
    if (!origin_id_equal(&video.owner, &user) && video.privacy == ORIGIN_PRIVACY_PRIVATE) {
        fb_call_problem(call, 404, "no-video", "There is no such video.");
        return FB_E_NOT_FOUND;
    }
    if (!origin_id_equal(&video.owner, &user)) {
        fb_call_problem(call, 403, "not-the-owner", "This video belongs to somebody else.");
        return FB_E_DENIED;
    }
    *ret_video = video;
    return FB_OK;
}

/* ---- what goes out --------------------------------------------------------- */

void origin_api_reply(struct fb_call *call, unsigned status, const struct fb_json *root)
{
    call->status = status;
    fb_json_dump(root, &call->content);
    fb_headers_add(&call->headers, call->arena, FB_STR("Content-Type"), FB_STR("application/json"));
    fb_headers_add(&call->headers, call->arena, FB_STR("Cache-Control"), FB_STR("no-store"));
}

void origin_api_refuse(struct fb_call *call, unsigned status, const char *slug,
                       const struct fb_diag *diag)
{
    fb_call_problem(call, status, slug, "%s", diag->text);
}

void origin_api_broken(struct fb_call *call, int err, const char *doing)
{
    bool may_pass = err == FB_E_BUSY || err == -ENOSPC;

    FB_LOG(ERROR, "api", "a request failed", FB_LOG_TEXT("doing", doing),
           FB_LOG_TEXT("cause", fb_err_text(err)));
    if (may_pass) {
        fb_call_problem(call, 503, "busy", "The server cannot do this at the moment. Try again.");
        fb_headers_add(&call->headers, call->arena, FB_STR("Retry-After"), FB_STR("5"));
    } else {
        fb_call_problem(call, 500, NULL, "Something on our side went wrong.");
    }
}

void origin_api_slow_down(struct fb_call *call, uint32_t wait_ms)
{
    char seconds[16];

    (void)snprintf(seconds, sizeof(seconds), "%u", wait_ms / 1000 + 1);
    fb_call_problem(call, 429, "too-many-attempts", "Too many attempts. Try again in %s s.",
                    seconds);
    fb_headers_add(&call->headers, call->arena, FB_STR("Retry-After"),
                   fb_arena_dup(call->arena, fb_str_from(seconds)));
}

/* ---- routes ----------------------------------------------------------------- */

#define V1    "/api/v1"
#define VIDEO V1 "/videos/{id}"
#define GET(pattern_, call_)                                            \
    {                                                                   \
        .method = FB_METHOD_GET, .pattern = (pattern_), .call = (call_) \
    }
#define PUT(pattern_, call_)                                            \
    {                                                                   \
        .method = FB_METHOD_PUT, .pattern = (pattern_), .call = (call_) \
    }
#define POST(pattern_, call_)                                            \
    {                                                                    \
        .method = FB_METHOD_POST, .pattern = (pattern_), .call = (call_) \
    }
#define GET_AT_ONCE(pattern_, handle_)                                      \
    {                                                                       \
        .method = FB_METHOD_GET, .pattern = (pattern_), .handle = (handle_) \
    }
#define DELETE(pattern_, call_)                                            \
    {                                                                      \
        .method = FB_METHOD_DELETE, .pattern = (pattern_), .call = (call_) \
    }

static const struct fb_route api_routes[] = {
    POST(V1 "/auth/register", origin_api_register),
    POST(V1 "/auth/login", origin_api_login),
    POST(V1 "/auth/refresh", origin_api_refresh),
    POST(V1 "/auth/logout", origin_api_logout),
    POST(V1 "/videos", origin_api_create),
    POST(VIDEO "/upload", origin_api_upload),
    POST(VIDEO "/upload/parts", origin_api_upload_parts),
    DELETE(VIDEO "/upload/{upload}", origin_api_upload_abort),
    POST(V1 "/uploads/sign", origin_api_upload_sign),
    POST(V1 "/upload-keys", origin_api_upload_key_add),
    GET(V1 "/upload-keys", origin_api_upload_keys),
    DELETE(V1 "/upload-keys/{key}", origin_api_upload_key_remove),
    GET(V1 "/videos", origin_api_list),
    GET(V1 "/feed", origin_api_home),
    GET(V1 "/feed/following", origin_api_following),
    GET(VIDEO, origin_api_get),
    DELETE(VIDEO, origin_api_delete),
    {.method = FB_METHOD_PATCH, .pattern = VIDEO, .call = origin_api_set_access},
    POST(V1 "/licences/clearkey", origin_api_clear_key),
    {.method = FB_METHOD_OPTIONS,
     .pattern = V1 "/licences/clearkey",
     .call = origin_api_clear_key_options},
    POST(VIDEO "/complete", origin_api_complete),
    {.method = FB_METHOD_POST,
     .pattern = VIDEO "/subtitles",
     .call = origin_api_subtitle_add,
     .max_body_bytes = ORIGIN_CUES_MAX_BYTES},
    GET(VIDEO "/subtitles", origin_api_subtitles),
    DELETE(VIDEO "/subtitles/{subtitle}", origin_api_subtitle_remove),
    GET(VIDEO "/status", origin_api_status),
    GET_AT_ONCE(VIDEO "/status/stream", origin_api_status_stream),
    GET(VIDEO "/manifest", origin_api_manifest),
    PUT(VIDEO "/like", origin_api_like),
    DELETE(VIDEO "/like", origin_api_unlike),
    PUT(VIDEO "/save", origin_api_save),
    DELETE(VIDEO "/save", origin_api_unsave),
    POST(VIDEO "/share", origin_api_share),
    POST(VIDEO "/comments", origin_api_comment),
    GET(VIDEO "/comments", origin_api_comments),
    DELETE(V1 "/comments/{id}", origin_api_uncomment),
    POST(VIDEO "/deactivate", origin_api_deactivate),
    POST(VIDEO "/activate", origin_api_activate),
    GET(VIDEO "/moderation", origin_api_decisions),
    GET(V1 "/users/{id}", origin_api_profile),
    PUT(V1 "/users/{id}/follow", origin_api_follow),
    DELETE(V1 "/users/{id}/follow", origin_api_unfollow),
    GET(V1 "/me", origin_api_me),
    PUT(V1 "/me", origin_api_rename),
    GET(V1 "/me/likes", origin_api_my_likes),
    GET(V1 "/me/saves", origin_api_my_saves),
    GET(V1 "/me/following", origin_api_my_following),
    GET(V1 "/search", origin_api_search),
    GET(V1 "/search/suggest", origin_api_suggest),
    GET_AT_ONCE(V1 "/trending", origin_api_trending),
    GET_AT_ONCE(V1 "/trending/stream", origin_api_trending_stream),
    GET_AT_ONCE(V1 "/trending/socket", origin_api_trending_socket),
    GET_AT_ONCE(VIDEO "/ranking", origin_api_ranking),
    GET(V1 "/analytics", origin_api_my_analytics),
    GET(VIDEO "/analytics", origin_api_analytics),
    GET(VIDEO "/uncounted", origin_api_uncounted),
    POST(VIDEO "/watch", origin_api_watch),
    GET(V1 "/reports", origin_api_reports),
    POST(V1 "/plans", origin_api_release),
    GET(V1 "/plans/{region}", origin_api_plan),
    GET(V1 "/admin/jobs", origin_api_admin_jobs),
    POST(V1 "/admin/jobs/retry", origin_api_admin_retry_all),
    GET(V1 "/admin/jobs/{id}", origin_api_admin_job),
    POST(V1 "/admin/jobs/{id}/retry", origin_api_admin_retry),
    PUT(V1 "/admin/jobs/{id}/priority", origin_api_admin_priority),
    POST(V1 "/admin/videos/{id}/remake", origin_api_admin_remake),
};

const struct fb_route *origin_api_routes(size_t *ret_n)
{
    *ret_n = FB_ARRAY_LEN(api_routes);
    return api_routes;
}
