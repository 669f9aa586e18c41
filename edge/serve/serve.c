#include "edge/serve/serve.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "base/server/exchange.h"
#include "edge/access_log/access_log.h"
#include "edge/serve/guard.h"
#include "edge/serve/prefetch.h"
#include "edge/serve/serve_internal.h"
#include "edge/store/store.h"
#include "edge/views/views.h"

static const struct fb_state serve_states[] = {
    [SERVE_LOOKUP] = {"lookup", FB_TO(SERVE_GUARD) | FB_TO(SERVE_BEACON) | FB_TO(SERVE_JOIN) |
                                    FB_TO(SERVE_FETCH) | FB_TO(SERVE_HOLD) | FB_TO(SERVE_SENT)},
    [SERVE_GUARD] = {"guard", FB_TO(SERVE_LOOKUP)},
    [SERVE_BEACON] = {"beacon", FB_TO(SERVE_SENT)},
    [SERVE_JOIN] = {"join",
                    FB_TO(SERVE_JOIN) | FB_TO(SERVE_FETCH) | FB_TO(SERVE_HOLD) | FB_TO(SERVE_SENT)},
    [SERVE_FETCH] = {"fetch", FB_TO(SERVE_HOLD) | FB_TO(SERVE_SENT)},
    [SERVE_HOLD] = {"hold", FB_TO(SERVE_SENT)},
    [SERVE_SENT] = {"sent", 0},
};

/* ---- failures ---------------------------------------------------------- */

void edge_serve_fail(struct serve_request *request, unsigned status, const char *detail)
{
    edge_serve_settle(request, request->is_aborted ? EDGE_SERVE_MISS : EDGE_SERVE_ERROR);
    edge_serve_respond_problem(request, status, detail);
}

/* True if it is the upstream's own word that keeps a stored response from being used without it
 * (RFC 9111 sections 5.2.2.2, 5.2.2.4). */
static bool serve_must_validate(struct serve_request *request)
{
    if (request->join == NULL) {
        return false;
    }
    if (request->object == NULL) { /* it may have been loaded */
        request->object =
            edge_store_find(request->serve->options.store, request->key, &request->client->headers);
    }
    if (request->object == NULL) {
        return false;
    }
    const struct edge_terms *terms = &edge_object_head(request->object)->terms;
    return terms->must_revalidate || terms->always_validate;
}

/* What became of it is told instead of why the upstream was asked. */
static void serve_fail_for(struct serve_request *request, unsigned status, const char *cause,
                           const char *detail)
{
    request->trail.detail = cause;
    edge_serve_fail(request, status, detail);
}

/* No answer came from upstream, or none that may be shown. */
void edge_serve_fail_upstream(struct serve_request *request, int err)
{
    if (request->is_aborted) {
        edge_serve_fail(request, 503, "the client left");
    } else if (err == FB_E_TIMEOUT) {
        serve_fail_for(request, 504, "timeout", "the upstream did not answer in time");
    } else if (err == FB_E_BUSY) {
        serve_fail_for(request, 503, "busy", "too many upstream fetches are under way");
    } else if (err == FB_E_CANCELED) {
        serve_fail_for(request, 503, "shutdown", "this node is shutting down");
    } else if (request->trail.upstream_status == 0 && serve_must_validate(request)) {
        serve_fail_for(request, 504, "must-revalidate",
                       "what is stored must not be used without the upstream");
    } else if (err == FB_E_MALFORMED) {
        serve_fail_for(request, 502, "malformed",
                       "the upstream answered what cannot be understood");
    } else if (request->trail.upstream_status != 0) {
        serve_fail_for(request, 502, "upstream-error", "the upstream answered with an error");
    } else {
        serve_fail_for(request, 502, "unreachable", "no upstream could be reached");
    }
}

/* ---- the ends ---------------------------------------------------------- */

static void serve_on_finished(void *ctx, const struct fb_exchange_outcome *outcome)
{
    struct serve_request *request = ctx;
    struct edge_serve *serve = request->serve;

    FB_REQUIRE(request->machine.state == SERVE_SENT);
    fb_metrics_add(serve->metrics, SERVE_ROW_BYTES, outcome->body_bytes);
    if (request->object != NULL && edge_object_head(request->object)->is_planned) {
        fb_metrics_add(serve->metrics, SERVE_ROW_PLANNED, outcome->body_bytes);
    }
    if (request->object != NULL && edge_object_head(request->object)->is_prefetched) {
        fb_metrics_add(serve->metrics, SERVE_ROW_PREFETCHED, outcome->body_bytes);
    }
    if (outcome->result < 0) {
        fb_metrics_add(serve->metrics, SERVE_ROW_CUT, 1);
    }
    edge_serve_record(request, outcome);
    edge_object_unref(request->object);
    edge_pass_free(request->pass);
    edge_reign_leave(request->reign);
    serve->n_requests--;
}

