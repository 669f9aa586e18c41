/*
 * Conditions: what a request's conditions and range make of a stored response.
 *
 * A request's fields are looked through once; most have none of these, and for
 * them everything here is a few comparisons.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/http/head.h"
#include "base/http/range.h"
#include "edge/store/object.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_conditions {
    bool has_match;  /* If-None-Match or If-Modified-Since */
    bool has_strict; /* If-Match or If-Unmodified-Since: the origin's to judge */
    bool has_if_range;
    struct fb_str range; /* of the first Range; ptr NULL: none */
};

struct edge_conditions edge_conditions_of(const struct fb_headers *request);

/* What to send of an object's body, and under which status. */
struct edge_selection {
    unsigned status;             /* the object's own, 206, 304 or 416 */
    uint64_t offset;             /* of 206 */
    int64_t length;              /* of what is sent, or FB_LENGTH_UNKNOWN */
    struct fb_str content_range; /* in the arena; ptr NULL: none */
};

/* True if bytes of the object go to whoever asked with `method`. */
static inline bool edge_selection_has_body(const struct edge_selection *selection,
                                           enum fb_method method)
{
    return method == FB_METHOD_GET && selection->status != 304 && selection->status != 416;
}

/* `length` is the body's, or FB_LENGTH_UNKNOWN while nobody knows; then a range
 * is passed over (RFC 9110 section 14.2 allows it). So is a list of several. */
struct edge_selection edge_conditions_select(const struct edge_conditions *conditions,
                                             const struct fb_request_head *request,
                                             const struct edge_object_head *object, int64_t length,
                                             int64_t now_s, struct fb_arena *arena);
