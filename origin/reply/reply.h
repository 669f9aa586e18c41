/*
 * Replies that browsers of other sites may read: what the upload and media
 * routes send from the loop.
 *
 * Threads    The exchange's loop.
 */
#pragma once

#include "base/http/head.h"
#include "base/server/exchange.h"

#include <stddef.h>
#include <stdint.h>

/* Problem details as fb_exchange_problem(), with further fields. `detail` and
 * the fields' strings are copied; `max_age_s` < 0: not to be stored. */
struct origin_problem {
    unsigned status;
    const char *slug;   /* may be NULL */
    const char *detail; /* may be NULL */
    const struct fb_header *headers;
    size_t n_headers;
    int32_t max_age_s;
    bool closes; /* the connection, when the request's content is not wanted */
};
void origin_reply_problem(struct fb_exchange *exchange, const struct origin_problem *problem);

/* Answers a CORS preflight (Fetch standard, section 3.2): any site may use
 * `methods` and send `headers`. */
void origin_reply_preflight(struct fb_exchange *exchange, const char *methods, const char *headers);

/* Header lines collected in an exchange's arena. */
void origin_reply_add(struct fb_exchange *exchange, struct fb_headers *headers, const char *name,
                      struct fb_str value);
