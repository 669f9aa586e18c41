/*
 * Presigned URLs: AWS Signature Version 4 in its query form, as S3 has it, so
 * that S3's tools can use them and S3 can take the place of our own route.
 *
 * The signature covers method, path, query, host, the moment, how long it is
 * good for, and the exact Content-Length if it is bound. The content itself is
 * not hashed ("UNSIGNED-PAYLOAD"). sigv4.h checks them.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/buf.h"
#include "base/core/str.h"

#include <stdint.h>

enum { ORIGIN_PRESIGN_MAX_MORE = 2 };

/* Who signs; strings borrowed as long as the struct is used. */
struct origin_presigner {
    struct fb_str access_key;
    struct fb_str secret;
    struct fb_str region;
};

struct origin_presign_param {
    struct fb_str name; /* ptr NULL: none, and none after it */
    struct fb_str value;
};

struct origin_presign_options {
    struct fb_str method;
    struct fb_str host; /* with the port unless it is the default */
    struct fb_str path; /* as it will be sent */
    struct origin_presign_param more[ORIGIN_PRESIGN_MAX_MORE];
    int64_t content_length; /* -1: not bound */
    int64_t now_ms;
    uint32_t expires_s;
};

/* Appends the query, without '?'. */
void origin_presign(const struct origin_presigner *signer,
                    const struct origin_presign_options *options, struct fb_buf *buf);
