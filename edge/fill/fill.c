#include "edge/fill/fill.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/loop/reader.h"
#include "edge/fill/fill_internal.h"
#include "edge/fill/part.h"
#include "edge/fresh/fields.h"
#include "edge/fresh/key.h"

#include <string.h>

static const struct fb_state fill_states[] = {
    [FILL_LOAD] = {"load", FB_TO(FILL_FETCH) | FB_TO(FILL_DONE)},
    [FILL_FETCH] = {"fetch", FB_TO(FILL_PUMP) | FB_TO(FILL_RESUME) | FB_TO(FILL_DONE)},
    [FILL_PUMP] = {"pump", FB_TO(FILL_PAUSE) | FB_TO(FILL_RESUME) | FB_TO(FILL_DONE)},
    [FILL_PAUSE] = {"pause", FB_TO(FILL_RESUME) | FB_TO(FILL_DONE)},
    [FILL_RESUME] = {"resume",
                     FB_TO(FILL_PUMP) | FB_TO(FILL_PAUSE) | FB_TO(FILL_RESUME) | FB_TO(FILL_DONE)},
    [FILL_DONE] = {"done", 0},
};

/* ---- the end ----------------------------------------------------------- */

void edge_pass_free(struct edge_pass *pass)
{
    if (pass != NULL) {
        fb_reader_close(pass->body);
        fb_arena_done(&pass->arena);
        fb_free(pass);
    }
}

void edge_fill_free(struct edge_fill *fill)
{
    edge_fill_leave(fill);
    edge_pass_free(fill->answer);
    edge_fill_prove_done(fill);
    edge_object_unref(fill->ask.stale);
    edge_object_unref(fill->ask.partial);
    edge_rules_unref(fill->ask.treatment.rules);
    fb_arena_done(&fill->arena);
    fb_free(fill);
}

void edge_fill_end(struct edge_fill *fill)
{
    FB_REQUIRE(fill->writer == NULL);
    fb_machine_move(&fill->machine, FILL_DONE);
    fb_timer_clear(&fill->timer);
    edge_fill_lock(fill->table);
    bool is_posted = fill->is_posted;
    edge_fill_unlock(fill->table);
    if (!is_posted) {
        edge_fill_free(fill);
    }
}

int64_t edge_fill_now_ms(const struct edge_fill *fill)
{
    return (int64_t)fb_clock_mono_ms(fb_loop_clock(fill->loop));
}

/* A stale object that may stand in for an upstream that fails, or NULL. */
static struct edge_object *fill_stand_in(const struct edge_fill *fill)
{
    struct edge_object *stale = fill->ask.stale;
    struct edge_terms space;

    if (stale == NULL || edge_object_state(stale) == EDGE_OBJECT_BROKEN ||
        edge_object_is_dropped(stale) ||
        !edge_object_is_current(stale, edge_store_epoch(fill->table->options.store), true) ||
        !edge_terms_stands_in(edge_object_terms(stale, &space), edge_fill_now_ms(fill), NULL)) {
        return NULL;
    }
    return stale;
}

void edge_fill_fail(struct edge_fill *fill, int err, unsigned status)
{
    struct edge_object *stand_in = fill_stand_in(fill);

    edge_fill_metric(fill->table, FILL_FAILED, 1);
    bool is_told = status == 0 && stand_in == NULL; /* by whoever asked in vain */
    if (err != FB_E_CANCELED && !is_told) {
        FB_LOG(WARN, "fill", "no usable answer from upstream", FB_LOG_STR("key", fill->ask.key),
               FB_LOG_TEXT("cause", fb_err_name(err)), FB_LOG_INT("status", status),
               FB_LOG_BOOL("stale_stands_in", stand_in != NULL));
    }
    edge_fill_answer(fill, &(struct fill_answer){.result = stand_in != NULL ? FB_OK : err,
                                                 .outcome = EDGE_FILL_OBJECT,
                                                 .object = stand_in,
                                                 .is_stand_in = stand_in != NULL,
                                                 .status = status});
    edge_fill_end(fill);
}

/* ---- what is not kept -------------------------------------------------- */

bool edge_fill_is_personal(const struct edge_fill *fill, unsigned status)
{
    return status == 508 || fb_headers_count(&fill->client.headers, FB_STR("authorization")) > 0;
}

