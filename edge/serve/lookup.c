#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "edge/serve/serve_internal.h"
#include "edge/store/store.h"

#include <string.h>

/* What the store has for a request. */
enum serve_had {
    SERVE_HAD_NONE,
    SERVE_HAD_ENOUGH, /* to begin with; the rest is fetched when the client gets there */
    SERVE_HAD_STALE,
    SERVE_HAD_PART, /* fresh, but not the first byte that is wanted: better ask first */
    SERVE_HAD_WEAK  /* bytes are missing, which cannot be had but with all the others */
};

static void serve_join(struct serve_request *request, enum serve_had had);

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

/* ---- answers from the store -------------------------------------------- */

static bool serve_has_parts(struct edge_object *object, const struct fb_ranges *parts)
{
    for (size_t i = 0; i < parts->n; i++) {
        struct fb_range range = parts->items[i];
        if (!edge_object_holds(object, range.first, (int64_t)(range.last - range.first + 1))) {
            return false;
        }
    }
    return true;
}

/* True if all bytes that are selected are in the store or on their way. */
static bool serve_has_all(const struct serve_request *request)
{
    const struct edge_selection *selection = &request->selection;

    if (!edge_selection_has_body(selection, request->client->method)) {
        return true;
    }
    if (selection->parts != NULL) {
        return serve_has_parts(request->object, selection->parts);
    }
    return edge_object_holds(request->object, selection->offset,
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
    struct edge_terms space;

    return edge_terms_judge(edge_object_terms(request->object, &space),
                            (int64_t)fb_loop_now_ms(request->serve->loop), NULL);
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
    if (join->was_stored) {
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
        serve_join(request, SERVE_HAD_NONE);
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
    if (request->object == NULL) { /* it may have been loaded, but stale */
        request->object = edge_store_find(store, request->key, &request->client->headers);
    }
    edge_serve_fetch(request, serve_cause(request, SERVE_HAD_NONE), NULL);
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
        serve_take_alone(request);
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
        .pool = request->site->pool,
        .arena = request->arena,
        .upstream = request->serve->uplink,
    };
}

/* ---- what the store has ------------------------------------------------ */

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
    ask->loads_only = request->client->method == FB_METHOD_HEAD;
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

/* If-Match and If-Unmodified-Since are the origin's to judge (RFC 9111 section 4.3.2), but what
 * holds of a fresh response would hold there. */
static bool serve_conditions_hold(struct serve_request *request)
{
    int64_t now_s = fb_clock_wall_ms(fb_loop_clock(request->serve->loop)) / 1000;

    return edge_conditions_hold(&request->conditions, request->client,
                                edge_object_head(request->object), now_s, request->arena);
}

void edge_serve_lookup(struct serve_request *request)
{
    enum edge_verdict verdict = EDGE_VALIDATE;
    enum serve_had had = serve_look(request, &verdict);

    if (request->conditions.has_strict &&
        (had != SERVE_HAD_ENOUGH || verdict != EDGE_USE || !serve_conditions_hold(request))) {
        edge_serve_fetch(request, "bypass", "precondition");
        return;
    }
    if (had == SERVE_HAD_ENOUGH) {
        serve_use_stored(request, verdict);
    } else {
        serve_join(request, had);
    }
}
