/*
 * Uplinks: one fetch, from the choice of a server to the head of a response. Whom to ask next, when
 * to hedge and whether the budget allows it is decided here; each request is a leg (leg.c).
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/loop/loop.h"
#include "edge/upstream/cdn_loop.h"
#include "edge/upstream/uplink_internal.h"
#include "edge/upstream/via.h"

#include <stdio.h>

/*
 * The machine of one fetch. TRY has a request under way, or two; ENDING has nothing to wait
 * for but that the other one is gone.
 */
enum uplink_state { UPLINK_PICK, UPLINK_TRY, UPLINK_ENDING };

static const struct fb_state uplink_states[] = {
    [UPLINK_PICK] = {"pick", FB_TO(UPLINK_TRY) | FB_TO(UPLINK_ENDING)},
    [UPLINK_TRY] = {"try", FB_TO(UPLINK_PICK) | FB_TO(UPLINK_ENDING)},
    [UPLINK_ENDING] = {"ending", 0},
};

/* Requests that may be sent again each second whatever the share, and hedged ones that
 * may be saved up. */
enum { RETRIES_PER_SECOND = 10, HEDGES_SAVED = 10, ONE_CLIENTS_WINDOW = 256 * 1024 };

enum { US_PER_MS = 1000 };

/* ---- the request ------------------------------------------------------- */

static void uplink_write_fields(struct uplink_try *try)
{
    const struct edge_fetch *fetch = try->fetch;
    const struct fb_headers *from = &fetch->request->headers;
    struct fb_str node = fb_str_from(try->uplink->upstreams->node);

    for (size_t i = 0; i < from->n; i++) {
        if (!fb_str_equal_nocase(from->items[i].name, FB_STR("via")) &&
            !fb_str_equal_nocase(from->items[i].name, FB_STR("cdn-loop"))) {
            fb_headers_add(&try->sent, fetch->arena, from->items[i].name, from->items[i].value);
        }
    }
    fb_headers_add(&try->sent, fetch->arena, FB_STR("Via"),
                   edge_via_append(fetch->arena, from, edge_via_version(fetch->request), node));
    fb_headers_add(&try->sent, fetch->arena, FB_STR("CDN-Loop"),
                   edge_cdn_loop_append(fetch->arena, from, node));
}

/* True if it does no harm to send the request again (RFC 9110 section 9.2.2). */
static bool uplink_may_repeat(const struct edge_fetch *fetch)
{
    switch (fetch->request->method) {
    case FB_METHOD_GET:
    case FB_METHOD_HEAD:
    case FB_METHOD_OPTIONS:
    case FB_METHOD_PUT:
    case FB_METHOD_DELETE:
        return fetch->request_length == 0;
    case FB_METHOD_POST:
    case FB_METHOD_PATCH:
    case FB_METHOD_OTHER:
        break;
    }
    return false;
}

/* True if a 504 is what the client wants to know (RFC 9111 section 5.2.1.7). */
static bool uplink_asks_caches_only(const struct edge_fetch *fetch)
{
    struct fb_str value =
        fb_headers_join(&fetch->request->headers, fetch->arena, FB_STR("cache-control"));

    return fb_list_has(value, FB_STR("only-if-cached"));
}

/* ---- the choice -------------------------------------------------------- */

/* What is wanted, as a number. */
static uint64_t uplink_hash(const struct edge_fetch *fetch)
{
    if (fetch->key.len > 0) {
        return edge_choice_hash(fetch->key);
    }
    return edge_choice_hash(fetch->request->host) ^ edge_choice_hash(fetch->request->target);
}

static size_t uplink_look(struct uplink_try *try, struct edge_candidate *candidates)
{
    for (size_t i = 0; i < try->pool->n; i++) {
        candidates[i] = edge_server_candidate(try->uplink->upstreams, &try->pool->members[i]);
    }
    return try->pool->n;
}

/* The next server that has not had its chance, -1 for none; those out of service or to be
 * avoided only if `takes_any`. With `ret_is_probe` not NULL it may be one that is
 * due to be probed. */
static int uplink_choose(struct uplink_try *try, bool takes_any, bool *ret_is_probe)
{
    struct edge_candidate candidates[EDGE_UPSTREAMS_MAX];
    struct edge_choice choice = {.candidates = candidates,
                                 .order = try->order,
                                 .n = uplink_look(try, candidates),
                                 .hash = try->hash,
                                 .headroom_percent = try->options->headroom,
                                 .tried = try->tried,
                                 .avoided = try->fetch->avoided};

    if (try->tried != 0 && !uplink_may_repeat(try->fetch)) {
        return -1;
    }
    for (;;) {
        int place = edge_choice_next(&choice, takes_any);
        bool is_avoided = place >= 0 && (choice.avoided & (1U << place)) != 0;
        if (place < 0 || candidates[place].fitness != EDGE_FIT_TO_PROBE || is_avoided) {
            return place;
        }
        if (ret_is_probe != NULL &&
            edge_server_claim(try->uplink->upstreams, try->pool->members[place].server)) {
            *ret_is_probe = true;
            return place;
        }
        candidates[place].fitness = EDGE_FIT_IN_NEED; /* somebody else probes it */
    }
}

