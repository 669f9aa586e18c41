#include "base/metrics/metrics.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/list.h"
#include "base/metrics/metrics_internal.h"

#include <pthread.h>
#include <string.h>

static const uint64_t bucket_bounds_ns[FB_METRICS_BUCKETS - 1] = {
    500000U,     1000000U,     2500000U,     5000000U,     10000000U,   25000000U,
    50000000U,   100000000U,   250000000U,   500000000U,   1000000000U, 2500000000U,
    5000000000U, 10000000000U, 30000000000U, 60000000000U,
};

struct fb_metrics *fb_metrics_new(void)
{
    struct fb_metrics *metrics = FB_NEW(struct fb_metrics);

    pthread_mutex_init(&metrics->lock, NULL);
    fb_list_init(&metrics->tables);
    fb_list_init(&metrics->hooks);
    return metrics;
}

void fb_metrics_free(struct fb_metrics *metrics)
{
    struct fb_list *node = NULL;

    if (metrics == NULL) {
        return;
    }
    while ((node = fb_list_pop(&metrics->tables)) != NULL) {
        struct fb_metrics_table *table = FB_CONTAINER_OF(node, struct fb_metrics_table, link);
        fb_free(table->label);
        fb_free(table->cells);
        fb_free(table->first);
        fb_free(table);
    }
    while ((node = fb_list_pop(&metrics->hooks)) != NULL) {
        fb_free(FB_CONTAINER_OF(node, struct fb_metrics_hook, link));
    }
    pthread_mutex_destroy(&metrics->lock);
    fb_free(metrics);
}

struct fb_metrics_table *fb_metrics_table_new(struct fb_metrics *metrics,
                                              const struct fb_metric *rows, size_t n,
                                              const char *label)
{
    struct fb_metrics_table *table = FB_NEW(struct fb_metrics_table);
    size_t n_cells = 0;

    table->rows = rows;
    table->n = n;
    table->label = label != NULL && label[0] != '\0' ? fb_str_dup(fb_str_from(label)) : NULL;
    table->first = fb_alloc_array(n, sizeof(*table->first));
    for (size_t i = 0; i < n; i++) {
        table->first[i] = n_cells;
        n_cells += rows[i].kind == FB_METRIC_HISTOGRAM ? FB_METRICS_BUCKETS + 1 : 1;
    }
    table->cells = fb_alloc_apart(n_cells * sizeof(*table->cells)); /* from another loop's */
    fb_list_init(&table->link);

    pthread_mutex_lock(&metrics->lock);
    fb_list_append(&metrics->tables, &table->link);
    pthread_mutex_unlock(&metrics->lock);
    return table;
}

void fb_metrics_label(struct fb_buf *label, const char *name, struct fb_str value)
{
    fb_buf_printf(label, "%s%s=\"", label->len > 0 ? "," : "", name);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\\' || c == '"') {
            fb_buf_append_byte(label, '\\');
        }
        if (c == '\n') {
            fb_buf_append(label, FB_STR("\\n"));
        } else {
            fb_buf_append_byte(label, c);
        }
    }
    fb_buf_append_byte(label, '"');
}

/* ---- counting ----------------------------------------------------------------- */

static atomic_uint_fast64_t *table_cell(const struct fb_metrics_table *table, size_t row)
{
    FB_REQUIRE(row < table->n);
    return &table->cells[table->first[row]];
}

void fb_metrics_add(struct fb_metrics_table *table, size_t row, uint64_t n)
{
    atomic_fetch_add_explicit(table_cell(table, row), n, memory_order_relaxed);
}

void fb_metrics_sub(struct fb_metrics_table *table, size_t row, uint64_t n)
{
    atomic_fetch_sub_explicit(table_cell(table, row), n, memory_order_relaxed);
}

void fb_metrics_set(struct fb_metrics_table *table, size_t row, uint64_t value)
{
    atomic_store_explicit(table_cell(table, row), value, memory_order_relaxed);
}

void fb_metrics_observe_ns(struct fb_metrics_table *table, size_t row, uint64_t ns)
{
    atomic_uint_fast64_t *cell = table_cell(table, row);
    size_t bucket = 0;

    FB_REQUIRE(table->rows[row].kind == FB_METRIC_HISTOGRAM);
    while (bucket < FB_METRICS_BUCKETS - 1 && ns > bucket_bounds_ns[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&cell[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&cell[FB_METRICS_BUCKETS], ns, memory_order_relaxed);
}

uint64_t fb_metrics_get(const struct fb_metrics_table *table, size_t row)
{
    return atomic_load_explicit(table_cell(table, row), memory_order_relaxed);
}

uint64_t fb_metrics_sum(struct fb_metrics *metrics, const char *name)
{
    uint64_t sum = 0;

    pthread_mutex_lock(&metrics->lock);
    FB_LIST_EACH(node, &metrics->tables) {
        const struct fb_metrics_table *table = FB_CONTAINER_OF(node, struct fb_metrics_table, link);
        for (size_t i = 0; i < table->n; i++) {
            if (strcmp(table->rows[i].name, name) == 0) {
                sum += fb_metrics_get(table, i);
            }
        }
    }
    pthread_mutex_unlock(&metrics->lock);
    return sum;
}

void fb_metrics_on_render(struct fb_metrics *metrics, void (*refresh)(void *ctx), void *ctx)
{
    struct fb_metrics_hook *hook = FB_NEW(struct fb_metrics_hook);

    hook->refresh = refresh;
    hook->ctx = ctx;
    fb_list_init(&hook->link);
    pthread_mutex_lock(&metrics->lock);
    fb_list_append(&metrics->hooks, &hook->link);
    pthread_mutex_unlock(&metrics->lock);
}

const uint64_t *fb_metrics_bounds_ns(void)
{
    return bucket_bounds_ns;
}
