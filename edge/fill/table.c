#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "base/metrics/metrics.h"
#include "edge/fill/fill.h"
#include "edge/fill/fill_internal.h"
#include "edge/fresh/key.h"

enum { FILL_DEFAULT_MAX = 1024, JOIN_MAX_TRIES = 3 };

static const struct fb_metric fill_rows[] = {
    [FILL_STARTED] = {"edge_fill_started_total", FB_METRIC_COUNTER, NULL,
                      "Upstream fetches begun for the store."},
    [FILL_FAILED] = {"edge_fill_failed_total", FB_METRIC_COUNTER, NULL,
                     "Upstream fetches without a usable answer, or whose body broke off."},
    [FILL_BUSY] = {"edge_fill_busy_total", FB_METRIC_COUNTER, NULL,
                   "Requests refused because too many fills ran."},
    [FILL_BYTES] = {"edge_bytes_filled_total", FB_METRIC_COUNTER, NULL,
                    "Bytes of content that came from upstream into the store."},
    [FILL_READERS] = {"edge_fill_readers", FB_METRIC_GAUGE, NULL,
                      "Requests that wait for a fill or read what it brings."},
};

/* A loop on which no fill may begin any more. */
struct fill_drain {
    struct fb_list link; /* in table->drains */
    struct fb_loop *loop;
    struct fb_op *op; /* borrowed until finished, then NULL */
};

void edge_fill_metric(struct edge_fill_table *table, enum fill_metric metric, int64_t n)
{
    if (table->metrics == NULL) {
        return;
    }
    if (n >= 0) {
        fb_metrics_add(table->metrics, metric, (uint64_t)n);
    } else {
        fb_metrics_sub(table->metrics, metric, (uint64_t)-n);
    }
}

static void table_lock(struct edge_fill_table *table)
{
    (void)pthread_mutex_lock(&table->lock);
}

static void table_unlock(struct edge_fill_table *table)
{
    (void)pthread_mutex_unlock(&table->lock);
}

/* ---- what cannot be shared --------------------------------------------- */

/* Keys that fall on one place displace each other: forgetting costs a fetch that
 * queues, nothing else. */
static struct fill_memory *memory_place(struct edge_fill_table *table, uint64_t hash)
{
    return &table->memory[hash % EDGE_FILL_MEMORY];
}

void edge_fill_remember(struct edge_fill_table *table, struct fb_str key, int64_t mono_ms)
{
    uint64_t hash = fb_str_hash(key, table->options.seed);

    table_lock(table);
    *memory_place(table, hash) =
        (struct fill_memory){.hash = hash, .until_ms = mono_ms + EDGE_FILL_MEMORY_MS};
    table_unlock(table);
}

/* Under the lock. */
static bool memory_has(struct edge_fill_table *table, struct fb_str key, int64_t mono_ms)
{
    uint64_t hash = fb_str_hash(key, table->options.seed);
    const struct fill_memory *memory = memory_place(table, hash);

    return memory->hash == hash && mono_ms < memory->until_ms;
}

/* ---- fills come and go ------------------------------------------------- */

/* Under the lock. */
static struct fill_drain *drain_find(struct edge_fill_table *table, const struct fb_loop *loop)
{
    FB_LIST_EACH(node, &table->drains) {
        struct fill_drain *drain = FB_CONTAINER_OF(node, struct fill_drain, link);
        if (drain->loop == loop) {
            return drain;
        }
    }
    return NULL;
}

/* Under the lock: a new fill of `key`, not begun, or why there is none. */
static int table_add(struct edge_fill_table *table, struct fb_loop *loop, struct fb_str key,
                     const struct edge_fill_ask *ask, struct edge_fill **ret_fill)
{
    if (drain_find(table, loop) != NULL) {
        return FB_E_CANCELED;
    }
    if (table->n_fills >= table->options.max_fills) {
        edge_fill_metric(table, FILL_BUSY, 1);
        return FB_E_BUSY;
    }
    struct edge_fill *fill = edge_fill_new(table, loop, key, ask);
    fb_list_append(&table->fills, &fill->link);
    table->n_fills++;
    fill->is_joinable = true;
    (void)fb_map_put(table->by_key, fill->key, fill); /* there was none */
    *ret_fill = fill;
    return FB_OK;
}

/* Under the lock. */
static bool table_has_loop(const struct edge_fill_table *table, const struct fb_loop *loop)
{
    FB_LIST_EACH(node, &table->fills) {
        if (FB_CONTAINER_OF(node, struct edge_fill, link)->loop == loop) {
            return true;
        }
    }
    return false;
}