void edge_fill_pass(struct edge_fill *fill, const char *refusal, int rest)
{
    struct edge_pass *pass = fill->answer;

    fill->answer = NULL;
    pass->response.headers = edge_fields_to_answer(&pass->arena, &pass->response.headers);
    pass->refusal = refusal;
    pass->is_part = fill->is_part && pass->response.status == 206;
    bool is_personal = edge_fill_is_personal(fill, pass->response.status);
    if (rest == FB_OK && !is_personal) {
        bool is_doubtful = pass->response.status >= 400 || fill->ask.stale != NULL;
        edge_fill_remember(fill, is_doubtful ? EDGE_FILL_DOUBT_MS : EDGE_FILL_MEMORY_MS);
    }
    edge_fill_answer(fill, &(struct fill_answer){.outcome = EDGE_FILL_PASS,
                                                 .pass = pass,
                                                 .rest = rest,
                                                 .is_personal = is_personal,
                                                 .status = pass->response.status});
    edge_fill_end(fill);
}

/* The upstream answered, but with its own failure. */
static void fill_refused(struct edge_fill *fill)
{
    unsigned status = fill->answer->response.status;

    if (edge_status_is_failure(status) && fill_stand_in(fill) != NULL) {
        edge_fill_fail(fill, FB_E_UNAVAILABLE, status);
        return;
    }
    edge_fill_metric(fill->table, FILL_FAILED, 1);
    if (fill->ask.stale != NULL) { /* which may be right again in a moment */
        edge_fill_pass(fill, "status", FB_E_UNAVAILABLE);
        return;
    }
    edge_fill_whole(fill); /* kept only if a rule says so */
}

/* ---- the head ---------------------------------------------------------- */

void edge_fill_take_answer(struct edge_fill *fill)
{
    fill->answer->response = fill->fetch.response;
    fill->answer->length = fill->fetch.length;
    fill->answer->body = fill->fetch.body;
    if (fill->ask.sha256 != NULL && fill->fetch.response.status == 200) {
        fill->claim = (struct edge_digest_claim){.kind = EDGE_DIGEST_SHA256};
        memcpy(fill->claim.bytes, fill->ask.sha256, FB_SHA256_SIZE);
    } else if (fill->table->options.verifies_digests) {
        fill->claim = edge_digest_claim_of(&fill->fetch.response, &fill->answer->arena);
    }
}

static void fill_on_head(struct fb_op *op)
{
    struct edge_fill *fill = FB_CONTAINER_OF(op, struct edge_fill, fetch.op);

    if (op->result < 0) {
        edge_fill_fail(fill, op->result, 0);
        return;
    }
    edge_fill_take_answer(fill);
    unsigned status = fill->answer->response.status;
    if (fill->is_canceled) {
        edge_fill_fail(fill, FB_E_CANCELED, status);
    } else if (fill->ask.partial != NULL && edge_fill_go_on(fill)) {
        return; /* and perhaps gone */
    } else if (status == 304) {
        edge_fill_not_modified(fill);
    } else if (status == 206 && fill->is_part) {
        edge_fill_part(fill);
    } else if (status == 416 && fill->is_part) {
        edge_fill_past_end(fill);
    } else if (status == 206) {
        edge_fill_fail(fill, FB_E_MALFORMED, 206); /* no range was asked for */
    } else if (status >= 500) {
        fill_refused(fill);
    } else {
        edge_fill_whole(fill);
    }
}

void edge_fill_whole_instead(struct edge_fill *fill)
{
    fill->is_part = false;
    fill->is_conditional = false;
    fb_headers_remove(&fill->request.headers, FB_STR("range"));
    fb_headers_remove(&fill->request.headers, FB_STR("if-range"));
    fb_headers_remove(&fill->request.headers, FB_STR("if-none-match"));
    fb_headers_remove(&fill->request.headers, FB_STR("if-modified-since"));
    edge_fill_metric(fill->table, FILL_STARTED, 1);
    edge_fill_send(fill, fill_on_head);
}

/* ---- what a volume has ------------------------------------------------- */

static void fill_start_fetch(struct edge_fill *fill);

/* What was loaded, if more of it could be had should that be needed. */
static struct edge_object *fill_take_loaded(struct edge_fill *fill)
{
    struct edge_object *object = fill->load.op.result < 0 ? NULL : fill->load.object;

    if (object != NULL && !edge_object_is_strong(object) &&
        !edge_object_holds(object, 0, FB_LENGTH_UNKNOWN)) {
        edge_object_unref(object);
        return NULL;
    }
    return object;
}

