/*
 * Chunked content as S3's clients send it (Content-Encoding: aws-chunked): inside the content of
 * HTTP, so that it can be signed piece by piece, or bear a checksum behind it.
 *
 *     1000;chunk-signature=…\r\n … \r\n 0;chunk-signature=…\r\n
 *     x-amz-checksum-crc32c:…\r\n x-amz-trailer-signature:…\r\n \r\n
 *
 * Each signature goes on from the one before, the first from the request's. A chunk is
 * given before its signature is known to be good: whoever takes it keeps nothing unless all ends
 * well.
 *
 * Ownership  init → done. Views given point into what was fed.
 * Threads    One at a time.
 * Limits     Lines of ORIGIN_CHUNKED_LINE bytes; ORIGIN_CHUNKED_TRAILERS lines of a trailer.
 * Failures   FB_E_MALFORMED; FB_E_DENIED when a signature is not right.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/crypto/hash.h"
#include "origin/upload/sigv4.h"

#include <stdbool.h>
#include <stdint.h>

enum { ORIGIN_CHUNKED_LINE = 512, ORIGIN_CHUNKED_TRAILERS = 4 };

enum origin_chunked_state {
    ORIGIN_CHUNKED_SIZE,
    ORIGIN_CHUNKED_DATA,
    ORIGIN_CHUNKED_DATA_END,
    ORIGIN_CHUNKED_TRAILER,
    ORIGIN_CHUNKED_END
};

struct origin_chunked_options {
    bool is_signed;
    bool has_trailer;
    const struct origin_sigv4_chain *chain; /* copied; if it is signed */
    struct fb_str moment;                   /* borrowed until done, as the next */
    struct fb_str scope;
};

struct origin_chunked {
    /* Private to chunked.c. */
    struct origin_chunked_options options;
    struct origin_sigv4_chain chain;
    enum origin_chunked_state state;
    uint64_t left; /* of this chunk */
    struct fb_sha256 hash;
    char given[2 * FB_SHA256_SIZE]; /* signature of this chunk, or of the trailer */
    size_t n_given;
    char line[ORIGIN_CHUNKED_LINE];
    size_t n_line;
    char trailers[ORIGIN_CHUNKED_TRAILERS][ORIGIN_CHUNKED_LINE]; /* "name:value" */
    size_t n_trailers;
};

void origin_chunked_init(struct origin_chunked *chunked,
                         const struct origin_chunked_options *options);
void origin_chunked_done(struct origin_chunked *chunked);

/* Takes from `*rest`. FB_OK: *ret_data is content. FB_E_LATER: `*rest` is used up. FB_E_END: so
 * ends the content; what is left in `*rest` does not belong to it. */
FB_MUST_CHECK int origin_chunked_next(struct origin_chunked *chunked, struct fb_str *rest,
                                      struct fb_str *ret_data);

/* The value of the trailer's line `name` (in lower case), after the end; ptr NULL if there is
 * none. */
struct fb_str origin_chunked_trailer(const struct origin_chunked *chunked, struct fb_str name);
