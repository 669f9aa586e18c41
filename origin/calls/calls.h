/*
 * Calls: requests to other servers by libcurl, all of a batch at once.
 *
 * For what the origin tells others now and then: nodes that are to forget something, receivers of
 * webhooks. What they answer is their status; content is not kept.
 *
 * Ownership  open → close.
 * Threads    Blocking; one batch of each at a time.
 * Limits     ORIGIN_CALLS_TIMEOUT_MS for each call, which ends with a head and
 *            ORIGIN_CALLS_CONTENT_MAX bytes of content, too; no redirects, no proxies, HTTP and
 * HTTPS only.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stddef.h>

struct origin_calls;

enum {
    ORIGIN_CALLS_TIMEOUT_MS = 5000,
    ORIGIN_CALLS_CONTENT_MAX = 64 * 1024,
    ORIGIN_CALL_HEADERS_MAX = 4
};

/* Files in PEM; empty ones are left out: the system's authorities, no certificate of ours. */
struct origin_calls_options {
    struct fb_str authorities;
    struct fb_str certificate;
    struct fb_str key;
};

FB_MUST_CHECK int origin_calls_open(const struct origin_calls_options *options,
                                    struct origin_calls **ret_calls, struct fb_diag *diag);
void origin_calls_close(struct origin_calls *calls); /* accepts NULL */

/* A POST of JSON; everything is borrowed for the batch. */
struct origin_call {
    struct fb_str url;
    struct fb_str body;
    const char *headers[ORIGIN_CALL_HEADERS_MAX]; /* "Name: value"; up to the first NULL */
    unsigned status;                              /* out: 0 if there was no whole head */
    unsigned took_ms;                             /* out */
};

/* Makes all of them, and returns when each has its answer, or none. */
void origin_calls_post(struct origin_calls *calls, struct origin_call *batch, size_t n);
