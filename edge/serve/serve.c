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
#include "edge/fresh/key.h"
#include "edge/serve/serve_internal.h"
#include "edge/upstream/upstream.h"
#include "edge/upstream/via.h"

#include <string.h>

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
    [EDGE_SERVE_PARTIAL] = RESULT_ROW("partial"),
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
    [EDGE_SERVE_HIT] = "hit",
    [EDGE_SERVE_PARTIAL] = "partial",
    [EDGE_SERVE_MISS] = "miss",
    [EDGE_SERVE_STALE] = "stale",
    [EDGE_SERVE_REVALIDATED] = "revalidated",
    [EDGE_SERVE_PASS] = "pass",
    [EDGE_SERVE_ERROR] = "error",
};

/* ---- settling ---------------------------------------------------------- */

/* Counted before the first byte leaves, so that whoever has the response finds
 * it in the metrics. */
void edge_serve_settle(struct serve_request *request, enum edge_serve_result result)
{
    fb_machine_move(&request->machine, SERVE_SENT);
    request->result = result;
    fb_metrics_add(request->serve->metrics, result, 1);
}

void edge_serve_fail(struct serve_request *request, unsigned status, const char *detail)
{
    edge_serve_settle(request, request->is_aborted ? EDGE_SERVE_MISS : EDGE_SERVE_ERROR);
    edge_serve_respond_problem(request, status, detail);
}

/* No answer came from upstream, or none that may be shown. */
void edge_serve_fail_upstream(struct serve_request *request, int err)
{
    if (request->is_aborted) {
        edge_serve_fail(request, 503, "the client left");
    } else if (err == FB_E_TIMEOUT) {
        edge_serve_fail(request, 504, "the upstream did not answer in time");
    } else if (err == FB_E_BUSY) {
        edge_serve_fail(request, 503, "too many upstream fetches are under way");
    } else if (err == FB_E_CANCELED) {
        edge_serve_fail(request, 503, "this node is shutting down");
    } else if (request->trail.upstream_status != 0) {
        edge_serve_fail(request, 502, "the upstream answered with an error");
    } else {
        edge_serve_fail(request, 502, "no upstream could be reached");
    }
}

/* ---- answers from the store -------------------------------------------- */

/* True if all bytes that are selected are in the store or on their way. */
static bool serve_has_all(const struct serve_request *request)
{
    const struct edge_selection *selection = &request->selection;

    return !edge_selection_has_body(selection, request->client->method) ||
           edge_object_holds(request->object, selection->offset,
                             selection->status == 206 ? selection->length : FB_LENGTH_UNKNOWN);
}

static void serve_send_object(struct serve_request *request, enum edge_serve_result result)
{
    edge_serve_settle(request, result);
    edge_serve_respond_object(request);
}

/* From what the store had, fresh or as good: a hit, unless bytes are missing. */
static void serve_send_stored(struct serve_request *request, enum edge_serve_result result)
{
    request->trail.is_hit = serve_has_all(request);
    request->trail.forward = request->trail.is_hit ? NULL : "partial";
    serve_send_object(
        request, request->trail.is_hit || result == EDGE_SERVE_STALE ? result : EDGE_SERVE_PARTIAL);
}

/* An object that is fit for use now. */
static void serve_use_stored(struct serve_request *request, enum edge_verdict verdict)
{
    if (verdict == EDGE_USE) {
        serve_send_stored(request, EDGE_SERVE_HIT);
        return;
    }
    struct edge_fill_ask ask = edge_serve_ask(request);
    edge_fill_refresh(request->serve->options.fills, request->serve->loop, &ask);
    request->trail.detail = "stale-while-revalidate";
    serve_send_stored(request, EDGE_SERVE_STALE);
}

/* ---- the ends ---------------------------------------------------------- */

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

/* ---- a fetch that others may share -------------------------------------- */

