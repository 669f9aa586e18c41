/*
 * Likes, saves, shares and follows.
 */
#include "origin/api/api_internal.h"
#include "origin/catalog/follows.h"

static const char *const channels[] = {"link", "message", "email", "social", "embed", "other"};

/* ---- likes and saves ------------------------------------------------------------- */

static void answer_reaction(struct fb_call *call, const struct origin_reaction_change *change,
                            const struct origin_video_counters *counters)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();

    if (change->reaction == ORIGIN_REACTION_LIKE) {
        fb_json_set_bool(root, "liked", change->is_set);
        fb_json_set_int(root, "likes", counters->likes);
    } else {
        fb_json_set_bool(root, "saved", change->is_set);
        fb_json_set_int(root, "saves", counters->saves);
    }
    origin_api_reply(call, 200, root);
}

static void react(const struct origin_api *api, struct fb_call *call, enum origin_reaction reaction,
                  bool is_set)
{
    struct origin_reaction_change change = {.reaction = reaction, .is_set = is_set};
    struct origin_video_counters counters;
    struct origin_video video;

    if (origin_api_actor(api, call, ORIGIN_LIMIT_REACTIONS, &change.actor) < 0 ||
        origin_api_seen_video(api, call, &video) < 0) {
        return;
    }
    change.video = video.id;
    int err = origin_engagement_react(api->options.engagement, &change, &counters);
    if (err == FB_OK) {
        answer_reaction(call, &change, &counters);
    } else if (err == FB_E_CONFLICT) {
        fb_call_problem(call, 404, "no-video", "There is no such video.");
    } else {
        origin_api_broken(call, err, "change what a user likes or saves");
    }
}

void origin_api_like(void *ctx, struct fb_call *call)
{
    react(ctx, call, ORIGIN_REACTION_LIKE, true);
}

void origin_api_unlike(void *ctx, struct fb_call *call)
{
    react(ctx, call, ORIGIN_REACTION_LIKE, false);
}

void origin_api_save(void *ctx, struct fb_call *call)
{
    react(ctx, call, ORIGIN_REACTION_SAVE, true);
}

void origin_api_unsave(void *ctx, struct fb_call *call)
{
    react(ctx, call, ORIGIN_REACTION_SAVE, false);
}

/* ---- shares ---------------------------------------------------------------------- */

static bool is_channel(struct fb_str text)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(channels); i++) {
        if (fb_str_equal(text, fb_str_from(channels[i]))) {
            return true;
        }
    }
    return false;
}

static int read_share(struct fb_call *call, struct origin_share *share)
{
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct fb_diag diag = {.err = FB_OK};
    struct fb_str channel;

    int err = origin_api_body(call, &body);
    if (err < 0) {
        return err;
    }
    err = fb_json_read_str(body, "channel", 32, &channel, &diag);
    if (err == FB_OK && !is_channel(channel)) {
        err = fb_diag_set(&diag, FB_E_MALFORMED,
                          "'channel' must be link, message, email, social, embed or other");
    }
    if (err < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return err;
    }
    share->channel = fb_arena_dup(call->arena, channel);
    return FB_OK;
}

void origin_api_share(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    FB_AUTO(fb_buf_done) struct fb_buf answer = {0};
    struct fb_str earlier = FB_STR_NONE;
    struct origin_share share;
    struct origin_video video;
    struct origin_once once;

    if (origin_api_actor(api, call, ORIGIN_LIMIT_REACTIONS, &share.actor) < 0 ||
        origin_api_seen_video(api, call, &video) < 0 || origin_api_once(call, &once) < 0 ||
        read_share(call, &share) < 0) {
        return;
    }
    share.video = video.id;
    fb_json_set_text(root, "video", video.id.text);
    fb_json_set_str(root, "channel", share.channel);
    fb_json_dump(root, &answer);
    once.answer = fb_buf_str(&answer);
    int err =
        origin_engagement_share(api->options.engagement, call->arena, &share, &once, &earlier);
    origin_api_once_reply(call, err, &once, earlier);
}

/* ---- follows --------------------------------------------------------------------- */

static void no_user(struct fb_call *call)
{
    fb_call_problem(call, 404, "no-user", "There is no such user.");
}

static void follow(const struct origin_api *api, struct fb_call *call, bool is_set)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_user_counters counters;
    struct origin_actor actor;
    struct origin_id user;

    if (origin_api_actor(api, call, ORIGIN_LIMIT_REACTIONS, &actor) < 0) {
        return;
    }
    int err = origin_id_parse(fb_call_param(call, "id"), &user);
    if (err == FB_OK) {
        err = origin_engagement_follow(api->options.engagement, &actor, &user, is_set, &counters);
    }
    if (err == FB_OK) {
        fb_json_set_bool(root, "following", is_set);
        fb_json_set_int(root, "followers", counters.followers);
        origin_api_reply(call, 200, root);
    } else if (err == FB_E_UNSUPPORTED) {
        fb_call_problem(call, 409, "yourself", "Nobody can follow himself.");
    } else if (err == FB_E_CONFLICT || err == FB_E_MALFORMED) {
        no_user(call);
    } else {
        origin_api_broken(call, err, "change whom a user follows");
    }
}

void origin_api_follow(void *ctx, struct fb_call *call)
{
    follow(ctx, call, true);
}

void origin_api_unfollow(void *ctx, struct fb_call *call)
{
    follow(ctx, call, false);
}
