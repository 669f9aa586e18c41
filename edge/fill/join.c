#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "edge/fill/fill.h"
#include "edge/fill/fill_internal.h"
#include "edge/fill/part.h"
#include "edge/fresh/fields.h"
#include "edge/fresh/key.h"

enum { JOIN_MAX_TRIES = 3 };

/* ---- joining ----------------------------------------------------------- */

static void join_start(struct edge_fill_join *join);

static void join_finish(struct edge_fill_join *join, int result)
{
    join->phase = JOIN_IDLE;
    fb_buf_done(&join->own_key);
    fb_op_finish(&join->op, result);
}

static void join_finish_with(struct edge_fill_join *join, struct edge_object *object)
{
    join->outcome = EDGE_FILL_OBJECT;
    join->object = object;
    join_finish(join, FB_OK);
}

/* Joins once more, or gives up sharing. */
static void join_again(struct edge_fill_join *join)
{
    join->joins_again = false;
    if (join->is_canceled) {
        join_finish(join, FB_E_CANCELED);
    } else if (++join->n_tries == JOIN_MAX_TRIES) {
        join->outcome = EDGE_FILL_ALONE;
        join_finish(join, FB_OK);
    } else {
        join_start(join);
    }
}

/* What came will not do. */
static void join_once_more(struct edge_fill_join *join)
{
    edge_object_unref(join->object);
    join->object = NULL;
    join->own = (struct fb_headers){0};
    join->was_stored = false;
    join->was_stale = false;
    join->was_validated = false;
    join->is_stand_in = false;
    join_again(join);
}

/* The object is for other requests than this one: joins by variant, or gives up
 * sharing. */
static void join_mismatched(struct edge_fill_join *join)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    const struct edge_object_head *head = edge_object_head(join->object);

    struct fb_str variant = edge_variant_of(&arena, head->vary, &join->ask.request->headers);
    fb_buf_clear(&join->own_key);
    fb_buf_append(&join->own_key, join->ask.key);
    fb_buf_append(&join->own_key, FB_STR("\n"));
    fb_buf_append(&join->own_key, variant);
    join_once_more(join);
}

/* The answer has come home to the joiner's loop. */
static void join_arrive(struct edge_fill_join *join)
{
    bool has_object = join->answer == FB_OK && join->outcome == EDGE_FILL_OBJECT;

    if (has_object && !edge_object_suits(join->object, &join->ask.request->headers)) {
        join_mismatched(join);
    } else if (has_object && !edge_object_is_current(join->object, join->epoch,
                                                     join->was_stored || join->is_stand_in)) {
        join_once_more(join); /* it was asked for before a purge that was there already */
    } else if (join->joins_again) {
        join_again(join);
    } else {
        join_finish(join, join->answer);
    }
}

static void join_on_mail(struct fb_post *post)
{
    join_arrive(FB_CONTAINER_OF(post, struct edge_fill_join, post));
}

static void join_cancel(struct fb_op *op)
{
    struct edge_fill_join *join = FB_CONTAINER_OF(op, struct edge_fill_join, op);

    edge_fill_lock(join->table);
    bool was_waiting = join->phase == JOIN_WAITING;
    if (was_waiting) {
        fb_list_remove(&join->link);
        edge_fill_left(join->fill);
    }
    edge_fill_unlock(join->table);
    join->is_canceled = true;
    if (was_waiting) {
        edge_fill_metric(join->table, FILL_READERS, -1);
        join_finish(join, FB_E_CANCELED);
    }
    /* Else the answer is on its way, and is what `done` will see. */
}

enum edge_cause edge_fill_cause(struct edge_fill_table *table, const struct edge_fill_ask *ask)
{
    return ask->stale != NULL
               ? edge_object_cause(ask->stale)
               : edge_store_cause(table->options.store, ask->key, edge_part_offset(ask->range));
}

