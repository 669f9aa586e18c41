/*
 * Who may see a video, and where.
 */
#include "origin/access/access.h"

#include "base/net/address.h"
#include "origin/api/api_internal.h"

#include <stdio.h>

enum { PLACE_MAX = 64, LINK_MAX = 512 };

int origin_api_read_access(struct fb_call *call, const struct fb_json *body,
                           struct origin_video *video)
{
    const struct fb_json *privacy = fb_json_find(body, "privacy");
    const struct fb_json *countries = fb_json_find(body, "countries");
    FB_AUTO(fb_buf_done) struct fb_buf list = {0};
    struct fb_diag diag = {.err = FB_OK};
    int err = FB_OK;

    if (privacy != NULL && origin_privacy_parse(fb_json_str(privacy), &video->privacy) < 0) {
        err = fb_diag_set(&diag, FB_E_MALFORMED, "'privacy' must be public, unlisted or private");
    }
    if (err == FB_OK && countries != NULL) {
        err = origin_countries_load(countries, &list, &diag);
        video->countries = fb_arena_dup(call->arena, fb_buf_str(&list));
    }
    if (err < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
    }
    return err;
}

void origin_api_set_access(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_video video;

    if (origin_api_own_video(api, call, &video) < 0 || origin_api_body(call, &body) < 0 ||
        origin_api_read_access(call, body, &video) < 0) {
        return;
    }
    int err = origin_catalog_video_set_access(api->options.catalog, &video.id, video.privacy,
                                              video.countries);
    if (err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-video", "There is no such video.");
    } else if (err < 0) {
        origin_api_broken(call, err, "change who may see a video");
    } else {
        origin_api_video_store(root, &video, true);
        origin_api_reply(call, 200, root);
    }
}

int origin_api_place(const struct origin_api *api, struct fb_call *call,
                     const struct origin_view *view, const struct origin_video *video)
{
    struct fb_address client = origin_api_peer(api, call);
    char country[ORIGIN_COUNTRY_LEN + 1];
    char link[LINK_MAX];

    int err = origin_access_place(api->options.access, view, video, &client, country);
    if (err == FB_OK) {
        return err;
    }
    if (country[0] != '\0') {
        fb_call_problem(call, 451, "blocked-country", "This video may not be shown in %s.",
                        country);
    } else {
        fb_call_problem(
            call, 451, "blocked-country",
            "This video may not be shown everywhere, and it is not known where you are.");
    }
    /* RFC 7725 section 4: who blocks. */
    (void)snprintf(link, sizeof(link), "<%.*s>; rel=\"blocked-by\"",
                   FB_STR_ARG(api->options.public_url));
    fb_headers_add(&call->headers, call->arena, FB_STR("Link"),
                   fb_arena_dup(call->arena, fb_str_from(link)));
    return err;
}
