/*
 * Validators and conditional requests (RFC 9110 sections 8.8 and 13).
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/http/date.h"
#include "base/http/head.h"

#include <stdbool.h>
#include <stdint.h>

/* What identifies the selected representation. */
struct fb_validators {
    struct fb_str etag;    /* with its quotes and W/; empty: none */
    int64_t last_modified; /* seconds since 1970, or FB_DATE_NONE */
    int64_t date;          /* of the response that it came with, or FB_DATE_NONE */
};

enum fb_condition {
    FB_CONDITION_TRUE,         /* go on: no condition, or it holds */
    FB_CONDITION_NOT_MODIFIED, /* 304 */
    FB_CONDITION_FAILED        /* 412 */
};

/* Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since
 * in the order of section 13.2.2. `validators` is NULL when there is no current
 * representation. `arena` joins fields that came on several lines. */
enum fb_condition fb_condition_evaluate(const struct fb_request_head *request,
                                        const struct fb_validators *validators, int64_t now_s,
                                        struct fb_arena *arena);

/* If-None-Match, else If-Modified-Since, alone: true answers 304 to GET and HEAD. `validators`
 * as above. */
bool fb_condition_is_known(const struct fb_request_head *request,
                           const struct fb_validators *validators, int64_t now_s,
                           struct fb_arena *arena);

/* The validators among a response's fields. */
struct fb_validators fb_validators_of(const struct fb_headers *response, int64_t now_s);

/* What If-Range has to say so that parts come of the very representation that these
 * fields of a response are of: its strong validator, or ptr NULL if it has none.
 * A date is one if the representation was a second old when it was sent
 * (section 8.8.2.2). */
struct fb_str fb_if_range_of(const struct fb_headers *response, int64_t now_s);

/* True if Range may be applied, as far as the value of If-Range has a say: the
 * strong comparison holds, or there is no If-Range (`value` empty). */
bool fb_if_range_holds(struct fb_str value, const struct fb_validators *validators, int64_t now_s);

/* An entity-tag: "…" or W/"…" of visible bytes. */
bool fb_etag_is_valid(struct fb_str etag);
bool fb_etag_is_weak(struct fb_str etag);

bool fb_etag_equal_strong(struct fb_str a, struct fb_str b);
bool fb_etag_equal_weak(struct fb_str a, struct fb_str b);

/* True if the list `value` is "*" or has `etag`. */
bool fb_etag_list_has(struct fb_str value, struct fb_str etag, bool is_strong);
