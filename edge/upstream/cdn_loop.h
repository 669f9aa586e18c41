/*
 * CDN-Loop: which caches a request has passed (RFC 8586).
 *
 * Via tells the same, but intermediaries may remove or rewrite it; this field
 * nobody may touch. Both are sent on every request, and either one ends a
 * circle.
 *
 * A member that is not of the field's grammar is still a member: it counts
 * against the limit, and a node's name at its beginning is found. In a value whose
 * quotes do not end, every comma separates, so that no quote can hide a name.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/http/head.h"

/* Members of CDN-Loop, or of Via, in a request that is still taken. */
enum { EDGE_LOOP_MAX_MEMBERS = 32 };

/* The value of CDN-Loop with `node` behind what `headers` (may be NULL) has. */
struct fb_str edge_cdn_loop_append(struct fb_arena *arena, const struct fb_headers *headers,
                                   struct fb_str node);

enum edge_loop {
    EDGE_LOOP_NONE,
    EDGE_LOOP_CLOSED,  /* it has been at `node` before */
    EDGE_LOOP_TOO_LONG /* it has been at more nodes than any sane chain has */
};

/* What CDN-Loop and Via of a request tell `node`; both of the bad ones are
 * answered 508. */
enum edge_loop edge_loop_of(const struct fb_headers *headers, struct fb_str node);
