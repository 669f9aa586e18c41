/*
 * Fields: which header fields travel on, and which are kept.
 *
 * Hop-by-hop fields and those that Connection names never do (RFC 9110 section
 * 7.6.1, RFC 9111 section 3.1). Towards the upstream of a response that may be
 * shared, what no key takes in and could select another response is left out,
 * so that nobody can poison the cache with it.
 *
 * Ownership  The strings of the results are views into the input or the arena.
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/http/head.h"
#include "edge/fresh/rule.h"

#include <stdbool.h>

/* Fields of `request` to send when fetching the whole, shareable resource:
 * without Range and conditionals, framing, Host and forwarding claims
 * (X-Forwarded-*, X-Original-URL and their kind); Accept-Encoding in its normal
 * form; for segments and manifests only the few that media needs. */
struct fb_headers edge_fields_to_fetch(struct fb_arena *arena,
                                       const struct fb_request_head *request,
                                       enum edge_class class);

/* Fields of `request` to send when the response goes to this client alone. */
struct fb_headers edge_fields_to_pass(struct fb_arena *arena,
                                      const struct fb_request_head *request);

/* Fields of an upstream's `response` to keep and to give to clients: without
 * hop-by-hop fields, Content-Length and Age; for a segment also without
 * Set-Cookie. */
struct fb_headers edge_fields_to_keep(struct fb_arena *arena, const struct fb_headers *response,
                                      enum edge_class class);

/* The stored fields, updated from a 304 (RFC 9111 section 3.2): its fields
 * replace those of the same name, except what describes the stored content. */
struct fb_headers edge_fields_updated(struct fb_arena *arena, const struct fb_headers *stored,
                                      const struct fb_headers *not_modified, enum edge_class class);
