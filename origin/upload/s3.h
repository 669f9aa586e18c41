/*
 * S3's requests, as blocking code: what one asks, whether it may, and the answer.
 *
 *     begin: signature, operation, whether it may ──► content, piece by piece ──► end: the answer
 *
 * What is there, in path style: one bucket, ORIGIN_BUCKET, whose keys are "<video>/<name>": the
 * one file of each video of whoever signed. The name is the client's. Others' keys are not
 * there at all.
 *
 *     PUT, HEAD, DELETE key                        the file, whole
 *     POST ?uploads, PUT ?partNumber, GET, POST, DELETE ?uploadId     in parts
 *     GET, HEAD, PUT bucket, POST ?delete, GET ?uploads | location | versioning; GET /
 *
 * All else is NotImplemented, and files are not read here: MethodNotAllowed.
 *
 * Ownership  new → free; the exchange's head is borrowed until then.
 * Threads    Blocking; one at a time.
 * Limits     ORIGIN_S3_XML_MAX bytes of XML.
 * Failures   Each answers as S3 does; see fault.h.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/http/head.h"
#include "base/loop/reader.h"
#include "origin/upload/content.h"
#include "origin/upload/ledger.h"
#include "origin/upload/sigv4.h"

#include <stdbool.h>

struct origin_upload;

#define ORIGIN_BUCKET "upload"

enum { ORIGIN_S3_XML_MAX = 4 * 1024 * 1024, ORIGIN_S3_PAGE = 1000, ORIGIN_S3_ID_LEN = 16 };

enum origin_s3_op {
    ORIGIN_S3_LIST_BUCKETS,
    ORIGIN_S3_LOCATION,
    ORIGIN_S3_VERSIONING,
    ORIGIN_S3_LIST_UPLOADS,
    ORIGIN_S3_LIST_OBJECTS,
    ORIGIN_S3_HEAD_BUCKET,
    ORIGIN_S3_CREATE_BUCKET,
    ORIGIN_S3_DELETE_OBJECTS,
    ORIGIN_S3_PUT,
    ORIGIN_S3_PUT_PART,
    ORIGIN_S3_CREATE,
    ORIGIN_S3_COMPLETE,
    ORIGIN_S3_LIST_PARTS,
    ORIGIN_S3_ABORT,
    ORIGIN_S3_HEAD,
    ORIGIN_S3_DELETE
};

struct origin_s3 {
    struct origin_upload *service;      /* borrowed */
    const struct fb_request_head *head; /* borrowed */
    int64_t length;                     /* of its content */
    char id[ORIGIN_S3_ID_LEN + 1];      /* told to the client, and logged */

    /* The answer; strings in the arena. */
    unsigned status;
    struct fb_headers headers;
    int64_t head_length; /* of what a GET would give, for HEAD; -1: as the content */
    struct fb_buf content;
    struct origin_fault fault;

    /* Private to s3*.c. */
    struct fb_arena arena;
    struct origin_params params;
    struct origin_sigv4 sigv4;
    struct origin_sigv4_chain chain;
    struct origin_id user; /* empty: a URL that this server signed */
    enum origin_s3_op op;
    struct fb_str key; /* decoded */
    struct origin_ledger_place place;
    struct origin_id upload;
    uint32_t number;
    struct origin_content body;
    struct origin_ledger_put *put; /* owned, or NULL */
    struct fb_buf xml;             /* the content of what is no put */
};

struct origin_s3 *origin_s3_new(struct origin_upload *service, const struct fb_request_head *head,
                                int64_t length);

/* Gives up what is being put, if anything; takes as long as removing a file. */
void origin_s3_drop(struct origin_s3 *s3);

void origin_s3_free(struct origin_s3 *s3);

/* A failure of any of these is the answer: see `fault`. */
FB_MUST_CHECK int origin_s3_begin(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_add(struct origin_s3 *s3, const struct fb_slice *slices, size_t n);
FB_MUST_CHECK int origin_s3_end(struct origin_s3 *s3);

/* The answer to a request with a fault. */
void origin_s3_refuse(struct origin_s3 *s3);
