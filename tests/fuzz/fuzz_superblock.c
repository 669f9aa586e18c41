/*
 * Superblocks and the headers of zones: one block each, as it is and with a right sum.
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/format/format.h"
#include "tests/support/test_seal.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_superblock(const char *block)
{
    struct edge_superblock superblock;

    if (edge_superblock_decode(block, &superblock) != FB_OK) {
        return;
    }
    uint32_t last = superblock.n_zones - 1;
    uint32_t n_blocks = edge_superblock_zone_blocks(&superblock);
    FB_REQUIRE(edge_superblock_zone_offset(&superblock, last) <=
               superblock.size - superblock.zone_bytes);
    FB_REQUIRE(superblock.checkpoint_bytes <= superblock.size / 2);
    FB_REQUIRE(edge_superblock_max_entries(&superblock) > 0);
    FB_REQUIRE(strlen(superblock.node) <= EDGE_FORMAT_NODE_MAX);
    FB_REQUIRE(edge_superblock_first_generation(&superblock) > 0);
    const struct edge_place whole = {.zone = last, .block = 1, .n_blocks = n_blocks - 1};
    FB_REQUIRE(edge_superblock_holds(&superblock, &whole));
}

static void try_zone_header(const char *block)
{
    struct edge_zone_header header;

    if (edge_zone_header_decode(block, &header) == FB_OK) {
        FB_REQUIRE(header.generation > 0 && header.oldest <= header.generation);
        FB_REQUIRE(header.zone < EDGE_FORMAT_MAX_ZONES);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FB_AUTO(fb_freep) char *block = fb_alloc(EDGE_FORMAT_BLOCK);

    if (size > 0) {
        memcpy(block, data, FB_MIN(size, (size_t)EDGE_FORMAT_BLOCK));
    }
    try_superblock(block);
    try_zone_header(block);
    test_seal(block, EDGE_FORMAT_BLOCK);
    try_superblock(block);
    try_zone_header(block);
    return 0;
}
