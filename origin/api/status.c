/*
 * How far a video is, once and as it goes on.
 */
#include "origin/status/status.h"

#include "base/server/exchange.h"
#include "origin/api/api_internal.h"
#include "origin/auth/auth.h"

enum { PERMILLE_A_PERCENT = 10 };

#define PERCENT_UNDER_WAY_MAX 99U

int64_t origin_api_progress(const struct origin_video *video)
{
    uint32_t percent = video->permille / PERMILLE_A_PERCENT;

    return video->stage == ORIGIN_STAGE_FULL ? 100 : FB_MIN(percent, PERCENT_UNDER_WAY_MAX);
}

/* The smallest rendition alone, or all there will be. */
void origin_api_stage_store(struct fb_json *root, const struct origin_video *video)
{
    if (video->status == ORIGIN_VIDEO_READY) {
        fb_json_set_text(root, "stage", video->stage == ORIGIN_STAGE_EARLY ? "early" : "full");
    }
}

void origin_api_status_store(struct fb_json *root, const struct origin_video *video)
{
    fb_json_set_text(root, "id", video->id.text);
    fb_json_set_text(root, "status", origin_video_status_text(video->status));
    fb_json_set_int(root, "progress", origin_api_progress(video));
    origin_api_stage_store(root, video);
    if (video->reason.ptr != NULL) {
        fb_json_set_str(root, "reason", video->reason);
    }
}

void origin_api_describe_status(void *ctx, const struct origin_video *video, struct fb_buf *json)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();

    (void)ctx;
    origin_api_status_store(root, video);
    fb_json_dump(root, json);
}

/* Whoever knows the id may follow, unless it is private: then its owner, and admins. */
void origin_api_status_stream(void *ctx, struct fb_exchange *exchange)
{
    const struct origin_api *api = ctx;
    struct fb_str field =
        fb_headers_find(&fb_exchange_request(exchange)->headers, FB_STR("Authorization"));
    struct origin_id user = {.text = ""};
    struct origin_id id;

    if (origin_id_parse(fb_exchange_param(exchange, "id"), &id) < 0) {
        fb_exchange_problem(exchange, 404, "no-video", "There is no such video.");
        return;
    }
    FB_IGNORE(origin_auth_user(api->options.auth, field, &user)); /* else it is nobody */
    origin_status_stream(api->options.status, exchange, &id, &user);
}
