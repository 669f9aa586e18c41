/*
 * HTTP/1.x heads: from bytes to struct fb_request_head and fb_response_head
 * (RFC 9112), strictly.
 *
 * Feed what arrived until a head is complete; what follows it in the input is
 * content, for body.h. A head that came in one piece is parsed where it stands
 * after one copy into the arena; a head in pieces is gathered first, within
 * the limit. Refused, because peers could read them in two ways:
 *
 *   - a CR or LF on its own, NUL and other control bytes, folded lines, white
 *     space before a colon, names that are no tokens;
 *   - Content-Length twice or not a number, or beside Transfer-Encoding;
 *   - Transfer-Encoding other than exactly "chunked", or in HTTP/1.0;
 *   - Host missing (in HTTP/1.1), repeated or no host[:port];
 *   - targets other than /path, an absolute http(s) URL, and * for OPTIONS.
 *
 * Ownership  The caller owns the parser: init → done. Heads live in the arena
 *            that was given.
 * Threads    One at a time.
 * Limits     struct fb_http1_limits.
 * Failures   FB_E_MALFORMED, FB_E_LIMIT, FB_E_UNSUPPORTED. After a failure
 *            `status` is what a server answers, and bytes mean nothing more.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/http/head.h"

#include <stdbool.h>
#include <stdint.h>

/* Zero means the default in brackets. */
struct fb_http1_limits {
    uint32_t max_head_bytes; /* [32 KiB] first line and fields */
    uint32_t max_headers;    /* [100] field lines */
};

/* With what a client begins that knows the server to speak HTTP/2 (RFC 9113 section 3.4), up
 * to its first empty line. */
#define FB_HTTP2_PREFACE FB_STR("PRI * HTTP/2.0\r\n\r\n")

/* How the end of the content is known. */
enum fb_http1_framing {
    FB_HTTP1_EMPTY,      /* no content */
    FB_HTTP1_LENGTH,     /* Content-Length, more than 0 */
    FB_HTTP1_CHUNKED,    /* Transfer-Encoding: chunked */
    FB_HTTP1_UNTIL_CLOSE /* responses only */
};

struct fb_http1_request {
    struct fb_request_head head;
    enum fb_http1_framing framing;
    uint64_t length;        /* for FB_HTTP1_LENGTH */
    bool keeps_alive;       /* the client lets the connection stay */
    bool expects_continue;  /* Expect: 100-continue, in HTTP/1.1 */
    bool expects_otherwise; /* any other Expect: 417 */
};

struct fb_http1_response {
    struct fb_response_head head;
    unsigned version_minor;
    enum fb_http1_framing framing;
    uint64_t length;  /* for FB_HTTP1_LENGTH; for HEAD and 304 see has_length */
    bool has_length;  /* Content-Length was there, and stands in `length` */
    bool keeps_alive; /* the connection may be used again after the content */
};

struct fb_http1_parser {
    unsigned status; /* after a failure: 400, 414, 431, 501 or 505 */
    bool is_http2;   /* after one: the bytes were FB_HTTP2_PREFACE; `*input` is what follows */

    /* Private. */
    struct fb_http1_limits limits;
    struct fb_buf partial; /* an incomplete head */
    unsigned n_blank;      /* empty lines before a request line */
};

/* `limits` is copied and may be NULL. */
void fb_http1_parser_init(struct fb_http1_parser *parser, const struct fb_http1_limits *limits);
void fb_http1_parser_done(struct fb_http1_parser *parser);

/* True while a head has begun and is not complete. */
bool fb_http1_parser_has_begun(const struct fb_http1_parser *parser);

/* Takes bytes from the front of `*input`. FB_OK: the head is complete and
 * `*input` is what follows it; the parser is ready for the next head.
 * FB_E_LATER: all was taken and more is needed. */
FB_MUST_CHECK int fb_http1_parse_request(struct fb_http1_parser *parser, struct fb_str *input,
                                         struct fb_arena *arena,
                                         struct fb_http1_request *ret_request);

/* As above, for the response to a request with `method`, which decides whether
 * content follows. A 1xx response is FB_HTTP1_EMPTY, and another head follows
 * it. 101 is malformed, for nobody asked. */
FB_MUST_CHECK int fb_http1_parse_response(struct fb_http1_parser *parser, struct fb_str *input,
                                          enum fb_method method, struct fb_arena *arena,
                                          struct fb_http1_response *ret_response);