/* The client went away before it was answered. */
static void serve_on_aborted(void *ctx)
{
    struct serve_request *request = ctx;

    request->is_aborted = true;
    if (request->machine.state == SERVE_GUARD) {
        edge_guard_cancel(request);
    } else if (request->machine.state == SERVE_BEACON) {
        edge_serve_beacon_cancel(request);
    } else if (request->machine.state == SERVE_JOIN) {
        fb_op_cancel(&request->join->io.op);
    } else if (request->machine.state == SERVE_FETCH) {
        fb_op_cancel(&request->fetch->io.op);
    } else if (request->machine.state == SERVE_HOLD) {
        edge_serve_hold_cancel(request);
    }
}

static struct serve_request *serve_request_of(struct edge_serve *serve,
                                              struct fb_exchange *exchange)
{
    struct fb_arena *arena = fb_exchange_arena(exchange);
    struct serve_request *request = fb_arena_alloc(arena, sizeof(*request));

    request->serve = serve;
    request->serve->n_requests++;
    request->reign = edge_reign_enter(serve);
    request->exchange = exchange;
    request->arena = arena;
    request->client = fb_exchange_request(exchange);
    fb_machine_init(&request->machine, serve_states, SERVE_LOOKUP);
    fb_exchange_set_hooks(exchange, &(struct fb_exchange_hooks){.ctx = request,
                                                                .aborted = serve_on_aborted,
                                                                .finished = serve_on_finished});
    return request;
}

void edge_serve_handle(void *ctx, struct fb_exchange *exchange)
{
    struct edge_serve *serve = ctx;

    if (serve->options.take != NULL && serve->options.take(serve->options.take_ctx, exchange)) {
        return;
    }
    struct serve_request *request = serve_request_of(serve, exchange);

    request->conditions = edge_conditions_of(&request->client->headers);
    edge_serve_start(request);
}

/* Not among the results: the server counts what it refuses. */
void edge_serve_refusing(void *serve, struct fb_exchange *exchange, struct fb_headers *headers)
{
    struct serve_request *request = serve_request_of(serve, exchange);

    fb_machine_move(&request->machine, SERVE_SENT);
    request->result = EDGE_SERVE_ERROR;
    request->site = edge_sites_find(request->reign->sites, request->client->host);
    edge_guard_strip(request);
    edge_serve_respond_fields(request, headers);
}

/* ---- one per loop ------------------------------------------------------ */

struct edge_serve *edge_serve_new(struct fb_loop *loop, struct edge_uplink *uplink,
                                  const struct edge_serve_options *options)
{
    struct edge_serve *serve = FB_NEW(struct edge_serve);

    serve->options = *options;
    serve->loop = loop;
    serve->uplink = uplink;
    edge_serve_reload(serve, options->sites);
    serve->metrics = edge_trail_table(options->metrics);
    serve->guard_metrics = edge_guard_table(options->metrics);
    serve->access_log = edge_access_writer_new(options->access_log);
    serve->views = edge_views_writer_new(options->views);
    serve->prefetch = edge_prefetch_new(serve, (enum edge_prefetch_kind)options->prefetch,
                                        options->prefetch_parallel, options->metrics);
    fb_buf_printf(&serve->via, "1.1 %.*s", FB_STR_ARG(options->node));
    return serve;
}

void edge_serve_free(struct edge_serve *serve)
{
    if (serve == NULL) {
        return;
    }
    FB_REQUIRE(serve->n_requests == 0);
    edge_prefetch_free(serve->prefetch);
    edge_reign_leave(serve->reign);
    fb_buf_done(&serve->via);
    fb_buf_done(&serve->scratch);
    fb_free(serve);
}

void edge_serve_halt(struct edge_serve *serve)
{
    edge_prefetch_halt(serve->prefetch);
}

void edge_serve_count(const struct edge_serve *serve, struct edge_serve_counts *counts)
{
    for (size_t i = 0; i < EDGE_SERVE_N_RESULTS; i++) {
        counts->by_result[i] += fb_metrics_get(serve->metrics, i);
    }
    counts->hits_memory += fb_metrics_get(serve->metrics, SERVE_ROW_HITS_MEMORY);
    counts->hits_volume += fb_metrics_get(serve->metrics, SERVE_ROW_HITS_VOLUME);
    counts->bytes_served += fb_metrics_get(serve->metrics, SERVE_ROW_BYTES);
}