/* ---- steps ------------------------------------------------------------- */

static void uplink_on_head(struct fb_op *op);

/* One more clause for whoever reads why nothing came. */
static void uplink_tell(struct uplink_try *try, const struct edge_server *server, const char *what)
{
    fb_buf_printf(&try->story, "%s%s %s", try->story.len > 0 ? "; " : "", server->text, what);
}

static void uplink_finish(struct uplink_try *try)
{
    try->uplink->n_fetches--;
    fb_op_finish(&try->fetch->op, try->result);
    fb_buf_done(&try->story);
    fb_free(try);
}

/* The outcome is known: what else is under way is canceled. */
static void uplink_end(struct uplink_try *try, int result)
{
    try->result = result;
    fb_machine_move(&try->machine, UPLINK_ENDING);
    fb_timer_clear(&try->hedge);
    if (try->n_live == 0) {
        uplink_finish(try);
        return;
    }
    for (size_t i = 0; i < UPLINK_MAX_LEGS; i++) {
        if (try->legs[i].is_live) {
            try->legs[i].is_lost = true;
            fb_op_cancel(&try->legs[i].io.op);
        }
    }
}

/* How long a head is waited for before another server is asked too; 0: for ever. */
static uint64_t uplink_hedge_delay(struct uplink_try *try, struct edge_server *server)
{
    const struct edge_upstreams_options *options = try->options;

    if (options->hedge_after == EDGE_HEDGE_OFF || try->pool->n < 2 ||
        try->fetch->patience_ms != 0 || !uplink_may_repeat(try->fetch)) {
        return 0;
    }
    if (options->hedge_after == EDGE_HEDGE_FIXED) {
        return options->hedge_least_ms;
    }
    uint64_t us = edge_delays_quantile(&server->delays, 95);
    return us == 0 ? 0 : FB_MAX((us + US_PER_MS - 1) / US_PER_MS, options->hedge_least_ms);
}

static void uplink_start(struct uplink_try *try, size_t place, bool is_probe)
{
    struct edge_server *server = try->pool->members[place].server;

    if (try->tried != 0) {
        edge_server_count(server, UPSTREAM_RETRIES);
    }
    uint64_t delay_ms = uplink_hedge_delay(try, server);
    if (is_probe && delay_ms > 0) {
        delay_ms = FB_MAX(delay_ms, try->options->connect_timeout_ms); /* it has to show itself */
    }
    (void)edge_leg_start(try, place, is_probe, uplink_on_head);
    if (delay_ms > 0) {
        fb_timer_set(&try->hedge, delay_ms);
    }
}

/* The head is late: whoever is next may be faster. */
static void uplink_on_hedge(struct fb_timer *timer)
{
    struct uplink_try *try = FB_CONTAINER_OF(timer, struct uplink_try, hedge);
    int place = try->is_canceled ? -1 : uplink_choose(try, false, NULL);

    if (place < 0) {
        return;
    }
    if (!edge_allowance_spend(&try->uplink->hedges)) {
        edge_upstreams_note(try->uplink->upstreams, UPSTREAMS_HEDGES_REFUSED);
        return;
    }
    edge_server_count(try->pool->members[place].server, UPSTREAM_HEDGES);
    edge_leg_start(try, (size_t)place, false, uplink_on_head)->is_hedge = true;
}

/* True if the request may go to another server after one has failed. */
static bool uplink_may_go_on(struct uplink_try *try)
{
    if (edge_allowance_spend(&try->uplink->retries)) {
        return true;
    }
    edge_upstreams_note(try->uplink->upstreams, UPSTREAMS_RETRIES_REFUSED);
    fb_buf_printf(&try->story, "; the budget for further tries is spent");
    return false;
}

/* Told when it begins and when it is over: while all upstreams are down, every miss comes to
 * this. The server that leads the pool counts for it. */
