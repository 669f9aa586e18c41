/*
 * What a session wants to send, taken and dropped: either side's target does so.
 */
#pragma once

#include "base/core/check.h"
#include "base/http2/session.h"

static void flush(struct fb_http2_session *session)
{
    struct fb_str pieces[FB_HTTP2_MAX_PIECES];
    size_t n = 0;

    for (unsigned i = 0; i < 8 && (n = fb_http2_gather(session, 65536, pieces)) > 0; i++) {
        for (size_t k = 0; k < n; k++) {
            FB_REQUIRE(pieces[k].ptr != NULL && pieces[k].len > 0);
        }
        fb_http2_sent(session);
    }
}
