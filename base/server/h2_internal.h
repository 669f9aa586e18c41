/*
 * HTTP/2 connections, and their streams as exchanges.
 *
 *                 ┌─► handler ──► respond() ──┐
 *   input ──► session ──► streams             ▼
 *                 └────────────────────── gather ──► one write ──► the ended: finished()
 *
 * What a session tells while it reads or gathers is only noted on its streams; those are
 * looked at right after, outside of it. Whatever is to be sent then goes with one write; while
 * that is under way the rest waits, so that small responses gather and the urgent overtake.
 *
 * A stream's memory goes when the session has closed it, its handler has responded and no
 * operation is left; a connection's when it is dead and has no streams.
 *
 * h2_conn.c     input, output, the end of a connection
 * h2_stream.c   from a request to the last byte of its response
 * h2_content.c  the request's content as a reader
 * h2_watch.c    timeouts, clients that take nothing
 */
#pragma once

#include "base/http2/session.h"
#include "base/server/server_internal.h"

enum {
    H2_MAX_HEADS_BYTES = 512 * 1024, /* of streams that have memory; reached, more are refused */
    H2_FIELD_BYTES = 32,             /* besides its name and its value */
    H2_SMALL_HEAD_BYTES = 4 * 1024,  /* a response's that counts for nothing, as most of its bytes
                                      * are the store's */
    H2_BATCH_BYTES = 128 * 1024,     /* as much as the kernel keeps unsent */
    H2_SLOW_BYTES = 1,               /* at once to a slow client: a frame, of 16 KiB at most */
    H2_MAX_SLICES = 4,               /* of input before anything is sent */
    H2_WARNING_MS = 500              /* from the warning of a drain to the last request */
};

struct h2_conn {
    struct server_conn base;
    struct fb_http2_session *session; /* owned; NULL once dead */
    struct fb_list streams;           /* of struct h2_stream: all that have memory */
    size_t n_streams;
    struct h2_stream *newest; /* whose head is not counted yet, or NULL */
    size_t n_heads_bytes;     /* of the heads of all others */
    struct fb_list news;      /* of streams to be looked at */
    struct fb_list ending;    /* of streams whose last byte is in the write under way */

    struct fb_op input_op; /* waits for input */
    int input_err;         /* FB_OK until the client's FIN or a failure */
    struct fb_op flush_op; /* flushes when this turn's other work is done */
    struct fb_stream_write write;
    bool waits;       /* the kernel did not take the write at once */
    bool wants_flush; /* there may be something to send */
    unsigned n_holds; /* calls under way, which the memory outlives */
    struct fb_str pieces[FB_HTTP2_MAX_PIECES];

    struct fb_timer watch;
    bool is_watching;       /* the timer comes often, for there are streams */
    uint64_t idle_since_ms; /* while there are none */
    bool is_warned;         /* of the end, which comes with the timer */
    bool is_last;           /* the last request was named */
    bool is_lingering;
    bool is_faulty; /* counted */
    bool has_paces; /* responses with a rate of their own came */
};

/* The request's content; base.content reads it. */
struct h2_content {
    struct fb_buf received; /* not read yet */
    struct fb_op *waiter;
    uint64_t since_ms; /* from when on the waiter waits */
    uint64_t n_bytes;
    int err;
    bool is_expected; /* the client waits for 100 Continue */
    bool is_wide;     /* its windows */
};

struct h2_stream {
    struct fb_exchange base;
    struct fb_http2_stream part; /* the session's */
    struct h2_conn *conn;
    struct fb_list link; /* in conn->streams */
    struct fb_list note; /* in conn->news or conn->ending, or alone */
    uint64_t opened_ms;
    size_t n_head_bytes; /* in the connection's n_heads_bytes */
    struct h2_content content;

    bool is_ready;          /* the head is there, nobody has seen it */
    bool is_handled;        /* somebody has */
    bool is_over;           /* finished() has run */
    struct fb_reader *body; /* owned, or NULL */
    struct fb_op body_wait;
    struct fb_op end; /* ends outside of whoever responds */
    uint64_t n_sent;  /* of the content, once the connection is dead */

    /* How its client takes what it has room for. */
    uint64_t seen_gathered;
    uint64_t blocked_ms;   /* since when its windows let nothing more go */
    uint64_t waited_ms;    /* of this window: time in which they did */
    uint64_t waited_bytes; /* n_gathered at its beginning */
};

static inline struct h2_conn *fb_h2_conn_of(struct server_conn *conn)
{
    return FB_CONTAINER_OF(conn, struct h2_conn, base);
}

/* ---- h2_conn.c ----------------------------------------------------------- */

/* A connection whose first bytes will be the preface. */
void fb_h2_open(struct fb_server *server, const struct server_peer *peer);

/* The same for one that has sent the preface's beginning, and `rest` after it. The stream and the
 * client are taken from `old`, which its owner ends. */
void fb_h2_take_over(struct server_conn *old, struct fb_str rest);

/* Sends what there is, when this call or this turn has done all else. */
void fb_h2_flush_soon(struct h2_conn *conn);

/* Around each call of the loop: the first keeps the memory, the last sends what came of it. */
void fb_h2_enter(struct h2_conn *conn);
void fb_h2_leave(struct h2_conn *conn);

/* Closes the stream. The connection may be gone afterwards. */
void fb_h2_kill(struct h2_conn *conn, bool is_reset);

/* Looks at the streams in `news`. */
void fb_h2_run_news(struct h2_conn *conn);

/* A stream's memory is gone, perhaps the last. */
void fb_h2_stream_gone(struct h2_conn *conn);

/* Names the last request that is answered. */
void fb_h2_shut_down(struct h2_conn *conn);

/* ---- h2_stream.c --------------------------------------------------------- */

struct h2_stream *fb_h2_stream_new(struct h2_conn *conn);

/* Its heads hold so many bytes more, for as long as it lives. */
void fb_h2_stream_count(struct h2_stream *stream, size_t n_bytes);

/* To be looked at by fb_h2_run_news(). */
void fb_h2_stream_note(struct h2_stream *stream);

/* What has happened to it? It may be gone afterwards. */
void fb_h2_stream_settle(struct h2_stream *stream);

/* The response is over, sent or not. It may be gone afterwards. */
void fb_h2_stream_end(struct h2_stream *stream, int result);

/* As struct server_protocol tells. */
void fb_h2_respond(struct fb_exchange *exchange, const struct fb_response *response);

/* ---- h2_content.c -------------------------------------------------------- */

void fb_h2_content_init(struct h2_stream *stream);

/* Takes what came in. */
void fb_h2_content_add(struct h2_stream *stream, struct fb_str bytes);

/* Wakes who waits for content. */
void fb_h2_content_wake(struct h2_stream *stream);

/* Nobody will read it any more. */
void fb_h2_content_drop(struct h2_stream *stream);

/* ---- h2_watch.c ---------------------------------------------------------- */

void fb_h2_watch_init(struct h2_conn *conn);

/* Streams came, or the last has gone. */
void fb_h2_watch_streams(struct h2_conn *conn);

/* Warns the client that the connection will end. */
void fb_h2_watch_warn(struct h2_conn *conn);

/* Waits for the client's end. */
void fb_h2_watch_linger(struct h2_conn *conn);
