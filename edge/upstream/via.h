/*
 * Via: which nodes a message has passed (RFC 9110 section 7.6.3).
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/http/head.h"

#include <stdbool.h>

/* The value of Via with `node` behind what `headers` (may be NULL) has: `1.1 node`, or
 * `old, 1.1 node`. `version` is that in which the message came to `node`. */
struct fb_str edge_via_append(struct fb_arena *arena, const struct fb_headers *headers,
                              struct fb_str version, struct fb_str node);

/* "1.0", "1.1" or "2": that in which `request` came. */
struct fb_str edge_via_version(const struct fb_request_head *request);

/* True if a Via of `headers` names `node`: the message goes in a circle. */
bool edge_via_has(const struct fb_headers *headers, struct fb_str node);
