/*
 * What the two halves of edge/upstream share: the list with its health
 * (upstream.c) and the fetches that go through it (uplink.c).
 */
#pragma once

#include "base/http/url.h"
#include "edge/upstream/upstream.h"

#include <stdatomic.h>

struct fb_metrics_table;

enum upstream_metric {
    UPSTREAM_REQUESTS,
    UPSTREAM_FAILURES,
    UPSTREAM_EJECTIONS,
    UPSTREAM_BYTES,
    UPSTREAM_UP,
    UPSTREAM_N_METRICS
};

struct upstream_server {
    char *text;        /* owned: as configured */
    struct fb_url url; /* views into text */
    struct fb_metrics_table *metrics;

    atomic_uint failures;         /* in a row */
    atomic_uint period_ms;        /* of the last ejection */
    atomic_uint_least64_t due_ms; /* 0: in service; else when it may be probed */
};

struct edge_upstreams {
    struct edge_upstreams_options options; /* with defaults; without the borrowed */
    const struct fb_clock *clock;
    struct fb_metrics *metrics;
    char *node; /* owned */
    size_t n;
    struct upstream_server servers[EDGE_UPSTREAMS_MAX];
};

/* How a server may be used just now. */
enum upstream_chance {
    UPSTREAM_READY, /* in service */
    UPSTREAM_PROBE, /* its period is over, and this caller is the one to try */
    UPSTREAM_EJECTED
};

enum upstream_chance edge_upstreams_chance(struct edge_upstreams *upstreams, size_t index);

/* How a try went. An answer brings a server back into service; only a body that
 * comes whole ends the count of failures in a row. */
void edge_upstreams_answered(struct edge_upstreams *upstreams, size_t index);
void edge_upstreams_failed(struct edge_upstreams *upstreams, size_t index, bool is_probe);

/* `n` bytes of content came. */
void edge_upstreams_received(struct edge_upstreams *upstreams, size_t index, size_t n);

/* A body that this server had begun came whole. */
void edge_upstreams_ended(struct edge_upstreams *upstreams, size_t index);

/* A body that this server had begun broke. */
void edge_upstreams_broke(struct edge_upstreams *upstreams, size_t index);
