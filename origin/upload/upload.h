/*
 * Uploads: content straight to the objects, by presigned URL.
 *
 *     PUT /upload/<key>?X-Amz-…
 *
 *     BEGIN ──► READ ⇄ WRITE ──► COMMIT ──► RESPOND
 *       │         │       │         │          ▲
 *       └─────────┴───────┴─────────┴─► ABORT ─┘   any failure
 *
 * What arrives is written by the pool, a piece at a time; while a piece is
 * being written the next is not read, so a client faster than the disk waits,
 * and an upload of any size takes the memory of one piece. What is cut never
 * becomes an object.
 *
 * Ownership  new → free. Each upload owns itself until it has responded.
 * Threads    `handle` on any loop; files on the pool.
 * Limits     The Content-Length that was signed, and ORIGIN_UPLOAD_PIECE.
 * Failures   403 a bad or expired signature, 409 when `may_write` says so, 411,
 *            507 a full disk, 400 a cut request, 503 a full pool, 500.
 */
#pragma once

#include "base/core/diag.h"
#include "base/core/str.h"
#include "origin/upload/presign.h"

#include <stdint.h>

struct fb_clock;
struct fb_exchange;
struct fb_pool;
struct fb_route;
struct origin_objects;
struct origin_upload;

enum { ORIGIN_UPLOAD_PIECE = 1024 * 1024 };

struct origin_upload_options {
    struct origin_objects *objects;        /* borrowed */
    struct fb_pool *pool;                  /* borrowed */
    const struct fb_clock *clock;          /* borrowed */
    const struct origin_presigner *signer; /* borrowed */

    /* Whether an object with that key may be written now; on the pool. Asked
     * before the first byte and when all have come, since much may happen in
     * between. FB_E_NOT_FOUND: nobody wants it any more. A failure's sentence
     * goes to the client, with 404 or 409. May be NULL. */
    int (*may_write)(void *ctx, struct fb_str key, struct fb_diag *diag);
    void *ctx;
};

struct origin_upload *origin_upload_new(const struct origin_upload_options *options);

/* Requires that no upload is under way. */
void origin_upload_free(struct origin_upload *service);

/* The routes, for a router with the service as ctx. */
const struct fb_route *origin_upload_routes(size_t *ret_n);

/* Appends the URL, good for `expires_s`, to put `size` bytes under `key`.
 * `base` is scheme and authority, such as "http://127.0.0.1:7000". FB_E_MALFORMED
 * if it is not. */
FB_MUST_CHECK int origin_upload_url(const struct origin_upload *service, struct fb_str base,
                                    struct fb_str key, uint64_t size, uint32_t expires_s,
                                    struct fb_buf *buf);
