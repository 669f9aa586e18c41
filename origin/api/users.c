/*
 * Users as others see them, and what is one's own.
 */
#include "origin/catalog/users.h"

#include "origin/api/api_internal.h"
#include "origin/catalog/follows.h"

#include <inttypes.h>

static int get_profile(const struct origin_api *api, struct fb_call *call,
                       const struct origin_id *id, struct origin_profile *ret_profile)
{
    int err = origin_catalog_user_get(api->options.catalog, call->arena, id, ret_profile);
    if (err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-user", "There is no such user.");
    } else if (err < 0) {
        origin_api_broken(call, err, "read a user");
    }
    return err;
}

static void store_profile(struct fb_json *root, const struct origin_profile *profile)
{
    fb_json_set_text(root, "id", profile->id.text);
    origin_api_set_name(root, "name", profile->name);
    fb_json_set_int(root, "followers", profile->counters.followers);
    fb_json_set_int(root, "following", profile->counters.following);
    origin_api_set_time(root, "created_at", profile->created_ms);
}

void origin_api_profile(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_profile profile;
    struct origin_id id;

    if (origin_id_parse(fb_call_param(call, "id"), &id) < 0) {
        fb_call_problem(call, 404, "no-user", "There is no such user.");
        return;
    }
    if (get_profile(api, call, &id, &profile) == FB_OK) {
        store_profile(root, &profile);
        origin_api_reply(call, 200, root);
    }
}

static void reply_me(const struct origin_api *api, struct fb_call *call,
                     const struct origin_id *user)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_profile profile;
    bool is_admin = false;

    if (get_profile(api, call, user, &profile) < 0) {
        return;
    }
    int err = origin_engagement_is_admin(api->options.engagement, user, &is_admin);
    if (err < 0) {
        origin_api_broken(call, err, "read a user");
        return;
    }
    store_profile(root, &profile);
    fb_json_set_str(root, "email", profile.email);
    fb_json_set_bool(root, "is_admin", is_admin);
    origin_api_reply(call, 200, root);
}

void origin_api_me(void *ctx, struct fb_call *call)
{
    struct origin_id user;

    if (origin_api_user(ctx, call, &user) == FB_OK) {
        reply_me(ctx, call, &user);
    }
}

void origin_api_rename(void *ctx, struct fb_call *call)
{
    static const struct origin_api_text rule = {.key = "name",
                                                .max_characters = ORIGIN_API_NAME_MAX};
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct fb_diag diag = {.err = FB_OK};
    struct origin_actor actor;
    struct fb_str name;

    if (origin_api_actor(api, call, ORIGIN_LIMIT_REACTIONS, &actor) < 0 ||
        origin_api_body(call, &body) < 0) {
        return;
    }
    if (origin_api_read_text(body, &rule, &name, &diag) < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return;
    }
    int err = origin_catalog_user_rename(api->options.catalog, &actor.user, name);
    if (err < 0 && err != FB_E_NOT_FOUND) {
        origin_api_broken(call, err, "rename a user");
        return;
    }
    reply_me(api, call, &actor.user);
}

/* ---- lists ------------------------------------------------------------------------- */

static int read_own_page(const struct origin_api *api, struct fb_call *call, struct fb_str kind,
                         struct origin_page *page)
{
    int err = origin_api_user(api, call, &page->user);
    return err < 0 ? err : origin_api_time_page(call, kind, page);
}

static void list_reacted(const struct origin_api *api, struct fb_call *call,
                         enum origin_reaction reaction)
{
    const char *kind = reaction == ORIGIN_REACTION_LIKE ? "like:" : "save:";
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_page page = {.before_ms = 0};
    struct origin_reacted *items = NULL;
    size_t n = 0;

    if (read_own_page(api, call, fb_str_from(kind), &page) < 0) {
        return;
    }
    size_t wanted = page.limit++; /* one more tells whether there is a next page */
    int err = origin_catalog_reaction_list(api->options.catalog, call->arena, reaction, &page,
                                           &items, &n);
    if (err < 0) {
        origin_api_broken(call, err, "list what a user likes or saves");
        return;
    }
    struct fb_json *videos = fb_json_set_array(root, "videos");
    for (size_t i = 0; i < FB_MIN(n, wanted); i++) {
        origin_api_video_add(api, call, videos, &items[i].video, false);
    }
    if (n > wanted) {
        origin_api_next_cursor(root, "%s%" PRId64 ":%s", kind, items[wanted - 1].at_ms,
                               items[wanted - 1].video.id.text);
    } else {
        fb_json_set_null(root, "next_cursor");
    }
    origin_api_reply(call, 200, root);
}

void origin_api_my_likes(void *ctx, struct fb_call *call)
{
    list_reacted(ctx, call, ORIGIN_REACTION_LIKE);
}

void origin_api_my_saves(void *ctx, struct fb_call *call)
{
    list_reacted(ctx, call, ORIGIN_REACTION_SAVE);
}

void origin_api_my_following(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_page page = {.before_ms = 0};
    struct origin_followed *items = NULL;
    size_t n = 0;

    if (read_own_page(api, call, FB_STR("follow:"), &page) < 0) {
        return;
    }
    size_t wanted = page.limit++;
    int err = origin_catalog_follow_list(api->options.catalog, call->arena, &page, &items, &n);
    if (err < 0) {
        origin_api_broken(call, err, "list whom a user follows");
        return;
    }
    struct fb_json *users = fb_json_set_array(root, "users");
    for (size_t i = 0; i < FB_MIN(n, wanted); i++) {
        struct fb_json *user = fb_json_add_object(users);
        fb_json_set_text(user, "id", items[i].user.text);
        origin_api_set_name(user, "name", items[i].name);
        fb_json_set_int(user, "followers", items[i].followers);
        origin_api_set_time(user, "followed_at", items[i].at_ms);
    }
    if (n > wanted) {
        origin_api_next_cursor(root, "follow:%" PRId64 ":%s", items[wanted - 1].at_ms,
                               items[wanted - 1].user.text);
    } else {
        fb_json_set_null(root, "next_cursor");
    }
    origin_api_reply(call, 200, root);
}
