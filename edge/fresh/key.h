/*
 * Keys: the name under which a response is kept (RFC 9111 section 2, 4.1).
 *
 * The primary key is host, normalised path and query. Host is in lower case
 * without the default port; the query is taken as it is. The variant key is
 * made of the request's fields that the response's Vary names.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/http/head.h"

#include <stdbool.h>

/* "host/path?query". FB_E_MALFORMED for a path that fb_path_normalise()
 * refuses or an empty or malformed host; FB_E_LIMIT beyond EDGE_KEY_MAX. */
FB_MUST_CHECK int edge_key_of(struct fb_arena *arena, const struct fb_request_head *request,
                              struct fb_str *ret_key);

enum { EDGE_KEY_MAX = 16 * 1024 };

/* Field names of all Vary lines, joined with ", "; ptr NULL without any. */
struct fb_str edge_vary_of(struct fb_arena *arena, const struct fb_headers *response);

/* The variant key of `request` under `vary`: same bytes, same variant. Empty if
 * `vary` is. White space around list members and the order in which
 * Accept-Encoding is written do not count. */
struct fb_str edge_variant_of(struct fb_arena *arena, struct fb_str vary,
                              const struct fb_headers *request);