void edge_fill_leave(struct edge_fill *fill)
{
    struct edge_fill_table *table = fill->table;
    struct fb_op *drained = NULL;

    table_lock(table);
    FB_REQUIRE(!fill->is_joinable && fb_list_empty(&fill->joiners));
    fb_list_remove(&fill->link);
    table->n_fills--;
    struct fill_drain *drain = drain_find(table, fill->loop);
    if (drain != NULL && !table_has_loop(table, fill->loop)) {
        drained = drain->op;
        drain->op = NULL;
    }
    table_unlock(table);
    if (drained != NULL) {
        fb_op_finish(drained, FB_OK);
    }
}

/* ---- joiners ----------------------------------------------------------- */

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
    edge_object_unref(join->object);
    join->object = NULL;
    join->was_validated = false;
    join->is_stand_in = false;
    join_again(join);
}

/* The answer has come home to the joiner's loop. */
static void join_arrive(struct edge_fill_join *join)
{
    bool has_object = join->answer == FB_OK && join->outcome == EDGE_FILL_OBJECT;

    if (has_object && !edge_object_suits(join->object, &join->ask.request->headers)) {
        join_mismatched(join);
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

    table_lock(join->table);
    bool was_waiting = join->phase == JOIN_WAITING;
    if (was_waiting) {
        fb_list_remove(&join->link);
    }
    table_unlock(join->table);
    join->is_canceled = true;
    if (was_waiting) {
        edge_fill_metric(join->table, FILL_READERS, -1);
        join_finish(join, FB_E_CANCELED);
    }
    /* Else the answer is on its way, and is what `done` will see. */
}

/* Under the lock, with no fill running: what an earlier one may have brought
 * since the caller looked. */
static struct edge_object *join_look_again(const struct edge_fill_join *join, int64_t now_ms)
{
    const struct edge_fill_ask *ask = &join->ask;
    struct edge_object *found =
        edge_store_find(join->table->options.store, ask->key, &ask->request->headers);

    if (found != NULL && (found == ask->stale ||
                          edge_terms_judge(&edge_object_head(found)->terms, now_ms) != EDGE_USE)) {
        edge_object_unref(found);
        return NULL;
    }
    return found;
}

static void join_start(struct edge_fill_join *join)
{
    struct edge_fill_table *table = join->table;
    struct fb_str key = join->own_key.len > 0 ? fb_buf_str(&join->own_key) : join->ask.key;
    int64_t now_ms = (int64_t)fb_clock_mono_ms(fb_loop_clock(join->op.loop));
    struct edge_object *object = NULL;
    struct edge_fill *begun = NULL;
    int err = FB_OK;

    table_lock(table);
    bool is_alone = memory_has(table, join->ask.key, now_ms);
    struct edge_fill *fill = is_alone ? NULL : fb_map_find(table->by_key, key);
    if (!is_alone && fill == NULL) {
        object = join_look_again(join, now_ms);
    }
    if (!is_alone && fill == NULL && object == NULL) {
        err = table_add(table, join->op.loop, key, &join->ask, &begun);
        fill = begun;
    }
    if (fill != NULL) {
        join->is_collapsed = begun == NULL;
        join->phase = JOIN_WAITING;
        fb_list_append(&fill->joiners, &join->link);
    }
    table_unlock(table);

    if (fill != NULL) {
        edge_fill_metric(table, FILL_READERS, 1);
    } else if (object != NULL) {
        join->is_collapsed = true;
        join_finish_with(join, object);
    } else {
        join->outcome = EDGE_FILL_ALONE;
        join_finish(join, err);
    }
    if (begun != NULL) {
        edge_fill_begin(begun);
    }
}

void edge_fill_join(struct edge_fill_table *table, struct edge_fill_join *join)
{
    fb_op_begin(&join->op, join_cancel);
    join->object = NULL;
    join->pass = NULL;
    join->is_collapsed = false;
    join->was_validated = false;
    join->is_stand_in = false;
    join->upstream_status = 0;
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

/* Writes the outputs of a joiner that is posted. `*pass` answers the request that
 * was sent, and so goes to the joiner that began the fill, or to nobody. */
static void answer_one(const struct fill_answer *answer, struct edge_fill_join *join,
                       struct edge_pass **pass)
{
    join->answer = answer->result;
    join->outcome = answer->outcome;
    join->upstream_status = answer->status;
    join->was_validated = answer->was_validated;
    join->is_stand_in = answer->is_stand_in;
    if (answer->result < 0) {
        return;
    }
    if (answer->outcome == EDGE_FILL_OBJECT) {
        join->object = edge_object_ref(answer->object);
    } else if (!join->is_collapsed) {
        join->pass = *pass;
        *pass = NULL;
    } else {
        join->outcome = EDGE_FILL_ALONE;
        join->answer = answer->rest;
        join->joins_again = answer->is_personal;
    }
}

void edge_fill_answer(struct edge_fill *fill, const struct fill_answer *answer)
{
    struct edge_fill_table *table = fill->table;
    struct edge_pass *pass = answer->pass;
    struct fb_list joiners;
    struct fb_list *node = NULL;

    fb_list_init(&joiners);
    table_lock(table);
    if (fill->is_joinable) {
        (void)fb_map_remove(table->by_key, fill->key); /* it is there */
        fill->is_joinable = false;
    }
    fb_list_splice(&joiners, &fill->joiners);
    FB_LIST_EACH(at, &joiners) {
        FB_CONTAINER_OF(at, struct edge_fill_join, link)->phase = JOIN_POSTED;
    }
    table_unlock(table);

    while ((node = fb_list_pop(&joiners)) != NULL) {
        struct edge_fill_join *join = FB_CONTAINER_OF(node, struct edge_fill_join, link);
        edge_fill_metric(table, FILL_READERS, -1);
        answer_one(answer, join, &pass);
        if (join->op.loop == fill->loop) {
            join_arrive(join);
        } else {
            fb_loop_post(join->op.loop, &join->post);
        }
    }
    edge_pass_free(pass);
}

/* ---- the table --------------------------------------------------------- */

void edge_fill_refresh(struct edge_fill_table *table, struct fb_loop *loop,
                       const struct edge_fill_ask *ask)
{
    struct edge_fill *fill = NULL;
    int64_t now_ms = (int64_t)fb_clock_mono_ms(fb_loop_clock(loop));

    table_lock(table);
    if (!memory_has(table, ask->key, now_ms) && fb_map_find(table->by_key, ask->key) == NULL) {
        (void)table_add(table, loop, ask->key, ask, &fill); /* the stale one serves on */
    }
    table_unlock(table);
    if (fill != NULL) {
        edge_fill_begin(fill);
    }
}

/* Some fill of `loop` that was not yet told to end. */
static struct edge_fill *table_find_running(struct edge_fill_table *table,
                                            const struct fb_loop *loop)
{
    struct edge_fill *found = NULL;

    table_lock(table);
    FB_LIST_EACH(node, &table->fills) {
        struct edge_fill *fill = FB_CONTAINER_OF(node, struct edge_fill, link);
        if (fill->loop == loop && !fill->is_canceled) {
            found = fill;
            break;
        }
    }
    table_unlock(table);
    return found;
}

void edge_fill_drain(struct edge_fill_table *table, struct fb_loop *loop, struct fb_op *op)
{
    struct fill_drain *drain = FB_NEW(struct fill_drain);
    struct edge_fill *fill = NULL;

    fb_op_begin(op, NULL);
    drain->loop = loop;
    table_lock(table);
    FB_REQUIRE(drain_find(table, loop) == NULL);
    bool is_idle = !table_has_loop(table, loop);
    drain->op = is_idle ? NULL : op;
    fb_list_init(&drain->link);
    fb_list_append(&table->drains, &drain->link);
    table_unlock(table);
    if (is_idle) {
        fb_op_finish(op, FB_OK);
    }
    while ((fill = table_find_running(table, loop)) != NULL) {
        edge_fill_cancel(fill);
    }
}

unsigned edge_fill_count(struct edge_fill_table *table)
{
    table_lock(table);
    unsigned n = table->n_fills;
    table_unlock(table);
    return n;
}

struct edge_fill_table *edge_fill_table_new(const struct edge_fill_options *options)
{
    struct edge_fill_table *table = FB_NEW(struct edge_fill_table);

    table->options = *options;
    if (table->options.max_fills == 0) {
        table->options.max_fills = FILL_DEFAULT_MAX;
    }
    table->by_key = fb_map_new(options->seed);
    fb_list_init(&table->fills);
    fb_list_init(&table->drains);
    (void)pthread_mutex_init(&table->lock, NULL);
    if (options->metrics != NULL) {
        table->metrics =
            fb_metrics_table_new(options->metrics, fill_rows, FB_ARRAY_LEN(fill_rows), NULL);
    }
    return table;
}

void edge_fill_table_free(struct edge_fill_table *table)
{
    struct fb_list *node = NULL;

    if (table == NULL) {
        return;
    }
    FB_REQUIRE(table->n_fills == 0);
    while ((node = fb_list_pop(&table->drains)) != NULL) {
        fb_free(FB_CONTAINER_OF(node, struct fill_drain, link));
    }
    fb_map_free(table->by_key);
    (void)pthread_mutex_destroy(&table->lock);
    fb_free(table);
}
