/*
 * HTTP/2 sessions of a server (RFC 9113): bytes in, requests out; responses in, bytes out.
 *
 * A session does no input or output and knows no time. Its owner feeds what arrived, gets the
 * events that follow from it, and asks for what is to be sent until there is nothing: frames
 * of all streams that may send, the more urgent first (RFC 9218: the Priority field and
 * PRIORITY_UPDATE), streams of equal urgency that say `i` in turn, others one after the other.
 *
 *     bytes ──► receive() ──► opened ─► requested ─► content … ─► closed
 *                                            │
 *     respond(reader) ◄──────────────────────┘
 *     gather() ──► pieces, which view the readers' slices ──► [written] ──► sent()
 *
 * Content is not copied: what gather() gives are views of slices, kept until sent(). One
 * gathering is under way at a time.
 *
 * Requests are as strict as those of HTTP/1 (http1/parse.h). A malformed one is to be answered
 * with 400 or, if HTTP/2's own rules are broken, reset; where they are the connection's, that
 * ends with GOAWAY.
 *
 * Ownership  new → free. The owner embeds struct fb_http2_stream in what it keeps for each
 *            request, and frees that after `closed`.
 * Threads    One at a time.
 * Limits     struct fb_http2_limits. A client that only makes work (resets, SETTINGS, PING,
 *            PRIORITY_UPDATE, empty, tiny or unknown frames, CONTINUATION, fields without end)
 * spends tokens that come back with time and with what it takes; without any it is told
 *            ENHANCE_YOUR_CALM, and fb_http2_fault() says why.
 * Failures   FB_E_MALFORMED: no HTTP/2 at all; -ENOMEM.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/list.h"
#include "base/http/head.h"
#include "base/loop/reader.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_http2_session;

enum {
    FB_HTTP2_STREAM_SLICES = 4, /* that a stream has taken and not sent, at most */
    FB_HTTP2_MAX_PIECES = 64,   /* of one gathering */
    FB_HTTP2_MAX_RESPONSE_HEAD = 256 * 1024,
    FB_HTTP2_WINDOW = 64 * 1024 - 1
};

/* Zero means the default in brackets. */
struct fb_http2_limits {
    uint32_t max_head_bytes; /* [32 KiB] names and values: `status` 431 or 414 */
    uint32_t max_headers;    /* [100] fields: `status` 431 */
    uint32_t max_streams;    /* [128] open at once; others are refused */
    uint32_t window;         /* [1 MiB] of a client, of each stream at first; of a server, of
                              * the connection too once somebody reads a request's content */
};

/* The session's part of a request and its response. */
struct fb_http2_stream {
    struct fb_arena *arena; /* set by `opened`: where the head goes */
    int32_t id;

    /* The request. */
    struct fb_request_head request; /* from `requested` on; version_minor is 1 */
    int64_t content_length;         /* 0: none; FB_LENGTH_UNKNOWN: its end will tell */
    unsigned status;                /* not 0: refuse the request with it: 400, 414, 431, 501 */
    bool expects_continue;
    bool has_all_content; /* nothing more will come */
    size_t n_head_bytes;  /* names and values that came, kept or not */
    size_t n_fields;      /* those of HTTP/2 itself apart */

    /* The response. */
    struct fb_reader *body; /* borrowed from respond() until it has ended or is closed */
    bool waits_for_body;    /* from `waiting` to fb_http2_resume() */
    bool has_ended;         /* its last byte was gathered */
    bool is_closed;         /* `closed` has run */
    int body_err;           /* why `body` broke, which reset the stream; else FB_OK */
    uint64_t n_gathered;    /* bytes of content */
    size_t room_out;        /* what its head takes, at most */

    /* Private to base/http2. */
    struct fb_buf cookie;
    const struct fb_header *lined_out; /* of the head that is to be sent, at first: borrowed */
    size_t n_lined_out;
    const struct fb_header *fields_out; /* all others; in `arena` */
    size_t n_fields_out;
    unsigned status_out;                            /* 0 once it is gathered */
    bool has_continue;                              /* a status of 100 is to be sent before */
    struct fb_slice slices[FB_HTTP2_STREAM_SLICES]; /* taken from `body`, not all sent */
    size_t n_slices;
    size_t n_used;    /* bytes of the first that were gathered */
    uint64_t n_taken; /* bytes of content taken from `body` */
    int64_t length;   /* of the response, or FB_LENGTH_UNKNOWN */
    bool body_ended;
    uint64_t gathering; /* in which it was last part */
    uint64_t n_before;  /* n_gathered before that */
};

/* What happens; called inside fb_http2_receive() and fb_http2_gather(), so they only take
 * note: of the functions below none but fb_http2_use() may be called in them. */
struct fb_http2_events {
    /* A request begins. NULL refuses the stream. */
    struct fb_http2_stream *(*opened)(void *ctx);

    /* Its head is complete. */
    void (*requested)(void *ctx, struct fb_http2_stream *stream);

    /* Content came; has_all_content may have been set, then `bytes` may be empty. */
    void (*content)(void *ctx, struct fb_http2_stream *stream, struct fb_str bytes);

    /* Its body has nothing yet: call fb_http2_resume() when that may have changed. */
    void (*waiting)(void *ctx, struct fb_http2_stream *stream);

    /* The response's last byte is in this gathering. */
    void (*ended)(void *ctx, struct fb_http2_stream *stream);

