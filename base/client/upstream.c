#include "base/client/client_internal.h"
#include "base/core/alloc.h"
#include "base/core/check.h"

/* Connections are shared by those alone who ask the same of TLS. */
struct client_upstream *fb_client_upstream_get(struct fb_client *client,
                                               const struct fb_fetch *fetch)
{
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};
    struct fb_str host = fetch->url.host;
    struct fb_str tls_name = fetch->tls_name.ptr != NULL ? fetch->tls_name : host;

    fb_buf_printf(&key, "%u %d ", (unsigned)fetch->url.port, (int)fetch->protocol);
    fb_buf_append(&key, host);
    if (fetch->tls != NULL) {
        fb_buf_printf(&key, " %p ", (void *)fetch->tls);
        fb_buf_append(&key, tls_name);
    }
    struct client_upstream *upstream = fb_map_find(client->upstreams, fb_buf_str(&key));
    if (upstream == NULL) {
        upstream = FB_NEW(struct client_upstream);
        upstream->client = client;
        fb_buf_append(&upstream->host, host);
        upstream->port = fetch->url.port;
        upstream->tls = fetch->tls;
        upstream->protocol = fetch->protocol;
        upstream->is_alone = fetch->protocol == FB_CLIENT_HTTP1 ||
                             (fetch->protocol == FB_CLIENT_AUTO && fetch->tls == NULL);
        fb_buf_append(&upstream->tls_name, tls_name);
        fb_list_init(&upstream->conns);
        fb_list_init(&upstream->idle);
        fb_list_init(&upstream->shared);
        fb_list_init(&upstream->queue);
        (void)fb_map_put(client->upstreams, fb_buf_str(&key), upstream);
    }
    return upstream;
}

void fb_client_upstream_free(struct client_upstream *upstream)
{
    FB_REQUIRE(fb_list_empty(&upstream->conns) && fb_list_empty(&upstream->shared) &&
               fb_list_empty(&upstream->queue));
    fb_buf_done(&upstream->host);
    fb_buf_done(&upstream->tls_name);
    fb_free(upstream);
}

bool fb_client_upstream_awaits(const struct client_upstream *upstream)
{
    return !upstream->is_alone && upstream->n_opening > 0;
}

/* The most recently used one is the least likely to have been closed by its peer. */
static bool upstream_reuse(struct client_upstream *upstream, struct client_request *request)
{
    while (!request->needs_new && !fb_list_empty(&upstream->idle)) {
        struct client_conn *conn =
            FB_CONTAINER_OF(upstream->idle.next, struct client_conn, idle_link);
        fb_list_remove(&request->link);
        if (fb_client_conn_reuse(conn, request)) {
            return true;
        }
        fb_list_prepend(&upstream->queue, &request->link);
    }
    return false;
}

/* Gives a connection to the first in the queue; false if there is none. */
static bool upstream_serve_one(struct client_upstream *upstream)
{
    struct fb_list *node = fb_list_first(&upstream->queue);
    if (node == NULL) {
        return false;
    }
    struct client_request *request = FB_CONTAINER_OF(node, struct client_request, link);
    if (fb_client_h2_join(upstream, request) || upstream_reuse(upstream, request)) {
        return true;
    }
    if (fb_client_upstream_awaits(upstream)) {
        return false; /* it may have room for all */
    }
    if (upstream->n_open >= upstream->client->limits.max_connections &&
        !fb_list_empty(&upstream->idle)) {
        /* It needs a new one, and all are kept ones: the oldest makes room. */
        fb_client_conn_close(FB_CONTAINER_OF(upstream->idle.prev, struct client_conn, idle_link));
    }
    if (upstream->n_open >= upstream->client->limits.max_connections) {
        return false;
    }
    fb_list_remove(&request->link);
    fb_client_conn_open(upstream, request);
    return true;
}

void fb_client_upstream_serve(struct client_upstream *upstream)
{
    if (upstream->is_serving) {
        return; /* the call further out goes on */
    }
    upstream->is_serving = true;
    while (upstream_serve_one(upstream)) {
    }
    upstream->is_serving = false;
}

void fb_client_upstream_fail(struct client_upstream *upstream, int err, const struct fb_diag *diag)
{
    struct fb_list *node = NULL;

    if (upstream->is_alone || !fb_list_empty(&upstream->shared)) {
        return; /* those have other connections to wait for */
    }
    while ((node = fb_list_first(&upstream->queue)) != NULL) {
        struct client_request *request = FB_CONTAINER_OF(node, struct client_request, link);
        if (request->fetch->diag != NULL && diag != NULL) {
            *request->fetch->diag = *diag;
        }
        request->shares_fate = true;
        fb_client_request_fail(request, err);
    }
}

bool fb_client_upstream_is_crowded(const struct client_upstream *upstream)
{
    uint32_t most = upstream->client->limits.max_queue;
    uint32_t n = 0;

    FB_LIST_EACH(node, &upstream->queue) {
        n++;
        if (most != 0 && n > most) {
            return true;
        }
    }
    return false;
}
