#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "base/metrics/metrics.h"
#include "edge/fill/fill.h"
#include "edge/fill/fill_internal.h"
#include "edge/fresh/key.h"

enum { FILL_DEFAULT_MAX = 1024 };

static const struct fb_metric fill_rows[FILL_N_METRICS] = {
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
    [FILL_PARTS] = {"edge_fill_parts_total", FB_METRIC_COUNTER, NULL,
                    "Upstream fetches of chunks that readers of a kept object lacked."},
    [FILL_RESUMED] = {"edge_fill_resumed_total", FB_METRIC_COUNTER, NULL,
                      "Bodies that broke off and went on where they had broken."},
    [FILL_PROVEN] = {"edge_fill_proven_total", FB_METRIC_COUNTER, NULL,
                     "Bodies that are what their digest says."},
    [FILL_CORRUPT] = {"edge_fill_corrupt_total", FB_METRIC_COUNTER, NULL,
                      "Bodies that are not what their digest says; none of them was kept."},
    [FILL_ABANDONED] = {"edge_fill_abandoned_total", FB_METRIC_COUNTER, NULL,
                        "Upstream fetches canceled because all their clients had left."},
    [FILL_CHANGED] = {"edge_fill_changed_total", FB_METRIC_COUNTER, NULL,
                      "Objects that changed upstream before they were here whole."},
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

void edge_fill_lock(struct edge_fill_table *table)
{
    (void)pthread_mutex_lock(&table->lock);
}

void edge_fill_unlock(struct edge_fill_table *table)
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

void edge_fill_remember(struct edge_fill *fill, int64_t ms)
{
    struct edge_fill_table *table = fill->table;
    uint64_t hash = fb_str_hash(fill->ask.key, table->options.seed);

    edge_fill_lock(table);
    *memory_place(table, hash) =
        (struct fill_memory){.hash = hash, .until_ms = edge_fill_now_ms(fill) + ms};
    edge_fill_unlock(table);
}

bool edge_fill_is_remembered(struct edge_fill_table *table, struct fb_str key, int64_t mono_ms)
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

/* Under the lock. */
static int table_claim_slot(struct edge_fill_table *table)
{
    if (table->n_slots >= table->options.max_fills) {
        edge_fill_metric(table, FILL_BUSY, 1);
        return FB_E_BUSY;
    }
    table->n_slots++;
    return FB_OK;
}

static void table_link(struct edge_fill_table *table, struct edge_fill *fill)
{
    fb_list_append(&table->fills, &fill->link);
    table->n_fills++;
}

int edge_fill_add(struct edge_fill_table *table, struct fb_loop *loop, struct fb_str key,
                  const struct edge_fill_ask *ask, bool is_limited, struct edge_fill **ret_fill)
{
    if (drain_find(table, loop) != NULL) {
        return FB_E_CANCELED;
    }
    int err = is_limited ? table_claim_slot(table) : FB_OK;
    if (err < 0) {
        return err;
    }
    struct edge_fill *fill = edge_fill_new(table, loop, key, ask);
    fill->has_slot = is_limited;
    table_link(table, fill);
    fill->is_joinable = true;
    (void)fb_map_put(table->by_key, fill->key, fill); /* there was none */
    *ret_fill = fill;
    return FB_OK;
}

int edge_fill_add_unkeyed(struct edge_fill_table *table, struct fb_loop *loop,
                          const struct edge_fill_ask *ask, struct edge_fill **ret_fill)
{
    int err = FB_E_CANCELED;

    edge_fill_lock(table);
    if (drain_find(table, loop) == NULL) {
        *ret_fill = edge_fill_new(table, loop, FB_STR_NONE, ask);
        table_link(table, *ret_fill);
        err = FB_OK;
    }
    edge_fill_unlock(table);
    return err;
}

void edge_fill_unlist(struct edge_fill *fill)
{
    if (fill->is_joinable) {
        (void)fb_map_remove(fill->table->by_key, fill->key); /* it is there */
        fill->is_joinable = false;
    }
}

int edge_fill_take_slot(struct edge_fill *fill)
{
    struct edge_fill_table *table = fill->table;
    int err = FB_OK;

    edge_fill_lock(table);
    if (!fill->has_slot) {
        err = table_claim_slot(table);
        fill->has_slot = err == FB_OK;
    }
    edge_fill_unlock(table);
    return err;
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

    edge_fill_lock(table);
    FB_REQUIRE(!fill->is_joinable && fb_list_empty(&fill->joiners));
    fb_list_remove(&fill->link);
    table->n_fills--;
    table->n_slots -= fill->has_slot ? 1 : 0;
    struct fill_drain *drain = drain_find(table, fill->loop);
    if (drain != NULL && !table_has_loop(table, fill->loop)) {
        drained = drain->op;
        drain->op = NULL;
    }
    edge_fill_unlock(table);
    if (drained != NULL) {
        fb_op_finish(drained, FB_OK);
    }
}

/* ---- the table --------------------------------------------------------- */

void edge_fill_outdate(struct edge_fill_table *table, struct fb_str key)
{
    edge_fill_lock(table);
    FB_LIST_EACH(node, &table->fills) {
        struct edge_fill *fill = FB_CONTAINER_OF(node, struct edge_fill, link);
        if (fb_str_equal(fill->ask.key, key)) {
            atomic_store(&fill->is_outdated, true);
            edge_fill_unlist(fill);
        }
    }
    edge_fill_unlock(table);
}

void edge_fill_refresh(struct edge_fill_table *table, struct fb_loop *loop,
                       const struct edge_fill_ask *ask)
{
    struct edge_fill *fill = NULL;
    int64_t now_ms = (int64_t)fb_clock_mono_ms(fb_loop_clock(loop));

    edge_fill_lock(table);
    if (!edge_fill_is_remembered(table, ask->key, now_ms) &&
        fb_map_find(table->by_key, ask->key) == NULL) {
        /* Else the stale one serves on. */
        if (edge_fill_add(table, loop, ask->key, ask, true, &fill) < 0) {
            fill = NULL;
        }
    }
    edge_fill_unlock(table);
    if (fill != NULL) {
        fill->is_own = true;
        edge_fill_begin(fill, false);
    }
}

/* Some fill of `loop` that was not yet told to end. */
static struct edge_fill *table_find_running(struct edge_fill_table *table,
                                            const struct fb_loop *loop)
{
    struct edge_fill *found = NULL;

    edge_fill_lock(table);
    FB_LIST_EACH(node, &table->fills) {
        struct edge_fill *fill = FB_CONTAINER_OF(node, struct edge_fill, link);
        if (fill->loop == loop && !fill->is_canceled) {
            found = fill;
            break;
        }
    }
    edge_fill_unlock(table);
    return found;
}

void edge_fill_drain(struct edge_fill_table *table, struct fb_loop *loop, struct fb_op *op)
{
    struct fill_drain *drain = FB_NEW(struct fill_drain);
    struct edge_fill *fill = NULL;

    fb_op_begin(op, NULL);
    drain->loop = loop;
    edge_fill_lock(table);
    FB_REQUIRE(drain_find(table, loop) == NULL);
    bool is_idle = !table_has_loop(table, loop);
    drain->op = is_idle ? NULL : op;
    fb_list_init(&drain->link);
    fb_list_append(&table->drains, &drain->link);
    edge_fill_unlock(table);
    if (is_idle) {
        fb_op_finish(op, FB_OK);
    }
    while ((fill = table_find_running(table, loop)) != NULL) {
        edge_fill_cancel(fill);
    }
}

uint32_t edge_fill_patience_ms(const struct edge_fill_table *table, struct fb_str key)
{
    if (!edge_key_is_blocking(key)) {
        return 0;
    }
    return table->options.blocking_ms != 0 ? table->options.blocking_ms : EDGE_FILL_BLOCKING_MS;
}

unsigned edge_fill_count(struct edge_fill_table *table)
{
    edge_fill_lock(table);
    unsigned n = table->n_fills;
    edge_fill_unlock(table);
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
