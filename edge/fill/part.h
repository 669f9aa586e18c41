/*
 * Parts: runs of whole chunks, asked of an upstream with Range.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/http/head.h"
#include "base/http/range.h"
#include "edge/format/extent.h"

#include <stdbool.h>
#include <stdint.h>

/* The beginning of the chunk that `offset` lies in. */
static inline uint64_t edge_chunk_floor(uint64_t offset)
{
    return offset - offset % EDGE_CHUNK_BYTES;
}

/* The first beginning of a chunk at or after `offset`; UINT64_MAX if that is no number. */
static inline uint64_t edge_chunk_ceil(uint64_t offset)
{
    uint64_t floor = edge_chunk_floor(offset);

    if (floor == offset) {
        return offset;
    }
    return floor <= UINT64_MAX - EDGE_CHUNK_BYTES ? floor + EDGE_CHUNK_BYTES : UINT64_MAX;
}

/* The part that a client's range touches, as it is to be asked for: rounded outward. The
 * beginning of a suffix is known to the upstream alone, so such a part begins up to a
 * chunk early, for the first whole chunk to be in it. False if the whole is as good. */
bool edge_part_of(struct fb_range_spec wanted, struct fb_range_spec *ret_part);

/* Where the first byte of `wanted` (NULL: the whole) lies, as far as that is known. */
uint64_t edge_part_offset(const struct fb_range_spec *wanted);

/* The value of Range that asks for `part`. */
struct fb_str edge_part_text(struct fb_range_spec part, struct fb_arena *arena);

/* What a 206 brings, of a body of `length` bytes. */
struct edge_part_answer {
    uint64_t first;
    uint64_t end; /* one past its last byte */
    uint64_t length;
};

/* Reads the answer to `part`, of `n_bytes` content or FB_LENGTH_UNKNOWN. It begins where it
 * was asked to, and ends no later. FB_E_MALFORMED for anything else. */
FB_MUST_CHECK int edge_part_read(struct fb_range_spec part, const struct fb_response_head *response,
                                 int64_t n_bytes, struct edge_part_answer *ret_answer);
