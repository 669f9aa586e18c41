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
 * form; for segments and manifests only the few that media needs; without Cookie where
 * what comes is kept in spite of a Set-Cookie. */
struct fb_headers edge_fields_to_fetch(struct fb_arena *arena,
                                       const struct fb_request_head *request,
                                       const struct edge_treatment *treatment);

/* Fields of `request` to send when the response goes to this client alone. */
struct fb_headers edge_fields_to_pass(struct fb_arena *arena,
                                      const struct fb_request_head *request);

/* Fields of an upstream's `response` to give to the one client that it answers: without
 * hop-by-hop fields and Content-Length. */
struct fb_headers edge_fields_to_answer(struct fb_arena *arena, const struct fb_headers *response);

/* Fields of an upstream's `response` to keep and to give to all clients: as above, and
 * without Age, what private="..." names, and a Set-Cookie that is to be dropped. */
struct fb_headers edge_fields_to_keep(struct fb_arena *arena, const struct fb_headers *response,
                                      const struct edge_treatment *treatment);

/* Fields that edge_fields_to_keep() leaves out because private="..." names them: for the one
 * client whose request was answered with `response` (section 5.2.2.7). */
struct fb_headers edge_fields_own(struct fb_arena *arena, const struct fb_headers *response);

/* The stored fields, updated from a 304 (RFC 9111 section 3.2): its fields replace those of
 * the same name, except what the stored bytes depend on. */
struct fb_headers edge_fields_updated(struct fb_arena *arena, const struct fb_headers *stored,
                                      const struct fb_headers *not_modified,
                                      const struct edge_treatment *treatment);

/* True if a 304 with the fields `not_modified` speaks of the response with the fields `stored`,
 * whose validators were the only ones it was asked about (section 4.3.4). If not, it must
 * not update that. */
bool edge_fields_confirm(const struct fb_headers *stored, const struct fb_headers *not_modified,
                         int64_t now_s);

/* True for fields that are kept, and sent on to tiers but not to players: directives for
 * Forebay alone (RFC 9213) and Cache-Tag. */
bool edge_field_is_for_tiers(struct fb_str name);

/* The names in no-cache="..." of a stored response that edge_terms.has_guarded is set for, as a
 * list: fields that only the client may have whose request brought or validated it (section
 * 5.2.2.4). */
struct fb_str edge_fields_guarded(struct fb_arena *arena, const struct fb_headers *stored);
