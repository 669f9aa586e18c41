/*
 * Connections of HTTP/2 to upstreams, and their streams, each of which carries a request.
 *
 *   request ──► join ──► session ──► gather ──► one write
 *   input ──► session ──► streams noted ──► settled: answered, woken, failed, or sent elsewhere
 *
 * What a session tells while it reads or gathers is only noted on its streams; those are looked
 * at right after, outside of it, as in base/server/h2_internal.h. A stream's memory goes when the
 * session has closed it and its request has let go; a connection's when it is closed and has no
 * streams.
 *
 * A connection takes no more requests (is_leaving) when its peer says so, it is old, it has
 * carried what it may, or a request has timed out on it and nothing at all came meanwhile: that
 * may be dead. Others are then opened, and it is closed when its last stream has gone.
 *
 * h2_conn.c    input, output, the end of a connection
 * h2_stream.c  from a request to the last byte of its response
 */
#pragma once

#include "base/client/client_internal.h"
#include "base/http2/client.h"

enum {
    H2_BATCH_BYTES = 128 * 1024,
    H2_MAX_SLICES = 4, /* of input before anything is sent */
    H2_LEAST_VIEW =
        4 * 1024, /* shorter pieces are copied, for they would hold all they came with */
    H2_COPY_BYTES = 16 * 1024
};

struct client_h2 {
    struct client_upstream *upstream;
    struct fb_list link;              /* in upstream->shared */
    struct fb_stream *stream;         /* owned; NULL once closed */
    struct fb_http2_session *session; /* owned; NULL once closed */
    struct fb_list streams;           /* of struct client_stream: all that have memory */
    struct fb_list news;              /* of those to be looked at */
    uint32_t n_streams;
    struct client_input *input; /* what is being received */

    struct fb_op wait;     /* for input */
    struct fb_op flush_op; /* flushes when this turn's other work is done */
    struct fb_stream_write write;
    struct fb_str pieces[FB_HTTP2_MAX_PIECES];
    struct fb_timer idle;
    bool wants_flush;
    unsigned n_holds; /* calls under way, which the memory outlives */

    uint64_t number; /* of the upstream's connections */
    uint64_t opened_ms;
    uint64_t heard_ms; /* when something last came */
    unsigned n_served;
    bool has_answered; /* some request */
    bool is_leaving;   /* takes no more */
};

/* Content that nobody has read. */
struct client_piece {
    struct fb_list link;
    struct fb_slice slice; /* owned; zero: in `copy` */
    struct fb_buf copy;
};

struct client_stream {
    struct client_carrier carrier;
    struct fb_http2_call call;
    struct client_h2 *conn;
    struct client_request *request; /* borrowed; NULL once that has let go */
    struct fb_list link;            /* in conn->streams */
    struct fb_list note;            /* in conn->news, or alone */
    uint64_t joined_ms;

    struct fb_list pieces; /* of struct client_piece */
    uint64_t n_read;
    uint32_t window;

    struct fb_reader *body; /* of the request; owned; NULL: none, or given up */
    struct fb_op body_wait;
    uint64_t n_sent; /* of it, when it was last looked at */
};

/* ---- h2_conn.c ----------------------------------------------------------- */

/* Sends what there is, when this call or this turn has done all else. */
void fb_client_h2_flush_soon(struct client_h2 *conn);

/* Around each call of the loop: the first keeps the memory, the last sends what came of it. */
void fb_client_h2_enter(struct client_h2 *conn);
void fb_client_h2_leave(struct client_h2 *conn);

/* A stream's memory is gone. */
void fb_client_h2_stream_gone(struct client_h2 *conn);

/* ---- h2_stream.c --------------------------------------------------------- */

extern const struct fb_http2_events fb_client_h2_events; /* their context is the connection */

/* Sends `request`, which is in no list. */
void fb_client_h2_stream_new(struct client_h2 *conn, struct client_request *request);

/* What has happened to it? It may be gone afterwards. */
void fb_client_h2_stream_settle(struct client_stream *stream);

/* Its connection ends, for `err`: to be settled. */
void fb_client_h2_stream_cut(struct client_stream *stream, int err);

/* A write has ended. */
void fb_client_h2_stream_sent(struct client_stream *stream);
