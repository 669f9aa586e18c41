/*
 * What the files of base/client share.
 *
 *   request   one fetch: waits in its upstream's queue, holds a connection
 *             while it is served, and is the reader of the content
 *   conn      one connection, and the exchange that it carries
 *   upstream  the connections to one host and port, and who waits for one
 *
 *                 ┌──────────── request gone ────────────┐
 *                 │                                      ▼
 *   conn: CONNECTING ──► HEAD ──► BODY ──► (DRAIN) ──► IDLE ──► HEAD …
 *              └───────────┴────────┴──────────┴──────────┴──► CLOSED
 *
 * A connection goes IDLE after content that ended whole, with nothing left to
 * send and a peer that keeps it open; in every other case it is CLOSED, and
 * freed when its own operations have called back.
 */
#pragma once

#include "base/client/client.h"
#include "base/core/buf.h"
#include "base/core/list.h"
#include "base/core/machine.h"
#include "base/core/map.h"
#include "base/http1/body.h"
#include "base/http1/parse.h"
#include "base/http1/write.h"
#include "base/loop/timer.h"
#include "base/metrics/metrics.h"
#include "base/net/stream.h"
#include "base/net/tcp.h"
#include "base/net/tls_stream.h"

enum client_metric {
    CLIENT_REQUESTS,
    CLIENT_OPENED,
    CLIENT_REUSED,
    CLIENT_RETRIED,
    CLIENT_WAITED,
    CLIENT_CONNECTIONS,
    CLIENT_TLS_FULL,
    CLIENT_TLS_RESUMED,
    CLIENT_FAILED_CONNECT,
    CLIENT_FAILED_TIMEOUT,
    CLIENT_FAILED_CLOSED,
    CLIENT_FAILED_MALFORMED,
    CLIENT_FAILED_LIMIT,
    CLIENT_FAILED_OTHER,
    CLIENT_N_METRICS
};

struct fb_client {
    struct fb_loop *loop;
    struct fb_client_limits limits;   /* without zeros */
    struct fb_metrics_table *metrics; /* the registry's; may be NULL */
    struct fb_map *upstreams;         /* owned; where → struct client_upstream, owned */
    unsigned n_requests;              /* fetches and bodies not yet over */
    unsigned n_conns;                 /* not yet freed */
    bool is_closed;
};

struct client_upstream {
    struct fb_client *client;
    struct fb_buf host; /* owned */
    uint16_t port;
    struct fb_tls_party *tls; /* borrowed; NULL: without TLS */
    struct fb_buf tls_name;   /* owned; of whom its certificate must be */
    struct fb_list conns;     /* of struct client_conn, all but the closed */
    struct fb_list idle;      /* of struct client_conn, latest first */
    struct fb_list queue;     /* of struct client_request, first come first */
    uint32_t n_idle;
    uint32_t n_open; /* of `conns` */
    bool is_serving; /* inside client_upstream_serve() */
};

struct client_request {
    struct fb_reader reader; /* of the content */
    struct client_upstream *upstream;
    struct fb_fetch *fetch;   /* borrowed; NULL once finished */
    struct client_conn *conn; /* NULL while queued, and once the content has ended */
    struct fb_list link;      /* in the upstream's queue */
    struct fb_timer timer;    /* of the head, then of each piece of content */
    struct fb_op *waiter;     /* for content; borrowed until finished */
    int end;                  /* how the content ended; FB_OK: it did not yet */
    uint32_t body_timeout_ms;
    bool has_content;
    bool needs_new; /* a kept connection has failed it */
};

/* What was received in one piece, kept while slices of it are about. */
struct client_input {
    struct fb_slice slice; /* owned */
    unsigned n_refs;
};

/* The request on its way out; all of it is the connection's, so that the
 * request may go while the last write still ends. */
struct client_send {
    struct fb_stream_write write;
    struct fb_str pieces[4];
    struct fb_buf head;
    struct fb_slice slice; /* of the content, being written */
    char chunk_head[FB_HTTP1_CHUNK_HEAD_MAX];
    struct fb_reader *body; /* owned; NULL when there is no more */
    struct fb_op body_wait;
    uint64_t left; /* of content with a length */
    bool is_chunked;
    bool is_done;   /* all was written */
    bool is_broken; /* the peer takes no more, but may still answer */
};

