/*
 * AWS Signature Version 4, as S3 has it: who sent a request, and that nothing in it was changed.
 *
 * A request is signed in its query (a URL that was signed before, for whoever has it) or in its
 * Authorization header. The signature covers method, path, query, the fields that it names, and
 * what the field x-amz-content-sha256 says of the content: its hash, that it is not covered, or
 * that it comes in chunks (chunked.h) each of which may have a signature that goes on from this
 * one.
 *
 *     origin_sigv4_read()  what the request says of itself ──► whose key? ──►
 *     origin_sigv4_check() whether the key's owner said so
 *
 * What must be signed: Host; in the header form also every x-amz-* field, and Content-MD5
 * wherever it stands. In the query form fields that are not signed are allowed (they can
 * only make a request fail that would have passed). Any region is taken, for clients differ in
 * what they suppose; the service must be "s3". A secret is compared in constant time, and only the
 * owner of a good signature is told that it has expired.
 *
 * Threads    Pure functions, any thread.
 * Limits     ORIGIN_SIGV4_MAX_PARAMS, ORIGIN_SIGV4_MAX_FIELDS; seven days; 15 minutes of skew.
 * Failures   As struct origin_fault.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"
#include "base/crypto/hash.h"
#include "base/http/head.h"
#include "origin/upload/fault.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ORIGIN_SIGV4_MAX_PARAMS = 32,
    ORIGIN_SIGV4_MAX_FIELDS = 32,
    ORIGIN_SIGV4_MAX_EXPIRES_S = 7 * 24 * 3600,
    ORIGIN_SIGV4_SKEW_S = 15 * 60
};

/* ---- queries ----------------------------------------------------------------- */

/* One query parameter: decoded, and both sides encoded anew. */
struct origin_param {
    struct fb_str name;
    struct fb_str value;
    struct fb_str canonical; /* name=value */
};

/* In the order of their canonical forms. */
struct origin_params {
    struct origin_param items[ORIGIN_SIGV4_MAX_PARAMS];
    size_t n;
};

/* FB_E_MALFORMED, FB_E_LIMIT. */
FB_MUST_CHECK int origin_params_read(struct fb_str query, struct fb_arena *arena,
                                     struct origin_params *params);

/* The value of the one parameter `name`; ptr NULL if it is missing or repeated. */
struct fb_str origin_params_find(const struct origin_params *params, const char *name);

/* ---- requests ------------------------------------------------------------------ */

enum origin_payload {
    ORIGIN_PAYLOAD_UNSIGNED,
    ORIGIN_PAYLOAD_HASHED,         /* with `payload_hash` */
    ORIGIN_PAYLOAD_CHUNKS,         /* each signed */
    ORIGIN_PAYLOAD_CHUNKS_TRAILER, /* each signed, and the trailer */
    ORIGIN_PAYLOAD_TRAILER         /* chunks without signatures, with a trailer */
};

/* Strings are the request's, or the arena's. */
struct origin_sigv4 {
    bool is_query;
    struct fb_str access_key;
    struct fb_str region;
    struct fb_str moment; /* 20260131T120000Z */
    struct fb_str scope;  /* 20260131/region/s3/aws4_request */
    struct fb_str names;  /* of signed fields, with ';' between */
    struct fb_str signature;
    int64_t signed_s;   /* Unix time */
    uint64_t expires_s; /* of the query form */
    enum origin_payload payload;
    struct fb_str payload_text; /* as signed */
    uint8_t payload_hash[FB_SHA256_SIZE];
};

/* `params` are those of the request's query. */
FB_MUST_CHECK int origin_sigv4_read(const struct fb_request_head *request,
                                    const struct origin_params *params, struct fb_arena *arena,
                                    struct origin_sigv4 *ret_sigv4, struct origin_fault *fault);

/* What signatures of chunks go on from. */
struct origin_sigv4_chain {
    uint8_t key[FB_SHA256_SIZE];
    char signature[2 * FB_SHA256_SIZE + 1]; /* the one before */
};

/* What a signature is checked against; all borrowed for the call. */
struct origin_sigv4_proof {
    struct fb_str secret; /* of the access key */
    const struct fb_request_head *request;
    const struct origin_params *params; /* of the request's query */
    int64_t now_ms;                     /* Unix time */
};

/* `ret_chain` may be NULL. */
FB_MUST_CHECK int origin_sigv4_check(const struct origin_sigv4 *sigv4,
                                     const struct origin_sigv4_proof *proof, struct fb_arena *arena,
                                     struct origin_sigv4_chain *ret_chain,
                                     struct origin_fault *fault);

/* ---- signing --------------------------------------------------------------------- */

/* What is signed, whichever side asks. */
struct origin_sigv4_canon {
    struct fb_str method;
    struct fb_str path; /* in its canonical form, as the query */
    struct fb_str query;
    struct fb_str headers; /* lines, each with its newline */
    struct fb_str names;   /* of these, with ';' between */
    struct fb_str payload; /* a hash in hexadecimal, or what stands for it */
    struct fb_str moment;
    struct fb_str scope;
};

void origin_sigv4_key(struct fb_str secret, struct fb_str scope, uint8_t ret_key[FB_SHA256_SIZE]);

/* Appends the signature in hexadecimal. */
void origin_sigv4_sign(const struct origin_sigv4_canon *canon, const uint8_t key[FB_SHA256_SIZE],
                       struct fb_buf *buf);

/* Appends "20260131T120000Z". */
void origin_sigv4_moment(struct fb_buf *buf, int64_t now_ms);