static void serve_take_pass(struct serve_request *request)
{
    struct edge_pass *pass = request->join->io.pass;
    struct fb_reader *body = pass->body;

    if (request->conditions.range.ptr != NULL && (pass->response.status == 200 || pass->is_part)) {
        const char *refusal = pass->refusal;
        edge_pass_free(pass); /* for only what was asked for */
        edge_serve_fetch(request, "bypass", refusal);
        return;
    }
    request->pass = pass; /* its arena holds the fields */
    pass->body = NULL;
    edge_serve_settle(request, EDGE_SERVE_PASS);
    request->trail.detail = pass->refusal;
    edge_serve_respond_through(request, &pass->response, pass->length, body);
}

static enum edge_verdict serve_judge(const struct serve_request *request)
{
    return edge_terms_judge(&edge_object_head(request->object)->terms,
                            (int64_t)fb_loop_now_ms(request->serve->loop));
}

static void serve_take_object(struct serve_request *request)
{
    const struct edge_fill_join *join = &request->join->io;
    bool is_rest = join->object == join->ask.partial;

    edge_object_unref(request->object); /* what was there */
    request->object = join->object;
    edge_serve_select(request);
    if (is_rest) {
        serve_send_object(request, EDGE_SERVE_PARTIAL);
        return;
    }
    if (join->was_loaded) {
        request->trail = (struct serve_trail){0};
        enum edge_verdict verdict = serve_judge(request);
        serve_use_stored(request, verdict == EDGE_VALIDATE ? EDGE_USE : verdict);
        return;
    }
    if (join->was_stale || join->is_stand_in) {
        request->trail.forward = "stale";
    }
    request->trail.is_stored = !join->was_validated && !join->is_stand_in;
    if (!join->is_stand_in) {
        serve_send_object(request, join->was_validated ? EDGE_SERVE_REVALIDATED : EDGE_SERVE_MISS);
    } else if (serve_has_all(request)) {
        request->trail.detail = "stale-if-error";
        serve_send_object(request, EDGE_SERVE_STALE);
    } else {
        edge_serve_fail_upstream(request, FB_E_UNAVAILABLE);
    }
}

static void serve_take_past_end(struct serve_request *request)
{
    edge_serve_settle(request, EDGE_SERVE_MISS);
    edge_serve_respond_past_end(request, request->join->io.length);
}

static void serve_on_joined(struct fb_op *op)
{
    struct serve_join *shared = FB_CONTAINER_OF(op, struct serve_join, io.op);
    struct serve_request *request = shared->request;
    const struct edge_fill_join *join = &shared->io;

    request->trail.upstream_status = join->upstream_status;
    request->trail.is_collapsed = join->is_collapsed;
    if (op->result < 0) {
        edge_serve_fail_upstream(request, op->result);
        return;
    }
    switch (join->outcome) {
    case EDGE_FILL_OBJECT:
        serve_take_object(request);
        return;
    case EDGE_FILL_PASS:
        serve_take_pass(request);
        return;
    case EDGE_FILL_PAST_END:
        serve_take_past_end(request);
        return;
    case EDGE_FILL_ALONE:
        request->trail = (struct serve_trail){0};
        edge_serve_fetch(request, "bypass", "not-shared");
        return;
    }
}

struct edge_fill_ask edge_serve_ask(struct serve_request *request)
{
    return (struct edge_fill_ask){
        .key = request->key,
        .request = &request->wanted,
        .treatment = request->treatment,
        .range = request->has_range ? &request->ranges.items[0] : NULL,
        .stale = request->object,
        .upstream = request->serve->uplink,
    };
}

/* What the store has for a request. */
enum serve_had {
    SERVE_HAD_NONE,
    SERVE_HAD_ENOUGH, /* to begin with; the rest is fetched when the client gets there */
    SERVE_HAD_STALE,
    SERVE_HAD_PART, /* fresh, but not the first byte that is wanted: better ask first */
    SERVE_HAD_WEAK  /* bytes are missing, which cannot be had but with all the others */
};

static const char *serve_cause(const struct serve_request *request, enum serve_had had)
{
    if (had == SERVE_HAD_PART || had == SERVE_HAD_WEAK) {
        return "partial";
    }
    if (request->object != NULL) {
        return "stale";
    }
    return edge_store_has(request->serve->options.store, request->key) ? "vary-miss" : "uri-miss";
}

