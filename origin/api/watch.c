/*
 * What users who are logged in watched, as their players tell it.
 */
#include "base/core/clock.h"
#include "base/wire/view_entry.h"
#include "origin/api/api_internal.h"
#include "origin/catalog/watch_events.h"

/* What a player may claim of one sitting. */
#define WATCH_MS_MAX (INT64_C(24) * 3600 * 1000)

static int read_source(const struct fb_json *body, struct fb_str *ret_source, struct fb_diag *diag)
{
    struct fb_str source = fb_json_str(fb_json_find(body, "source"));

    if (fb_json_find(body, "source") == NULL) {
        *ret_source = FB_STR("other");
        return FB_OK;
    }
    for (int i = 0; i < FB_VIEW_SOURCES_N; i++) {
        const char *name = fb_view_source_name((enum fb_view_source)i);
        if (source.ptr != NULL && fb_str_equal(source, fb_str_from(name))) {
            *ret_source = fb_str_from(name);
            return FB_OK;
        }
    }
    return fb_diag_set(diag, FB_E_MALFORMED,
                       "\"source\" must be feed, search, trending, share, external or other");
}

static int read_event(const struct fb_json *body, struct origin_watch_event *event,
                      struct fb_diag *diag)
{
    int64_t watch_ms = 0;
    int64_t position_ms = 0;

    int err = fb_json_read_str(body, "event", ORIGIN_WATCH_EVENT_MAX, &event->event, diag);
    if (err < 0 ||
        (err = fb_json_read_int(body, "watch_ms", 0, WATCH_MS_MAX, &watch_ms, diag)) < 0 ||
        (err = read_source(body, &event->source, diag)) < 0) {
        return err;
    }
    if (event->event.len == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "\"event\" must not be empty");
    }
    if (fb_json_find(body, "position_ms") != NULL &&
        (err = fb_json_read_int(body, "position_ms", 0, INT64_MAX, &position_ms, diag)) < 0) {
        return err;
    }
    event->watch_ms = (uint64_t)watch_ms;
    event->position_ms = (uint64_t)position_ms;
    event->completed = fb_json_bool(fb_json_find(body, "completed"), false);
    return FB_OK;
}

void origin_api_watch(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct origin_watch_event event = {.seq = 0};
    struct origin_actor actor;
    struct fb_diag diag = {.err = FB_OK};
    struct origin_video video;
    bool is_new = false;

    if (origin_api_actor(api, call, ORIGIN_LIMIT_REACTIONS, &actor) < 0 ||
        origin_api_seen_video(api, call, &video) < 0 || origin_api_body(call, &body) < 0) {
        return;
    }
    if (read_event(body, &event, &diag) < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return;
    }
    event.user = actor.user;
    event.video = video.seq;
    event.at_ms = fb_clock_wall_ms(api->options.clock);
    int err = origin_catalog_watch_add(api->options.catalog, &event, &is_new);
    if (err == FB_E_CONFLICT) {
        fb_call_problem(call, 404, "no-video", "There is no such video.");
    } else if (err < 0) {
        origin_api_broken(call, err, "note what was watched");
    } else {
        call->status = 204; /* told before or not, it is known now */
    }
}
