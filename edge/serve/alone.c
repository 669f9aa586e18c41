#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "base/net/network.h"
#include "base/server/clients.h"
#include "base/server/exchange.h"
#include "edge/fresh/fields.h"
#include "edge/serve/serve_internal.h"
#include "edge/store/store.h"
#include "edge/upstream/forwarded.h"
#include "edge/upstream/upstream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A request's content, lent to the fetch that sends it on: the exchange closes
 * its own reader. */
struct serve_content {
    struct fb_reader reader;
    struct fb_reader *inner; /* the exchange's */
};

static int content_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    return fb_reader_next(FB_CONTAINER_OF(reader, struct serve_content, reader)->inner, ret_slice);
}

static void content_wait(struct fb_reader *reader, struct fb_op *op)
{
    fb_reader_wait(FB_CONTAINER_OF(reader, struct serve_content, reader)->inner, op);
}

static void content_close(struct fb_reader *reader)
{
    (void)reader; /* it goes with the arena */
}

static const struct fb_reader_ops content_ops = {
    .next = content_next,
    .wait = content_wait,
    .close = content_close,
};

static struct fb_reader *content_of(struct serve_request *request)
{
    struct serve_content *content = fb_arena_alloc(request->arena, sizeof(*content));

    content->reader.ops = &content_ops;
    content->inner = fb_exchange_body(request->exchange);
    return &content->reader;
}

/* The request's own content was late, malformed or cut. */
static void serve_fail_content(struct serve_request *request, int err)
{
    if (err == FB_E_TIMEOUT) {
        edge_serve_fail(request, 408, "the content of the request did not come in time");
    } else if (err == FB_E_LIMIT) {
        edge_serve_fail(request, 413, "the content of the request is too large");
    } else {
        edge_serve_fail(request, 400, "the content of the request is malformed or cut");
    }
}

/* ---- HEAD of what is stale ---------------------------------------------- */

/* Answers from the stale object, if the upstream's answer is of the same version. */
static bool alone_freshen(struct serve_request *request)
{
    struct serve_fetch *own = request->fetch;
    struct edge_fetch *fetch = &own->io;
    struct edge_fill_ask ask = edge_serve_ask(request);

    if (fetch->response.status != 200) {
        return false;
    }
    struct edge_object *fresh =
        edge_fill_freshen(request->serve->options.fills, request->serve->loop, &ask,
                          &(struct edge_fill_news){.headers = &fetch->response.headers,
                                                   .length = fetch->length,
                                                   .requested = own->requested,
                                                   .epoch = own->epoch,
                                                   .arena = request->arena});
    if (fresh == NULL) {
        return false;
    }
    fb_reader_close(fetch->body);
    edge_object_unref(request->object);
    request->object = fresh;
    edge_serve_select(request);
    edge_serve_settle(request, EDGE_SERVE_REVALIDATED);
    edge_serve_respond_object(request);
    return true;
}

/* Answers from the stale object in place of an error, if it may stand in. */
static bool alone_stand_in(struct serve_request *request)
{
    struct edge_fetch *fetch = &request->fetch->io;
    bool has_answer = fetch->op.result == FB_OK;

    if ((has_answer && !edge_status_is_failure(fetch->response.status)) ||
        !edge_serve_stand_in(request)) {
        return false;
    }
    if (has_answer) {
        fb_reader_close(fetch->body);
    }
    return true;
}

/* ---- the answer -------------------------------------------------------- */

static void serve_pass_answer(struct serve_request *request)
{
    struct edge_fetch *fetch = &request->fetch->io;
    struct fb_response_head kept = {
        .status = fetch->response.status,
        .headers = edge_fields_to_answer(request->arena, &fetch->response.headers)};

    edge_serve_settle(request, EDGE_SERVE_PASS);
    edge_serve_respond_through(request, &kept, fetch->length, fetch->body);
}

/* True if a 206 says which part it is, or that it is several (RFC 9110 section 15.3.7). */
static bool alone_tells_part(const struct fb_headers *headers)
{
    struct fb_str type = fb_headers_find(headers, FB_STR("content-type"));
    struct fb_str multipart = FB_STR("multipart/byteranges");
    struct fb_range range;
    uint64_t length = 0;

    return fb_content_range_parse(fb_headers_find(headers, FB_STR("content-range")), &range,
                                  &length) == FB_OK ||
           fb_str_equal_nocase(fb_str_first(type, multipart.len), multipart);
}

/* A 304 answers a condition and a 206 a range: a client that sent none would take either for
 * something else. */
static bool alone_is_answered(const struct serve_request *request,
                              const struct fb_response_head *response)
{
    const struct edge_conditions *conditions = &request->conditions;

    if (response->status == 206) {
        return conditions->range.ptr != NULL && alone_tells_part(&response->headers);
    }
    return response->status != 304 || conditions->has_match;
}

