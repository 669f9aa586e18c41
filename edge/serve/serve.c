#include "edge/serve/serve.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http/url.h"
#include "base/log/log.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "base/metrics/metrics.h"
#include "base/server/exchange.h"
#include "edge/fresh/fields.h"
#include "edge/fresh/key.h"
#include "edge/serve/serve_internal.h"
#include "edge/upstream/upstream.h"
#include "edge/upstream/via.h"

#include <string.h>

enum serve_state { SERVE_LOOKUP, SERVE_JOIN, SERVE_FETCH, SERVE_SENT };

static const struct fb_state serve_states[] = {
    [SERVE_LOOKUP] = {"lookup", FB_TO(SERVE_JOIN) | FB_TO(SERVE_FETCH) | FB_TO(SERVE_SENT)},
    [SERVE_JOIN] = {"join", FB_TO(SERVE_FETCH) | FB_TO(SERVE_SENT)},
    [SERVE_FETCH] = {"fetch", FB_TO(SERVE_SENT)},
    [SERVE_SENT] = {"sent", 0},
};

enum { SERVE_ROW_BYTES = EDGE_SERVE_N_RESULTS, SERVE_ROW_CUT, SERVE_N_ROWS };

#define RESULT_ROW(result)                                                 \
    {                                                                      \
        "edge_requests_total", FB_METRIC_COUNTER, "result=\"" result "\"", \
            "Requests, by the way they were answered."                     \
    }

static const struct fb_metric serve_rows[SERVE_N_ROWS] = {
    [EDGE_SERVE_HIT] = RESULT_ROW("hit"),
    [EDGE_SERVE_MISS] = RESULT_ROW("miss"),
    [EDGE_SERVE_STALE] = RESULT_ROW("stale"),
    [EDGE_SERVE_REVALIDATED] = RESULT_ROW("revalidated"),
    [EDGE_SERVE_PASS] = RESULT_ROW("pass"),
    [EDGE_SERVE_ERROR] = RESULT_ROW("error"),
    [SERVE_ROW_BYTES] = {"edge_bytes_served_total", FB_METRIC_COUNTER, NULL,
                         "Bytes of content sent to clients."},
    [SERVE_ROW_CUT] = {"edge_responses_cut_total", FB_METRIC_COUNTER, NULL,
                       "Responses that ended before their content did."},
};

static const char *const serve_result_names[] = {
    [EDGE_SERVE_HIT] = "hit",     [EDGE_SERVE_MISS] = "miss",
    [EDGE_SERVE_STALE] = "stale", [EDGE_SERVE_REVALIDATED] = "revalidated",
    [EDGE_SERVE_PASS] = "pass",   [EDGE_SERVE_ERROR] = "error",
};

/* ---- the ends ---------------------------------------------------------- */

/* Counted before the first byte leaves, so that whoever has the response finds
 * it in the metrics. */
static void serve_settle(struct serve_request *request, enum edge_serve_result result)
{
    fb_machine_move(&request->machine, SERVE_SENT);
    request->result = result;
    fb_metrics_add(request->serve->metrics, result, 1);
}

static void serve_fail(struct serve_request *request, unsigned status, const char *detail)
{
    serve_settle(request, request->is_aborted ? EDGE_SERVE_MISS : EDGE_SERVE_ERROR);
    edge_serve_respond_problem(request, status, detail);
}

/* No answer came from upstream, or none that may be shown. */
static void serve_fail_upstream(struct serve_request *request, int err)
{
    if (request->is_aborted) {
        serve_fail(request, 503, "the client left");
    } else if (err == FB_E_TIMEOUT) {
        serve_fail(request, 504, "the upstream did not answer in time");
    } else if (err == FB_E_BUSY) {
        serve_fail(request, 503, "too many upstream fetches are under way");
    } else if (err == FB_E_CANCELED) {
        serve_fail(request, 503, "this node is shutting down");
    } else if (request->trail.upstream_status != 0) {
        serve_fail(request, 502, "the upstream answered with an error");
    } else {
        serve_fail(request, 502, "no upstream could be reached");
    }
}

