/*
 * Content: what a request brings, taken out of its chunks and checked against all that the request
 * says of it.
 *
 *     init (the fields) ──► add … add ──► finish: whole, and as it was said to be
 *                             └──► the sink, piece by piece
 *
 * Checked are the length, x-amz-content-sha256, signatures of chunks, Content-MD5, and one of
 * x-amz-checksum-crc32, -crc32c and -sha256, as a field or behind the content. The MD5, which is
 * the ETag, is made in any case. What the sink was given is good only after finish.
 *
 * Ownership  init → done, also after a failed init. What init was given is borrowed until then.
 * Threads    One at a time; hashing takes time, so not on a loop.
 * Failures   As struct origin_fault, and what the sink returns, with its fault set by it.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"
#include "base/crypto/checksum.h"
#include "base/crypto/hash.h"
#include "base/http/head.h"
#include "origin/upload/chunked.h"
#include "origin/upload/fault.h"
#include "origin/upload/sigv4.h"

#include <stdbool.h>
#include <stdint.h>

enum origin_sum_kind {
    ORIGIN_SUM_NONE,
    ORIGIN_SUM_CRC32,
    ORIGIN_SUM_CRC32C,
    ORIGIN_SUM_SHA256,
    ORIGIN_N_SUMS
};

enum { ORIGIN_SUM_MAX = 32 };

struct origin_sum {
    enum origin_sum_kind kind;
    uint8_t bytes[ORIGIN_SUM_MAX];
};

/* "CRC32", and "x-amz-checksum-crc32"; NULL for NONE. */
const char *origin_sum_name(enum origin_sum_kind kind);
const char *origin_sum_field(enum origin_sum_kind kind);

/* The kind of a name such as "CRC32C", in any case; FB_E_UNSUPPORTED. */
FB_MUST_CHECK int origin_sum_kind_of(struct fb_str name, enum origin_sum_kind *ret_kind);

struct fb_str origin_sum_str(const struct origin_sum *sum);

struct origin_content {
    uint64_t size; /* of what the sink is given, as declared */
    uint64_t n;    /* so far */
    uint8_t md5[FB_MD5_SIZE];
    struct origin_sum sum; /* that was checked; its kind from the beginning */

    /* Private to content.c. */
    const struct origin_sigv4 *sigv4;
    const struct fb_request_head *request;
    bool is_chunked;
    bool has_ended; /* by its chunks */
    struct origin_chunked chunked;
    struct fb_md5 md5_hash;
    struct fb_sha256 sha256_hash;
    uint32_t crc;
    bool hashes_sha256;
    bool has_sum_field; /* before the content */
    struct fb_str sum_text;
};

/* `length` is that of HTTP's content. Without one that is known, or declared for what is in the
 * chunks: NO_LENGTH. */
FB_MUST_CHECK int origin_content_init(struct origin_content *content,
                                      const struct fb_request_head *request, int64_t length,
                                      const struct origin_sigv4 *sigv4,
                                      const struct origin_sigv4_chain *chain,
                                      struct origin_fault *fault);
void origin_content_done(struct origin_content *content);

/* Takes several pieces at once; never more than the declared size in all. */
typedef int origin_content_sink(void *ctx, const struct fb_str *pieces, size_t n,
                                struct origin_fault *fault);

FB_MUST_CHECK int origin_content_add(struct origin_content *content, struct fb_str bytes,
                                     origin_content_sink *sink, void *ctx,
                                     struct origin_fault *fault);

/* All of it has come. */
FB_MUST_CHECK int origin_content_finish(struct origin_content *content, struct origin_fault *fault);
