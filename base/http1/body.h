/*
 * HTTP/1.x content: from framed bytes to pieces of content (RFC 9112 sections
 * 6 and 7).
 *
 * Pieces are views of the input: nothing is copied. Chunk extensions are
 * passed over and trailers dropped, both within a limit; anything that peers
 * could read in two ways is refused, as in parse.h.
 *
 * Threads    One at a time.
 * Limits     FB_HTTP1_MAX_CHUNK_LINE bytes for a chunk's line,
 *            FB_HTTP1_MAX_TRAILERS for all trailers.
 * Failures   FB_E_MALFORMED; FB_E_CLOSED from fb_http1_body_close().
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/http1/parse.h"

#include <stdbool.h>
#include <stdint.h>

enum { FB_HTTP1_MAX_CHUNK_LINE = 256, FB_HTTP1_MAX_TRAILERS = 8192 };

struct fb_http1_body {
    enum fb_http1_framing framing;
    uint64_t left; /* of the content, or of the current chunk */

    /* Private to body.c. */
    unsigned state;
    uint32_t n_overhead; /* bytes of the current chunk's line, or of trailers */
    bool has_digit;
};

void fb_http1_body_init(struct fb_http1_body *body, enum fb_http1_framing framing, uint64_t length);

/* Takes bytes from the front of `*input`. FB_OK: a piece, never empty, which is
 * a view of the input. FB_E_LATER: all was taken and more is needed. FB_E_END:
 * the content is complete and `*input` is what follows it. */
FB_MUST_CHECK int fb_http1_body_next(struct fb_http1_body *body, struct fb_str *input,
                                     struct fb_str *ret_piece);

/* True when the last byte was taken. */
bool fb_http1_body_is_whole(const struct fb_http1_body *body);

/* The peer sends no more: FB_E_END if that is how the content ends or it was
 * whole, FB_E_CLOSED if it is cut. */
FB_MUST_CHECK int fb_http1_body_close(struct fb_http1_body *body);