/* True if `found` serves the request as it is. */
static bool join_is_served_by(const struct edge_fill_ask *ask, struct edge_object *found,
                              int64_t now_ms)
{
    if (found == ask->stale || found == ask->lacking) {
        return false;
    }
    if (found == ask->partial) { /* somebody may have brought what was missing */
        return edge_object_holds(found, edge_part_offset(ask->range), 1);
    }
    struct edge_terms space;
    return edge_terms_judge(edge_object_terms(found, &space), now_ms, NULL) == EDGE_USE;
}

/* Under the lock, with no fill running: what an earlier one may have brought
 * since the caller looked. */
static struct edge_object *join_look_again(const struct edge_fill_join *join, int64_t now_ms)
{
    const struct edge_fill_ask *ask = &join->ask;
    struct edge_object *found =
        edge_store_find(join->table->options.store, ask->key, &ask->request->headers);

    if (found != NULL && !join_is_served_by(ask, found, now_ms)) {
        edge_object_unref(found);
        return NULL;
    }
    return found;
}

/* True if a volume may have what memory has not. */
static bool join_may_load(const struct edge_fill_join *join)
{
    const struct edge_fill_ask *ask = &join->ask;

    return ask->stale == NULL && ask->lacking == NULL && ask->partial == NULL &&
           edge_store_may_load(join->table->options.store, ask->key, edge_part_offset(ask->range));
}

/* Under the lock: the fill of `key` that may serve `join`. One that asked before a purge which
 * was there when `join` came is for those that were there earlier. */
static struct edge_fill *join_find(struct edge_fill_join *join, struct fb_str key)
{
    struct edge_fill_table *table = join->table;
    struct edge_fill *fill = fb_map_find(table->by_key, key);

    if (fill == NULL) {
        return NULL;
    }
    uint64_t epoch = atomic_load_explicit(&fill->epoch, memory_order_relaxed);
    if (edge_store_is_current(table->options.store, join->ask.key, epoch, join->epoch)) {
        return fill;
    }
    edge_fill_unlist(fill);
    return NULL;
}

static void join_start(struct edge_fill_join *join)
{
    struct edge_fill_table *table = join->table;
    struct fb_str key = join->own_key.len > 0 ? fb_buf_str(&join->own_key) : join->ask.key;
    int64_t now_ms = (int64_t)fb_clock_mono_ms(fb_loop_clock(join->op.loop));
    struct edge_object *object = NULL;
    struct edge_fill *begun = NULL;
    bool loads = false;
    int err = FB_OK;

    edge_fill_lock(table);
    bool is_alone = edge_fill_is_remembered(table, join->ask.key, now_ms);
    struct edge_fill *fill = is_alone ? NULL : join_find(join, key);
    if (!is_alone && fill == NULL) {
        object = join_look_again(join, now_ms);
    }
    if (!is_alone && fill == NULL && object == NULL) {
        loads = join_may_load(join);
        if (loads || !join->ask.loads_only) {
            err = edge_fill_add(table, join->op.loop, key, &join->ask, !loads, &begun);
        }
        fill = begun;
    }
    if (fill != NULL) {
        join->is_collapsed = begun == NULL;
        join->phase = JOIN_WAITING;
        join->fill = fill;
        fb_list_append(&fill->joiners, &join->link);
    }
    edge_fill_unlock(table);

    if (fill != NULL) {
        edge_fill_metric(table, FILL_READERS, 1);
    } else if (object != NULL) {
        join->is_collapsed = object == join->ask.partial;
        join->was_stored = !join->is_collapsed;
        join->cause = edge_fill_cause(table, &join->ask);
        join_finish_with(join, object);
    } else {
        join->outcome = EDGE_FILL_ALONE;
        join->cause = edge_fill_cause(table, &join->ask);
        join_finish(join, err);
    }
    if (begun != NULL) {
        edge_fill_begin(begun, loads);
    }
}

void edge_fill_join(struct edge_fill_table *table, struct edge_fill_join *join)
{
    fb_op_begin(&join->op, join_cancel);
    join->object = NULL;
    join->own = (struct fb_headers){0};
    join->pass = NULL;
    join->is_collapsed = false;
    join->was_stored = false;
    join->was_stale = false;
    join->was_validated = false;
    join->is_stand_in = false;
    join->upstream_status = 0;
    join->tier = NULL;
    join->cause = EDGE_CAUSE_FIRST_TOUCH;
    join->epoch = edge_store_epoch(table->options.store);
    join->table = table;
    fb_list_init(&join->link);
    join->phase = JOIN_IDLE;
    join->post.run = join_on_mail;
    join->own_key = (struct fb_buf){0};
    join->n_tries = 0;
    join->joins_again = false;
    join->is_canceled = false;
    join_start(join);
}