static void uplink_note_silence(struct uplink_try *try)
{
    edge_upstreams_note(try->uplink->upstreams, UPSTREAMS_UNANSWERED);
    if (atomic_fetch_add(&try->pool->members[0].server->n_unanswered, 1) == 0) {
        FB_LOG(WARN, "upstream",
               "no upstream gave an answer; until one does, further requests are counted only",
               FB_LOG_STR("tried", fb_buf_str(&try->story)),
               FB_LOG_STR("target", try->fetch->request->target));
    }
}

static void uplink_note_answer(struct uplink_try *try)
{
    atomic_uint *n_unanswered = &try->pool->members[0].server->n_unanswered;

    if (atomic_load_explicit(n_unanswered, memory_order_relaxed) == 0) {
        return;
    }
    unsigned n = atomic_exchange(n_unanswered, 0);
    if (n > 1) {
        FB_LOG(INFO, "upstream", "upstreams answer again", FB_LOG_INT("unanswered", n));
    }
}

static void uplink_pick(struct uplink_try *try)
{
    bool is_probe = false;
    int place = uplink_choose(try, true, &is_probe);

    if (place >= 0 && try->tried != 0 && !uplink_may_go_on(try)) {
        if (is_probe) {
            edge_server_unprobed(try->pool->members[place].server);
        }
        place = -1;
    }
    if (place < 0) {
        uplink_note_silence(try);
        fb_reader_close(try->fetch->request_body); /* if nobody was sent it */
        try->fetch->request_body = NULL;
        uplink_end(try, try->tried != 0 ? try->result : FB_E_BUSY);
        return;
    }
    fb_machine_move(&try->machine, UPLINK_TRY);
    uplink_start(try, (size_t)place, is_probe);
}

/* What whoever fetches is told if this server was the last one. */
static int uplink_result_of(const struct uplink_leg *leg)
{
    int err = leg->io.op.result;

    if (err == FB_E_TIMEOUT || err == FB_E_BUSY) {
        return err;
    }
    bool has_answered = (err == FB_E_MALFORMED || err == FB_E_LIMIT) && leg->diag.err == FB_OK;
    return has_answered ? FB_E_MALFORMED : FB_E_UNAVAILABLE;
}

/* No head came from this server. */
static void uplink_missed(struct uplink_try *try, struct uplink_leg *leg)
{
    int err = leg->io.op.result;

    if (err == FB_E_CANCELED || try->is_canceled) {
        uplink_end(try, FB_E_CANCELED);
        return;
    }
    if (leg->io.content_failed) {
        /* The client's doing, of which the server is innocent. */
        try->fetch->content_failed = true;
        uplink_end(try, err);
        return;
    }
    const char *what = leg->diag.err != FB_OK ? leg->diag.text : fb_err_text(err);
    uplink_tell(try, edge_leg_server(leg), what);
    if (err != FB_E_BUSY) {
        edge_server_tell(try->uplink->upstreams, edge_leg_server(leg), what);
    }
    try->result = uplink_result_of(leg);
    if (try->fetch->patience_ms != 0 && err == FB_E_TIMEOUT) {
        uplink_end(try, err); /* the next one would take as long */
    } else if (try->n_live == 0) {
        fb_timer_clear(&try->hedge);
        fb_machine_move(&try->machine, UPLINK_PICK);
        uplink_pick(try);
    }
}

/* True for an answer in place of which another server may have a better one. */
static bool uplink_is_useless(const struct uplink_try *try, const struct uplink_leg *leg)
{
    bool is_regional = try->pool->members[leg->place].tier == EDGE_TIER_REGIONAL;

    switch (leg->io.response.status) {
    case 502:
    case 503:
        return true;
    case 504:
        return !uplink_asks_caches_only(try->fetch);
    case 429: /* of a node that protects itself */
    case 500:
    case 507:
    case 508: /* a circle that goes through that node */
        return is_regional;
    default:
        return false;
    }
}

/* True if the answer of `leg` was dropped for the sake of another server; the last one's
 * stands. */
static bool uplink_goes_on(struct uplink_try *try, struct uplink_leg *leg)
{
    char what[sizeof("answered 000")];
    bool is_probe = false;

    if (try->is_canceled || !uplink_is_useless(try, leg)) {
        return false;
    }
    (void)snprintf(what, sizeof(what), "answered %u", leg->io.response.status % 1000);
    uplink_tell(try, edge_leg_server(leg), what);
    if (try->n_live > 0) {
        edge_leg_drop(leg); /* the other one is asked already */
        return true;
    }
    int place = uplink_choose(try, false, &is_probe);
    if (place < 0 || !uplink_may_go_on(try)) {
        if (is_probe) {
            edge_server_unprobed(try->pool->members[place].server);
        }
        return false;
    }
    edge_leg_drop(leg);
    fb_timer_clear(&try->hedge);
    uplink_start(try, (size_t)place, is_probe);
    return true;
}

