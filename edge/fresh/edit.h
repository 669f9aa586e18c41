/*
 * Edits: header fields that a site or a rule adds to responses, or takes out.
 *
 * They are made on the way to the client: what is kept stays as the upstream sent
 * it, and the edge's own decisions are not touched.
 *
 * Ownership  Plain data that borrows its strings.
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/http/head.h"

#include <stddef.h>

struct edge_edits {
    const struct fb_str *removed; /* names: every line goes */
    size_t n_removed;
    const struct fb_header *added; /* after that: one more line each */
    size_t n_added;
};

/* A copy with all that it points at. */
struct edge_edits edge_edits_copy(struct fb_arena *arena, const struct edge_edits *edits);

/* Changes `headers`, whose items may move within `arena`. NULL: no edits. */
void edge_edits_apply(const struct edge_edits *edits, struct fb_headers *headers,
                      struct fb_arena *arena);

/* Says what keeps `name` from being edited, if anything does: it is none, or it
 * frames the message, or this node writes it. */
FB_MUST_CHECK int edge_edit_check_name(struct fb_str name, struct fb_diag *diag);

/* "Name: value" in two. The sentence says what is wrong. */
FB_MUST_CHECK int edge_edit_parse(struct fb_str text, struct fb_header *ret_line,
                                  struct fb_diag *diag);
