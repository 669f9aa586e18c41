/*
 * Several ranges of one object, as multipart/byteranges (RFC 9110 section 14.6).
 *
 * The reader gives each part's head and then its bytes, which it pulls from a reader
 * of the object: one at a time, opened when its turn comes. The length is known before
 * the first byte.
 *
 * Ownership  Everything but the reader lives in the arena, which outlives it; the object is the
 *            caller's, and stays for as long.
 * Threads    The loop's.
 */
#pragma once

#include "base/core/arena.h"
#include "base/http/range.h"
#include "edge/store/object.h"

struct edge_multi_of {
    struct edge_object *object;     /* borrowed; its length is known */
    const struct fb_ranges *ranges; /* in the arena */
    struct fb_str content_type;     /* of the object; ptr NULL: none */
    struct fb_loop *loop;
    struct edge_source *source; /* for each of its readers in turn */
};

struct edge_multi {
    struct fb_str content_type; /* with its boundary, in the arena */
    int64_t length;
    struct fb_reader *reader; /* the caller's to close */
};

void edge_multi_make(struct fb_arena *arena, const struct edge_multi_of *of,
                     struct edge_multi *ret_multi);
