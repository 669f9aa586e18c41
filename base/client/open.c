/*
 * From nothing to a connection that carries requests: of HTTP/1, or of HTTP/2 if that is what
 * the configuration or ALPN says.
 */
#include "base/client/client_internal.h"
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/tls/config.h"
#include "base/tls/handshake.h"

/* ---- open ---------------------------------------------------------------- */

/* Once connected: it is to go on as one of HTTP/2. */
static bool conn_is_shared(const struct client_conn *conn)
{
    const struct client_upstream *upstream = conn->upstream;
    const char *protocol = fb_stream_protocol(conn->stream);

    if (upstream->tls == NULL) {
        return upstream->protocol == FB_CLIENT_HTTP2;
    }
    return upstream->protocol != FB_CLIENT_HTTP1 && protocol != NULL &&
           fb_str_equal(fb_str_from(protocol), FB_STR("h2"));
}

/* The stream goes on without this connection. */
static void conn_hand_over(struct client_conn *conn)
{
    struct client_upstream *upstream = conn->upstream;
    struct client_request *request = conn->request;
    struct fb_stream *stream = conn->stream;

    conn->stream = NULL;
    conn->request = NULL;
    if (request != NULL) {
        request->carrier = NULL;
    }
    upstream->is_alone = false;
    fb_client_h2_open(upstream, stream, request);
    fb_client_conn_close(conn); /* which serves who waits */
}

static void conn_fail_opening(struct client_conn *conn, int err, const struct fb_diag *diag)
{
    struct client_request *request = conn->request;

    if (request != NULL && request->fetch->diag != NULL && diag != NULL) {
        *request->fetch->diag = *diag;
    }
    fb_client_upstream_fail(conn->upstream, err, diag);
    if (request != NULL) {
        fb_client_request_fail(request, err);
    } else {
        fb_client_conn_close(conn);
    }
}

/* It is connected, and its handshake done if it has one. */
static void conn_opened(struct client_conn *conn)
{
    struct client_upstream *upstream = conn->upstream;
    struct fb_diag diag = {.err = FB_OK};

    if (conn->machine.state == CONN_CLOSED) {
        fb_stream_close(conn->stream);
        conn->stream = NULL;
        fb_client_conn_try_free(conn);
    } else if (conn_is_shared(conn)) {
        conn_hand_over(conn);
    } else if (upstream->protocol == FB_CLIENT_HTTP2) {
        conn_fail_opening(conn, fb_diag_set(&diag, FB_E_UNSUPPORTED, "it does not speak HTTP/2"),
                          &diag);
    } else {
        upstream->is_alone = true;
        fb_client_conn_opened(conn);
        fb_client_upstream_serve(upstream); /* who waited needs others */
    }
}

/* It could not be opened, for `err`. */
static void conn_not_opened(struct client_conn *conn, int err, const struct fb_diag *diag)
{
    if (conn->machine.state == CONN_CLOSED) {
        fb_client_conn_try_free(conn);
    } else {
        conn_fail_opening(conn, err, diag);
    }
}

static void on_shaken(struct fb_op *op)
{
    struct client_shake *self = FB_CONTAINER_OF(op, struct client_shake, shake.op);
    struct client_conn *conn = self->conn;
    int result = op->result;

    conn->shake = NULL;
    if (result == FB_OK) {
        conn->stream = self->shake.stream;
        fb_client_count(conn->upstream->client, fb_stream_tls(conn->stream)->is_resumed
                                                    ? CLIENT_TLS_RESUMED
                                                    : CLIENT_TLS_FULL);
        conn_opened(conn);
    } else {
        conn_not_opened(conn, result, &self->shake.diag);
    }
    fb_free(self);
}

static void conn_shake(struct client_conn *conn, struct fb_stream *stream)
{
    struct client_upstream *upstream = conn->upstream;
    struct fb_tls_config *config = fb_tls_party_config(upstream->tls);
    struct client_shake *self = FB_NEW(struct client_shake);

    self->conn = conn;
    conn->shake = self;
    fb_op_init(&self->shake.op, upstream->client->loop, on_shaken);
    self->shake.inner = stream;
    self->shake.config = config;
    self->shake.pool = fb_tls_party_pool(upstream->tls);
    self->shake.server_name = fb_buf_str(&upstream->tls_name);
    self->shake.timeout_ms = conn->connect.timeout_ms;
    fb_tls_connect(&self->shake);
    fb_tls_config_unref(config); /* the handshake has its own reference */
}

static void on_connected(struct fb_op *op)
{
    struct client_conn *conn = FB_CONTAINER_OF(op, struct client_conn, connect.op);

    if (op->result == FB_OK && conn->upstream->tls != NULL && conn->machine.state != CONN_CLOSED) {
        conn_shake(conn, conn->connect.stream);
        return;
    }
    if (op->result == FB_OK) {
        conn->stream = conn->connect.stream;
        conn_opened(conn);
    } else {
        conn_not_opened(conn, op->result, NULL);
    }
}

void fb_client_conn_open(struct client_upstream *upstream, struct client_request *request)
{
    struct client_conn *conn = fb_client_conn_new(upstream, request);

    fb_client_count(upstream->client, CLIENT_OPENED);
    fb_client_count(upstream->client, CLIENT_CONNECTIONS);
    fb_op_init(&conn->connect.op, upstream->client->loop, on_connected);
    conn->connect.host = fb_buf_str(&upstream->host);
    conn->connect.port = upstream->port;
    conn->connect.timeout_ms = request->fetch->connect_timeout_ms;
    fb_tcp_connect(&conn->connect);
}
