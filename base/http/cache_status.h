/*
 * Cache-Status (RFC 9211): each cache on the way adds one member.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/buf.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_cache_status {
    struct fb_str cache;  /* the node's name */
    bool is_hit;          /* excludes fwd */
    struct fb_str fwd;    /* "uri-miss", "stale", …; empty: left out */
    unsigned fwd_status;  /* 0: left out */
    bool has_ttl;         /* seconds of freshness left, negative when stale */
    int64_t ttl;          /* */
    bool is_stored;       /* */
    bool is_collapsed;    /* */
    struct fb_str key;    /* always written as a string; empty: left out */
    struct fb_str detail; /* a token or free text; empty: left out */
};

/* Appends the member, after ", " if `buf` has content (the members of the
 * caches before). Text that is no token becomes a string with its escapes;
 * bytes that a string cannot hold become '?'. */
void fb_cache_status_append(struct fb_buf *buf, const struct fb_cache_status *status);
