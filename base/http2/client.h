/*
 * HTTP/2 sessions of a client (RFC 9113): requests out, responses in.
 *
 * The other side of session.h: feeding it, gathering, sent(), resume(), reset(), use(), the fault
 * and the rest are the same; of the events, `answered` takes the place of opened, requested and
 * refused.
 *
 *     ask() ──► gather() … ──► answered ─► content … ─► closed
 *
 * Content is what receive() was given: the bytes of an event are part of those. What a stream
 * may send is bounded by its own window, which use() opens again; the connection's, of
 * FB_HTTP2_CALLS_WINDOW, is opened at once, so that a stream that nobody reads holds up no other.
 *
 * Responses are as strict as those of HTTP/1 (http1/parse.h). A malformed one resets its stream;
 * where it is the connection's rules that were broken, that ends with GOAWAY. Of interim responses
 * up to 16 are passed over; 101 is malformed. Trailers count for the head's limits, and are
 * dropped. Nothing is pushed.
 *
 * Ownership  As in session.h: the owner embeds struct fb_http2_call, and frees it after `closed`,
 *            or after fb_http2_stream_done() and the session.
 * Threads    One at a time.
 * Limits     struct fb_http2_limits; what a server may do that only makes work, as in session.h,
 *            with each request adding to that.
 * Failures   As in session.h; `err` of a call.
 */
#pragma once

#include "base/core/attr.h"
#include "base/http/head.h"
#include "base/http2/session.h"

enum { FB_HTTP2_CALLS_WINDOW = 16 * 1024 * 1024 };

/* The session's part of a request and its response. */
struct fb_http2_call {
    struct fb_http2_stream stream; /* `arena` is set by the owner: where the head goes; NULL: nobody
                                      wants it any more */

    struct fb_response_head
        response; /* from `answered` on; stream.content_length is what it says */
    bool is_answered;
    bool has_begun;  /* something of a response came, be it an interim one */
    int err;         /* from `closed` on: FB_OK if it came whole, which has_all_content says;
                        FB_E_CLOSED, FB_E_MALFORMED, FB_E_LIMIT */
    bool is_refused; /* from `closed` on: the server did not look at it, so it may be sent again */

    /* Private to base/http2. */
    unsigned n_interim;
    bool was_reset; /* by the server */
};

/* `limits` and `events` are copied. Zero in `limits`: 64 KiB, 100, 100 streams, 1 MiB. */
FB_MUST_CHECK int fb_http2_client_new(const struct fb_http2_limits *limits,
                                      const struct fb_http2_events *events, void *ctx,
                                      struct fb_http2_session **ret_session);

/* How many requests may be under way: 0 once the server takes no more. Before it has said how many
 * that are, at most 100 are assumed. */
uint32_t fb_http2_max_calls(const struct fb_http2_session *session);
bool fb_http2_has_said(const struct fb_http2_session *session);

struct fb_http2_ask {
    struct fb_str method;
    struct fb_str scheme;
    struct fb_str authority;
    struct fb_str target;
    const struct fb_header *headers; /* as for HTTP/1; names in any case; copied */
    size_t n_headers;
    bool says_length; /* Content-Length: `length` */
    int64_t length;   /* of what `body` gives, or FB_LENGTH_UNKNOWN */
    struct fb_reader
        *body; /* borrowed until it has ended or the stream is closed; NULL: no content */
};

/* Sends a request; `call` is zero but for its arena. Fields that belong to HTTP/1's framing are
 * left out. Fails with -ENOMEM, or FB_E_CLOSED if the server takes no more. */
FB_MUST_CHECK int fb_http2_ask(struct fb_http2_session *session, struct fb_http2_call *call,
                               const struct fb_http2_ask *ask);

/* Lets a stream send so much ahead of use(), from now on. */
void fb_http2_call_widen(struct fb_http2_session *session, struct fb_http2_call *call,
                         uint32_t window);

static inline struct fb_http2_call *fb_http2_call_of(struct fb_http2_stream *stream)
{
    return FB_CONTAINER_OF(stream, struct fb_http2_call, stream);
}
