/*
 * What the files of base/server share: servers, connections, exchanges.
 *
 *                     ┌───────────── keep-alive ─────────────┐
 *                     ▼                                      │
 *   accepted ──► IDLE ──► HEAD ──► EXCHANGE ──► DRAIN ───────┤
 *                  │       │          │           │          │
 *                  │       │          └───────────┴──► LINGER│
 *                  └───────┴──────────────┬──────────────┴───┘
 *                                         ▼
 *                        DEAD: the stream is closed; the memory goes when the
 *                        handler has responded and no operation is left
 *
 * server.c     listening, draining, the date, pools, metrics
 * conn.c       input, heads, timeouts, the life of a connection
 * content.c    the request's content as a reader
 * send.c       the response, from respond() to its last byte
 * pace.c       clients that take what is sent slowly, or not at all
 * exchange.c   what handlers see
 * clients.c    what one client may use
 * router.c, call.c   routes; blocking handlers
 */
#pragma once

#include "base/core/list.h"
#include "base/core/machine.h"
#include "base/http1/body.h"
#include "base/http1/parse.h"
#include "base/http1/write.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "base/net/stream.h"
#include "base/server/clients.h"
#include "base/server/exchange.h"
#include "base/server/server.h"

enum {
    SERVER_MAX_LISTENERS = 16,
    SERVER_MAX_SPARE_EXCHANGES = 256,
    SERVER_KEPT_HEAD_BYTES = 16 * 1024, /* a spare exchange's buffer at most */
    SERVER_DRAINED_BYTES = 64 * 1024,   /* of content that a handler left unread */
    SERVER_LINGER_MS = 5000,
    SEND_MAX_SLICES = 58, /* with head, chunk framing and end below 64 pieces */
    SEND_MAX_BYTES = 1024 * 1024,
    SEND_SLOW_BYTES = 64 * 1024, /* at once to a slow client */
    SEND_TICK_MS = 2000,         /* a client that has not taken a batch by then is slow */
    SEND_LEAST_WINDOW_MS = 60000 /* over which the least rate must be kept */
};

enum server_metric {
    METRIC_CONNECTIONS,
    METRIC_CONNECTIONS_OPEN,
    METRIC_CONNECTIONS_REFUSED,
    METRIC_CONNECTIONS_OVER,
    METRIC_CLIENTS_UNCOUNTED,
    METRIC_REQUESTS,
    METRIC_RESPONSES_2XX,
    METRIC_RESPONSES_3XX,
    METRIC_RESPONSES_4XX,
    METRIC_RESPONSES_5XX,
    METRIC_BYTES,
    METRIC_ABORTED,
    METRIC_BROKEN,
    METRIC_REFUSED_MALFORMED,
    METRIC_REFUSED_TARGET,
    METRIC_REFUSED_FIELDS,
    METRIC_REFUSED_CONTENT,
    METRIC_REFUSED_EXPECT,
    METRIC_REFUSED_VERSION,
    METRIC_REFUSED_RATE,
    METRIC_TIMEOUT_HEAD,
    METRIC_TIMEOUT_CONTENT,
    METRIC_TIMEOUT_IDLE,
    METRIC_TIMEOUT_WRITE,
    METRIC_TIMEOUT_RATE,
    METRIC_SLOW,
    METRIC_SECONDS,
    N_METRICS
};

struct fb_client;
struct fb_listener;
struct fb_metrics_table;

struct fb_server {
    struct fb_loop *loop;
    struct fb_server_options options; /* limits are filled in */
    struct fb_metrics_table *metrics; /* borrowed from the registry, or NULL */
    struct fb_listener *listeners[SERVER_MAX_LISTENERS];
    size_t n_listeners;
    struct fb_list conns; /* of struct server_conn */
    uint32_t n_conns;
    struct fb_list spare; /* of struct fb_exchange */
    size_t n_spare;

    int64_t date_s;  /* of the text below */
    char lines[128]; /* "Server: …" and "Date: …" with CRLF each */
    size_t n_server; /* bytes of the first */
    size_t n_lines;  /* of both */

    bool is_draining;
    struct fb_timer grace;
    struct fb_op *drain; /* running; NULL: nobody waits */
};

enum conn_state { CONN_IDLE, CONN_HEAD, CONN_EXCHANGE, CONN_DRAIN, CONN_LINGER, CONN_DEAD };

/* How a client takes what waits for it. */
struct conn_pace {
    bool is_slow;         /* what it does not take at once is not held for it */
    uint64_t seen_ms;     /* when the write under way was last looked at */
    uint64_t taking_ms;   /* when the client was last seen to take something */
    uint64_t left;        /* bytes of this and earlier writes that it had yet to take then */
    uint64_t n_waited_ms; /* of this window: time in which bytes waited */
    uint64_t n_taken;     /* bytes taken in it */
};

/* A piece of input whose parts were handed out. */
struct input_hold {
    size_t n_refs;
    struct fb_slice slice;
};

struct server_conn {
    struct fb_server *server;
    struct fb_stream *stream; /* owned; NULL once dead */
    struct fb_machine machine;
    struct fb_list link; /* in server->conns */
    struct fb_timer timer;
    struct fb_op input_op; /* waits for input */
    int input_err;         /* FB_OK until the client's FIN (END) or a failure */

    struct fb_str rest;      /* input not yet used; a part of `slice` */
    struct fb_slice slice;   /* owned, or zero */
    struct input_hold *hold; /* counted; then `slice` stands there */

