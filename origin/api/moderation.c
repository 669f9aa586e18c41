/*
 * What admins decide about videos.
 */
#include "origin/api/api_internal.h"

enum { DECISIONS_MAX = 100 };

static int read_decision(const struct origin_api *api, struct fb_call *call,
                         struct origin_decision *decision)
{
    static const struct origin_api_text rule = {
        .key = "reason", .max_characters = ORIGIN_API_REASON_MAX, .may_have_lines = true};
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct fb_diag diag = {.err = FB_OK};
    struct fb_str reason;

    int err = origin_api_user(api, call, &decision->admin);
    if (err < 0 || (err = origin_api_body(call, &body)) < 0) {
        return err;
    }
    err = origin_api_read_text(body, &rule, &reason, &diag);
    if (err < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return err;
    }
    decision->reason = fb_arena_dup(call->arena, reason);
    return FB_OK;
}

static void decide(const struct origin_api *api, struct fb_call *call, bool is_active)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_decision decision = {.is_active = is_active};

    if (read_decision(api, call, &decision) < 0) {
        return;
    }
    int err = origin_id_parse(fb_call_param(call, "id"), &decision.video);
    if (err == FB_OK) {
        err = origin_engagement_moderate(api->options.engagement, &decision);
    }
    if (err == FB_OK) {
        fb_json_set_text(root, "id", decision.video.text);
        fb_json_set_bool(root, "active", is_active);
        origin_api_reply(call, 200, root);
    } else if (err == FB_E_DENIED) {
        fb_call_problem(call, 403, "not-an-admin", "Only admins can do this.");
    } else if (err == FB_E_NOT_FOUND || err == FB_E_MALFORMED) {
        fb_call_problem(call, 404, "no-video", "There is no such video.");
    } else {
        origin_api_broken(call, err, "moderate a video");
    }
}

void origin_api_deactivate(void *ctx, struct fb_call *call)
{
    decide(ctx, call, false);
}

void origin_api_activate(void *ctx, struct fb_call *call)
{
    decide(ctx, call, true);
}

static void store_decision(struct fb_json *root, const struct origin_decision *decision)
{
    fb_json_set_text(root, "action", decision->is_active ? "activate" : "deactivate");
    fb_json_set_text(root, "admin", decision->admin.text);
    fb_json_set_str(root, "reason", decision->reason);
    origin_api_set_time(root, "at", decision->at_ms);
}

void origin_api_decisions(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_decision *decisions = NULL;
    struct origin_id video;
    size_t n = 0;

    if (origin_api_admin(api, call) < 0) {
        return;
    }
    if (origin_id_parse(fb_call_param(call, "id"), &video) < 0) {
        fb_call_problem(call, 404, "no-video", "There is no such video.");
        return;
    }
    int err = origin_catalog_moderation_list(api->options.catalog, call->arena, &video,
                                             DECISIONS_MAX, &decisions, &n);
    if (err < 0) {
        origin_api_broken(call, err, "read decisions");
        return;
    }
    struct fb_json *items = fb_json_set_array(root, "decisions");
    for (size_t i = 0; i < n; i++) {
        store_decision(fb_json_add_object(items), &decisions[i]);
    }
    origin_api_reply(call, 200, root);
}
