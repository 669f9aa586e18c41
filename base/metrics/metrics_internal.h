/*
 * What counting and rendering share.
 */
#pragma once

#include "base/core/list.h"
#include "base/metrics/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

/* With the last, which has no upper bound. */
enum { FB_METRICS_BUCKETS = 17 };

struct fb_metrics_table {
    struct fb_list link;
    const struct fb_metric *rows; /* borrowed for ever */
    size_t n;
    char *label;                 /* owned, or NULL */
    size_t *first;               /* owned: of each row, its first cell */
    atomic_uint_fast64_t *cells; /* owned: one per row; a histogram's buckets, then its sum in ns */
};

struct fb_metrics_hook {
    struct fb_list link;
    void (*refresh)(void *ctx);
    void *ctx;
};

struct fb_metrics {
    pthread_mutex_t lock;  /* of the lists */
    struct fb_list tables; /* of struct fb_metrics_table, owned; they never go */
    struct fb_list hooks;  /* of struct fb_metrics_hook, owned; they never go */
};

/* The upper bounds of all buckets but the last. */
const uint64_t *fb_metrics_bounds_ns(void);
