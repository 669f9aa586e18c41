#include "base/client/client.h"

#include "base/client/client_internal.h"
#include "base/core/alloc.h"
#include "base/core/check.h"

static const struct fb_metric client_rows[CLIENT_N_METRICS] = {
    [CLIENT_REQUESTS] = {"fb_client_requests_total", FB_METRIC_COUNTER, NULL, "Fetches begun."},
    [CLIENT_OPENED] = {"fb_client_connections_opened_total", FB_METRIC_COUNTER, NULL,
                       "Connections to upstreams begun."},
    [CLIENT_REUSED] = {"fb_client_connections_reused_total", FB_METRIC_COUNTER, NULL,
                       "Fetches sent on a kept connection."},
    [CLIENT_SHARED] = {"fb_client_http2_requests_total", FB_METRIC_COUNTER, NULL,
                       "Fetches sent as streams of HTTP/2."},
    [CLIENT_RETRIED] = {"fb_client_retries_total", FB_METRIC_COUNTER, NULL,
                        "Fetches sent again because a kept connection was gone."},
    [CLIENT_WAITED] = {"fb_client_queue_waits_total", FB_METRIC_COUNTER, NULL,
                       "Fetches that waited because all connections were busy."},
    [CLIENT_CONNECTIONS] = {"fb_client_connections", FB_METRIC_GAUGE, NULL,
                            "Connections to upstreams now, idle ones included."},
    [CLIENT_TLS_FULL] = {"fb_client_tls_handshakes_total", FB_METRIC_COUNTER, "kind=\"full\"",
                         "Handshakes with upstreams that were completed."},
    [CLIENT_TLS_RESUMED] = {"fb_client_tls_handshakes_total", FB_METRIC_COUNTER, "kind=\"resumed\"",
                            "Handshakes with upstreams that were completed."},
    [CLIENT_FAILED_CONNECT] = {"fb_client_failures_total", FB_METRIC_COUNTER, "cause=\"connect\"",
                               "Fetches and contents that broke."},
    [CLIENT_FAILED_TIMEOUT] = {"fb_client_failures_total", FB_METRIC_COUNTER, "cause=\"timeout\"",
                               "Fetches and contents that broke."},
    [CLIENT_FAILED_CLOSED] = {"fb_client_failures_total", FB_METRIC_COUNTER, "cause=\"closed\"",
                              "Fetches and contents that broke."},
    [CLIENT_FAILED_MALFORMED] = {"fb_client_failures_total", FB_METRIC_COUNTER,
                                 "cause=\"malformed\"", "Fetches and contents that broke."},
    [CLIENT_FAILED_LIMIT] = {"fb_client_failures_total", FB_METRIC_COUNTER, "cause=\"limit\"",
                             "Fetches and contents that broke."},
    [CLIENT_FAILED_OTHER] = {"fb_client_failures_total", FB_METRIC_COUNTER, "cause=\"other\"",
                             "Fetches and contents that broke."},
};

void fb_client_count(struct fb_client *client, enum client_metric row)
{
    if (client->metrics != NULL) {
        fb_metrics_add(client->metrics, row, 1);
    }
}

static void preset(uint32_t *value, uint32_t standard)
{
    if (*value == 0) {
        *value = standard;
    }
}

struct fb_client *fb_client_new(struct fb_loop *loop, const struct fb_client_limits *limits,
                                struct fb_metrics *metrics)
{
    static const struct fb_client_limits presets = {
        .max_connections = 256,
        .max_idle = 64,
        .idle_timeout_ms = 20000,
        .max_head_bytes = 64 * 1024,
        .max_streams = 100,
        .min_window = 1024 * 1024,
        .max_window = 4 * 1024 * 1024,
    };
    struct fb_client *client = FB_NEW(struct fb_client);

    client->loop = loop;
    client->limits = limits != NULL ? *limits : presets;
    preset(&client->limits.max_connections, presets.max_connections);
    preset(&client->limits.max_idle, presets.max_idle);
    preset(&client->limits.idle_timeout_ms, presets.idle_timeout_ms);
    preset(&client->limits.max_head_bytes, presets.max_head_bytes);
    preset(&client->limits.max_streams, presets.max_streams);
    preset(&client->limits.min_window, presets.min_window);
    preset(&client->limits.max_window, FB_MAX(presets.max_window, client->limits.min_window));
    if (metrics != NULL) {
        client->metrics = fb_metrics_table_new(metrics, client_rows, CLIENT_N_METRICS, NULL);
    }
    client->upstreams = fb_map_new(0); /* its keys come from the configuration */
    return client;
}

void fb_client_try_free(struct fb_client *client)
{
    if (!client->is_closed || client->n_conns > 0) {
        return;
    }
    size_t cursor = 0;
    struct fb_str key;
    void *upstream = NULL;
    while (fb_map_next(client->upstreams, &cursor, &key, &upstream)) {
        fb_client_upstream_free(upstream);
    }
    fb_map_free(client->upstreams);
    fb_free(client);
}

static void upstream_close(struct client_upstream *upstream)
{
    FB_LIST_EACH(node, &upstream->conns) {
        fb_client_conn_close(FB_CONTAINER_OF(node, struct client_conn, link));
    }
    fb_client_h2_close_all(upstream);
}

void fb_client_close(struct fb_client *client)
{
    if (client == NULL) {
        return;
    }
    FB_REQUIRE(client->n_requests == 0);
    client->is_closed = true;
    client->n_conns++; /* keeps the client until all are visited */
    size_t cursor = 0;
    struct fb_str key;
    void *upstream = NULL;
    while (fb_map_next(client->upstreams, &cursor, &key, &upstream)) {
        upstream_close(upstream);
    }
    client->n_conns--;
    fb_client_try_free(client);
}