static void uplink_on_head(struct fb_op *op)
{
    struct uplink_leg *leg = FB_CONTAINER_OF(op, struct uplink_leg, io.op);
    struct uplink_try *try = leg->try;
    bool has_head = edge_leg_end(leg);

    if (has_head) {
        edge_server_spoke(edge_leg_server(leg), leg->io.is_http2);
    }
    if (has_head && !(leg->io.response.status == 504 && uplink_asks_caches_only(try->fetch))) {
        edge_server_said(try->uplink->upstreams, edge_leg_server(leg), leg->io.response.status,
                         try->fetch->request->target);
    }
    if (try->machine.state == UPLINK_ENDING) {
        if (has_head) {
            edge_leg_drop(leg);
        }
        if (try->n_live == 0) {
            uplink_finish(try);
        }
    } else if (!has_head) {
        uplink_missed(try, leg);
    } else if (!uplink_goes_on(try, leg)) {
        if (leg->is_hedge) {
            edge_server_count(edge_leg_server(leg), UPSTREAM_HEDGES_WON);
        }
        uplink_note_answer(try);
        edge_leg_give(leg);
        uplink_end(try, FB_OK);
    }
}

/* ---- entry points ------------------------------------------------------ */

struct edge_uplink *edge_uplink_new(struct edge_upstreams *upstreams, struct fb_loop *loop)
{
    struct edge_uplink *uplink = FB_NEW(struct edge_uplink);
    const struct edge_upstreams_options *options = edge_upstreams_options(upstreams);
    struct fb_client_limits limits = {
        .max_connections = options->max_connections,
        .max_queue = options->max_queue,
        .max_idle = options->max_idle,
        .idle_timeout_ms = options->idle_ms,
        .max_reuses = options->max_reuses,
        .max_age_ms = options->max_age_ms,
    };

    uplink->upstreams = upstreams;
    uplink->loop = loop;
    uplink->for_all = fb_client_new(loop, &limits, upstreams->metrics);
    limits.min_window = ONE_CLIENTS_WINDOW; /* a slow client leaves it full */
    limits.max_window = ONE_CLIENTS_WINDOW;
    uplink->for_one = fb_client_new(loop, &limits, upstreams->metrics);
    /* All that may be under way to a server that dies get a second chance. */
    edge_allowance_init(&uplink->retries, options->max_connections, fb_loop_now_ms(loop));
    edge_allowance_init(&uplink->hedges, HEDGES_SAVED, fb_loop_now_ms(loop));
    return uplink;
}

void edge_uplink_close(struct edge_uplink *uplink)
{
    if (uplink == NULL) {
        return;
    }
    FB_REQUIRE(uplink->n_fetches == 0);
    fb_client_close(uplink->for_all);
    fb_client_close(uplink->for_one);
    fb_free(uplink);
}

static void uplink_cancel(struct fb_op *op)
{
    struct uplink_try *try = op->provider;

    try->is_canceled = true;
    for (size_t i = 0; i < UPLINK_MAX_LEGS; i++) {
        if (try->legs[i].is_live) {
            fb_op_cancel(&try->legs[i].io.op);
        }
    }
}

static void uplink_earn(struct uplink_try *try)
{
    struct edge_uplink *uplink = try->uplink;
    uint64_t now = fb_loop_now_ms(uplink->loop);

    edge_allowance_earn(&uplink->retries, try->options->retry_share, RETRIES_PER_SECOND, now);
    edge_allowance_earn(&uplink->hedges, try->options->hedge_share, 0, now);
}

void edge_uplink_fetch(void *uplink, struct edge_fetch *fetch)
{
    struct uplink_try *try = FB_NEW(struct uplink_try);
    struct edge_candidate candidates[EDGE_UPSTREAMS_MAX];

    fb_op_begin(&fetch->op, uplink_cancel);
    fetch->op.provider = try;
    try->uplink = uplink;
    try->uplink->n_fetches++;
    try->fetch = fetch;
    try->options = edge_upstreams_options(try->uplink->upstreams);
    try->pool = fetch->pool != NULL ? fetch->pool : atomic_load(&try->uplink->upstreams->own_pool);
    FB_REQUIRE(try->pool != NULL);
    try->hash = uplink_hash(fetch);
    edge_choice_order(candidates, uplink_look(try, candidates), try->hash, try->order);
    fb_machine_init(&try->machine, uplink_states, UPLINK_PICK);
    fb_timer_init(&try->hedge, try->uplink->loop, uplink_on_hedge);
    uplink_write_fields(try);
    uplink_earn(try);
    uplink_pick(try);
}