/* The request's own content was late, malformed or cut. */
static void serve_fail_content(struct serve_request *request, int err)
{
    if (err == FB_E_TIMEOUT) {
        serve_fail(request, 408, "the content of the request did not come in time");
    } else if (err == FB_E_LIMIT) {
        serve_fail(request, 413, "the content of the request is too large");
    } else {
        serve_fail(request, 400, "the content of the request is malformed or cut");
    }
}

static void serve_send_object(struct serve_request *request, enum edge_serve_result result)
{
    serve_settle(request, result);
    edge_serve_respond_object(request);
}

static void serve_on_finished(void *ctx, const struct fb_exchange_outcome *outcome)
{
    struct serve_request *request = ctx;
    struct edge_serve *serve = request->serve;

    FB_REQUIRE(request->machine.state == SERVE_SENT);
    fb_metrics_add(serve->metrics, SERVE_ROW_BYTES, outcome->body_bytes);
    if (outcome->result < 0) {
        fb_metrics_add(serve->metrics, SERVE_ROW_CUT, 1);
    }
    if (serve->options.logs_access) {
        FB_LOG(INFO, "access", "request", FB_LOG_STR("method", request->client->method_text),
               FB_LOG_STR("host", request->client->host),
               FB_LOG_STR("target", request->client->target), FB_LOG_INT("status", outcome->status),
               FB_LOG_INT("bytes", outcome->body_bytes),
               FB_LOG_TEXT("result", serve_result_names[request->result]),
               FB_LOG_INT("duration_us", outcome->duration_ns / 1000),
               FB_LOG_BOOL("complete", outcome->result == FB_OK));
    }
    edge_object_unref(request->object);
    edge_pass_free(request->pass);
    serve->n_requests--;
}

/* The client went away before it was answered. */
static void serve_on_aborted(void *ctx)
{
    struct serve_request *request = ctx;

    request->is_aborted = true;
    if (request->machine.state == SERVE_JOIN) {
        fb_op_cancel(&request->join->io.op);
    } else if (request->machine.state == SERVE_FETCH) {
        fb_op_cancel(&request->fetch->io.op);
    }
}

/* ---- a fetch for this client alone -------------------------------------- */

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
        serve_fail_upstream(request, op->result);
        return;
    }
    unsigned status = fetch->response.status;
    request->trail.upstream_status = status;
    if (serve_is_unsafe(request->client->method) && status < 400 && request->key.len > 0) {
        edge_store_invalidate(request->serve->options.store, request->serve->loop, request->key);
    }
    struct fb_response_head kept = {
        .status = status,
        .headers = edge_fields_to_keep(request->arena, &fetch->response.headers, EDGE_CLASS_OTHER)};
    struct fb_str age = fb_headers_find(&fetch->response.headers, FB_STR("age"));
    if (age.ptr != NULL) {
        fb_headers_add(&kept.headers, request->arena, FB_STR("Age"), age);
    }
    serve_settle(request, EDGE_SERVE_PASS);
    edge_serve_respond_through(request, &kept, fetch->length, fetch->body);
}

static void serve_fetch(struct serve_request *request, const char *why, const char *detail)
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
    sent->target = request->wanted.target;
    sent->path = request->wanted.path;
    sent->headers = edge_fields_to_pass(arena, request->client);
    fb_op_init(&fetch->op, request->serve->loop, serve_on_fetched);
    fetch->request = sent;
    fetch->arena = arena;
    fetch->is_for_one = true;
    fetch->request_length = fb_exchange_body_length(request->exchange);
    if (fetch->request_length != 0) {
        fetch->request_body = content_of(request);
    }
    edge_uplink_fetch(request->serve->uplink, fetch);
}

/* ---- a fetch that others may share -------------------------------------- */