/* A connection's handshake. */
struct client_shake {
    struct fb_tls_shake shake;
    struct client_conn *conn;
};

enum client_conn_state {
    CONN_CONNECTING,
    CONN_HEAD,
    CONN_BODY,
    CONN_DRAIN,
    CONN_IDLE,
    CONN_CLOSED
};

struct client_conn {
    struct fb_machine machine;
    struct client_upstream *upstream;
    struct fb_list link;            /* in the upstream's list of all */
    struct fb_list idle_link;       /* in its list of idle ones */
    struct client_request *request; /* borrowed; in HEAD and BODY, and if it still waits */
    struct fb_connect connect;
    struct client_shake *shake; /* owned; NULL but while it lasts */
    struct fb_stream *stream;   /* owned; NULL before and after */
    struct fb_op wait;          /* for incoming bytes; in IDLE, HEAD and DRAIN always */
    struct fb_timer timer;      /* in IDLE and DRAIN */

    struct fb_http1_parser parser;
    struct client_input *input; /* counted; what `rest` is in */
    struct fb_str rest;         /* received, not yet taken */
    struct fb_http1_body body;
    bool keeps_alive;   /* what the response said */
    bool has_answered;  /* a byte of the response has come */
    unsigned n_interim; /* responses before the final one */
    unsigned n_served;
    uint64_t opened_ms;
    uint64_t peer_keeps_ms; /* says Keep-Alive; UINT64_MAX: nothing */
    struct client_send send;
};

void fb_client_count(struct fb_client *client, enum client_metric row);

/* ---- request.c ----------------------------------------------------------- */

/* Ends the request with `err`, or its content if the head was delivered. */
void fb_client_request_fail(struct client_request *request, int err);

/* The head is complete: tells the caller. */
void fb_client_request_answer(struct client_request *request,
                              const struct fb_http1_response *response);

/* True if a failure on this connection may be met with another attempt. */
bool fb_client_request_may_retry(const struct client_request *request);
void fb_client_request_retry(struct client_request *request);

/* (Re)starts the wait for the head. */
void fb_client_request_set_timer(struct client_request *request);

/* New bytes, or the end. */
void fb_client_request_wake(struct client_request *request);

/* ---- upstream.c ---------------------------------------------------------- */

/* Where `fetch` goes. */
struct client_upstream *fb_client_upstream_get(struct fb_client *client,
                                               const struct fb_fetch *fetch);
void fb_client_upstream_free(struct client_upstream *upstream);

/* Gives connections to those who wait, as far as they go. */
void fb_client_upstream_serve(struct client_upstream *upstream);

/* True if more wait for a connection than may. */
bool fb_client_upstream_is_crowded(const struct client_upstream *upstream);

/* Frees the client once it is closed and its last connection has gone. */
void fb_client_try_free(struct fb_client *client);

/* ---- conn.c -------------------------------------------------------------- */

/* Opens a connection for `request`. */
void fb_client_conn_open(struct client_upstream *upstream, struct client_request *request);

/* Serves `request` on an idle connection; false if that turned out dead, and is
 * closed now. */
FB_MUST_CHECK bool fb_client_conn_reuse(struct client_conn *conn, struct client_request *request);

/* Makes sure that incoming bytes are noticed. */
void fb_client_conn_watch(struct client_conn *conn);

/* More input into `rest`, which is empty; as fb_reader_next(). */
FB_MUST_CHECK int fb_client_conn_fill(struct client_conn *conn);

/* The next piece of content; `ret_slice` may be NULL to drop it. The same
 * results as fb_reader_next(), with FB_E_CLOSED when the content is cut. */
FB_MUST_CHECK int fb_client_conn_content(struct client_conn *conn, struct fb_slice *ret_slice);

/* The request lets go: keeps the connection if it can be used again or soon
 * will be, or closes it. */
void fb_client_conn_release(struct client_conn *conn);
void fb_client_conn_close(struct client_conn *conn);

/* Frees a closed connection when nothing is under way any more. */
void fb_client_conn_try_free(struct client_conn *conn);

/* ---- send.c -------------------------------------------------------------- */

void fb_client_send_init(struct client_conn *conn);
void fb_client_send_start(struct client_conn *conn);
void fb_client_send_stop(struct client_conn *conn);
bool fb_client_send_is_idle(const struct client_conn *conn);
