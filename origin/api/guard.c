/*
 * What stands before an act: how much the client may do, and whether it has been
 * done before.
 */
#include "base/core/text.h"
#include "base/crypto/hash.h"
#include "origin/api/api_internal.h"

#include <stdio.h>

enum { QUOTA_TEXT_MAX = 96 };

static uint32_t whole_seconds(uint32_t ms)
{
    return ms / 1000 + (ms % 1000 > 0 ? 1 : 0);
}

static void add_text(struct fb_call *call, const char *name, const char *text)
{
    fb_headers_add(&call->headers, call->arena, fb_str_from(name),
                   fb_arena_dup(call->arena, fb_str_from(text)));
}

int origin_api_quota(struct fb_call *call, const char *name, const struct origin_quota *quota)
{
    char text[QUOTA_TEXT_MAX];

    if (quota->wait_ms > 0) {
        (void)snprintf(text, sizeof(text), "%u", whole_seconds(quota->wait_ms));
        fb_call_problem(call, 429, "too-many-requests", "That was too much at once. Wait for %s s.",
                        text);
        add_text(call, "Retry-After", text);
    }
    /* draft-ietf-httpapi-ratelimit-headers */
    (void)snprintf(text, sizeof(text), "\"%s\";q=%u;w=%u", name, quota->limit,
                   whole_seconds(quota->window_ms));
    add_text(call, "RateLimit-Policy", text);
    (void)snprintf(text, sizeof(text), "\"%s\";r=%u;t=%u", name, quota->left,
                   whole_seconds(quota->reset_ms));
    add_text(call, "RateLimit", text);
    return quota->wait_ms > 0 ? FB_E_LIMIT : FB_OK;
}

int origin_api_actor(const struct origin_api *api, struct fb_call *call,
                     enum origin_engagement_limit limit, struct origin_actor *ret_actor)
{
    static const char *const names[] = {
        [ORIGIN_LIMIT_REACTIONS] = "reactions",
        [ORIGIN_LIMIT_COMMENTS] = "comments",
    };
    struct origin_engagement *engagement = api->options.engagement;
    struct fb_address peer = origin_api_peer(api, call);
    struct origin_quota quota;
    struct origin_actor actor;

    int err = origin_api_user(api, call, &actor.user);
    if (err < 0) {
        return err;
    }
    FB_IGNORE(origin_engagement_spend(engagement, limit, &actor.user, &quota)); /* quota says it */
    err = origin_api_quota(call, names[limit], &quota);
    if (err == FB_OK) {
        actor.network = origin_engagement_network(engagement, &peer);
        *ret_actor = actor;
    }
    return err;
}

/* The field is a string of structured fields (draft-ietf-httpapi-idempotency-key-header), but
 * many clients send the key as it is. */
static struct fb_str key_of(struct fb_str field)
{
    if (field.len >= 2 && field.ptr[0] == '"' && field.ptr[field.len - 1] == '"') {
        return fb_str_first(fb_str_skip(field, 1), field.len - 2);
    }
    return field;
}

int origin_api_once(struct fb_call *call, struct origin_once *ret_once)
{
    struct fb_str field = fb_headers_find(&call->request->headers, FB_STR("Idempotency-Key"));
    struct origin_once once = {.key = FB_STR_NONE};

    if (field.ptr != NULL) {
        once.key = key_of(field);
        if (once.key.len == 0 || once.key.len > ORIGIN_ONCE_KEY_MAX || !fb_text_is_utf8(once.key)) {
            fb_call_problem(call, 400, "bad-idempotency-key",
                            "The Idempotency-Key must have 1 to %d bytes.", ORIGIN_ONCE_KEY_MAX);
            return FB_E_MALFORMED;
        }
        struct fb_sha256 hash;
        fb_sha256_init(&hash);
        fb_sha256_update(&hash, call->request->method_text);
        fb_sha256_update(&hash, FB_STR(" "));
        fb_sha256_update(&hash, call->request->path);
        fb_sha256_update(&hash, FB_STR("\n"));
        fb_sha256_update(&hash, call->body);
        fb_sha256_finish(&hash, once.fingerprint);
    }
    *ret_once = once;
    return FB_OK;
}

void origin_api_once_reply(struct fb_call *call, int err, const struct origin_once *once,
                           struct fb_str earlier)
{
    if (err == FB_OK || err == FB_E_EXISTS) {
        call->status = 201;
        fb_buf_append(&call->content, err == FB_OK ? once->answer : earlier);
        fb_headers_add(&call->headers, call->arena, FB_STR("Content-Type"),
                       FB_STR("application/json"));
        fb_headers_add(&call->headers, call->arena, FB_STR("Cache-Control"), FB_STR("no-store"));
    } else if (err == FB_E_DENIED) {
        fb_call_problem(call, 422, "idempotency-key-reused",
                        "This Idempotency-Key was sent with another request.");
    } else if (err == FB_E_CONFLICT) {
        fb_call_problem(call, 404, "no-video", "There is no such video, or it has just gone.");
    } else {
        origin_api_broken(call, err, "add what a user did");
    }
}
