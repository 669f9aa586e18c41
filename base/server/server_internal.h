/*
 * What the files of base/server share: servers, and what connections and exchanges are
 * whatever the version of HTTP.
 *
 *   server ──► struct server_conn ──► struct fb_exchange ──► handler
 *                     │   struct server_protocol   │
 *                     └── h1_conn, h1_exchange ────┤
 *                     └── h2_conn, h2_stream ──────┘
 *
 * Handlers and routers see exchanges, servers see connections; each is the first member of
 * what its version keeps, and the table struct server_protocol is all that is asked of that.
 *
 * server.c     listening, the date, pools, metrics
 * drain.c      its end
 * exchange.c   what handlers see
 * pace.c       clients that take what is sent slowly, or not at all
 * tls_conn.c   handshakes, before there is a connection to speak of
 * h1_*.c       HTTP/1.0 and 1.1, see h1_internal.h
 * h2_*.c       HTTP/2, see h2_internal.h
 * clients.c    what one client may use
 * router.c, call.c   routes; blocking handlers
 */
#pragma once

#include "base/core/list.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "base/net/stream.h"
#include "base/server/clients.h"
#include "base/server/exchange.h"
#include "base/server/server.h"

enum {
    SERVER_MAX_LISTENERS = 64,
    SERVER_MAX_SPARE_EXCHANGES = 256,
    SERVER_KEPT_HEAD_BYTES = 16 * 1024, /* a spare exchange's buffer at most */
    SERVER_DRAINED_BYTES = 64 * 1024,   /* of content that a handler left unread */
    SERVER_LINGER_MS = 5000,
    SERVER_LEFT_MS = 1000,       /* after which a FIN is not part of the request any more */
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
    METRIC_TLS_FULL,
    METRIC_TLS_RESUMED,
    METRIC_TLS_BY_KERNEL,
    METRIC_TLS_BY_GCRYPT,
    METRIC_TLS_BY_IPSEC_MB,
    METRIC_TLS_BY_MBEDTLS,
    METRIC_TLS_PLAIN,
    METRIC_TLS_MALFORMED,
    METRIC_TLS_UNSUPPORTED,
    METRIC_TLS_DENIED,
    METRIC_TLS_TIMEOUT,
    METRIC_TLS_BUSY,
    METRIC_TLS_CLOSED,
    METRIC_H2_CONNECTIONS,
    METRIC_H2_REFUSED,
    METRIC_H2_FAULT_PROTOCOL, /* in the order of enum fb_http2_fault */
    METRIC_H2_FAULT_RESETS,
    METRIC_H2_FAULT_CONTROL,
    METRIC_H2_FAULT_FIELDS,
    METRIC_SECONDS,
    N_METRICS
};

struct fb_client;
struct fb_listener;
struct fb_metrics_table;
struct fb_tls_party;
struct server_conn;

/* Where connections come from. */
struct server_listener {
    struct fb_server *server;
    struct fb_listener *listener; /* owned */
    struct fb_tls_party *tls;     /* borrowed; NULL: without TLS */
    uint64_t max_rate;            /* bytes a second of each connection; 0: no bound */
};

/* Where a new connection leads, and what its client may do. */
struct server_peer {
    struct fb_stream *stream; /* taken over */
    struct fb_client *client; /* entered, or NULL */
    bool is_trusted;
    uint8_t listener; /* its place among the server's, from 1; 0: it came otherwise */
};

/* Exchanges of one version that wait to be used again. */
struct exchange_pool {
    struct fb_list spare; /* of struct fb_exchange */
    size_t n_spare;
};

struct fb_server {
    struct fb_loop *loop;
    struct fb_server_options options; /* limits are filled in */
    struct fb_metrics_table *metrics; /* borrowed from the registry, or NULL */
    struct server_listener listeners[SERVER_MAX_LISTENERS];
    size_t n_listeners;
    struct fb_list conns; /* of struct server_conn */
    uint32_t n_conns;
    struct exchange_pool h1_pool;
    struct exchange_pool h2_pool;

    uint64_t quiet_until_ms; /* about clients that speak TLS */
    int64_t date_s;          /* of the text below */
    char lines[128];         /* "Server: …" and "Date: …" with CRLF each */
    size_t n_server;         /* bytes of the first */
    size_t n_lines;          /* of both */

    bool is_retreating; /* connections are told to close when they are used next */
    bool is_draining;
    struct fb_timer grace;
    struct fb_op *retreat; /* running; NULL: nobody waits */
    struct fb_op *drain;   /* running; NULL: nobody waits */
};

/* How a version of HTTP carries exchanges. */
struct server_protocol {
    struct fb_str name; /* such as "HTTP/1.1" */

    /* As fb_exchange_respond(). */
    void (*respond)(struct fb_exchange *exchange, const struct fb_response *response);

    /* Gives back the memory of what waits to be sent, as far as it can be had again. */
    void (*retract)(struct server_conn *conn);

    /* No further requests: the connection closes when it has none, now or later. */
    void (*drain)(struct server_conn *conn);
    bool warns;    /* what drain() does, it tells the client first: no request is lost */
    bool upgrades; /* a connection can leave HTTP */

    /* Closes it now; with a reset if that cuts a response. */
    void (*cut)(struct server_conn *conn);
};

/* How a client takes what waits for it. */
struct conn_pace {
    bool is_slow;         /* what it does not take at once is not held for it */
    uint64_t seen_ms;     /* when the write under way was last looked at */
    uint64_t taking_ms;   /* when the client was last seen to take something */
    uint64_t left;        /* bytes of this and earlier writes that it had yet to take then */
    uint64_t n_waited_ms; /* of this window: time in which bytes waited */
    uint64_t n_taken;     /* bytes taken in it */
};