    /* The session forgets the stream: both sides are done, or one has reset it. */
    void (*closed)(void *ctx, struct fb_http2_stream *stream);

    /* A request was refused, for `opened` gave none or too many are open. */
    void (*refused)(void *ctx);

    /* Instead of opened, requested and refused, of clients (client.h): the head of the response
     * is complete. */
    void (*answered)(void *ctx, struct fb_http2_stream *stream);
};

/* `limits` and `events` are copied. */
FB_MUST_CHECK int fb_http2_session_new(const struct fb_http2_limits *limits,
                                       const struct fb_http2_events *events, void *ctx,
                                       struct fb_http2_session **ret_session);

/* Streams that are open are forgotten without `closed`; fb_http2_stream_done() was called for
 * each. Accepts NULL. */
void fb_http2_session_free(struct fb_http2_session *session);

/* Frees what is kept for the next streams: none are expected soon. */
void fb_http2_rest(struct fb_http2_session *session);

/* Lets go of what a stream has taken, for its session goes away. */
void fb_http2_stream_done(struct fb_http2_session *session, struct fb_http2_stream *stream);

/* Why a connection was, or is about to be, closed. */
enum fb_http2_fault {
    FB_HTTP2_FAULT_NONE,
    FB_HTTP2_FAULT_PROTOCOL, /* rules broken */
    FB_HTTP2_FAULT_RESETS,   /* requests begun to be reset */
    FB_HTTP2_FAULT_CONTROL,  /* frames that carry nothing */
    FB_HTTP2_FAULT_FIELDS,   /* fields without end */
    FB_HTTP2_N_FAULTS
};

/* Bytes arrived. After a failure the session is of no use. */
FB_MUST_CHECK int fb_http2_receive(struct fb_http2_session *session, struct fb_str bytes,
                                   uint64_t now_ms);

enum fb_http2_fault fb_http2_fault(const struct fb_http2_session *session);

/* Frames wait that no stream's content is part of: who does not take them is not read from. */
bool fb_http2_is_clogged(const struct fb_http2_session *session);

/* True when both sides are done with the connection, and all was gathered. */
bool fb_http2_is_over(const struct fb_http2_session *session);

/* No new requests: GOAWAY first warns, then, with `is_final`, names the last request that will
 * be answered. */
void fb_http2_shut_down(struct fb_http2_session *session, bool is_final);

struct fb_http2_response {
    unsigned status;
    const struct fb_header *headers; /* as for HTTP/1; names in any case; the array is copied, its
                                      * bytes stay as long as the stream's arena */
    size_t n_headers;
    size_t n_checked; /* of these, the first: fb_header_may_be_sent() is known */
    /* So many of these, checked, as HTTP/1 writes them: lines with CRLF; or empty. That part of the
     * array is not copied: it stays as its bytes do. */
    struct fb_str lines;
    size_t n_lines;
    const struct fb_header *extra; /* such as Date; checked; their bytes stay for ever */
    size_t n_extra;
    bool says_length;       /* Content-Length: `length` */
    int64_t length;         /* of what `body` gives, or FB_LENGTH_UNKNOWN */
    struct fb_reader *body; /* borrowed; NULL: no content */
};

/* Queues the response. Fields that belong to HTTP/1's framing are left out, and such as could
 * not be written in HTTP/1. The stream of a head beyond FB_HTTP2_MAX_RESPONSE_HEAD, counted with 24
 * bytes more for each field, is reset with INTERNAL_ERROR. Not for closed streams. */
void fb_http2_respond(struct fb_http2_session *session, struct fb_http2_stream *stream,
                      const struct fb_http2_response *response);

/* 100 Continue. */
void fb_http2_continue(struct fb_http2_session *session, struct fb_http2_stream *stream);

/* Ends the stream with RST_STREAM: NO_ERROR after a response, so that the client sends no
 * more content, else INTERNAL_ERROR. */
void fb_http2_reset(struct fb_http2_session *session, struct fb_http2_stream *stream);

/* The body that had to be waited for has news. */
void fb_http2_resume(struct fb_http2_session *session, struct fb_http2_stream *stream);

/* Somebody reads the request's content: opens the windows to the limit of them. */
void fb_http2_widen(struct fb_http2_session *session, struct fb_http2_stream *stream);

/* `n` bytes of content were used, so as many may come. For closed streams too. */
void fb_http2_use(struct fb_http2_session *session, struct fb_http2_stream *stream, size_t n);

/* What is to be sent now: up to FB_HTTP2_MAX_PIECES pieces in `pieces`, not much more than
 * `max_bytes`; returns how many. They stand until fb_http2_sent(). */
size_t fb_http2_gather(struct fb_http2_session *session, size_t max_bytes, struct fb_str *pieces);

/* What was gathered is written, or will not be. */
void fb_http2_sent(struct fb_http2_session *session);

/* Bytes of content that were sent of the response; without those of a gathering under way. */
uint64_t fb_http2_n_sent(const struct fb_http2_session *session,
                         const struct fb_http2_stream *stream);

/* True if the client lets nothing more come of this response, by a window of its stream or of
 * the connection. */
bool fb_http2_is_blocked(const struct fb_http2_session *session,
                         const struct fb_http2_stream *stream);

/* Gives slices that wait for the client back to the body, if it can take them. */
void fb_http2_retract(struct fb_http2_session *session, struct fb_http2_stream *stream);
