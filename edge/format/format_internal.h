/*
 * What the heads of the format have in common.
 *
 *     0  magic, 8 letters      16  version, u16
 *     8  XXH3-64 of all that follows, to the end of the head's last block
 *
 * Private to edge/format.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/bytes.h"
#include "edge/format/format.h"

enum {
    EDGE_MAGIC_BYTES = 8,
    EDGE_WRITTEN_BYTES = 96,
    EDGE_ZONE_MAX_BLOCKS = EDGE_FORMAT_MAX_ZONE_BYTES / EDGE_FORMAT_BLOCK
};

/* Clears `n_blocks` blocks and writes the magic and the version. */
void edge_head_begin(char *blocks, unsigned n_blocks, const char *magic);

/* Once all is in place: writes the sum, and returns it. */
uint64_t edge_head_end(char *blocks, unsigned n_blocks);

/* The sum that the head bears, never 0 if it was checked. */
uint64_t edge_head_sum(const char *block);

/* True if the magic is `magic`. */
bool edge_head_is(const char *block, const char *magic);

/* Checks the sum, then the version. */
FB_MUST_CHECK int edge_head_check(const char *blocks, unsigned n_blocks);

/* EDGE_WRITTEN_BYTES bytes. */
void edge_written_put(char *bytes, const struct edge_written *written);
void edge_written_get(const char *bytes, struct edge_written *ret_written);

/* EDGE_LISTING_BYTES bytes. The zone is not checked. */
void edge_listing_put(char *bytes, const struct edge_listing *listing);
FB_MUST_CHECK int edge_listing_get(const char *bytes, struct edge_listing *ret_listing);

/* How many listings a checkpoint of `n_bytes` has room for; the zones alone must fit. */
size_t edge_checkpoint_max_listings(uint32_t n_zones, uint64_t n_bytes);