static void fill_on_loaded(struct fb_op *op)
{
    struct edge_fill *fill = FB_CONTAINER_OF(op, struct edge_fill, load.op);
    struct edge_object *object = fill_take_loaded(fill);
    struct edge_terms space;

    if (fill->is_canceled) {
        edge_object_unref(object);
        edge_fill_fail(fill, FB_E_CANCELED, 0);
        return;
    }
    if (object != NULL && edge_terms_judge(edge_object_terms(object, &space),
                                           edge_fill_now_ms(fill), NULL) != EDGE_VALIDATE) {
        edge_fill_answer(fill, &(struct fill_answer){.outcome = EDGE_FILL_OBJECT,
                                                     .object = object,
                                                     .was_loaded = true});
        edge_object_unref(object);
        edge_fill_end(fill);
        return;
    }
    fill->ask.stale = object;
    fill->cause = edge_fill_cause(fill->table, &fill->ask);
    if (fill->ask.loads_only) {
        edge_fill_answer(fill,
                         &(struct fill_answer){.outcome = EDGE_FILL_ALONE, .is_personal = true});
        edge_fill_end(fill);
        return;
    }
    int err = edge_fill_take_slot(fill);
    if (err < 0) {
        edge_fill_fail(fill, err, 0);
        return;
    }
    fb_machine_move(&fill->machine, FILL_FETCH);
    fill_start_fetch(fill);
}

static void fill_start_load(struct edge_fill *fill)
{
    fill->load = (struct edge_store_load){
        .key = fill->ask.key,
        .request = &fill->client.headers,
        .offset = edge_part_offset(fill->ask.range),
    };
    fb_op_init(&fill->load.op, fill->loop, fill_on_loaded);
    edge_store_load(fill->table->options.store, &fill->load);
}

/* ---- the request ------------------------------------------------------- */

static struct fb_headers fill_copy_headers(struct fb_arena *arena, const struct fb_headers *from)
{
    struct fb_headers copy = {0};

    for (size_t i = 0; i < from->n; i++) {
        fb_headers_add(&copy, arena, fb_arena_dup(arena, from->items[i].name),
                       fb_arena_dup(arena, from->items[i].value));
    }
    return copy;
}

/* What is fetched is what the key says, not what the client wrote. */
void edge_fill_make_request(struct edge_fill *fill)
{
    size_t slash = fb_str_find(fill->ask.key, '/');
    struct fb_str target = fb_str_skip(fill->ask.key, slash);
    size_t question = fb_str_find(target, '?');

    fill->request = (struct fb_request_head){
        .method = FB_METHOD_GET,
        .method_text = FB_STR("GET"),
        .target = target,
        .path = fb_str_first(target, question),
        .query = question < target.len ? fb_str_skip(target, question + 1) : FB_STR_NONE,
        .host = fb_str_first(fill->ask.key, slash),
        .version_minor = fill->client.version_minor,
        .is_http2 = fill->client.is_http2,
    };
    fill->request.headers = edge_fields_to_fetch(&fill->arena, &fill->client, &fill->ask.treatment);
}

static void fill_add_conditions(struct edge_fill *fill)
{
    const struct edge_object_head *head = edge_object_head(fill->ask.stale);

    fill->is_conditional = head->etag.len > 0 || head->last_modified.len > 0;
    if (head->etag.len > 0) {
        fb_headers_add(&fill->request.headers, &fill->arena, FB_STR("If-None-Match"), head->etag);
    }
    if (head->last_modified.len > 0) {
        fb_headers_add(&fill->request.headers, &fill->arena, FB_STR("If-Modified-Since"),
                       head->last_modified);
    }
}

static const struct fb_range_spec *fill_copy_range(struct fb_arena *arena,
                                                   const struct fb_range_spec *range)
{
    if (range == NULL) {
        return NULL;
    }
    struct fb_range_spec *copy = fb_arena_alloc(arena, sizeof(*copy));
    *copy = *range;
    return copy;
}

static const uint8_t *fill_copy_digest(struct fb_arena *arena, const uint8_t *digest)
{
    if (digest == NULL) {
        return NULL;
    }
    return (const uint8_t *)fb_arena_dup(arena, fb_sha256_str(digest)).ptr;
}

struct edge_fill *edge_fill_new(struct edge_fill_table *table, struct fb_loop *loop,
                                struct fb_str key, const struct edge_fill_ask *ask)
{
    struct edge_fill *fill = FB_NEW(struct edge_fill);
    bool is_usable = ask->stale != NULL && edge_object_state(ask->stale) != EDGE_OBJECT_BROKEN;

