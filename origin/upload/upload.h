/*
 * Uploads: content straight to the objects, by whoever speaks S3.
 *
 *     /upload/<video>/<name>      s3.h says what there is
 *
 *     BEGIN ──► READ ⇄ WRITE ──► END ──► RESPOND
 *       │         │       │       │         ▲
 *       └─────────┴───────┴───────┴─► ABORT ┘   any failure
 *
 * What arrives is checked and written by the pool, a piece at a time; while a piece is
 * being written the next is not read, so a client faster than the disk waits,
 * and an upload of any size takes the memory of one piece. What is cut never
 * becomes anything (ledger.h).
 *
 * Who may: the owner of an upload key (API; tools of S3), for his own videos, or whoever has a URL
 * that this server signed, for what it says.
 *
 * Ownership  new → free. Each request owns itself until it has responded.
 * Threads    `handle` on any loop; files on the pool; the rest any thread.
 * Limits     ORIGIN_UPLOAD_PIECE of memory a request, and those of s3.h and ledger.h.
 * Failures   As S3's.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"
#include "origin/model/id.h"
#include "origin/upload/ledger.h"
#include "origin/upload/presign.h"

#include <stddef.h>
#include <stdint.h>

struct fb_clock;
struct fb_exchange;
struct fb_metrics;
struct fb_pool;
struct fb_route;
struct origin_catalog;
struct origin_objects;
struct origin_upload;

enum { ORIGIN_UPLOAD_PIECE = 1024 * 1024 };

struct origin_upload_options {
    struct origin_catalog *catalog; /* borrowed, as all of these */
    struct origin_objects *objects;
    struct fb_pool *pool;
    const struct fb_clock *clock;
    struct fb_metrics *metrics;            /* may be NULL */
    const struct origin_presigner *signer; /* of URLs; secrets of upload keys come of its secret */
    uint64_t unfinished_ms;                /* see ledger.h */
};

struct origin_upload *origin_upload_new(const struct origin_upload_options *options);

/* Requires that no upload is under way. Accepts NULL. */
void origin_upload_free(struct origin_upload *service);

/* The routes, for a router with the service as ctx. */
const struct fb_route *origin_upload_routes(size_t *ret_n);

/* True for the paths of these; "/" is S3's when it is signed as S3 signs. */
struct fb_request_head;
bool origin_upload_is_for(const struct fb_request_head *request);

struct origin_ledger *origin_upload_ledger(struct origin_upload *service);

/* The size of parts for a file of so many bytes: at most 10,000 of them, and not too small. */
uint64_t origin_upload_part_size(uint64_t bytes);

/* A key, "<video>/<name>"; FB_E_NOT_FOUND if it is no such key. `ret_place` has no owner. */
FB_MUST_CHECK int origin_upload_key_read(struct fb_str key, struct origin_ledger_place *ret_place);

/* ---- URLs ------------------------------------------------------------------------------ */

/* One request of S3, to be signed. */
struct origin_upload_ask {
    struct fb_str method;
    const struct origin_id *video;
    struct fb_str name;             /* with the video the key */
    const struct origin_id *upload; /* NULL: none */
    uint32_t number;                /* 0: none */
    bool is_create;                 /* ?uploads */
    int64_t content_length;         /* -1: not bound */
    uint32_t expires_s;
};

/* Appends its URL. `base` is scheme and authority, such as "http://127.0.0.1:7000". FB_E_MALFORMED
 * if it is not. */
FB_MUST_CHECK int origin_upload_url(const struct origin_upload *service, struct fb_str base,
                                    const struct origin_upload_ask *ask, struct fb_buf *buf);

/* Appends the secret of the upload key `id`: it comes of this server's own, and is kept nowhere. */
void origin_upload_key_secret(const struct origin_upload *service, const struct origin_id *id,
                              struct fb_buf *buf);