/* A connection, whatever its version; the first member of h1_conn and h2_conn. */
struct server_conn {
    const struct server_protocol *protocol;
    struct fb_server *server;
    struct fb_stream *stream; /* owned; NULL once dead */
    struct fb_list link;      /* in server->conns */
    struct fb_timer timer;
    struct conn_pace pace;
    struct fb_client *client; /* whose bounds hold; NULL: nobody's */
    uint32_t n_requests;
    bool is_trusted;  /* no least rate holds */
    bool is_paced;    /* by what is sent now */
    uint8_t listener; /* as of struct server_peer */
};

/* A request and its response; the first member of h1_exchange and h2_stream. */
struct fb_exchange {
    struct fb_list link; /* among the spare ones */
    struct server_conn *conn;
    struct fb_arena arena;
    struct fb_buf head; /* the response's as bytes; its memory is kept with the arena's */
    struct fb_request_head request;
    struct fb_headers params; /* the router's */
    struct fb_exchange_hooks hooks;
    uint64_t started_ns;
    struct fb_address peer;   /* once the connection is dead */
    struct fb_reader content; /* the request's */
    int64_t content_length;   /* FB_LENGTH_UNKNOWN: its end will tell */
    uint64_t pace;            /* of fb_exchange_pace() */
    unsigned status;
    bool has_responded;
    bool is_aborted;
    bool is_refusal;       /* the server's own answer, no handler saw it */
    struct fb_str upgrade; /* the protocol that follows; empty: none */
};

/* ---- server.c ------------------------------------------------------------ */

void fb_server_count(struct fb_server *server, enum server_metric row);

/* Logs that the connection's client speaks TLS where there is none, once a minute. */
void fb_server_tell_tls(const struct server_conn *conn);

/* drain.c: its timer; its listeners; whether the last connection is gone. */
void fb_server_drain_init(struct fb_server *server);
void fb_server_close_listeners(struct fb_server *server);
void fb_server_drain_check(struct fb_server *server);

/* The lines Server and Date, without those that the response has. */
struct fb_str fb_server_lines(struct fb_server *server, const struct fb_response *response);

/* The same as fields; returns how many. */
size_t fb_server_fields(struct fb_server *server, const struct fb_response *response,
                        struct fb_header fields[2]);

/* An exchange of `size` bytes; of a spare one the first `n_cleared` are zero again. */
struct fb_exchange *fb_server_take_exchange(struct exchange_pool *pool, size_t size,
                                            size_t n_cleared);
void fb_server_give_exchange(struct exchange_pool *pool, struct fb_exchange *exchange);

/* A connection begins, by the protocol that its stream is for. */
void fb_server_open(struct fb_server *server, const struct server_peer *peer);

/* Makes a connection of `protocol` one of the server's. */
void fb_server_conn_init(struct fb_server *server, struct server_conn *conn,
                         const struct server_protocol *protocol, const struct server_peer *peer);

/* A connection is gone, its memory not yet. */
void fb_server_conn_gone(struct server_conn *conn);

/* The stream is closed; handlers may still have exchanges. */
static inline bool fb_conn_is_dead(const struct server_conn *conn)
{
    return conn->stream == NULL;
}

/* ---- tls_conn.c ---------------------------------------------------------- */

/* A connection whose handshake comes first; fb_server_open() follows it. */
void fb_tls_conn_open(struct fb_server *server, const struct server_peer *peer,
                      struct fb_tls_party *tls);

/* ---- pace.c -------------------------------------------------------------- */

/* `n` bytes are about to be written. */
static inline void fb_pace_add(struct server_conn *conn, uint64_t n)
{
    conn->pace.left += n;
}

/* A write was begun that the kernel did not take at once: sets the connection's timer. */
void fb_pace_begin(struct server_conn *conn);

/* That write is over. */
void fb_pace_end(struct server_conn *conn);

/* The timer has come over it. Cuts the connection of a client that takes nothing, or too
 * little. */
void fb_pace_on_timer(struct server_conn *conn);

/* From now on the connection sends at most `rate` bytes a second; 0: as its listener says. */
void fb_pace_set(struct server_conn *conn, uint64_t rate);

/* ---- exchange.c ---------------------------------------------------------- */

/* Begins one of `conn`; spare ones keep what is in their arena. */
void fb_exchange_begin(struct fb_exchange *exchange, struct server_conn *conn);

/* Its request's head is there. False if that was answered with 429, for its client sends more
 * than it may. */
FB_MUST_CHECK bool fb_exchange_admit(struct fb_exchange *exchange);

/* Hands it to the handler. */
void fb_exchange_handle(struct fb_exchange *exchange);

/* As fb_exchange_problem(); with `closes` the connection is closed after it. */
void fb_exchange_refuse(struct fb_exchange *exchange, unsigned status, const char *slug,
                        const char *detail, bool closes);

/* The server's own answer to what no handler will see, counted by its status. */
void fb_exchange_reject(struct fb_exchange *exchange, unsigned status, const char *detail,
                        bool closes);

/* The client is gone before the response: says so, once. */
void fb_exchange_abort(struct fb_exchange *exchange);

/* The response is over, sent or not: counts it, and calls `finished`. */
void fb_exchange_finish(struct fb_exchange *exchange, int result, uint64_t body_bytes);
