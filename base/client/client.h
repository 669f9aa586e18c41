/*
 * Clients: HTTP requests to upstreams, over pools of kept connections of HTTP/1.1, or over few
 * of HTTP/2 that carry many requests each.
 *
 * A fetch is an operation: it finishes when the response's head has arrived.
 * The content is then pulled from a reader, which knows a cut body
 * (FB_E_CLOSED) from a whole one (FB_E_END). A request that fails on a kept
 * connection before any byte of the response is sent again on a new one if it
 * is idempotent and has no content (RFC 9110 section 9.2.2). Of 1xx responses up to
 * 16 are passed over, for nobody here asked for one (section 15.2); 101 is malformed.
 * Trailers are read within a limit and dropped (section 6.5.1). Nothing is redirected, decoded or
 * stored.
 *
 * Ownership  One client per loop: new → fb_client_close(). The caller owns the
 *            struct fb_fetch until done, and from then on `body`, to be closed;
 *            closing it early drops the connection, unless so little is
 *            left that reading it is cheaper.
 * Threads    The loop's own.
 * Limits     Per upstream: connections, idle ones, and how long these are kept;
 *            a fetch beyond `max_connections` waits its turn until its timeout, and
 *            one beyond `max_queue` does not wait. Of a connection of HTTP/2: as many streams as
 *            its peer and `max_streams` let there be, and content of each that nobody has read
 *            up to its window; what a peer sends that only makes work, as base/http2 bounds it.
 *            While such a connection is opened, or it is not known yet whether the next one is
 *            such, others wait for it; what it fails with, they fail with.
 * Failures   As fb_tcp_connect(); FB_E_TIMEOUT; FB_E_BUSY if its turn never
 *            came or too many wait; FB_E_CLOSED; FB_E_MALFORMED for an answer that is not HTTP,
 *            and for a target or Host that would not be a request; FB_E_LIMIT
 *            for an oversized head; those of handshakes (base/tls/handshake.h), and
 *            FB_E_UNSUPPORTED for https without `tls`; what
 *            `request_body` failed with, which `content_failed` tells from what
 *            the upstream did. FB_E_UNSUPPORTED as well for an upstream that was to speak HTTP/2
 *            and does not.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/diag.h"
#include "base/http/head.h"
#include "base/http/url.h"
#include "base/loop/op.h"
#include "base/loop/reader.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_client;
struct fb_loop;
struct fb_metrics;
struct fb_tls_party;

/* Zero means the default in brackets. */
struct fb_client_limits {
    uint32_t max_connections; /* [256] per upstream */
    uint32_t max_queue;       /* per upstream, waiting for one of them; 0: no bound */
    uint32_t max_idle;        /* [64] kept per upstream */
    uint32_t idle_timeout_ms; /* [20 s] kept at most so long, and a second less than the
                                 upstream says in Keep-Alive */
    uint32_t max_reuses;      /* requests of one connection; 0: no bound */
    uint32_t max_age_ms;      /* of a connection that is used again; 0: no bound */
    uint32_t max_head_bytes;  /* [64 KiB] of a response */

    /* Of HTTP/2. */
    uint32_t max_streams; /* [100] of a connection */
    uint32_t min_window;  /* [1 MiB] content of a stream that comes unread */
    uint32_t max_window;  /* [4 MiB] of one whose content was read as it came */
};

enum fb_client_protocol {
    FB_CLIENT_AUTO,  /* https: HTTP/2 if the upstream chooses it by ALPN; http: HTTP/1.1 */
    FB_CLIENT_HTTP1, /* whatever ALPN says */
    FB_CLIENT_HTTP2  /* https: by ALPN, or it fails; http: as if known before (RFC 9113, 3.3) */
};

/* `limits` and `metrics` may be NULL. */
struct fb_client *fb_client_new(struct fb_loop *loop, const struct fb_client_limits *limits,
                                struct fb_metrics *metrics);

/* Closes kept connections; requires that no fetch or body is left. Frees itself
 * when the loop has turned. Accepts NULL. */
void fb_client_close(struct fb_client *client);

struct fb_fetch {
    struct fb_op op;

    /* In; borrowed until done. */
    struct fb_url url; /* host, port and target */
    enum fb_client_protocol protocol;
    struct fb_tls_party *tls; /* for scheme https (base/net/tls_stream.h); outlives the client. What
                                 it offers by ALPN has to fit `protocol` */
    struct fb_str tls_name;   /* that the certificate must be for; ptr NULL: url.host */
    enum fb_method method;
    const struct fb_header *headers; /* without Host and framing fields */
    size_t n_headers;
    struct fb_str host_header;      /* overrides Host; ptr NULL: from url */
    struct fb_reader *request_body; /* taken over; NULL for none */
    int64_t request_length;         /* of request_body; -1: chunked */
    uint32_t connect_timeout_ms;    /* [5 s]; as long again for the handshake of TLS */
    uint32_t head_timeout_ms;       /* [30 s] for each: the queue and connecting,
                                       sending a piece, and from the last to the head */
    uint32_t body_timeout_ms;       /* [30 s] waiting for a piece of content, whatever else comes */

    /* Out. Strings of the head live in `arena`, which is the caller's, given
     * zeroed or with earlier content. */
    struct fb_arena *arena;
    struct fb_response_head response;
    int64_t length;         /* of the content; 0 for HEAD; -1 if only its end will tell */
    struct fb_reader *body; /* the caller's to close; gives FB_E_END if empty */
    bool is_http2;          /* the response came as a stream of HTTP/2 */
    bool content_failed;    /* it failed because `request_body` did */
    struct fb_diag *diag;   /* in: gets the sentence of a handshake that failed; may be NULL */

    /* Private to base/client. */
    struct client_request *request;
};

/* Starts `fetch`, whose op was set up with fb_op_init(). Cancelable. */
void fb_client_fetch(struct fb_client *client, struct fb_fetch *fetch);
