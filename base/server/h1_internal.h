/*
 * HTTP/1.0 and 1.1 connections and their exchanges, one at a time.
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
 * h1_conn.c     input, heads, timeouts, the life of a connection
 * h1_content.c  the request's content as a reader
 * h1_send.c     the response, from respond() to its last byte
 */
#pragma once

#include "base/core/machine.h"
#include "base/http1/body.h"
#include "base/http1/parse.h"
#include "base/http1/write.h"
#include "base/server/server_internal.h"

enum {
    SEND_MAX_SLICES = 58, /* with head, chunk framing and end below 64 pieces */
    SEND_MAX_BYTES = 1024 * 1024,
    SEND_SLOW_BYTES = 64 * 1024 /* at once to a slow client */
};

enum conn_state { CONN_IDLE, CONN_HEAD, CONN_EXCHANGE, CONN_DRAIN, CONN_LINGER, CONN_DEAD };

/* A piece of input whose parts were handed out. */
struct input_hold {
    size_t n_refs;
    struct fb_slice slice;
};

struct h1_conn {
    struct server_conn base;
    struct fb_machine machine;
    struct fb_op input_op; /* waits for input */
    int input_err;         /* FB_OK until the client's FIN (END) or a failure */

    struct fb_str rest;      /* input not yet used; a part of `slice` */
    struct fb_slice slice;   /* owned, or zero */
    struct input_hold *hold; /* counted; then `slice` stands there */

    struct fb_http1_parser parser;
    struct h1_exchange *exchange; /* owned; NULL between requests */
};

/* The request's content; base.content reads it. */
struct exchange_content {
    struct fb_http1_body decoder;
    struct fb_op *waiter; /* who waits for content, or NULL */
    uint64_t n_bytes;
    int err;          /* FB_OK, FB_E_END, or why it broke */
    bool is_expected; /* the client waits for 100 Continue */
};

struct h1_exchange {
    struct fb_exchange base;
    struct h1_conn *conn;
    struct exchange_content content;

    /* The response. */
    bool keeps_alive;   /* the client would use the connection again */
    bool is_continuing; /* `write` sends 100 Continue */
    bool closes;        /* the connection, after it */
    bool has_ended;     /* `body` gave all */
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
    const struct fb_slice_file *files[FB_STREAM_MAX_PIECES]; /* of the slices */
    char chunk_head[FB_HTTP1_CHUNK_HEAD_MAX];
};

static inline struct h1_conn *fb_h1_conn_of(struct server_conn *conn)
{
    return FB_CONTAINER_OF(conn, struct h1_conn, base);
}

/* ---- h1_conn.c ----------------------------------------------------------- */

void fb_h1_open(struct fb_server *server, const struct server_peer *peer);

static inline bool fb_h1_is_dead(const struct h1_conn *conn)
{
    return conn->machine.state == CONN_DEAD;
}

/* Makes conn->rest non-empty: FB_OK, FB_E_LATER, FB_E_END after the client's
 * FIN, or why the connection broke. */
FB_MUST_CHECK int fb_h1_pull(struct h1_conn *conn);

/* Has on_input() called when there is input, which notices a lost client. */
void fb_h1_watch(struct h1_conn *conn);

/* Closes the stream. The connection may be gone afterwards. */
void fb_h1_kill(struct h1_conn *conn, bool is_reset);

/* The exchange is over, its last byte sent: what comes next. */
void fb_h1_finished(struct h1_conn *conn);

/* Frees the exchange of a dead connection, and perhaps the connection. */
void fb_h1_bury(struct h1_conn *conn);

/* ---- h1_content.c -------------------------------------------------------- */

void fb_h1_content_init(struct h1_exchange *exchange, const struct fb_http1_request *request);

/* From here on the content is all that the client sends. */
void fb_h1_content_upgrade(struct h1_exchange *exchange);

/* Wakes who waits for content. */
void fb_h1_content_wake(struct h1_exchange *exchange);

/* The client sent nothing for too long. */
void fb_h1_content_time_out(struct h1_exchange *exchange);

/* ---- h1_send.c ----------------------------------------------------------- */

void fb_h1_send_init(struct h1_exchange *exchange);

/* 100 Continue. */
void fb_h1_send_continue(struct h1_exchange *exchange);

/* As struct server_protocol tells. */
void fb_h1_respond(struct fb_exchange *exchange, const struct fb_response *response);
void fb_h1_retract(struct server_conn *conn);

/* Gives back the memory of what was given to be sent, which nobody reads any more. */
void fb_h1_send_release(struct h1_exchange *exchange);

/* The connection is dead: ends what the response waits for. */
void fb_h1_send_abandon(struct h1_exchange *exchange);
