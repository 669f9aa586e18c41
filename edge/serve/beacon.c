#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "base/server/exchange.h"
#include "edge/serve/serve_internal.h"
#include "edge/views/views.h"

static const char beacon_too_long[] = "a beacon has 4096 bytes at most";

/* A beacon whose content is on its way. */
struct serve_beacon {
    struct serve_request *request;
    struct fb_op op;
    struct fb_buf body;
};

/* Pages of any site may send beacons; nobody learns anything from the answer. A request that is
 * not as simple as sendBeacon() makes it is asked about first. */
static void beacon_respond(struct serve_request *request)
{
    struct fb_headers headers = {0};

    edge_serve_settle(request, EDGE_SERVE_PASS);
    fb_headers_add(&headers, request->arena, FB_STR("Access-Control-Allow-Origin"), FB_STR("*"));
    if (request->client->method == FB_METHOD_OPTIONS) {
        fb_headers_add(&headers, request->arena, FB_STR("Access-Control-Allow-Methods"),
                       FB_STR("POST"));
        fb_headers_add(&headers, request->arena, FB_STR("Access-Control-Allow-Headers"),
                       FB_STR("Content-Type"));
        fb_headers_add(&headers, request->arena, FB_STR("Access-Control-Max-Age"), FB_STR("86400"));
    }
    fb_headers_add(&headers, request->arena, FB_STR("Cache-Control"), FB_STR("no-store"));
    fb_exchange_respond(
        request->exchange,
        &(struct fb_response){.status = 204, .headers = headers.items, .n_headers = headers.n});
}

static void beacon_take(struct serve_request *request, struct fb_str body)
{
    struct fb_address client = fb_exchange_peer(request->exchange);
    struct fb_diag diag = {0};

    int err =
        edge_views_writer_beacon(request->serve->views, request->client, &client, body, &diag);
    if (err == FB_OK) {
        beacon_respond(request);
    } else {
        edge_serve_fail(request, err == FB_E_BUSY ? 429 : 400, diag.text);
    }
}

static void beacon_on_news(struct fb_op *op);

/* Reads as far as there is something. */
static void beacon_read(struct serve_beacon *beacon)
{
    struct serve_request *request = beacon->request;
    struct fb_reader *content = fb_exchange_body(request->exchange);
    int err = FB_OK;

    while (err == FB_OK && beacon->body.len <= EDGE_VIEWS_BEACON_MAX) {
        struct fb_slice slice = {0};
        err = fb_reader_next(content, &slice);
        if (err == FB_OK) {
            fb_buf_append(&beacon->body, fb_str_first(slice.bytes, EDGE_VIEWS_BEACON_MAX + 1));
            fb_slice_release(&slice);
        }
    }
    if (err == FB_E_LATER && !request->is_aborted) {
        fb_op_init(&beacon->op, request->serve->loop, beacon_on_news);
        fb_reader_wait(content, &beacon->op);
        return;
    }
    if (err == FB_E_END && beacon->body.len <= EDGE_VIEWS_BEACON_MAX) {
        beacon_take(request, fb_buf_str(&beacon->body));
    } else if (err == FB_OK || err == FB_E_END) {
        edge_serve_fail(request, 413, beacon_too_long);
    } else {
        edge_serve_fail(request, err == FB_E_TIMEOUT ? 408 : 400,
                        "the content of the request did not come whole");
    }
    fb_buf_done(&beacon->body);
}

static void beacon_on_news(struct fb_op *op)
{
    beacon_read(FB_CONTAINER_OF(op, struct serve_beacon, op));
}

void edge_serve_beacon(struct serve_request *request)
{
    enum fb_method method = request->client->method;

    if (method == FB_METHOD_OPTIONS) {
        beacon_respond(request);
        return;
    }
    if (method != FB_METHOD_POST) {
        edge_serve_fail(request, 405, "beacons are sent with POST");
        return;
    }
    if (fb_exchange_body_length(request->exchange) > EDGE_VIEWS_BEACON_MAX) {
        edge_serve_fail(request, 413, beacon_too_long);
        return;
    }
    request->beacon = fb_arena_alloc(request->arena, sizeof(*request->beacon));
    request->beacon->request = request;
    fb_machine_move(&request->machine, SERVE_BEACON);
    beacon_read(request->beacon);
}

void edge_serve_beacon_cancel(struct serve_request *request)
{
    fb_op_cancel(&request->beacon->op);
}
