/*
 * Presigned URLs: AWS Signature Version 4 in its query form, as S3 has it, so
 * that S3's tools can use them and S3 can take the place of our own route.
 *
 * The signature covers method, path, query, host, the moment, how long it is
 * good for, and, for uploads, the exact Content-Length. The content itself is
 * not hashed ("UNSIGNED-PAYLOAD").
 *
 * Threads    Pure functions, any thread.
 * Limits     ORIGIN_PRESIGN_MAX_PARAMS query parameters; seven days.
 * Failures   FB_E_DENIED, with a sentence; FB_E_EXPIRED.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/http/head.h"

#include <stdint.h>

enum { ORIGIN_PRESIGN_MAX_PARAMS = 24, ORIGIN_PRESIGN_MAX_EXPIRES_S = 7 * 24 * 3600 };

/* Who signs; strings borrowed as long as the struct is used. */
struct origin_presigner {
    struct fb_str access_key;
    struct fb_str secret;
    struct fb_str region;
};

struct origin_presign_options {
    struct fb_str method;
    struct fb_str host;     /* with the port unless it is the default */
    struct fb_str path;     /* as it will be sent */
    int64_t content_length; /* -1: not bound */
    int64_t now_ms;
    uint32_t expires_s;
};

/* Appends the query, without '?'. */
void origin_presign(const struct origin_presigner *signer,
                    const struct origin_presign_options *options, struct fb_buf *buf);

/* Checks a request that came in at `now_ms`. `arena` takes temporaries. A
 * request to write must have bound its length. */
FB_MUST_CHECK int origin_presign_check(const struct origin_presigner *signer,
                                       const struct fb_request_head *request, int64_t now_ms,
                                       struct fb_arena *arena, struct fb_diag *diag);
