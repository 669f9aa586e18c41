#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "edge/serve/serve_internal.h"
#include "edge/store/store.h"

#include <string.h>

/* ---- what came of it --------------------------------------------------- */

static void serve_take_pass(struct serve_request *request)
{
    struct edge_pass *pass = request->join->io.pass;
    struct fb_reader *body = pass->body;

    if (edge_status_is_failure(pass->response.status) && edge_serve_stand_in(request)) {
        edge_pass_free(pass);
        return;
    }
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

static void serve_take_object(struct serve_request *request)
{
    const struct edge_fill_join *join = &request->join->io;
    bool is_rest = join->object == join->ask.partial;

    edge_object_unref(request->object); /* what was there */
    request->object = join->object;
    edge_serve_select(request);
    if (is_rest) {
        edge_serve_send_object(request, EDGE_SERVE_PARTIAL);
        return;
    }
    if (join->was_stored) {
        request->trail = (struct serve_trail){0};
        request->where = FB_MIN(request->where, EDGE_ON_VOLUME); /* where it came from */
        enum edge_verdict verdict = edge_serve_judge(request);
        if (verdict == EDGE_VALIDATE && edge_serve_is_unwanted(request)) {
            edge_serve_go_upstream(request, SERVE_HAD_UNWANTED);
        } else {
            edge_serve_use_stored(request, verdict == EDGE_VALIDATE ? EDGE_USE : verdict);
        }
        return;
    }
    if ((join->was_stale || join->is_stand_in) && request->had != SERVE_HAD_UNWANTED) {
        request->trail.forward = "stale";
    }
    request->trail.is_stored = !join->was_validated && !join->is_stand_in;
    if (!join->is_stand_in) {
        edge_serve_send_object(request,
                               join->was_validated ? EDGE_SERVE_REVALIDATED : EDGE_SERVE_MISS);
    } else if (!edge_serve_stand_in(request)) { /* not for this client */
        edge_serve_fail_upstream(request, FB_E_UNAVAILABLE);
    }
}

/* Nothing of the range that was asked for is there. Of another one it may be: the length
 * tells. */
static bool serve_has_other_range(struct serve_request *request)
{
    struct fb_range_specs *specs = &request->ranges;
    struct fb_ranges satisfied;

    while (specs->n > 1) {
        specs->n--;
        memmove(&specs->items[0], &specs->items[1], specs->n * sizeof(specs->items[0]));
        struct fb_range_specs first = {.items = {specs->items[0]}, .n = 1};
        if (fb_range_resolve(&first, request->join->io.length, &satisfied) !=
            FB_RANGE_UNSATISFIABLE) {
            return true;
        }
    }
    return false;
}

static void serve_take_past_end(struct serve_request *request)
{
    if (serve_has_other_range(request)) {
        request->trail = (struct serve_trail){0};
        edge_serve_join(request, SERVE_HAD_NONE);
        return;
    }
    edge_serve_settle(request, EDGE_SERVE_MISS);
    edge_serve_respond_past_end(request, request->join->io.length);
}

/* No fill brings it. A HEAD fetches no body that nobody has asked for: it goes on as it is,
 * and may tell whether what is stale is still right. */
static void serve_take_alone(struct serve_request *request)
{
    struct edge_store *store = request->serve->options.store;

    if (!request->join->io.ask.loads_only) {
        request->trail = (struct serve_trail){0};
        edge_serve_fetch(request, "bypass", "not-shared");
        return;
    }
    if (request->demands.only_if_cached) {
        edge_serve_refuse_uncached(request);
        return;
    }
    if (request->object == NULL) { /* it may have been loaded, but stale */
        request->object = edge_store_find(store, request->key, &request->client->headers);
    }
    edge_serve_fetch(request, edge_serve_cause(request, SERVE_HAD_NONE), NULL);
}

/* What a volume seemed to have was gone, and no other variant of anything. */
static void serve_settle_forward(struct serve_request *request)
{
    struct serve_trail *trail = &request->trail;
    bool was_gone = trail->cause == EDGE_CAUSE_PURGED || trail->cause == EDGE_CAUSE_CORRUPT ||
                    trail->cause == EDGE_CAUSE_VOLUME_LOST;

    if (trail->has_cause && was_gone && request->had == SERVE_HAD_NONE) {
        trail->forward = "uri-miss";
    }
}

static void serve_on_joined(struct fb_op *op)
{
    struct serve_join *shared = FB_CONTAINER_OF(op, struct serve_join, io.op);
    struct serve_request *request = shared->request;
    const struct edge_fill_join *join = &shared->io;

    request->trail.upstream_status = join->upstream_status;
    request->trail.tier = join->tier;
    request->trail.is_collapsed = join->is_collapsed;
    request->trail.has_cause = request->had != SERVE_HAD_UNWANTED;
    request->trail.cause = join->cause;
    serve_settle_forward(request);
    if (op->result < 0) {
        if (!edge_serve_stand_in(request)) {
            edge_serve_fail_upstream(request, op->result);
        }
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
        serve_take_alone(request);
        return;
    }
}

/* ---- joining ----------------------------------------------------------- */

struct edge_fill_ask edge_serve_ask(struct serve_request *request)
{
    return (struct edge_fill_ask){
        .key = request->key,
        .request = &request->wanted,
        .treatment = request->treatment,
        .range = request->has_range ? &request->ranges.items[0] : NULL,
        .stale = request->object,
        .pool = request->site->pool,
        .arena = request->arena,
        .upstream = request->serve->uplink,
    };
}

/* All that is wanted of the object, as a range: of several the first, for readers of the
 * others ask for them when they get there. */
static const struct fb_range_spec *serve_selected(struct serve_request *request)
{
    const struct edge_selection *selection = &request->selection;
    struct fb_range_spec *range = fb_arena_alloc(request->arena, sizeof(*range));

    *range = (struct fb_range_spec){.last = UINT64_MAX};
    if (selection->parts != NULL) {
        range->first = selection->parts->items[0].first;
        range->last = selection->parts->items[0].last;
    } else if (selection->status == 206) {
        range->first = selection->offset;
        range->last = selection->offset + (uint64_t)selection->length - 1;
    }
    return range;
}

void edge_serve_join(struct serve_request *request, enum serve_had had)
{
    struct serve_join *shared = fb_arena_alloc(request->arena, sizeof(*shared));
    struct edge_fill_ask *ask = &shared->io.ask;

    fb_machine_move(&request->machine, SERVE_JOIN);
    request->had = had;
    request->trail.forward = edge_serve_cause(request, had);
    request->join = shared;
    shared->request = request;
    fb_op_init(&shared->io.op, request->serve->loop, serve_on_joined);
    *ask = edge_serve_ask(request);
    ask->loads_only = request->client->method == FB_METHOD_HEAD || request->demands.only_if_cached;
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