/* ---- answers ----------------------------------------------------------- */

/* What the upstream's answer says to the very request that it answers. */
static void answer_own(const struct edge_fill *fill, struct edge_fill_join *join)
{
    struct fb_arena *arena = join->ask.arena;

    if (arena == NULL || fill->answer == NULL || join->is_collapsed || join->object == NULL ||
        join->was_stored || join->is_stand_in) {
        return;
    }
    struct fb_headers own = edge_fields_own(&fill->answer->arena, &fill->answer->response.headers);
    for (size_t i = 0; i < own.n; i++) {
        fb_headers_add(&join->own, arena, fb_arena_dup(arena, own.items[i].name),
                       fb_arena_dup(arena, own.items[i].value));
    }
}

/* What came is for another: `join` fetches for itself, or joins again. */
static void answer_rest(const struct fill_answer *answer, struct edge_fill_join *join)
{
    join->outcome = EDGE_FILL_ALONE;
    join->answer = answer->rest;
    join->joins_again = answer->is_personal;
    join->was_stale = false;
    join->was_validated = false;
}

/* Writes the outputs of a joiner that is posted. `*pass`, or an object for one, answers the
 * request that was sent, and so goes to the joiner that began the fill, or to nobody. */
static void answer_one(const struct fill_answer *answer, struct edge_fill_join *join,
                       struct edge_pass **pass)
{
    join->answer = answer->result;
    join->outcome = answer->outcome;
    join->upstream_status = answer->status;
    join->was_stored = answer->was_loaded;
    join->was_stale = answer->was_stale;
    join->was_validated = answer->was_validated;
    join->is_stand_in = answer->is_stand_in;
    if (answer->result < 0) {
        return;
    }
    bool is_for_all = answer->outcome == EDGE_FILL_OBJECT && !answer->is_for_one;
    if (!is_for_all && join->is_collapsed) {
        answer_rest(answer, join);
    } else if (answer->outcome == EDGE_FILL_OBJECT) {
        join->object = edge_object_ref(answer->object);
    } else {
        join->length = answer->length;
        join->pass = *pass;
        *pass = NULL;
    }
}

/* A fill that asked others than `join` would (a plan's asks regional nodes alone) and got nothing
 * says little to it. */
static void answer_narrow(const struct edge_fill *fill, struct edge_fill_join *join)
{
    join->joins_again |= join->answer < 0 && join->is_collapsed && join->ask.pool != fill->ask.pool;
}

void edge_fill_answer(struct edge_fill *fill, const struct fill_answer *answer)
{
    struct edge_fill_table *table = fill->table;
    struct edge_pass *pass = answer->pass;
    struct fb_list joiners;
    struct fb_list *node = NULL;

    fb_list_init(&joiners);
    edge_fill_lock(table);
    edge_fill_unlist(fill);
    fb_list_splice(&joiners, &fill->joiners);
    FB_LIST_EACH(at, &joiners) {
        FB_CONTAINER_OF(at, struct edge_fill_join, link)->phase = JOIN_POSTED;
    }
    edge_fill_unlock(table);

    while ((node = fb_list_pop(&joiners)) != NULL) {
        struct edge_fill_join *join = FB_CONTAINER_OF(node, struct edge_fill_join, link);
        edge_fill_metric(table, FILL_READERS, -1);
        answer_one(answer, join, &pass);
        answer_narrow(fill, join);
        join->cause = fill->cause;
        join->tier = answer->status != 0 ? fill->fetch.tier : NULL;
        if (join->op.loop == fill->loop) {
            answer_own(fill, join);
            join_arrive(join);
        } else {
            fb_loop_post(join->op.loop, &join->post);
        }
    }
    edge_pass_free(pass);
}