static void serve_take_pass(struct serve_request *request)
{
    struct edge_pass *pass = request->join->io.pass;
    struct fb_reader *body = pass->body;

    if (request->conditions.range.ptr != NULL && pass->response.status == 200) {
        const char *refusal = pass->refusal;
        edge_pass_free(pass); /* for only what was asked for */
        serve_fetch(request, "bypass", refusal);
        return;
    }
    request->pass = pass; /* its arena holds the fields */
    pass->body = NULL;
    serve_settle(request, EDGE_SERVE_PASS);
    request->trail.detail = pass->refusal;
    edge_serve_respond_through(request, &pass->response, pass->length, body);
}

static void serve_take_object(struct serve_request *request)
{
    const struct edge_fill_join *join = &request->join->io;

    edge_object_unref(request->object); /* what was stale */
    request->object = join->object;
    request->trail.is_stored = !join->was_validated && !join->is_stand_in;
    if (join->is_stand_in) {
        request->trail.detail = "stale-if-error";
        serve_send_object(request, EDGE_SERVE_STALE);
    } else {
        serve_send_object(request, join->was_validated ? EDGE_SERVE_REVALIDATED : EDGE_SERVE_MISS);
    }
}

static void serve_on_joined(struct fb_op *op)
{
    struct serve_join *shared = FB_CONTAINER_OF(op, struct serve_join, io.op);
    struct serve_request *request = shared->request;
    const struct edge_fill_join *join = &shared->io;

    request->trail.upstream_status = join->upstream_status;
    request->trail.is_collapsed = join->is_collapsed;
    if (op->result < 0) {
        serve_fail_upstream(request, op->result);
        return;
    }
    switch (join->outcome) {
    case EDGE_FILL_OBJECT:
        serve_take_object(request);
        return;
    case EDGE_FILL_PASS:
        serve_take_pass(request);
        return;
    case EDGE_FILL_ALONE:
        request->trail = (struct serve_trail){0};
        serve_fetch(request, "bypass", "not-shared");
        return;
    }
}

static struct edge_fill_ask serve_ask(struct serve_request *request)
{
    return (struct edge_fill_ask){
        .key = request->key,
        .request = &request->wanted,
        .treatment = request->treatment,
        .stale = request->object,
        .upstream = request->serve->uplink,
    };
}

static const char *serve_cause(const struct serve_request *request)
{
    if (request->object != NULL) {
        return "stale";
    }
    return edge_store_has(request->serve->options.store, request->key) ? "vary-miss" : "uri-miss";
}

static void serve_join(struct serve_request *request)
{
    struct serve_join *shared = fb_arena_alloc(request->arena, sizeof(*shared));

    fb_machine_move(&request->machine, SERVE_JOIN);
    request->trail.forward = serve_cause(request);
    request->join = shared;
    shared->request = request;
    fb_op_init(&shared->io.op, request->serve->loop, serve_on_joined);
    shared->io.ask = serve_ask(request);
    edge_fill_join(request->serve->options.fills, &shared->io);
}

/* ---- the beginning ----------------------------------------------------- */

static void serve_lookup(struct serve_request *request)
{
    struct edge_serve *serve = request->serve;
    int64_t now_ms = (int64_t)fb_loop_now_ms(serve->loop);
    enum edge_verdict verdict = EDGE_VALIDATE;

    request->object =
        edge_store_find(serve->options.store, request->key, &request->client->headers);
    if (request->object != NULL) {
        verdict = edge_terms_judge(&edge_object_head(request->object)->terms, now_ms);
    }
    request->trail.is_hit = verdict != EDGE_VALIDATE;
    switch (verdict) {
    case EDGE_USE:
        serve_send_object(request, EDGE_SERVE_HIT);
        return;
    case EDGE_USE_AND_REVALIDATE: {
        struct edge_fill_ask ask = serve_ask(request);
        edge_fill_refresh(serve->options.fills, serve->loop, &ask);
        request->trail.detail = "stale-while-revalidate";
        serve_send_object(request, EDGE_SERVE_STALE);
        return;
    }
    case EDGE_VALIDATE:
        serve_join(request);
        return;
    }
}

/* The request as a GET of the target in its normal form, which the upstream is
 * asked for too: what has one key is one thing to everybody. */