    fill->table = table;
    fill->loop = loop;
    fb_machine_init(&fill->machine, fill_states, FILL_FETCH);
    fb_list_init(&fill->link);
    fb_list_init(&fill->joiners);
    fb_timer_init(&fill->timer, loop, NULL);
    atomic_init(&fill->epoch, UINT64_MAX);
    atomic_init(&fill->is_outdated, false);
    fill->lonely_ms = INT64_MAX;
    fill->is_blocking = edge_key_is_blocking(ask->key);
    fill->key = fb_arena_dup(&fill->arena, key);
    fill->client.method = FB_METHOD_GET;
    fill->client.path = fb_arena_dup(&fill->arena, ask->request->path);
    fill->client.version_minor = ask->request->version_minor;
    fill->client.is_http2 = ask->request->is_http2;
    fill->client.headers = fill_copy_headers(&fill->arena, &ask->request->headers);
    fill->ask = (struct edge_fill_ask){
        .key = fb_arena_dup(&fill->arena, ask->key),
        .request = &fill->client,
        .treatment = ask->treatment,
        .range = fill_copy_range(&fill->arena, ask->range),
        .stale = is_usable ? edge_object_ref(ask->stale) : NULL,
        .partial = ask->partial != NULL ? edge_object_ref(ask->partial) : NULL,
        .is_planned = ask->is_planned,
        .is_prefetch = ask->is_prefetch,
        .sha256 = fill_copy_digest(&fill->arena, ask->sha256),
        .pool = ask->pool,
        .loads_only = ask->loads_only,
        .upstream = ask->upstream,
    };
    (void)edge_rules_ref(ask->treatment.rules); /* the site may go before the fill */
    return fill;
}

/* From now on, purges take what is brought. What they took before must not come back by a
 * 304. */
static void fill_settle_epoch(struct edge_fill *fill)
{
    uint64_t epoch = edge_store_epoch(fill->table->options.store);
    struct edge_object *stale = fill->ask.stale;

    atomic_store_explicit(&fill->epoch, epoch, memory_order_relaxed);
    if (stale != NULL && !edge_object_is_current(stale, epoch, true)) {
        edge_object_unref(stale);
        fill->ask.stale = NULL;
        fill->cause = EDGE_CAUSE_PURGED;
    }
}

void edge_fill_send(struct edge_fill *fill, fb_op_done_fn *done)
{
    edge_pass_free(fill->answer);
    fill->answer = FB_NEW(struct edge_pass);
    if (atomic_load_explicit(&fill->epoch, memory_order_relaxed) == UINT64_MAX) {
        fill_settle_epoch(fill);
    }
    fill->requested = edge_moment_now(fb_loop_clock(fill->loop));
    fill->fetch =
        (struct edge_fetch){.request = &fill->request,
                            .pool = fill->ask.pool,
                            .key = fill->ask.key,
                            .arena = &fill->answer->arena,
                            .avoided = fill->avoided,
                            .patience_ms = edge_fill_patience_ms(fill->table, fill->ask.key)};
    fb_op_init(&fill->fetch.op, fill->loop, done);
    fill->table->options.fetch(fill->ask.upstream, &fill->fetch);
}

static void fill_start_fetch(struct edge_fill *fill)
{
    fill_settle_epoch(fill);
    edge_fill_metric(fill->table, FILL_STARTED, 1);
    edge_fill_make_request(fill);
    if (fill->ask.partial != NULL) {
        edge_fill_ask_missing(fill);
        edge_fill_send(fill, fill_on_head);
        return;
    }
    if (fill->ask.stale != NULL) {
        fill_add_conditions(fill);
    }
    fill->is_part = fill->ask.range != NULL && edge_part_of(*fill->ask.range, &fill->part);
    if (fill->is_part) {
        fb_headers_add(&fill->request.headers, &fill->arena, FB_STR("Range"),
                       edge_part_text(fill->part, &fill->arena));
    }
    edge_fill_send(fill, fill_on_head);
}

void edge_fill_begin(struct edge_fill *fill, bool loads)
{
    fill->cause = edge_fill_cause(fill->table, &fill->ask);
    if (loads) {
        fb_machine_init(&fill->machine, fill_states, FILL_LOAD);
        fill_start_load(fill);
    } else {
        fill_start_fetch(fill);
    }
}

void edge_fill_cancel(struct edge_fill *fill)
{
    fill->is_canceled = true;
    switch ((enum fill_state)fill->machine.state) {
    case FILL_FETCH:
        fb_op_cancel(&fill->fetch.op);
        return;
    case FILL_PUMP:
    case FILL_PAUSE:
    case FILL_RESUME:
        edge_fill_cancel_body(fill);
        return;
    case FILL_LOAD: /* the memory is the kernel's until it is done */
    case FILL_DONE:
        return;
    }
}
