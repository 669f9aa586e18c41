#include "base/core/alloc.h"
#include "base/metrics/metrics_internal.h"

#include <stdlib.h>
#include <string.h>

/* One row of one table. Rows of the same name and labels are one series. */
struct render_row {
    const struct fb_metric *metric;
    char *labels; /* owned: the row's and the table's */
    const atomic_uint_fast64_t *cells;
};

static int render_compare(const void *left, const void *right)
{
    const struct render_row *a = left;
    const struct render_row *b = right;

    int order = strcmp(a->metric->name, b->metric->name);
    return order != 0 ? order : strcmp(a->labels, b->labels);
}

static char *render_labels(const char *row, const char *table)
{
    FB_AUTO(fb_buf_done) struct fb_buf labels = {0};

    fb_buf_printf(&labels, "%s%s%s", row != NULL ? row : "",
                  row != NULL && table != NULL ? "," : "", table != NULL ? table : "");
    return fb_str_dup(fb_buf_str(&labels));
}

/* All rows in the order of their output. */
static struct render_row *render_collect(struct fb_metrics *metrics, size_t *ret_n)
{
    size_t n = 0;

    pthread_mutex_lock(&metrics->lock);
    FB_LIST_EACH(node, &metrics->tables) {
        n += FB_CONTAINER_OF(node, struct fb_metrics_table, link)->n;
    }
    struct render_row *rows = fb_alloc_array(n, sizeof(*rows));
    n = 0;
    FB_LIST_EACH(node, &metrics->tables) {
        const struct fb_metrics_table *table = FB_CONTAINER_OF(node, struct fb_metrics_table, link);
        for (size_t i = 0; i < table->n; i++) {
            rows[n++] = (struct render_row){
                .metric = &table->rows[i],
                .labels = render_labels(table->rows[i].label, table->label),
                .cells = &table->cells[table->first[i]],
            };
        }
    }
    pthread_mutex_unlock(&metrics->lock);
    qsort(rows, n, sizeof(*rows), render_compare);
    *ret_n = n;
    return rows;
}

static void render_head(struct fb_buf *buf, const struct fb_metric *metric)
{
    static const char *const kinds[] = {
        [FB_METRIC_COUNTER] = "counter",
        [FB_METRIC_GAUGE] = "gauge",
        [FB_METRIC_HISTOGRAM] = "histogram",
    };

    fb_buf_printf(buf, "# HELP %s ", metric->name);
    for (const char *c = metric->help; *c != '\0'; c++) {
        if (*c == '\n') {
            fb_buf_append(buf, FB_STR("\\n"));
        } else {
            fb_buf_append(buf, *c == '\\' ? FB_STR("\\\\") : (struct fb_str){c, 1});
        }
    }
    fb_buf_printf(buf, "\n# TYPE %s %s\n", metric->name, kinds[metric->kind]);
}

/* The sum of cell `cell` over the `n` rows of a series. */
static uint64_t render_sum(const struct render_row *rows, size_t n, size_t cell)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += atomic_load_explicit(&rows[i].cells[cell], memory_order_relaxed);
    }
    return sum;
}

static void render_value(struct fb_buf *buf, const struct render_row *rows, size_t n)
{
    const char *labels = rows->labels;
    uint64_t sum = render_sum(rows, n, 0);

    fb_buf_printf(buf, labels[0] != '\0' ? "%s{%s} " : "%s%s ", rows->metric->name, labels);
    if (rows->metric->kind == FB_METRIC_GAUGE) {
        /* One shard may have counted down what another counted up. */
        fb_buf_printf(buf, "%lld\n", (long long)sum);
    } else {
        fb_buf_printf(buf, "%llu\n", (unsigned long long)sum);
    }
}

static void render_histogram(struct fb_buf *buf, const struct render_row *rows, size_t n)
{
    const char *name = rows->metric->name;
    const char *labels = rows->labels;
    const char *comma = labels[0] != '\0' ? "," : "";
    const uint64_t *bounds_ns = fb_metrics_bounds_ns();
    uint64_t count = 0;

    for (size_t bucket = 0; bucket < FB_METRICS_BUCKETS; bucket++) {
        count += render_sum(rows, n, bucket);
        fb_buf_printf(buf, "%s_bucket{%s%sle=\"", name, labels, comma);
        if (bucket < FB_METRICS_BUCKETS - 1) {
            double bound_ns = (double)bounds_ns[bucket];
            fb_buf_printf(buf, "%g", bound_ns / 1e9);
        } else {
            fb_buf_append(buf, FB_STR("+Inf"));
        }
        fb_buf_printf(buf, "\"} %llu\n", (unsigned long long)count);
    }
    uint64_t ns = render_sum(rows, n, FB_METRICS_BUCKETS);
    const char *open = labels[0] != '\0' ? "{" : "";
    const char *close = labels[0] != '\0' ? "}" : "";
    fb_buf_printf(buf, "%s_sum%s%s%s %llu.%09llu\n", name, open, labels, close,
                  (unsigned long long)(ns / 1000000000U), (unsigned long long)(ns % 1000000000U));
    fb_buf_printf(buf, "%s_count%s%s%s %llu\n", name, open, labels, close,
                  (unsigned long long)count);
}

/* Hooks are only ever appended, so each may run without the lock, which it may
 * want for itself. */
static void render_refresh(struct fb_metrics *metrics)
{
    pthread_mutex_lock(&metrics->lock);
    struct fb_list *node = metrics->hooks.next;
    while (node != &metrics->hooks) {
        const struct fb_metrics_hook *hook = FB_CONTAINER_OF(node, struct fb_metrics_hook, link);
        pthread_mutex_unlock(&metrics->lock);
        hook->refresh(hook->ctx);
        pthread_mutex_lock(&metrics->lock);
        node = node->next;
    }
    pthread_mutex_unlock(&metrics->lock);
}

void fb_metrics_render(struct fb_metrics *metrics, struct fb_buf *buf)
{
    size_t n = 0;

    render_refresh(metrics);
    struct render_row *rows = render_collect(metrics, &n);
    for (size_t i = 0; i < n;) {
        if (i == 0 || strcmp(rows[i].metric->name, rows[i - 1].metric->name) != 0) {
            render_head(buf, rows[i].metric);
        }
        size_t same = 1;
        while (i + same < n && render_compare(&rows[i], &rows[i + same]) == 0) {
            same++;
        }
        if (rows[i].metric->kind == FB_METRIC_HISTOGRAM) {
            render_histogram(buf, &rows[i], same);
        } else {
            render_value(buf, &rows[i], same);
        }
        i += same;
    }
    for (size_t i = 0; i < n; i++) {
        fb_free(rows[i].labels);
    }
    fb_free(rows);
}
