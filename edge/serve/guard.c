#include "edge/serve/guard.h"

#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/work.h"
#include "base/metrics/metrics.h"
#include "base/server/exchange.h"
#include "base/sys/random.h"
#include "edge/access/cache.h"
#include "edge/access/cors.h"
#include "edge/serve/serve_internal.h"

/* A signature that is verified off the loop. */
struct serve_guard {
    struct fb_work work;
    struct serve_request *request;
    struct edge_access_grant grant; /* out: if `cause` is GRANTED */
    enum edge_access_cause cause;   /* out */
};

/* ---- counters ---------------------------------------------------------- */

enum { GUARD_ROW_VERIFIED = EDGE_ACCESS_N_CAUSES, GUARD_N_ROWS };

#define CAUSE_ROW(cause)                                                   \
    {                                                                      \
        "edge_access_total", FB_METRIC_COUNTER, "cause=\"" cause "\"",     \
            "Requests to sites with access control, by what came of them." \
    }

static const struct fb_metric guard_rows[GUARD_N_ROWS] = {
    [EDGE_ACCESS_GRANTED] = CAUSE_ROW("granted"),
    [EDGE_ACCESS_MISSING] = CAUSE_ROW("missing"),
    [EDGE_ACCESS_MALFORMED] = CAUSE_ROW("malformed"),
    [EDGE_ACCESS_UNKNOWN_KEY] = CAUSE_ROW("unknown-key"),
    [EDGE_ACCESS_FORGED] = CAUSE_ROW("forged"),
    [EDGE_ACCESS_EXPIRED] = CAUSE_ROW("expired"),
    [EDGE_ACCESS_EARLY] = CAUSE_ROW("early"),
    [EDGE_ACCESS_OTHER_AUDIENCE] = CAUSE_ROW("other-audience"),
    [EDGE_ACCESS_OTHER_NETWORK] = CAUSE_ROW("other-network"),
    [EDGE_ACCESS_OTHER_PATH] = CAUSE_ROW("other-path"),
    [GUARD_ROW_VERIFIED] = {"edge_access_verified_total", FB_METRIC_COUNTER, NULL,
                            "Tokens whose signature was verified; the others were known."},
};

struct fb_metrics_table *edge_guard_table(struct fb_metrics *metrics)
{
    return fb_metrics_table_new(metrics, guard_rows, GUARD_N_ROWS, NULL);
}

/* ---- what others see of the request ------------------------------------ */

static struct fb_headers guard_without_origin(struct serve_request *request)
{
    const struct fb_headers *from = &request->client->headers;
    struct fb_headers kept = {0};

    for (size_t i = 0; i < from->n; i++) {
        if (!fb_str_equal_nocase(from->items[i].name, FB_STR("origin"))) {
            fb_headers_add(&kept, request->arena, from->items[i].name, from->items[i].value);
        }
    }
    return kept;
}

/* A site that answers for CORS keeps one response for all origins. */
static void guard_drop_origin(struct serve_request *request)
{
    enum fb_method method = request->client->method;

    if (request->origin.ptr != NULL && (method == FB_METHOD_GET || method == FB_METHOD_HEAD)) {
        struct fb_request_head *clean = fb_arena_alloc(request->arena, sizeof(*clean));
        *clean = *request->client;
        clean->headers = guard_without_origin(request);
        request->client = clean;
    }
}

void edge_guard_strip(struct serve_request *request)
{
    const struct edge_site *site = request->site;

    if (site->access != NULL) {
        struct fb_request_head *clean = fb_arena_alloc(request->arena, sizeof(*clean));
        *clean = *request->client;
        edge_access_read(site->access, request->arena, request->client, clean, &request->ticket);
        request->client = clean;
    }
    if (site->cors != NULL) {
        request->origin = fb_headers_find(&request->client->headers, FB_STR("origin"));
    }
}

bool edge_guard_enter(struct serve_request *request)
{
    const struct edge_site *site = request->site;

    edge_guard_strip(request);
    if (site->cors == NULL) {
        return true;
    }
    if (edge_cors_is_preflight(request->client)) {
        if (edge_cors_allows(site->cors, request->origin)) {
            edge_serve_settle(request, EDGE_SERVE_PASS);
            edge_serve_respond_preflight(request);
        } else {
            edge_serve_settle(request, EDGE_SERVE_ERROR);
            edge_serve_respond_refusal(
                request, &(struct edge_access_refusal){
                             .status = 403,
                             .slug = "cors-origin",
                             .detail = "pages of this origin may not read what is here"});
        }
        return false;
    }
    guard_drop_origin(request);
    return true;
}

/* ---- who is let in ------------------------------------------------------ */

static void guard_refuse(struct serve_request *request, enum edge_access_cause cause)
{
    struct edge_access_refusal refusal =
        edge_access_refuse(request->site->access, request->arena, cause, request->ticket.place);

    request->trail.detail = refusal.slug;
    edge_serve_settle(request, EDGE_SERVE_ERROR);
    edge_serve_respond_refusal(request, &refusal);
}

