#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "edge/serve/serve_internal.h"
#include "edge/store/store.h"

/* ---- judging ----------------------------------------------------------- */

enum edge_verdict edge_serve_judge(const struct serve_request *request)
{
    struct edge_terms space;

    return edge_terms_judge(edge_object_terms(request->object, &space),
                            (int64_t)fb_loop_now_ms(request->serve->loop), &request->demands);
}

/* True if it is only the client who will not have what is stored. */
bool edge_serve_is_unwanted(const struct serve_request *request)
{
    struct edge_terms space;

    return edge_terms_judge(edge_object_terms(request->object, &space),
                            (int64_t)fb_loop_now_ms(request->serve->loop), NULL) != EDGE_VALIDATE;
}

static enum edge_where answer_where_parts(struct edge_object *object, const struct fb_ranges *parts)
{
    enum edge_where where = EDGE_IN_MEMORY;

    for (size_t i = 0; i < parts->n; i++) {
        struct fb_range range = parts->items[i];
        enum edge_where part =
            edge_object_where(object, range.first, (int64_t)(range.last - range.first + 1));
        where = FB_MIN(where, part);
    }
    return where;
}

static enum edge_where answer_where(const struct serve_request *request)
{
    const struct edge_selection *selection = &request->selection;

    if (!edge_selection_has_body(selection, request->client->method)) {
        return EDGE_IN_MEMORY;
    }
    if (selection->parts != NULL) {
        return answer_where_parts(request->object, selection->parts);
    }
    return edge_object_where(request->object, selection->offset,
                             selection->status == 206 ? selection->length : FB_LENGTH_UNKNOWN);
}

void edge_serve_select(struct serve_request *request)
{
    int64_t now_s = fb_clock_wall_ms(fb_loop_clock(request->serve->loop)) / 1000;
    struct edge_size size = {.length = edge_object_length(request->object)};

    if (size.length == FB_LENGTH_UNKNOWN && request->conditions.range.ptr != NULL) {
        size.n_arrived = edge_object_arrived(request->object);
    }
    request->selection =
        edge_conditions_select(&request->conditions, request->client,
                               edge_object_head(request->object), size, now_s, request->arena);
    request->where = answer_where(request);
}

void edge_serve_send_object(struct serve_request *request, enum edge_serve_result result)
{
    if (request->selection.awaited > 0) {
        edge_serve_hold(request, result);
        return;
    }
    edge_serve_settle(request, result);
    edge_serve_respond_object(request);
}

enum { ANSWER_MAX_LOOKS = 64 };

/* Why the first of the missing bytes are, which have a chunk of their own. */
static enum edge_cause answer_cause(const struct serve_request *request)
{
    uint64_t offset = request->selection.offset;

    for (int i = 0; i < ANSWER_MAX_LOOKS && edge_object_holds(request->object, offset, 1); i++) {
        offset += EDGE_CHUNK_BYTES - offset % EDGE_CHUNK_BYTES;
    }
    return edge_store_cause(request->serve->options.store, request->key, offset);
}

/* From what the store had, fresh or as good: a hit, unless bytes are missing. */
static void serve_send_stored(struct serve_request *request, enum edge_serve_result result)
{
    request->trail.is_hit = edge_serve_has_all(request);
    if (!request->trail.is_hit) {
        request->trail.forward = "partial";
        request->trail.has_cause = true;
        request->trail.cause = answer_cause(request);
    }
    edge_serve_send_object(
        request, request->trail.is_hit || result == EDGE_SERVE_STALE ? result : EDGE_SERVE_PARTIAL);
}

/* An object that is fit for use now. */
void edge_serve_use_stored(struct serve_request *request, enum edge_verdict verdict)
{
    if (verdict == EDGE_USE) {
        serve_send_stored(request, EDGE_SERVE_HIT);
        return;
    }
    if (!request->demands.only_if_cached && !request->demands.no_store) {
        struct edge_fill_ask ask = edge_serve_ask(request);
        edge_fill_refresh(request->serve->options.fills, request->serve->loop, &ask);
    }
    request->trail.detail = "stale-while-revalidate";
    serve_send_stored(request, EDGE_SERVE_STALE);
}

/* Answers from what is stale, if it may stand in for an upstream that failed. */
bool edge_serve_stand_in(struct serve_request *request)
{
    struct edge_terms space;

    if (request->is_aborted || request->object == NULL || edge_object_is_dropped(request->object) ||
        !edge_object_is_current(request->object, edge_store_epoch(request->serve->options.store),
                                true) ||
        !edge_terms_stands_in(edge_object_terms(request->object, &space),
                              (int64_t)fb_loop_now_ms(request->serve->loop), &request->demands)) {
        return false;
    }
    edge_serve_select(request);
    if (edge_object_state(request->object) == EDGE_OBJECT_BROKEN || !edge_serve_has_all(request)) {
        return false;
    }
    request->trail.detail = "stale-if-error";
    edge_serve_send_object(request, EDGE_SERVE_STALE);
    return true;
}
