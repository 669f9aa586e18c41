/*
 * What the files of edge/fresh share.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/str.h"
#include "base/http/head.h"

#include <stdbool.h>

/* True if `value` is a dictionary of RFC 8941 with at least one member, as the
 * targeted fields of RFC 9213 are; else they are to be ignored (section 2.1). */
bool edge_is_dictionary(struct fb_str value);

/* Accept-Encoding in one of four forms: "br, gzip", "br", "gzip" or "". */
struct fb_str edge_accept_encoding_of(struct fb_arena *arena, const struct fb_headers *request);
