/*
 * The feed: pages of what somebody may want to watch.
 */
#include "origin/feed/feed.h"

#include "origin/api/api_internal.h"

/* What has gone since the list was made is left out: a page may be shorter than was asked for. */
static int add_items(const struct origin_api *api, struct fb_call *call, struct fb_json *videos,
                     const struct origin_feed_page *page)
{
    for (size_t i = 0; i < page->n; i++) {
        struct origin_video video;
        int err = origin_catalog_video_get(api->options.catalog, call->arena, &page->items[i].video,
                                           &video);
        if (err < 0 && err != FB_E_NOT_FOUND) {
            return err;
        }
        if (err == FB_OK && origin_video_is_public(&video)) {
            struct fb_json *item = origin_api_video_add(api, call, videos, &video, false);
            fb_json_set_text(item, "because", origin_feed_source_name(page->items[i].source));
        }
    }
    return FB_OK;
}

static void reply_page(const struct origin_api *api, struct fb_call *call,
                       const struct origin_feed_page *page)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();

    int err = add_items(api, call, fb_json_set_array(root, "videos"), page);
    if (err < 0) {
        origin_api_broken(call, err, "read the videos of a feed");
        return;
    }
    origin_api_set_name(root, "next_cursor", page->next_cursor);
    fb_json_set_bool(root, "ranked", page->is_ranked);
    origin_api_reply(call, 200, root);
}

void origin_api_home(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    struct origin_feed_query query = {.limit = 0};
    struct origin_feed_page page;
    struct origin_id user;

    if (origin_api_limit(call, &query.limit) < 0) {
        return;
    }
    query.limit = FB_MIN(query.limit, (size_t)ORIGIN_FEED_PAGE_MAX);
    query.cursor = fb_query_param(call->request->query, call->arena, FB_STR("cursor"));
    if (fb_headers_find(&call->request->headers, FB_STR("Authorization")).ptr != NULL) {
        if (origin_api_user(api, call, &user) < 0) {
            return;
        }
        query.user = &user;
    }
    int err = origin_feed_home(api->options.feed, call->arena, &query, &page);
    if (err == FB_OK) {
        reply_page(api, call, &page);
    } else if (err == FB_E_MALFORMED) {
        FB_IGNORE(origin_api_bad_cursor(call));
    } else {
        origin_api_broken(call, err, "make a feed");
    }
}
