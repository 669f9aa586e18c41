#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/net/tls_stream.h"
#include "base/server/server_internal.h"
#include "base/tls/config.h"
#include "base/tls/handshake.h"

#include <string.h>

/* A connection until its handshake is done: it has no requests, and is replaced by one that has. */
struct tls_conn {
    struct server_conn conn; /* its stream belongs to the handshake */
    struct fb_tls_shake shake;
    struct server_peer peer; /* to become */
};

static const struct fb_str plain_answer =
    FB_STR("HTTP/1.1 400 Bad Request\r\n"
           "Content-Type: application/problem+json\r\n"
           "Content-Length: 88\r\n"
           "Connection: close\r\n"
           "\r\n"
           "{\"status\":400,\"title\":\"Bad Request\",\"detail\":\"This port speaks TLS: "
           "use https instead.\"}");

static void tls_stop(struct server_conn *conn)
{
    struct tls_conn *self = FB_CONTAINER_OF(conn, struct tls_conn, conn);

    fb_op_cancel(&self->shake.op);
}

static const struct server_protocol tls_protocol = {
    .name = {"TLS", 3},
    .drain = tls_stop,
    .cut = tls_stop,
};

static enum server_metric metric_of(const struct fb_tls_shake *shake)
{
    if (shake->was_plain) {
        return METRIC_TLS_PLAIN;
    }
    switch (shake->op.result) {
    case FB_E_BUSY:
        return METRIC_TLS_BUSY;
    case FB_E_TIMEOUT:
        return METRIC_TLS_TIMEOUT;
    case FB_E_DENIED:
        return METRIC_TLS_DENIED;
    case FB_E_UNSUPPORTED:
        return METRIC_TLS_UNSUPPORTED;
    case FB_E_MALFORMED:
    case FB_E_LIMIT:
        return METRIC_TLS_MALFORMED;
    default:
        return METRIC_TLS_CLOSED; /* by the peer or, at its end, by the server */
    }
}

static enum server_metric metric_of_sealer(const char *sealer)
{
    if (strcmp(sealer, "kernel") == 0) {
        return METRIC_TLS_BY_KERNEL;
    }
    if (strcmp(sealer, "gcrypt") == 0) {
        return METRIC_TLS_BY_GCRYPT;
    }
    return strcmp(sealer, "ipsec-mb") == 0 ? METRIC_TLS_BY_IPSEC_MB : METRIC_TLS_BY_MBEDTLS;
}

static void on_shaken(struct fb_op *op)
{
    struct tls_conn *self = FB_CONTAINER_OF(op, struct tls_conn, shake.op);
    struct fb_server *server = self->conn.server;

    if (op->result < 0) {
        fb_server_count(server, metric_of(&self->shake));
    } else if (server->is_draining) {
        fb_stream_close(self->shake.stream);
    } else {
        const struct fb_tls_facts *facts = fb_stream_tls(self->shake.stream);
        fb_server_count(server, facts->is_resumed ? METRIC_TLS_RESUMED : METRIC_TLS_FULL);
        fb_server_count(server, metric_of_sealer(facts->sealer));
        self->peer.stream = self->shake.stream;
        self->conn.client = NULL; /* the connection that follows counts for it */
        fb_server_open(server, &self->peer);
    }
    fb_server_conn_gone(&self->conn);
    fb_free(self);
}

void fb_tls_conn_open(struct fb_server *server, const struct server_peer *peer,
                      struct fb_tls_party *tls)
{
    struct tls_conn *self = FB_NEW(struct tls_conn);
    struct fb_tls_config *config = fb_tls_party_config(tls);
    struct fb_address address = fb_stream_peer(peer->stream);

    self->peer = *peer;
    fb_server_conn_init(server, &self->conn, &tls_protocol, peer);
    self->conn.stream = NULL;
    fb_op_init(&self->shake.op, server->loop, on_shaken);
    self->shake.inner = peer->stream;
    self->shake.config = config;
    self->shake.pool = fb_tls_party_pool(tls);
    self->shake.timeout_ms = fb_tls_party_timeout_ms(tls);
    self->shake.client = peer->is_trusted ? 0 : fb_tls_party_client(tls, &address);
    self->shake.plain_answer = plain_answer;
    fb_tls_accept(&self->shake);
    fb_tls_config_unref(config); /* the handshake has its own reference */
}
