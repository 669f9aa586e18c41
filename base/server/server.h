/*
 * Servers: HTTP on a loop.
 *
 * One server per loop; several may listen on one address (SO_REUSEPORT). The
 * server accepts, parses, keeps connections alive, answers pipelined requests
 * in order, holds timeouts and limits, and hands each request to `handle`.
 *
 * Ownership  new → listen … → (fb_server_retreat() →) fb_server_drain() → free.
 * Threads    The loop's own.
 * Limits     See struct fb_server_limits; each has a counter for being hit.
 * Failures   What fb_listener_open() gives.
 */
#pragma once

#include "base/core/attr.h"
#include "base/loop/op.h"
#include "base/net/address.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_clients;
struct fb_exchange;
struct fb_headers;
struct fb_loop;
struct fb_metrics;
struct fb_server;
struct fb_sockets;
struct fb_stream;
struct fb_tcp_tuning;
struct fb_tls_party;

/* Zero means the default in brackets. */
struct fb_server_limits {
    uint32_t max_connections;  /* [16384] further ones are closed at once */
    uint32_t max_head_bytes;   /* [32 KiB] request line and fields: 431, 414 */
    uint32_t max_headers;      /* [100] field lines: 431 */
    uint64_t max_body_bytes;   /* [unlimited] content: 413 */
    uint32_t head_timeout_ms;  /* [10 s] first to last byte of a head: 408 */
    uint32_t body_timeout_ms;  /* [30 s] between two pieces of content: 408 */
    uint32_t idle_timeout_ms;  /* [60 s] between requests */
    uint32_t write_timeout_ms; /* [30 s] without the client taking a byte */
    uint32_t max_requests;     /* [unlimited] per connection */
    uint64_t least_rate;       /* [no bound] bit/s; who takes less over a minute is cut */
    bool has_no_http2;         /* without TLS; with it, the party should not offer it either */
    uint32_t max_streams;      /* [128] HTTP/2: requests at once of a connection */
    uint32_t h2_window;        /* [1 MiB] HTTP/2: content of requests, ahead of who reads it */
};

struct fb_server_options {
    const char *name; /* borrowed; `Server:` and the metrics' label, such as "edge" */
    struct fb_server_limits limits;
    struct fb_metrics *metrics; /* borrowed, may be NULL */
    struct fb_clients *clients; /* borrowed, may be NULL: bounds of each client */
    void (*handle)(void *ctx, struct fb_exchange *exchange);

    /* May be NULL. The server itself is about to answer what `handle` will never see: a request
     * of a client over its rate, one too large, or bytes that are none, whose method is
     * FB_METHOD_OTHER and whose strings are empty. May set the exchange's hooks, of which only
     * `finished` will run, and change the answer's fields, in the exchange's arena. */
    void (*refusing)(void *ctx, struct fb_exchange *exchange, struct fb_headers *headers);
    void *ctx;
};

struct fb_server *fb_server_new(struct fb_loop *loop, const struct fb_server_options *options);

/* May be called several times. `ret_bound` (may be NULL) tells the port. */
FB_MUST_CHECK int fb_server_listen(struct fb_server *server, const struct fb_address *address,
                                   struct fb_address *ret_bound);

/* The same with TLS. `tls` (tls_stream.h) is borrowed until the server is freed, and may be shared
 * by several; NULL: without TLS. A handshake counts as a connection. */
FB_MUST_CHECK int fb_server_listen_tls(struct fb_server *server, const struct fb_address *address,
                                       struct fb_tls_party *tls, struct fb_address *ret_bound);

/* Listens on a socket that listens already, of another process perhaps; takes `fd` over, also on
 * failure. */
FB_MUST_CHECK int fb_server_adopt(struct fb_server *server, int fd, struct fb_tls_party *tls);

/* Adds another descriptor of each of its listening sockets to `sockets`. On any thread, but not
 * once the server is told to drain. */
FB_MUST_CHECK int fb_server_share(const struct fb_server *server, struct fb_sockets *sockets);

/* How connections send that come from the socket that was listened on or adopted last; as
 * fb_listener_tune(). */
FB_MUST_CHECK int fb_server_tune(struct fb_server *server, const struct fb_tcp_tuning *tuning);

/* Serves a connection that came another way; takes the stream over. */
void fb_server_serve(struct fb_server *server, struct fb_stream *stream);

/* The gentle beginning of a drain, for when others serve the same address: stops accepting, and
 * tells the clients of connections that stand to make new ones, in the answer to what they ask
 * next. `op` finishes when no connection is left, or after `linger_ms`. */
void fb_server_retreat(struct fb_server *server, uint32_t linger_ms, struct fb_op *op);

/* Stops accepting, lets requests under way end for at most `grace_ms`, closes
 * idle connections, then cuts what is left. `op` finishes when none is left. */
void fb_server_drain(struct fb_server *server, uint32_t grace_ms, struct fb_op *op);

/* Requires that the drain has finished, or that nothing was ever accepted. */
void fb_server_free(struct fb_server *server);

/* Open connections, for tests and status. */
uint32_t fb_server_connections(const struct fb_server *server);
