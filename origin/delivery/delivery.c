#include "origin/delivery/delivery.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/http/url.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "base/server/router.h"
#include "origin/delivery/delivery_internal.h"
#include "origin/reply/reply.h"

enum { ABSENT_MAX_AGE_S = 2 };

static const struct fb_metric delivery_metrics[] = {
    [DELIVERY_REQUESTS] = {"origin_media_requests_total", FB_METRIC_COUNTER, NULL,
                           "Requests for published media."},
    [DELIVERY_ERRORS] = {"origin_media_errors_total", FB_METRIC_COUNTER, NULL,
                         "Of these, answered with 5xx or cut."},
    [DELIVERY_BYTES] = {"origin_media_bytes_served_total", FB_METRIC_COUNTER, NULL,
                        "Bytes of media sent."},
};

/* ---- look-ups ------------------------------------------------------------------ */

static void lookup_refuse(struct origin_lookup *lookup, int err)
{
    struct origin_problem problem = {.status = 500, .max_age_s = -1};

    if (err == FB_E_NOT_FOUND || err == FB_E_MALFORMED) {
        problem.status = 404;
        problem.detail = "There is nothing at this path.";
        problem.max_age_s = ABSENT_MAX_AGE_S;
    } else if (err == FB_E_BUSY || err == FB_E_UNAVAILABLE || err == FB_E_TIMEOUT) {
        problem.status = 503;
        problem.detail = "The server has too much to do right now.";
    } else {
        FB_LOG(ERROR, "delivery", "could not open what was asked for",
               FB_LOG_STR("path", fb_exchange_request(lookup->exchange)->path),
               FB_LOG_TEXT("cause", fb_err_text(err)));
    }
    origin_reply_problem(lookup->exchange, &problem);
}

static void lookup_on_done(struct fb_op *op)
{
    struct origin_lookup *lookup = FB_CONTAINER_OF(op, struct origin_lookup, work.op);

    if (op->result < 0) {
        origin_found_done(&lookup->found);
        lookup_refuse(lookup, op->result);
    } else {
        origin_found_respond(lookup->delivery, lookup->exchange, &lookup->found);
    }
    fb_free(lookup);
}

void origin_lookup_start(struct origin_delivery *delivery, struct fb_exchange *exchange,
                         int (*find)(struct fb_work *work))
{
    struct origin_lookup *lookup = FB_NEW(struct origin_lookup);

    lookup->delivery = delivery;
    lookup->exchange = exchange;
    lookup->work.run = find;
    fb_op_init(&lookup->work.op, fb_exchange_loop(exchange), lookup_on_done);
    lookup->found.object.fd = -1;
    fb_work_start(delivery->options.object_pool, &lookup->work);
}

/* ---- routes -------------------------------------------------------------------- */

static const struct fb_route delivery_routes[] = {
    {.method = FB_METHOD_GET,
     .pattern = "/media/{video}/{version}/{file...}",
     .handle = origin_delivery_media},
    {.method = FB_METHOD_OPTIONS,
     .pattern = "/media/{video}/{version}/{file...}",
     .handle = origin_delivery_media_options},
    {.method = FB_METHOD_GET,
     .pattern = "/{pass}/media/{video}/{version}/{file...}",
     .handle = origin_delivery_media},
    {.method = FB_METHOD_OPTIONS,
     .pattern = "/{pass}/media/{video}/{version}/{file...}",
     .handle = origin_delivery_media_options},
    {.method = FB_METHOD_GET, .pattern = "/watch/{video}", .handle = origin_delivery_watch},
    {.method = FB_METHOD_GET, .pattern = "/studio", .handle = origin_delivery_studio},
    {.method = FB_METHOD_GET, .pattern = "/assets/{file...}", .handle = origin_delivery_asset},
    {.method = FB_METHOD_POST, .pattern = "/beacon", .handle = origin_delivery_beacon},
};

const struct fb_route *origin_delivery_routes(size_t *ret_n)
{
    *ret_n = FB_ARRAY_LEN(delivery_routes);
    return delivery_routes;
}

/* Scheme and authority of `url`, as Content-Security-Policy names a source. */
static struct fb_str source_of(struct fb_str url)
{
    struct fb_url parts;

    if (fb_url_parse(url, &parts, NULL) < 0) {
        return FB_STR_NONE;
    }
    struct fb_str rest = fb_str_skip(url, parts.scheme.len + 3); /* "://" */
    return fb_str_first(url, parts.scheme.len + 3 + fb_str_find(rest, '/'));
}

struct origin_delivery *origin_delivery_new(const struct origin_delivery_options *options)
{
    struct origin_delivery *delivery = FB_NEW(struct origin_delivery);
    FB_AUTO(fb_buf_done) struct fb_buf csp = {0};
    struct fb_str media = source_of(options->public_url);
    struct fb_str upload = source_of(options->upload_url);

    delivery->options = *options;
    delivery->metrics = fb_metrics_table_new(options->metrics, delivery_metrics,
                                             FB_ARRAY_LEN(delivery_metrics), NULL);
    fb_buf_printf(
        &csp,
        "default-src 'none'; script-src 'self'; style-src 'self';"
        " img-src 'self' %.*s; media-src 'self' blob: data: %.*s; connect-src 'self' %.*s %.*s;"
        " worker-src 'self' blob:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'self'",
        FB_STR_ARG(media), FB_STR_ARG(media), FB_STR_ARG(media), FB_STR_ARG(upload));
    delivery->csp_text = fb_str_dup(fb_buf_str(&csp));
    delivery->csp = fb_str_from(delivery->csp_text);
    return delivery;
}

void origin_delivery_free(struct origin_delivery *delivery)
{
    if (delivery != NULL) {
        fb_free(delivery->csp_text);
        fb_free(delivery);
    }
}
