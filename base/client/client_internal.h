/*
 * What the files of base/client share.
 *
 *   request   one fetch: waits in its upstream's queue, holds what carries it
 *             while it is served, and is the reader of the content
 *   conn      one connection, and, with HTTP/1, the exchange that it carries
 *   open      how a connection comes about
 *   input     what was received, shared by those who read it
 *   h2_conn   one connection of HTTP/2 (h2_internal.h), made of one that was opened
 *   h2_stream the exchanges that it carries
 *   upstream  the connections to one host and port, and who waits for one
 *
 *                 ┌──────────── request gone ────────────┐
 *                 │                                      ▼
 *   conn: CONNECTING ──► HEAD ──► BODY ──► (DRAIN) ──► IDLE ──► HEAD …
 *              └───────────┴────────┴──────────┴──────────┴──► CLOSED
 *
 * (Where ALPN or the configuration says HTTP/2, CONNECTING ends in CLOSED: the stream becomes a
 * connection of h2_conn.) A connection goes IDLE after content that ended whole, with nothing left
 * to send and a peer that keeps it open; in every other case it is CLOSED, and freed when its own
 * operations have called back.
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
    CLIENT_SHARED,
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
    enum fb_client_protocol protocol;
    struct fb_list conns;  /* of struct client_conn, all but the closed */
    struct fb_list idle;   /* of struct client_conn, latest first */
    struct fb_list shared; /* of struct client_h2, all but the closed */
    struct fb_list queue;  /* of struct client_request, first come first */
    uint32_t n_idle;
    uint32_t n_open;    /* of `conns` and `shared` */
    uint32_t n_opening; /* of `conns`, those that connect */
    uint64_t n_opened;  /* ever */
    uint32_t n_streams; /* that a connection to it may have, as the last one said; 0: unknown */
    bool is_alone;      /* the last connection, so the next one too, carries one request at once */
    bool is_serving;    /* inside client_upstream_serve() */
};

/* What carries a request that was given a connection: that, or one of its streams. */
struct client_carrier;

struct client_carrier_ops {
    bool is_http2;

    /* The next piece of content; `ret_slice` may be NULL to drop it. The same results as
     * fb_reader_next(), with FB_E_CLOSED when the content is cut. */
    int (*content)(struct client_carrier *carrier, struct fb_slice *ret_slice);

    /* True if that has given all. */
    bool (*is_whole)(struct client_carrier *carrier);

    /* True if it would not be FB_E_LATER; else fb_client_request_wake() is called in time. */
    bool (*is_ready)(struct client_carrier *carrier);

    /* The request lets go of it, for `err`. */
    void (*release)(struct client_carrier *carrier, int err);
};

struct client_carrier {
    const struct client_carrier_ops *ops;
    bool is_opening;
};

struct client_request {
    struct fb_reader reader; /* of the content */
    struct client_upstream *upstream;
    struct fb_fetch *fetch;         /* borrowed; NULL once finished */
    struct client_carrier *carrier; /* NULL while queued, and once the content has ended */
    struct fb_list link;            /* in the upstream's queue */
    struct fb_timer timer;          /* of the head, then of each piece of content */
    struct fb_op *waiter;           /* for content; borrowed until finished */
    int end;                        /* how the content ended; FB_OK: it did not yet */
    uint32_t body_timeout_ms;
    uint64_t waits_since_ms; /* `waiter` does */
    uint64_t waited_ms;      /* before that, since content came last */
    bool has_content;
    bool needs_new;      /* a kept connection has failed it */
    uint64_t newer_than; /* the number of that, if it was one of HTTP/2 */
    bool shares_fate;    /* it fails for a connection that it has waited for */
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
    struct client_carrier carrier;
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

/* The head is complete, and the content is so long: tells the caller. */
void fb_client_request_answer(struct client_request *request, const struct fb_response_head *head,
                              int64_t length);

/* True if a failure on this connection may be met with another attempt; `is_unseen`: the upstream
 * has not looked at the request. Retried, it goes to a new one, or to one of
 * HTTP/2 `newer_than` that. */
bool fb_client_request_may_retry(const struct client_request *request, bool is_unseen);
void fb_client_request_retry(struct client_request *request, uint64_t newer_than);

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

/* True if those who wait do so for a connection that is being opened. */
bool fb_client_upstream_awaits(const struct client_upstream *upstream);

/* A connection could not be opened: neither can those who wait for it have one. */
void fb_client_upstream_fail(struct client_upstream *upstream, int err, const struct fb_diag *diag);

/* True if more wait for a connection than may. */
bool fb_client_upstream_is_crowded(const struct client_upstream *upstream);

/* Frees the client once it is closed and its last connection has gone. */
void fb_client_try_free(struct fb_client *client);

/* ---- conn.c -------------------------------------------------------------- */

/* One for `request`, in CONNECTING, and in the upstream's list. */
struct client_conn *fb_client_conn_new(struct client_upstream *upstream,
                                       struct client_request *request);

/* It is open: serves who it was opened for, or waits for another. */
void fb_client_conn_opened(struct client_conn *conn);

/* Serves `request` on an idle connection; false if that turned out dead, and is
 * closed now. */
FB_MUST_CHECK bool fb_client_conn_reuse(struct client_conn *conn, struct client_request *request);

void fb_client_conn_close(struct client_conn *conn);

/* Frees a closed connection when nothing is under way any more. */
void fb_client_conn_try_free(struct client_conn *conn);

/* ---- open.c -------------------------------------------------------------- */

/* Opens a connection for `request`. */
void fb_client_conn_open(struct client_upstream *upstream, struct client_request *request);

/* ---- input.c ------------------------------------------------------------- */

/* Takes `slice` over; one reference is the caller's. */
struct client_input *fb_client_input_new(struct fb_slice slice);
void fb_client_input_unref(struct client_input *input); /* accepts NULL */

/* Bytes of it, with a reference of their own. */
struct fb_slice fb_client_input_slice(struct client_input *input, struct fb_str bytes);

/* However a connection is lost, the caller sees that the peer closed it. */
int fb_client_input_err(int err);

/* ---- h2_conn.c ----------------------------------------------------------- */

/* Makes a connection of `stream`, which it takes over, for `request`, which may be NULL, and for
 * others after it. */
void fb_client_h2_open(struct client_upstream *upstream, struct fb_stream *stream,
                       struct client_request *request);

/* Gives `request`, which is in no list, to a connection that has room; false if none has. */
FB_MUST_CHECK bool fb_client_h2_join(struct client_upstream *upstream,
                                     struct client_request *request);

/* Closes those of `upstream`. */
void fb_client_h2_close_all(struct client_upstream *upstream);

/* ---- send.c -------------------------------------------------------------- */

/* What Host says of it. */
void fb_client_write_host(struct fb_buf *buf, const struct fb_fetch *fetch);

void fb_client_send_init(struct client_conn *conn);
void fb_client_send_start(struct client_conn *conn);
void fb_client_send_stop(struct client_conn *conn);
bool fb_client_send_is_idle(const struct client_conn *conn);