static int serve_read_target(struct serve_request *request)
{
    struct fb_request_head *wanted = &request->wanted;
    struct fb_str path = FB_STR_NONE;

    *wanted = *request->client;
    wanted->method = FB_METHOD_GET;
    wanted->method_text = fb_method_text(FB_METHOD_GET);
    int err = fb_path_normalise(request->arena, request->client->path, &path);
    if (err < 0) {
        return err;
    }
    wanted->path = path;
    wanted->target = path;
    if (wanted->query.ptr != NULL) {
        size_t len = path.len + 1 + wanted->query.len;
        char *target = fb_arena_alloc(request->arena, len + 1);
        memcpy(target, path.ptr, path.len);
        target[path.len] = '?';
        memcpy(target + path.len + 1, wanted->query.ptr, wanted->query.len);
        wanted->target = (struct fb_str){target, len};
    }
    return edge_key_of(request->arena, wanted, &request->key);
}

static void serve_start(struct serve_request *request)
{
    const struct edge_serve_options *options = &request->serve->options;
    enum fb_method method = request->client->method;

    if (method == FB_METHOD_OTHER) {
        serve_fail(request, 501, "the method is not supported");
        return;
    }
    if (edge_via_has(&request->client->headers, options->node)) {
        serve_fail(request, 508,
                   "the request has passed this node before: "
                   "upstreams form a circle, or two nodes have one name");
        return;
    }
    int err = serve_read_target(request);
    if (err == FB_E_LIMIT) {
        serve_fail(request, 414, "the target is too long");
    } else if (err < 0) {
        serve_fail(request, 400, "the path or the host is malformed");
    } else if (method != FB_METHOD_GET && method != FB_METHOD_HEAD) {
        serve_fetch(request, "method", NULL);
    } else if (request->conditions.has_strict) {
        serve_fetch(request, "bypass", "precondition");
    } else {
        request->treatment =
            edge_rules_find(options->rules, options->n_rules, request->wanted.path);
        serve_lookup(request);
    }
}

void edge_serve_handle(void *serve, struct fb_exchange *exchange)
{
    struct fb_arena *arena = fb_exchange_arena(exchange);
    struct serve_request *request = fb_arena_alloc(arena, sizeof(*request));

    request->serve = serve;
    request->serve->n_requests++;
    request->exchange = exchange;
    request->arena = arena;
    request->client = fb_exchange_request(exchange);
    request->conditions = edge_conditions_of(&request->client->headers);
    fb_machine_init(&request->machine, serve_states, SERVE_LOOKUP);
    fb_exchange_set_hooks(exchange, &(struct fb_exchange_hooks){.ctx = request,
                                                                .aborted = serve_on_aborted,
                                                                .finished = serve_on_finished});
    serve_start(request);
}

/* ---- one per loop ------------------------------------------------------ */

struct edge_serve *edge_serve_new(struct fb_loop *loop, struct edge_uplink *uplink,
                                  const struct edge_serve_options *options)
{
    struct edge_serve *serve = FB_NEW(struct edge_serve);

    serve->options = *options;
    serve->loop = loop;
    serve->uplink = uplink;
    serve->metrics = fb_metrics_table_new(options->metrics, serve_rows, SERVE_N_ROWS, NULL);
    fb_buf_printf(&serve->via, "1.1 %.*s", FB_STR_ARG(options->node));
    return serve;
}

void edge_serve_free(struct edge_serve *serve)
{
    if (serve == NULL) {
        return;
    }
    FB_REQUIRE(serve->n_requests == 0);
    fb_buf_done(&serve->via);
    fb_buf_done(&serve->scratch);
    fb_free(serve);
}

void edge_serve_count(const struct edge_serve *serve, struct edge_serve_counts *counts)
{
    for (size_t i = 0; i < EDGE_SERVE_N_RESULTS; i++) {
        counts->by_result[i] += fb_metrics_get(serve->metrics, i);
    }
    counts->bytes_served += fb_metrics_get(serve->metrics, SERVE_ROW_BYTES);
}
