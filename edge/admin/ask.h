/*
 * Asks: what operators want purged, as they write it.
 *
 * One purge stands in the query: `url=`, `prefix=` or `tag=`, and `soft=1`; each
 * once, or it is refused by name. Several stand in a
 * body of JSON, and are made together or not at all:
 *
 *     {"purges": [{"url": "http://…"}, {"prefix": "http://…", "soft": true}, {"tag": "t"}]}
 *
 * Ownership  What is read is in the arena.
 * Threads    Pure functions, any thread.
 * Limits     EDGE_PURGES_MAX_CALL purges; EDGE_ASK_MAX_BODY bytes.
 * Failures   FB_E_MALFORMED, FB_E_LIMIT, with a sentence.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "edge/purge/purge.h"

#include <stddef.h>

enum { EDGE_ASK_MAX_BODY = 256 * 1024 };

struct edge_ask {
    struct edge_purge *purges; /* texts as written: of a URL or a prefix, the whole URL */
    size_t n;
};

FB_MUST_CHECK int edge_ask_read_query(struct fb_arena *arena, struct fb_str query,
                                      struct edge_ask *ret_ask, struct fb_diag *diag);

FB_MUST_CHECK int edge_ask_read_json(struct fb_arena *arena, struct fb_str body,
                                     struct edge_ask *ret_ask, struct fb_diag *diag);
