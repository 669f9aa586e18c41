/*
 * HTTP/1.1 heads and chunks as bytes (RFC 9112).
 *
 * Framing fields are written here and nowhere else: of the given headers those
 * named Connection, Keep-Alive, Proxy-Connection, TE, Trailer,
 * Transfer-Encoding, Upgrade and Content-Length are left out, and so are lines
 * whose name is no token or whose value has a control byte, so that no header
 * value can forge a line.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/buf.h"
#include "base/http/head.h"
#include "base/http1/parse.h"

#include <stdint.h>

struct fb_http1_request_out {
    struct fb_str method;
    struct fb_str target; /* origin-form */
    struct fb_str host;   /* the value of Host */
    const struct fb_header *headers;
    size_t n_headers;
    enum fb_http1_framing framing; /* FB_HTTP1_UNTIL_CLOSE is not for requests */
    uint64_t length;               /* for FB_HTTP1_LENGTH */
    bool says_length;              /* Content-Length: 0 for an empty POST or PUT */
    bool closes;                   /* Connection: close */
};

/* Appends a request's head to `buf`. */
void fb_http1_write_request(struct fb_buf *buf, const struct fb_http1_request_out *request);

struct fb_http1_response_out {
    unsigned status;
    const struct fb_header *headers;
    size_t n_headers;
    size_t n_checked;    /* of these, the first: fb_header_may_be_sent() is known */
    struct fb_str lines; /* of these, the first `n_lines`, with their CRLF; or empty */
    size_t n_lines;
    struct fb_str extra;           /* whole lines with their CRLF, as Date */
    enum fb_http1_framing framing; /* FB_HTTP1_UNTIL_CLOSE: no field says it */
    uint64_t length;               /* for FB_HTTP1_LENGTH, or with says_length */
    bool says_length;              /* Content-Length though no content follows */
    bool closes;                   /* Connection: close */
    bool says_keep_alive;          /* Connection: keep-alive, for HTTP/1.0 */
    struct fb_str upgrade;         /* Connection: Upgrade, to this protocol; empty: none */
};

/* Appends a response's head to `buf`. */
void fb_http1_write_response(struct fb_buf *buf, const struct fb_http1_response_out *response);

/* "HTTP/1.1 100 Continue" with its empty line. */
struct fb_str fb_http1_continue(void);

enum { FB_HTTP1_CHUNK_HEAD_MAX = 20 };

/* Writes what stands before a chunk of `len` > 0 bytes; returns a view of
 * `text`. A CRLF follows the chunk. */
struct fb_str fb_http1_chunk_head(char text[FB_HTTP1_CHUNK_HEAD_MAX], uint64_t len);

/* What ends chunked content: "0", no trailers. */
struct fb_str fb_http1_chunk_last(void);