static void guard_decide(struct serve_request *request, enum edge_access_cause cause,
                         const struct edge_access_grant *grant)
{
    struct edge_serve *serve = request->serve;
    struct fb_address client = fb_exchange_peer(request->exchange);

    if (cause == EDGE_ACCESS_GRANTED && grant != NULL) {
        if (request->serve->views != NULL) {
            request->subject = fb_arena_dup(request->arena, fb_buf_str(&grant->subject));
        }
        cause = edge_access_judge(request->site->access, grant, request->wanted.path, &client,
                                  fb_clock_wall_ms(fb_loop_clock(serve->loop)));
    }
    fb_metrics_add(serve->guard_metrics, cause, 1);
    if (cause == EDGE_ACCESS_GRANTED) {
        edge_serve_admit(request);
    } else {
        guard_refuse(request, cause);
    }
}

/* Tokens are known per reign: with the keys, what they signed is forgotten. */
static struct edge_access_cache *guard_cache(struct serve_request *request)
{
    struct serve_reign *reign = request->reign;

    if (reign->tokens == NULL) {
        reign->tokens = edge_access_cache_new(fb_random_u64());
    }
    return reign->tokens;
}

static void guard_on_verified(struct fb_op *op)
{
    struct serve_guard *guard = FB_CONTAINER_OF(op, struct serve_guard, work.op);
    struct serve_request *request = guard->request;
    const struct edge_access_grant *grant = NULL;

    fb_machine_move(&request->machine, SERVE_LOOKUP);
    if (op->result == FB_E_BUSY) {
        edge_serve_fail(request, 503, "too many tokens are being verified");
        return;
    }
    if (op->result < 0 || request->is_aborted) {
        edge_access_grant_done(&guard->grant);
        edge_serve_fail(request, 503, "the client left");
        return;
    }
    fb_metrics_add(request->serve->guard_metrics, GUARD_ROW_VERIFIED, 1);
    if (guard->cause == EDGE_ACCESS_GRANTED) {
        grant = edge_access_cache_put(guard_cache(request), request->site->access,
                                      request->ticket.token, &guard->grant);
    }
    guard_decide(request, guard->cause, grant);
}

/* On a thread of the pool. */
static int guard_run(struct fb_work *work)
{
    struct serve_guard *guard = FB_CONTAINER_OF(work, struct serve_guard, work);
    struct serve_request *request = guard->request;

    guard->cause = edge_access_verify(request->site->access, request->ticket.token, &guard->grant);
    return FB_OK;
}

static void guard_verify_elsewhere(struct serve_request *request)
{
    struct serve_guard *guard = fb_arena_alloc(request->arena, sizeof(*guard));

    guard->request = request;
    guard->work.run = guard_run;
    request->guard = guard;
    fb_machine_move(&request->machine, SERVE_GUARD);
    fb_op_init(&guard->work.op, request->serve->loop, guard_on_verified);
    fb_work_start(request->serve->options.pool, &guard->work);
}

static void guard_verify_here(struct serve_request *request)
{
    FB_AUTO(edge_access_grant_done) struct edge_access_grant grant = {0};
    const struct edge_access *access = request->site->access;
    const struct edge_access_grant *kept = &grant;
    struct fb_str token = request->ticket.token;

    enum edge_access_cause cause = edge_access_verify(access, token, &grant);
    fb_metrics_add(request->serve->guard_metrics, GUARD_ROW_VERIFIED, 1);
    if (cause == EDGE_ACCESS_GRANTED && !edge_access_is_url_token(token)) {
        kept = edge_access_cache_put(guard_cache(request), access, token, &grant);
    }
    guard_decide(request, cause, kept);
}

static void guard_verify(struct serve_request *request)
{
    const struct edge_access *access = request->site->access;
    struct fb_str token = request->ticket.token;
    const struct edge_access_grant *known = NULL;

    if (!edge_access_is_url_token(token)) {
        known = edge_access_cache_find(guard_cache(request), access, token);
    }
    if (known != NULL) {
        guard_decide(request, EDGE_ACCESS_GRANTED, known);
    } else if (edge_access_is_costly(access, token) && request->serve->options.pool != NULL) {
        guard_verify_elsewhere(request);
    } else {
        guard_verify_here(request);
    }
}

void edge_guard_check(struct serve_request *request)
{
    if (edge_access_is_open(request->site->access, request->wanted.path)) {
        guard_decide(request, EDGE_ACCESS_GRANTED, NULL);
    } else if (request->ticket.place == EDGE_ACCESS_NOWHERE) {
        guard_decide(request, EDGE_ACCESS_MISSING, NULL);
    } else {
        guard_verify(request);
    }
}

void edge_guard_cancel(struct serve_request *request)
{
    fb_op_cancel(&request->guard->work.op);
}
