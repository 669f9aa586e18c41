/*
 * Conditions: what a request's conditions and range make of a stored response
 * (RFC 9110 sections 13 and 14, RFC 9111 section 4.3.2).
 *
 * A request's fields are looked through once; most have none of these, and for
 * them everything here is a few comparisons. In the order of section 13.2.2:
 *
 *   If-Match, else If-Unmodified-Since      hold of what is stored: go on. Else only the
 *                                           origin can tell: never 412 from here
 *   If-None-Match, else If-Modified-Since   304 if the client has it already. Without
 *                                           Last-Modified the Date stands for it
 *   Range, if If-Range lets it              206, or 416 past the end
 *
 * They count for a stored 2xx alone, and Range for a 200.
 *
 * Threads    Pure functions, any thread.
 * Limits     Ranges that overlap, or are less than EDGE_RANGES_GAP apart, are sent as one. More
 *            than FB_RANGE_MAX, ranges that come to more than the whole, and several of
 *            what has a Content-Encoding, give the whole. So do those of a body whose length
 *            nobody knows yet, but a single one whose last byte is there, or no more than
 *            EDGE_RANGE_AHEAD away: that is worth waiting for.
 */
#pragma once

#include "base/core/arena.h"
#include "base/http/head.h"
#include "base/http/range.h"
#include "edge/store/object.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    EDGE_RANGES_GAP = 128, /* about what a part costs beside its bytes */
    EDGE_RANGE_AHEAD = 4 * 1024 * 1024
};

struct edge_conditions {
    bool has_match;  /* If-None-Match or If-Modified-Since */
    bool has_strict; /* If-Match or If-Unmodified-Since: the origin's to judge */
    bool has_if_range;
    struct fb_str range; /* of the first Range; ptr NULL: none */
};

struct edge_conditions edge_conditions_of(const struct fb_headers *request);

/* True if If-Match and If-Unmodified-Since hold, or are not there. */
bool edge_conditions_hold(const struct edge_conditions *conditions,
                          const struct fb_request_head *request,
                          const struct edge_object_head *object, int64_t now_s,
                          struct fb_arena *arena);

/* What is known of the size of a body. */
struct edge_size {
    int64_t length;     /* or FB_LENGTH_UNKNOWN */
    uint64_t n_arrived; /* bytes that are there for certain, of an unknown length */
};

/* What to send of an object's body, and under which status. */
struct edge_selection {
    unsigned status;               /* the object's own, 206, 304 or 416 */
    uint64_t offset;               /* of 206: of its first byte */
    int64_t length;                /* of one run of bytes, or FB_LENGTH_UNKNOWN */
    struct fb_str content_range;   /* in the arena; ptr NULL: none */
    const struct fb_ranges *parts; /* in the arena, 2 or more, of `length` in all; or NULL */
    uint64_t awaited;              /* until so many bytes have arrived, or the length is known,
                                    * it is too early to select; 0: it is not */
};

/* True if bytes of the object go to whoever asked with `method`. */
static inline bool edge_selection_has_body(const struct edge_selection *selection,
                                           enum fb_method method)
{
    return method == FB_METHOD_GET && selection->status != 304 && selection->status != 416;
}

struct edge_selection edge_conditions_select(const struct edge_conditions *conditions,
                                             const struct fb_request_head *request,
                                             const struct edge_object_head *object,
                                             struct edge_size size, int64_t now_s,
                                             struct fb_arena *arena);
