/*
 * Keys: the name under which a response is kept (RFC 9111 section 2, 4.1).
 *
 * The primary key is host, normalised path and what the site's policy takes of
 * the query. It is also, to the byte, the target that the upstream is asked for: two
 * requests of one key ask for one thing, and two that ask for different things
 * have different keys, whatever the policy.
 *
 *   - Host: lower case, without the default port and the dot of the root.
 *   - Path: fb_path_normalise(). An encoded slash stays encoded, letters keep
 *     their case.
 *   - Query: parameters as they are written, `+`, `%20` and `%2B` being three
 *     things, and `a` another than `a=`. Those that tell of the player and not of the
 *     response (CMCD: `CMCD`, `CMCD-…`) never count. `_HLS_msn`, `_HLS_part` and
 *     `_HLS_skip` always do, and stand behind the others, in this order.
 *
 * The variant key is made of the request's fields that the response's Vary names.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/http/head.h"

#include <stdbool.h>
#include <stddef.h>

enum edge_key_query {
    EDGE_KEY_WHOLE, /* all parameters, in the order in which they are written */
    EDGE_KEY_ALL,   /* all, in the order of their names; escapes in their normal form */
    EDGE_KEY_NONE   /* only those of `included`, likewise */
};

/* What of the query selects a response. All zero: EDGE_KEY_WHOLE. Names are
 * compared as they read once decoded; empty parameters (`a&&b`) count with EDGE_KEY_WHOLE
 * alone. Parameters of one name keep their order. */
struct edge_key_policy {
    enum edge_key_query query;
    const struct fb_str *included; /* names; with EDGE_KEY_NONE */
    size_t n_included;
    const struct fb_str *excluded; /* names; with the others */
    size_t n_excluded;
};

/* Whether a parameter counts. */
enum edge_parameter {
    EDGE_PARAMETER_BY_POLICY,
    EDGE_PARAMETER_ALWAYS, /* HLS's directives: _HLS_msn, _HLS_part, _HLS_skip */
    EDGE_PARAMETER_NEVER   /* CMCD */
};

enum edge_parameter edge_parameter_of(struct fb_str name);

/* What a request comes to. All are views into `key`. */
struct edge_target {
    struct fb_str key;    /* "host/path?query" */
    struct fb_str host;   /* in its normal form */
    struct fb_str target; /* to ask the upstream for: "/path?query" */
    struct fb_str path;   /* of it */
    struct fb_str query;  /* ptr NULL: none */
};

/* FB_E_MALFORMED for a path that fb_path_normalise() refuses or an empty or malformed
 * host; FB_E_LIMIT beyond EDGE_KEY_MAX. `policy` may be NULL: all zero. */
FB_MUST_CHECK int edge_key_of(struct fb_arena *arena, const struct fb_request_head *request,
                              const struct edge_key_policy *policy, struct edge_target *ret_target);

enum { EDGE_KEY_MAX = 16 * 1024 };

/* True if `key` asks for a playlist as it will be, so that the upstream holds its answer back
 * until then (`_HLS_msn`, RFC 8216bis section 6.2.5.2). */
bool edge_key_is_blocking(struct fb_str key);

/* Field names of all Vary lines, joined with ", "; ptr NULL without any. */
struct fb_str edge_vary_of(struct fb_arena *arena, const struct fb_headers *response);

/* What a response may vary by, and how long the variant key of a request may be, if it is
 * to be kept: without bounds, a few KiB of names times a long field of the request
 * would be many MiB. */
enum { EDGE_VARY_MAX = 16, EDGE_VARIANT_MAX = 8 * 1024 };

/* True if `vary` has no more than EDGE_VARY_MAX names. */
bool edge_vary_fits(struct fb_str vary);

/* The variant key of `request` under `vary`: same bytes, same variant. Empty if
 * `vary` is. Of Accept, Accept-Charset and Accept-Language, which are lists, white space around
 * members and lines do not count, and of Accept-Encoding the order neither; any other field,
 * like Cookie or User-Agent, is the same only if it is written so. */
struct fb_str edge_variant_of(struct fb_arena *arena, struct fb_str vary,
                              const struct fb_headers *request);
