#include "base/core/err.h"
#include "base/server/exchange.h"
#include "edge/serve/guard.h"
#include "edge/serve/player.h"
#include "edge/serve/serve_internal.h"
#include "edge/upstream/cdn_loop.h"
#include "edge/views/views.h"

/* Ranges of what could be huge. Manifests are small, and wanted whole. */
static void gate_read_range(struct serve_request *request)
{
    request->has_range = request->conditions.range.ptr != NULL &&
                         request->client->method == FB_METHOD_GET &&
                         request->treatment.class != EDGE_CLASS_MANIFEST &&
                         fb_range_parse(request->conditions.range, &request->ranges) == FB_OK;
}

/* The request as a GET of the target in its normal form, which the upstream is
 * asked for too: what has one key is one thing to everybody. */
static int gate_read_target(struct serve_request *request)
{
    struct fb_request_head *wanted = &request->wanted;
    struct edge_target target;

    *wanted = *request->client;
    wanted->method = FB_METHOD_GET;
    wanted->method_text = fb_method_text(FB_METHOD_GET);
    int err = edge_site_key(request->site, request->arena, request->client, &target);
    if (err < 0) {
        return err;
    }
    wanted->host = target.host;
    wanted->target = target.target;
    wanted->path = target.path;
    wanted->query = target.query;
    request->key = target.key;
    return FB_OK;
}

/* TRACE would tell whoever asks what fields upstreams are sent: it is never passed on, however
 * many forwards it is allowed. OPTIONS is for this node if it names nothing, or has come as far
 * as it was to go (RFC 9110 sections 7.6.2, 9.3.7, 9.3.8). */
static bool gate_answers_itself(struct serve_request *request)
{
    const struct fb_request_head *client = request->client;
    uint64_t left = 1;

    if (fb_str_equal(client->method_text, FB_STR("TRACE"))) {
        edge_serve_settle(request, EDGE_SERVE_ERROR);
        edge_serve_respond_methods(request, true);
        return true;
    }
    if (client->method != FB_METHOD_OPTIONS) {
        return false;
    }
    bool is_counted =
        fb_str_to_u64(fb_headers_find(&client->headers, FB_STR("max-forwards")), &left) == FB_OK;
    if (fb_str_equal(client->path, FB_STR("*")) || (is_counted && left == 0)) {
        edge_serve_settle(request, EDGE_SERVE_PASS);
        edge_serve_respond_methods(request, false);
        return true;
    }
    return false;
}

void edge_serve_admit(struct serve_request *request)
{
    enum fb_method method = request->client->method;

    if (method != FB_METHOD_GET && method != FB_METHOD_HEAD) {
        edge_serve_fetch(request, "method", NULL);
        return;
    }
    request->demands =
        edge_demands_of(request->arena, &request->client->headers, request->site->demands);
    request->treatment = edge_site_treat(request->site, request->arena, request->wanted.path);
    gate_read_range(request);
    edge_serve_lookup(request);
}

void edge_serve_start(struct serve_request *request)
{
    const struct edge_serve_options *options = &request->serve->options;
    if (gate_answers_itself(request)) {
        return;
    }
    if (request->serve->views != NULL &&
        edge_views_is_beacon(request->serve->views, request->client->path)) {
        edge_serve_beacon(request);
        return;
    }
    if (request->client->method == FB_METHOD_OTHER) {
        edge_serve_fail(request, 501, "the method is not supported");
        return;
    }
    enum edge_loop loop = edge_loop_of(&request->client->headers, options->node);
    if (loop != EDGE_LOOP_NONE) {
        edge_serve_fail(request, 508,
                        loop == EDGE_LOOP_CLOSED
                            ? "the request has passed this node before: "
                              "upstreams form a circle, or two nodes have one name"
                            : "the request has passed too many nodes: upstreams form a circle");
        return;
    }
    request->site = edge_sites_find(request->reign->sites, request->client->host);
    if (!edge_guard_enter(request)) {
        return;
    }
    fb_exchange_pace(request->exchange, edge_player_rate(&request->site->pace, request->client));
    int err = gate_read_target(request);
    if (err == FB_E_LIMIT) {
        edge_serve_fail(request, 414, "the target is too long");
    } else if (err < 0) {
        edge_serve_fail(request, 400, "the path or the host is malformed");
    } else if (request->site->access != NULL) {
        edge_guard_check(request);
    } else {
        edge_serve_admit(request);
    }
}
