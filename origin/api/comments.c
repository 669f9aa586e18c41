/*
 * Comments and replies.
 */
#include "base/core/clock.h"
#include "origin/api/api_internal.h"
#include "origin/catalog/users.h"

#include <inttypes.h>

static void store_comment(struct fb_json *root, const struct origin_comment *comment)
{
    bool is_removed = comment->text.ptr == NULL;

    fb_json_set_text(root, "id", comment->id.text);
    fb_json_set_text(root, "video", comment->video.text);
    if (comment->parent.text[0] != '\0') {
        fb_json_set_text(root, "parent", comment->parent.text);
    } else {
        fb_json_set_null(root, "parent");
        fb_json_set_int(root, "replies", comment->replies);
    }
    fb_json_set_str(root, "user", is_removed ? FB_STR_NONE : origin_id_str(&comment->user));
    origin_api_set_name(root, "user_name", is_removed ? FB_STR_NONE : comment->user_name);
    fb_json_set_str(root, "text", comment->text);
    fb_json_set_bool(root, "removed", is_removed);
    origin_api_set_time(root, "created_at", comment->at_ms);
}

/* ---- adding ---------------------------------------------------------------------- */

/* The comment that a reply belongs to: of a reply, the one that it replies to. */
static int find_parent(const struct origin_api *api, struct fb_call *call,
                       const struct origin_id *video, struct fb_str text,
                       struct origin_id *ret_parent)
{
    struct origin_comment parent = {.seq = 0};
    struct origin_id id;

    int err = origin_id_parse(text, &id);
    if (err == FB_OK) {
        err = origin_catalog_comment_get(api->options.catalog, call->arena, &id, &parent);
    }
    if (err == FB_OK && !origin_id_equal(&parent.video, video)) {
        err = FB_E_NOT_FOUND;
    }
    if (err == FB_E_MALFORMED || err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-comment", "There is no such comment on this video.");
    } else if (err < 0) {
        origin_api_broken(call, err, "read a comment");
    } else {
        *ret_parent = parent.parent.text[0] != '\0' ? parent.parent : parent.id;
    }
    return err;
}

static int read_comment(const struct origin_api *api, struct fb_call *call,
                        struct origin_comment_new *comment)
{
    static const struct origin_api_text rule = {
        .key = "text", .max_characters = ORIGIN_API_COMMENT_MAX, .may_have_lines = true};
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct fb_diag diag = {.err = FB_OK};
    struct fb_str text;
    struct fb_str parent = FB_STR_NONE;

    int err = origin_api_body(call, &body);
    if (err < 0) {
        return err;
    }
    err = origin_api_read_text(body, &rule, &text, &diag);
    if (err == FB_OK) {
        err = fb_json_read_str(body, "parent", ORIGIN_ID_LEN, &parent, &diag);
        err = err == FB_E_NOT_FOUND ? FB_OK : err;
    }
    if (err < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return err;
    }
    comment->text = fb_arena_dup(call->arena, text);
    return parent.ptr == NULL ? FB_OK
                              : find_parent(api, call, &comment->video, parent, &comment->parent);
}

static int describe(const struct origin_api *api, struct fb_call *call,
                    const struct origin_comment_new *comment, struct fb_buf *answer)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_profile profile;

    int err =
        origin_catalog_user_get(api->options.catalog, call->arena, &comment->actor.user, &profile);
    if (err < 0) {
        return err == FB_E_NOT_FOUND ? FB_E_CONFLICT : err;
    }
    store_comment(root, &(struct origin_comment){
                            .id = comment->id,
                            .video = comment->video,
                            .user = comment->actor.user,
                            .parent = comment->parent,
                            .user_name = profile.name,
                            .text = comment->text,
                            .at_ms = comment->at_ms,
                        });
    fb_json_dump(root, answer);
    return FB_OK;
}

void origin_api_comment(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    struct origin_comment_new comment = {.id = origin_id_new(),
                                         .at_ms = fb_clock_wall_ms(api->options.clock)};
    FB_AUTO(fb_buf_done) struct fb_buf answer = {0};
    struct fb_str earlier = FB_STR_NONE;
    struct origin_video video;
    struct origin_once once;

    if (origin_api_actor(api, call, ORIGIN_LIMIT_COMMENTS, &comment.actor) < 0 ||
        origin_api_seen_video(api, call, &video) < 0 || origin_api_once(call, &once) < 0) {
        return;
    }
    comment.video = video.id;
    if (read_comment(api, call, &comment) < 0) {
        return;
    }
    int err = describe(api, call, &comment, &answer);
    once.answer = fb_buf_str(&answer);
    if (err == FB_OK) {
        err = origin_engagement_comment(api->options.engagement, call->arena, &comment, &once,
                                        &earlier);
    }
    origin_api_once_reply(call, err, &once, earlier);
}

/* ---- reading --------------------------------------------------------------------- */

static int read_query(struct fb_call *call, struct origin_comment_query *query)
{
    struct fb_str parent = fb_query_param(call->request->query, call->arena, FB_STR("parent"));

    if (parent.ptr != NULL && origin_id_parse(parent, &query->parent) < 0) {
        fb_call_problem(call, 404, "no-comment", "There is no such comment on this video.");
        return FB_E_NOT_FOUND;
    }
    return origin_api_number_page(call, parent.ptr != NULL ? FB_STR("reply:") : FB_STR("comment:"),
                                  &query->from_seq, &query->limit);
}

void origin_api_comments(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_comment_query query = {.from_seq = 0};
    struct origin_comment *comments = NULL;
    struct origin_video video;
    size_t n = 0;

    if (origin_api_seen_video(api, call, &video) < 0 || read_query(call, &query) < 0) {
        return;
    }
    query.video = video.id;
    size_t wanted = query.limit++; /* one more tells whether there is a next page */
    int err = origin_catalog_comment_list(api->options.catalog, call->arena, &query, &comments, &n);
    if (err < 0) {
        origin_api_broken(call, err, "list comments");
        return;
    }
    struct fb_json *items = fb_json_set_array(root, "comments");
    for (size_t i = 0; i < FB_MIN(n, wanted); i++) {
        store_comment(fb_json_add_object(items), &comments[i]);
    }
    if (n > wanted) {
        origin_api_next_cursor(root, "%s:%" PRId64,
                               query.parent.text[0] != '\0' ? "reply" : "comment",
                               comments[wanted - 1].seq);
    } else {
        fb_json_set_null(root, "next_cursor");
    }
    origin_api_reply(call, 200, root);
}

/* ---- removing -------------------------------------------------------------------- */

void origin_api_uncomment(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    struct origin_id user;
    struct origin_id id;

    if (origin_api_user(api, call, &user) < 0) {
        return;
    }
    int err = origin_id_parse(fb_call_param(call, "id"), &id);
    if (err == FB_OK) {
        err = origin_engagement_comment_remove(api->options.engagement, &user, &id);
    }
    if (err == FB_OK) {
        call->status = 204;
    } else if (err == FB_E_NOT_FOUND || err == FB_E_MALFORMED) {
        fb_call_problem(call, 404, "no-comment", "There is no such comment.");
    } else if (err == FB_E_DENIED) {
        fb_call_problem(call, 403, "not-allowed",
                        "Only who wrote it, the owner of the video and admins can remove it.");
    } else {
        origin_api_broken(call, err, "remove a comment");
    }
}
