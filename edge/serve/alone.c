#include "base/core/err.h"
#include "base/loop/reader.h"
#include "base/server/exchange.h"
#include "edge/fresh/fields.h"
#include "edge/serve/serve_internal.h"
#include "edge/store/store.h"
#include "edge/upstream/upstream.h"

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

static bool serve_is_unsafe(enum fb_method method)
{
    return method != FB_METHOD_GET && method != FB_METHOD_HEAD && method != FB_METHOD_OPTIONS;
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

static void serve_on_fetched(struct fb_op *op)
{
    struct serve_fetch *own = FB_CONTAINER_OF(op, struct serve_fetch, io.op);
    struct serve_request *request = own->request;
    struct edge_fetch *fetch = &own->io;

    if (op->result < 0 && fetch->content_failed) {
        serve_fail_content(request, op->result);
        return;
    }
    if (op->result < 0) {
        edge_serve_fail_upstream(request, op->result);
        return;
    }
    unsigned status = fetch->response.status;
    request->trail.upstream_status = status;
    if (serve_is_unsafe(request->client->method) && status < 400 && request->key.len > 0) {
        edge_store_invalidate(request->serve->options.store, request->serve->loop, request->key);
    }
    struct fb_response_head kept = {
        .status = status,
        .headers = edge_fields_to_answer(request->arena, &fetch->response.headers)};
    edge_serve_settle(request, EDGE_SERVE_PASS);
    edge_serve_respond_through(request, &kept, fetch->length, fetch->body);
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
    *sent = *request->client;
    sent->target = alone_target(request);
    sent->path = request->wanted.path;
    sent->host = request->wanted.host;
    sent->headers = edge_fields_to_pass(arena, request->client);
    fb_op_init(&fetch->op, request->serve->loop, serve_on_fetched);
    fetch->request = sent;
    fetch->arena = arena;
    fetch->is_for_one = true;
    fetch->pool = request->site->pool;
    fetch->key = request->key;
    fetch->request_length = fb_exchange_body_length(request->exchange);
    if (fetch->request_length != 0) {
        fetch->request_body = content_of(request);
    }
    edge_uplink_fetch(request->serve->uplink, fetch);
}