    struct fb_http1_parser parser;
    struct fb_exchange *exchange; /* owned; NULL between requests */
    uint32_t n_requests;

    struct conn_pace pace;
    struct fb_client *client; /* whose bounds hold; NULL: nobody's */
    bool is_trusted;          /* no least rate holds */
};

/* The request's content. */
struct exchange_content {
    struct fb_reader reader;
    struct fb_http1_body decoder;
    struct fb_op *waiter; /* who waits for content, or NULL */
    uint64_t n_bytes;
    int err;          /* FB_OK, FB_E_END, or why it broke */
    bool is_expected; /* the client waits for 100 Continue */
};

struct fb_exchange {
    struct fb_list link; /* in server->spare */
    struct server_conn *conn;
    struct fb_arena arena;
    struct fb_buf head; /* the response's */
    struct fb_http1_request request;
    struct fb_headers params; /* the router's */
    struct fb_exchange_hooks hooks;
    uint64_t started_ns;
    struct fb_address peer; /* once the connection is dead */
    struct exchange_content content;

    /* The response. */
    bool has_responded;
    bool is_aborted;
    bool is_continuing; /* `write` sends 100 Continue */
    bool closes;        /* the connection, after it */
    bool has_ended;     /* `body` gave all */
    bool is_refusal;    /* the server's own answer, no handler saw it */
    unsigned status;
    enum fb_http1_framing framing;
    uint64_t length;        /* for FB_HTTP1_LENGTH */
    struct fb_reader *body; /* owned, or NULL */
    uint64_t n_taken;       /* bytes that the body gave */
    uint64_t n_sent;        /* of these, taken by the kernel */
    struct fb_op body_wait;
    struct fb_stream_write write;
    uint64_t n_batch; /* bytes of content in it */
    size_t head_left; /* of the head, to be sent again */
    bool waits;       /* the kernel did not take it at once */

    /* Not cleared between exchanges. */
    size_t n_slices;
    struct fb_slice slices[SEND_MAX_SLICES];
    struct fb_str pieces[FB_STREAM_MAX_PIECES];
    char chunk_head[FB_HTTP1_CHUNK_HEAD_MAX];
};

/* ---- server.c ------------------------------------------------------------ */

void fb_server_count(struct fb_server *server, enum server_metric row);

/* The lines Server and Date, without those that the response has. */
struct fb_str fb_server_lines(struct fb_server *server, const struct fb_response *response);

struct fb_exchange *fb_server_take_exchange(struct fb_server *server);
void fb_server_give_exchange(struct fb_server *server, struct fb_exchange *exchange);

/* A connection is gone. */
void fb_server_conn_gone(struct fb_server *server, struct server_conn *conn);

/* ---- conn.c -------------------------------------------------------------- */

/* Takes the stream over. `client` was entered, or is NULL. */
void fb_conn_open(struct fb_server *server, struct fb_stream *stream, struct fb_client *client,
                  bool is_trusted);

static inline bool fb_conn_is_dead(const struct server_conn *conn)
{
    return conn->machine.state == CONN_DEAD;
}

/* Makes conn->rest non-empty: FB_OK, FB_E_LATER, FB_E_END after the client's
 * FIN, or why the connection broke. */
FB_MUST_CHECK int fb_conn_pull(struct server_conn *conn);

/* Has on_input() called when there is input, which notices a lost client. */
void fb_conn_watch(struct server_conn *conn);

/* Closes the stream. The connection may be gone afterwards. */
void fb_conn_kill(struct server_conn *conn, bool is_reset);

/* The exchange is over, its last byte sent: what comes next. */
void fb_conn_finished(struct server_conn *conn);

/* Frees the exchange of a dead connection, and perhaps the connection. */
void fb_conn_bury(struct server_conn *conn);

/* ---- content.c ----------------------------------------------------------- */

void fb_content_init(struct fb_exchange *exchange);

/* Wakes who waits for content. */
void fb_content_wake(struct fb_exchange *exchange);

/* The client sent nothing for too long. */
void fb_content_time_out(struct fb_exchange *exchange);

/* ---- send.c -------------------------------------------------------------- */

void fb_send_init(struct fb_exchange *exchange);

/* 100 Continue. */
void fb_send_continue(struct fb_exchange *exchange);

void fb_send_response(struct fb_exchange *exchange, const struct fb_response *response);

/* Gives back the memory of what was given to be sent, which nobody reads any more. */
void fb_send_release(struct fb_exchange *exchange);

/* The connection is dead: ends what the response waits for. */
void fb_send_abandon(struct fb_exchange *exchange);

/* ---- pace.c -------------------------------------------------------------- */

/* `n` bytes are about to be written. */
static inline void fb_pace_add(struct server_conn *conn, uint64_t n)
{
    conn->pace.left += n;
}

/* A write was begun that the kernel did not take at once. */
void fb_pace_begin(struct fb_exchange *exchange);

/* That write is over. */
void fb_pace_end(struct fb_exchange *exchange);

/* The timer has come over it. Cuts the connection of a client that takes nothing, or too
 * little. */
void fb_pace_on_timer(struct fb_exchange *exchange);

/* ---- exchange.c ---------------------------------------------------------- */

/* 429, with what the client needs to know to come back. */
void fb_exchange_refuse_rate(struct fb_exchange *exchange, const struct fb_clients_quota *quota);

/* As fb_exchange_problem(); with `closes` the connection is closed after it. */
void fb_exchange_refuse(struct fb_exchange *exchange, unsigned status, const char *slug,
                        const char *detail, bool closes);
