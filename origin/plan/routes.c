/*
 * Where regional nodes and edges pull plans from: ordinary resources, which caches keep.
 */
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/log/log.h"
#include "base/server/router.h"
#include "origin/plan/plan_internal.h"

/* A head is the region's newest for so long. */
#define HEAD_FRESH FB_STR("public, max-age=10")
#define BODY_FRESH FB_STR("public, max-age=86400, immutable")

static void call_found(struct fb_call *call, const char *type, struct fb_str fresh)
{
    fb_headers_add(&call->headers, call->arena, FB_STR("Content-Type"), fb_str_from(type));
    fb_headers_add(&call->headers, call->arena, FB_STR("Cache-Control"), fresh);
}

static void call_failed(struct fb_call *call, int err)
{
    if (err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, NULL, "there is no such plan");
        return;
    }
    FB_LOG(ERROR, "plan", "could not read a plan", FB_LOG_TEXT("cause", fb_err_text(err)));
    fb_call_problem(call, 503, NULL, "%s", fb_err_text(err));
    fb_headers_add(&call->headers, call->arena, FB_STR("Retry-After"), FB_STR("5"));
}

static void call_head(void *ctx, struct fb_call *call)
{
    struct origin_plan *plan = ctx;
    struct fb_str region = fb_call_param(call, "region");
    struct origin_plan_head head;

    int err = !fb_plan_is_region(region)
                  ? FB_E_NOT_FOUND
                  : origin_catalog_plan_get(plan->options.catalog, region, &head, &call->content);
    if (err < 0) {
        call_failed(call, err);
        return;
    }
    call_found(call, FB_PLAN_HEAD_TYPE, HEAD_FRESH);
}

static void call_body(void *ctx, struct fb_call *call)
{
    struct origin_plan *plan = ctx;
    struct fb_str region = fb_call_param(call, "region");
    struct fb_str name = fb_call_param(call, "digest");
    uint8_t digest[FB_SHA256_SIZE];

    int err = FB_E_NOT_FOUND;
    if (fb_plan_is_region(region) && name.len == FB_PLAN_DIGEST_TEXT &&
        fb_text_unhex(name, digest, sizeof(digest)) == FB_OK) {
        err = origin_catalog_plan_body(plan->options.catalog, region, digest, &call->content);
    }
    if (err < 0) {
        call_failed(call, err);
        return;
    }
    call_found(call, FB_PLAN_BODY_TYPE, BODY_FRESH);
}

static const struct fb_route plan_routes[] = {
    {.method = FB_METHOD_GET, .pattern = "/internal/v1/plans/{region}", .call = call_head},
    {.method = FB_METHOD_GET, .pattern = "/internal/v1/plans/{region}/{digest}", .call = call_body},
};

const struct fb_route *origin_plan_routes(size_t *ret_n)
{
    *ret_n = FB_ARRAY_LEN(plan_routes);
    return plan_routes;
}