static void serve_on_fetched(struct fb_op *op)
{
    struct serve_fetch *own = FB_CONTAINER_OF(op, struct serve_fetch, io.op);
    struct serve_request *request = own->request;
    struct edge_fetch *fetch = &own->io;

    if (op->result == FB_OK) {
        request->trail.upstream_status = fetch->response.status;
        request->trail.tier = fetch->tier;
    }
    if (own->is_about_stale &&
        (alone_stand_in(request) || (op->result == FB_OK && alone_freshen(request)))) {
        return;
    }
    if (op->result < 0 && fetch->content_failed) {
        serve_fail_content(request, op->result);
        return;
    }
    if (op->result < 0) {
        edge_serve_fail_upstream(request, op->result);
        return;
    }
    if (!alone_is_answered(request, &fetch->response)) {
        fb_reader_close(fetch->body);
        edge_serve_fail_upstream(request, FB_E_MALFORMED);
        return;
    }
    if (edge_serve_is_unsafe(request->client->method) && fetch->response.status < 400) {
        edge_serve_drop(request, &fetch->response.headers);
    }
    serve_pass_answer(request);
}

/* ---- the request ------------------------------------------------------- */

/* One node less to go, as whoever asked for OPTIONS counts them (RFC 9110 section 7.6.2). */
static void alone_count_forward(struct fb_headers *headers, struct fb_arena *arena)
{
    struct fb_str text = fb_headers_find(headers, FB_STR("max-forwards"));
    uint64_t left = 0;

    if (text.ptr == NULL || fb_str_to_u64(text, &left) < 0 || left == 0) {
        return;
    }
    char *less = fb_arena_alloc(arena, 24);
    int len = snprintf(less, 24, "%" PRIu64, left - 1);
    fb_headers_remove(headers, FB_STR("max-forwards"));
    fb_headers_add(headers, arena, FB_STR("Max-Forwards"), (struct fb_str){less, (size_t)len});
}

static struct fb_headers alone_fields(struct serve_request *request)
{
    struct fb_arena *arena = request->arena;

    if (request->fetch->is_about_stale) { /* whose conditions are judged here */
        return edge_fields_to_fetch(arena, request->client, &request->treatment);
    }
    struct fb_headers headers = edge_fields_to_pass(arena, request->client);
    if (request->client->method == FB_METHOD_OPTIONS) {
        alone_count_forward(&headers, arena);
    }
    return headers;
}

/* A key's policy is about what is kept: what another method does may hang on any
 * parameter. */
static struct fb_str alone_target(struct serve_request *request)
{
    enum fb_method method = request->client->method;
    struct fb_str path = request->wanted.path;
    struct fb_str query = request->client->query;

    if (method == FB_METHOD_GET || method == FB_METHOD_HEAD || query.ptr == NULL) {
        return request->wanted.target;
    }
    char *target = fb_arena_alloc(request->arena, path.len + 1 + query.len);
    memcpy(target, path.ptr, path.len);
    target[path.len] = '?';
    if (query.len > 0) {
        memcpy(target + path.len + 1, query.ptr, query.len);
    }
    return (struct fb_str){target, path.len + 1 + query.len};
}

static const struct edge_forwarded *alone_client(struct serve_request *request)
{
    struct edge_forwarded *client = fb_arena_alloc(request->arena, sizeof(*client));
    struct fb_address peer = fb_exchange_peer(request->exchange);
    char *text = fb_arena_alloc(request->arena, FB_NETWORK_TEXT_MAX);
    struct fb_network whole;

    *client = (struct edge_forwarded){
        .host = request->client->host,
        .is_secure = fb_exchange_tls(request->exchange) != NULL,
    };
    if (fb_network_of(&peer, 32, 128, &whole) == FB_OK) {
        client->address = fb_str_from(fb_network_text(&whole, text));
    }
    if (fb_clients_trust(request->serve->options.clients, &peer)) {
        client->before = &request->client->headers;
    }
    return client;
}

void edge_serve_fetch(struct serve_request *request, const char *why, const char *detail)
{
    struct fb_arena *arena = request->arena;
    struct fb_request_head *sent = fb_arena_alloc(arena, sizeof(*sent));
    struct serve_fetch *own = fb_arena_alloc(arena, sizeof(*own));
    struct edge_fetch *fetch = &own->io;

    fb_machine_move(&request->machine, SERVE_FETCH);
    request->trail.forward = why;
    request->trail.detail = detail;
    request->fetch = own;
    own->request = request;
    own->requested = edge_moment_now(fb_loop_clock(request->serve->loop));
    own->epoch = edge_store_epoch(request->serve->options.store);
    own->is_about_stale = request->client->method == FB_METHOD_HEAD && request->object != NULL &&
                          !request->conditions.has_strict && !request->demands.no_store;
    *sent = *request->client;
    sent->target = alone_target(request);
    sent->path = request->wanted.path;
    sent->host = request->wanted.host;
    sent->headers = alone_fields(request);
    fb_op_init(&fetch->op, request->serve->loop, serve_on_fetched);
    fetch->request = sent;
    fetch->arena = arena;
    fetch->is_for_one = true;
    fetch->client = alone_client(request);
    fetch->pool = request->site->pool;
    fetch->key = request->key;
    fetch->patience_ms = edge_fill_patience_ms(request->serve->options.fills, request->key);
    fetch->request_length = fb_exchange_body_length(request->exchange);
    if (fetch->request_length != 0) {
        fetch->request_body = content_of(request);
    }
    edge_uplink_fetch(request->serve->uplink, fetch);
}
