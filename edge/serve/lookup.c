#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "edge/serve/serve_internal.h"
#include "edge/store/store.h"

const char *edge_serve_cause(const struct serve_request *request, enum serve_had had)
{
    if (had == SERVE_HAD_PART || had == SERVE_HAD_WEAK) {
        return "partial";
    }
    if (had == SERVE_HAD_UNWANTED) {
        return "request";
    }
    if (request->object != NULL) {
        return "stale";
    }
    return edge_store_has(request->serve->options.store, request->key) ? "vary-miss" : "uri-miss";
}

/* Whoever sends only-if-cached wants no upstream asked (RFC 9111 section 5.2.1.7). */
void edge_serve_refuse_uncached(struct serve_request *request)
{
    request->trail = (struct serve_trail){.detail = "only-if-cached"};
    edge_serve_fail(request, 504, "the response is not stored, and nothing else was wanted");
}

static enum serve_had serve_look(struct serve_request *request, enum edge_verdict *ret_verdict)
{
    request->object =
        edge_store_find(request->serve->options.store, request->key, &request->client->headers);
    if (request->object == NULL) {
        return SERVE_HAD_NONE;
    }
    edge_serve_select(request);
    bool has_all = edge_serve_has_all(request);
    *ret_verdict = edge_serve_judge(request);
    if (!has_all && !edge_object_is_strong(request->object)) {
        return SERVE_HAD_WEAK;
    }
    if (*ret_verdict == EDGE_VALIDATE) {
        return edge_serve_is_unwanted(request) ? SERVE_HAD_UNWANTED : SERVE_HAD_STALE;
    }
    bool has_first = has_all || edge_object_holds(request->object, request->selection.offset, 1);
    return *ret_verdict == EDGE_USE && !has_first ? SERVE_HAD_PART : SERVE_HAD_ENOUGH;
}

void edge_serve_go_upstream(struct serve_request *request, enum serve_had had)
{
    const struct edge_demands *demands = &request->demands;
    bool may_load = had == SERVE_HAD_NONE &&
                    edge_store_may_load(request->serve->options.store, request->key, 0);

    if (demands->only_if_cached && !may_load) {
        edge_serve_refuse_uncached(request);
    } else if (demands->no_store && !may_load) {
        edge_serve_fetch(request, "request", "no-store");
    } else {
        edge_serve_join(request, had);
    }
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
        if (request->demands.only_if_cached) {
            edge_serve_refuse_uncached(request);
        } else {
            edge_serve_fetch(request, "bypass", "precondition");
        }
        return;
    }
    if (had == SERVE_HAD_ENOUGH &&
        (!request->demands.only_if_cached || edge_serve_has_all(request))) {
        edge_serve_use_stored(request, verdict);
    } else {
        edge_serve_go_upstream(request, had);
    }
}
