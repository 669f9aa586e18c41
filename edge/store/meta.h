/*
 * Meta: what a volume keeps of an object beside its bytes: all of the head but the
 * key, which the record bears itself.
 *
 *     version 2 | birth | tags | status | class | flags | received | initial age |
 *     lifetime | while-revalidate | if-error | vary | variant | n fields | name, value …
 *
 * Version 1 had neither birth nor tags, and is still read: such an object was born before all
 * purges, and bears no tags.
 *
 * Numbers are little-endian; a string is its length in 4 bytes, and its bytes. Times that
 * run on the monotonic clock become wall time on the drive, and monotonic time again
 * when they come back, perhaps after a restart.
 *
 * Ownership  What is decoded points into the input and the arena.
 * Threads    Pure functions, any thread.
 * Limits     EDGE_META_MAX bytes; longer heads stay in memory.
 * Failures   FB_E_MALFORMED, for anything that encode would not write.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "edge/fresh/terms.h"
#include "edge/store/object.h"

enum { EDGE_META_MAX = 16 * 1024 };

struct edge_meta {
    uint64_t birth; /* epoch at which it was asked for, or validated */
    struct fb_str tags;
    unsigned status;
    struct fb_str vary;
    struct fb_str variant;
    struct fb_headers headers;
    struct edge_terms terms;
    bool is_planned;
    bool is_prefetched;
};

void edge_meta_encode(const struct edge_object_head *head, uint64_t birth, struct edge_moment now,
                      struct fb_buf *bytes);

/* An object from the future, for the wall clock was set back, is stale. */
FB_MUST_CHECK int edge_meta_decode(struct fb_str bytes, struct edge_moment now,
                                   struct fb_arena *arena, struct edge_meta *ret_meta);

/* Birth and tags alone, all that purges ask for. The rest is not looked at. */
FB_MUST_CHECK int edge_meta_decode_birth(struct fb_str bytes, uint64_t *ret_birth,
                                         struct fb_str *ret_tags);
