/*
 * CORS: which pages may read what a site serves (the Fetch standard, "HTTP-CORS protocol").
 *
 * A site that says so answers for its upstream: fields of the upstream that speak of it are
 * replaced, Origin is not sent on with GET and HEAD, and preflights are answered here. What
 * is kept is the same for all pages.
 *
 * Ownership  Plain data that borrows its strings.
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/http/head.h"

#include <stdbool.h>
#include <stddef.h>

struct edge_cors {
    bool is_any;                  /* "*": every page */
    const struct fb_str *origins; /* "https://a.example", or with "*." before the host */
    size_t n_origins;
    struct fb_str methods; /* lists for preflights: "GET, HEAD" */
    struct fb_str headers; /* that requests may have; empty: none but the safelisted */
    struct fb_str max_age; /* seconds for which a preflight's answer holds */
    struct fb_str expose;  /* fields of responses that pages may read */
    bool has_credentials;  /* also with cookies */
};

/* What edge_cors_apply() adds at most. */
enum { EDGE_CORS_FIELDS_MAX = 4 };

/* A copy with all that it points at; of NULL, NULL. */
const struct edge_cors *edge_cors_copy(struct fb_arena *arena, const struct edge_cors *cors);

/* Says what keeps `origin` from being one, if anything does: "*", or scheme://host[:port] in
 * lower case, whose host may begin with "*." for any name below. */
FB_MUST_CHECK int edge_cors_check_origin(struct fb_str origin, struct fb_diag *diag);

bool edge_cors_allows(const struct edge_cors *cors, struct fb_str origin);

/* True for OPTIONS with which a browser asks whether it may. */
bool edge_cors_is_preflight(const struct fb_request_head *request);

/* Puts the site's fields in place of the upstream's; `origin` is the request's, ptr NULL if
 * there was none. Vary names Origin wherever another one would have been answered
 * otherwise. */
void edge_cors_apply(const struct edge_cors *cors, struct fb_str origin, struct fb_headers *headers,
                     struct fb_arena *arena);

/* The same for the answer to a preflight, whose origin is allowed. */
void edge_cors_apply_preflight(const struct edge_cors *cors, struct fb_str origin,
                               struct fb_headers *headers, struct fb_arena *arena);