/* All that is wanted of the object, as a range. */
static const struct fb_range_spec *serve_selected(struct serve_request *request)
{
    const struct edge_selection *selection = &request->selection;
    struct fb_range_spec *range = fb_arena_alloc(request->arena, sizeof(*range));

    *range = (struct fb_range_spec){.last = UINT64_MAX};
    if (selection->status == 206) {
        range->first = selection->offset;
        range->last = selection->offset + (uint64_t)selection->length - 1;
    }
    return range;
}

static void serve_join(struct serve_request *request, enum serve_had had)
{
    struct serve_join *shared = fb_arena_alloc(request->arena, sizeof(*shared));
    struct edge_fill_ask *ask = &shared->io.ask;

    fb_machine_move(&request->machine, SERVE_JOIN);
    request->trail.forward = serve_cause(request, had);
    request->join = shared;
    shared->request = request;
    fb_op_init(&shared->io.op, request->serve->loop, serve_on_joined);
    *ask = edge_serve_ask(request);
    if (had == SERVE_HAD_WEAK) {
        ask->stale = NULL;
        ask->lacking = request->object;
    } else if (had == SERVE_HAD_PART) {
        ask->stale = NULL;
        ask->partial = request->object;
        ask->range = serve_selected(request);
    }
    edge_fill_join(request->serve->options.fills, &shared->io);
}

/* ---- the beginning ----------------------------------------------------- */

static enum serve_had serve_look(struct serve_request *request, enum edge_verdict *ret_verdict)
{
    request->object =
        edge_store_find(request->serve->options.store, request->key, &request->client->headers);
    if (request->object == NULL) {
        return SERVE_HAD_NONE;
    }
    edge_serve_select(request);
    bool has_all = serve_has_all(request);
    *ret_verdict = serve_judge(request);
    if (!has_all && !edge_object_is_strong(request->object)) {
        return SERVE_HAD_WEAK;
    }
    if (*ret_verdict == EDGE_VALIDATE) {
        return SERVE_HAD_STALE;
    }
    bool has_first = has_all || edge_object_holds(request->object, request->selection.offset, 1);
    return *ret_verdict == EDGE_USE && !has_first ? SERVE_HAD_PART : SERVE_HAD_ENOUGH;
}

static void serve_lookup(struct serve_request *request)
{
    enum edge_verdict verdict = EDGE_VALIDATE;
    enum serve_had had = serve_look(request, &verdict);

    if (had == SERVE_HAD_ENOUGH) {
        serve_use_stored(request, verdict);
    } else {
        serve_join(request, had);
    }
}

/* A single range of what could be huge. Manifests are small, and wanted whole. */
static void serve_read_range(struct serve_request *request)
{
    request->has_range = request->conditions.range.ptr != NULL &&
                         request->client->method == FB_METHOD_GET &&
                         request->treatment.class != EDGE_CLASS_MANIFEST &&
                         fb_range_parse(request->conditions.range, &request->ranges) == FB_OK &&
                         request->ranges.n == 1;
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
        edge_serve_fail(request, 501, "the method is not supported");
        return;
    }
    if (edge_via_has(&request->client->headers, options->node)) {
        edge_serve_fail(request, 508,
                        "the request has passed this node before: "
                        "upstreams form a circle, or two nodes have one name");
        return;
    }
    int err = serve_read_target(request);
    if (err == FB_E_LIMIT) {
        edge_serve_fail(request, 414, "the target is too long");
    } else if (err < 0) {
        edge_serve_fail(request, 400, "the path or the host is malformed");
    } else if (method != FB_METHOD_GET && method != FB_METHOD_HEAD) {
        edge_serve_fetch(request, "method", NULL);
    } else if (request->conditions.has_strict) {
        edge_serve_fetch(request, "bypass", "precondition");
    } else {
        request->treatment =
            edge_rules_find(options->rules, options->n_rules, request->wanted.path);
        serve_read_range(request);
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
