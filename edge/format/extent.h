/*
 * Extents: the runs of chunks in which objects are kept.
 *
 *     body      |———— extent 0 ————|———— extent 1 ————|—— extent 2 ——|
 *     chunks    | 0  | 1  | 2  | 3 | 4  | 5  | 6  | 7 | 8  | 9  |10 |
 *
 * A chunk is what is fetched, checksummed and served at once; an extent is what
 * is evicted, written to a volume and found in the index. Chunks of an extent
 * may be absent: a mask tells which are there. An object of up to
 * EDGE_EXTENT_BYTES, as most segments are, is one extent.
 *
 * Threads    Plain values.
 */
#pragma once

#include "base/core/str.h"
#include "edge/policy/rewriting.h" /* EDGE_HEAT_MAX */

#include <stdbool.h>
#include <stdint.h>

enum {
    EDGE_CHUNK_BYTES = 1024 * 1024,
    EDGE_EXTENT_CHUNKS = 4,
    EDGE_EXTENT_BYTES = EDGE_EXTENT_CHUNKS * EDGE_CHUNK_BYTES
};

/* No body is longer: its extents could not be told apart. */
#define EDGE_BODY_MAX_BYTES ((uint64_t)EDGE_EXTENT_BYTES << 32)

/* Which extent of which representation. */
struct edge_extent_id {
    uint64_t fingerprint; /* of the object's key: edge_fingerprint_of() */
    uint64_t version; /* same fingerprint and version: parts of the same bytes; 0 to look up: any */
    uint32_t number;  /* offset in the body / EDGE_EXTENT_BYTES */
};

/* What is written beside the chunks and comes back with them. */
struct edge_extent_head {
    struct edge_extent_id id;
    struct fb_str key;  /* of the object, for it is what a fingerprint cannot prove */
    struct fb_str meta; /* the store's own: status, fields, terms */
    uint64_t length;    /* of the object's whole body, bytes */
    uint32_t title;     /* hash of what the object is a part of */
    uint8_t mask;       /* bit i: chunk i of the extent is there */
    int64_t wall_ms;    /* when it was first written */
};

/* Where a record lies, and what is known of it without reading. */
struct edge_place {
    uint32_t zone;
    uint32_t block;    /* of the record in its zone, in FB_DISK_BLOCK bytes */
    uint32_t n_blocks; /* head and chunks */
    uint32_t title;
    uint32_t hour;         /* when it was written: hours since 1970 */
    uint8_t n_head_blocks; /* 1 to 4 */
    uint8_t mask;          /* bit i: chunk i of the extent */
    uint8_t heat;          /* hits since written, at most EDGE_HEAT_MAX */
};

/* Bytes of chunk `chunk` (of the object, counted from its first byte) in a body
 * of `length` bytes. */
static inline uint32_t edge_chunk_bytes(uint64_t length, uint64_t chunk)
{
    uint64_t begin = chunk * EDGE_CHUNK_BYTES;
    uint64_t left = length > begin ? length - begin : 0;

    return left < EDGE_CHUNK_BYTES ? (uint32_t)left : (uint32_t)EDGE_CHUNK_BYTES;
}

/* The fingerprint of an object's key: the first 64 bits of its SHA-256, so that nobody can
 * choose keys that share one with another's. */
uint64_t edge_fingerprint_of(struct fb_str key);
