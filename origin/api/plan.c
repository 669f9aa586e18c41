/*
 * Plans, for admins: what a region is to hold, and what is to be there at once.
 */
#include "origin/plan/plan.h"

#include "base/core/alloc.h"
#include "origin/api/api_internal.h"

#include <string.h>

/* ---- what the last plan says ---------------------------------------------------------------- */

static int plan_read(const struct origin_plan_head *head, struct fb_str body,
                     struct fb_plan **ret_plan)
{
    struct fb_diag diag = {.err = FB_OK};
    struct fb_plan_reader *reader = fb_plan_reader_new(&head->head);

    int err = fb_plan_reader_feed(reader, body, &diag);
    if (err == FB_OK) {
        err = fb_plan_reader_finish(reader, ret_plan, &diag);
    }
    fb_plan_reader_free(reader);
    return err;
}

static void store_entries(struct fb_json *root, const struct fb_plan *plan, size_t limit)
{
    struct fb_json *items = fb_json_set_array(root, "first");

    for (size_t i = 0; i < FB_MIN(plan->n, limit); i++) {
        const struct fb_plan_entry *entry = &plan->entries[i];
        struct fb_json *item = fb_json_add_object(items);
        fb_json_set_str(item, "path", entry->path);
        fb_json_set_int(item, "size", (int64_t)entry->size);
        fb_json_set_int(item, "value", (int64_t)entry->value);
        fb_json_set_str(item, "reason", entry->reason);
        fb_json_set_bool(item, "now", entry->is_now);
    }
}

/* How many bytes each reason has. */
static void store_reasons(struct fb_json *root, const struct fb_plan *plan)
{
    static const char *const reasons[] = {"demand", "trending", "followers", "release"};
    struct fb_json *sums = fb_json_set_object(root, "reasons");

    for (size_t k = 0; k < FB_ARRAY_LEN(reasons); k++) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < plan->n; i++) {
            bool is_it = fb_str_equal(plan->entries[i].reason, fb_str_from(reasons[k]));
            bytes += is_it ? plan->entries[i].size : 0;
        }
        fb_json_set_int(sums, reasons[k], (int64_t)bytes);
    }
}

static void store_head(struct fb_json *root, const struct origin_plan_head *head)
{
    char digest[FB_PLAN_DIGEST_TEXT + 1];

    fb_plan_digest_text(head->head.digest, digest);
    fb_json_set_text(root, "region", head->head.region);
    fb_json_set_int(root, "serial", (int64_t)head->head.serial);
    origin_api_set_time(root, "made_at", head->head.made_ms);
    origin_api_set_time(root, "until", head->head.until_ms);
    fb_json_set_int(root, "entries", (int64_t)head->head.n_entries);
    fb_json_set_int(root, "bytes", (int64_t)head->n_bytes);
    fb_json_set_text(root, "sha256", digest);
}

static int plan_load(const struct origin_api *api, struct fb_str region,
                     struct origin_plan_head *head, struct fb_plan **ret_plan)
{
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    FB_AUTO(fb_buf_done) struct fb_buf body = {0};

    int err = origin_catalog_plan_get(api->options.catalog, region, head, &token);
    if (err < 0) {
        return err;
    }
    head->token = FB_STR_NONE;
    err = origin_catalog_plan_body(api->options.catalog, region, head->head.digest, &body);
    return err < 0 ? err : plan_read(head, fb_buf_str(&body), ret_plan);
}

void origin_api_plan(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = NULL;
    struct fb_str region = fb_call_param(call, "region");
    struct origin_plan_head head;
    size_t limit = 0;

    if (origin_api_admin(api, call) < 0 || origin_api_limit(call, &limit) < 0) {
        return;
    }
    int err = fb_plan_is_region(region) ? plan_load(api, region, &head, &plan) : FB_E_NOT_FOUND;
    if (err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-plan", "There is no plan of such a region.");
        return;
    }
    if (err < 0 || plan == NULL) {
        origin_api_broken(call, err, "read a plan");
        return;
    }
    store_head(root, &head);
    store_reasons(root, plan);
    store_entries(root, plan, limit);
    origin_api_reply(call, 200, root);
}

/* ---- at once ------------------------------------------------------------------------------------
 */

static int read_release(const struct origin_api *api, struct fb_call *call,
                        const struct fb_json *body, struct origin_video *video,
                        struct fb_str *ret_region)
{
    struct fb_diag diag = {.err = FB_OK};
    struct origin_id id;

    if (origin_id_load(body, "video", &id, &diag) < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return FB_E_MALFORMED;
    }
    *ret_region = fb_json_str(fb_json_find(body, "region"));
    if (fb_json_find(body, "region") != NULL && !fb_plan_is_region(*ret_region)) {
        fb_call_problem(call, 422, "bad-field", "\"region\" must be 1 to %d of a-z, 0-9 and -.",
                        FB_PLAN_REGION_MAX);
        return FB_E_MALFORMED;
    }
    int err = origin_catalog_video_get(api->options.catalog, call->arena, &id, video);
    if (err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-video", "There is no such video.");
    } else if (err < 0) {
        origin_api_broken(call, err, "read a video");
    } else if (video->status != ORIGIN_VIDEO_READY) {
        fb_call_problem(call, 409, "not-ready", "This video is not ready: it is %s.",
                        origin_video_status_text(video->status));
        err = FB_E_CONFLICT;
    }
    return err;
}

void origin_api_release(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct fb_str region = FB_STR_NONE;
    struct origin_video video;

    if (origin_api_admin(api, call) < 0 || origin_api_body(call, &body) < 0 ||
        read_release(api, call, body, &video, &region) < 0) {
        return;
    }
    int err = origin_plan_release(api->options.plan, video.seq, region);
    if (err < 0) {
        origin_api_broken(call, err, "plan a release");
        return;
    }
    fb_json_set_text(root, "video", video.id.text);
    fb_json_set_str(root, "region", region);
    origin_api_reply(call, 200, root);
}
