/*
 * Checkpoints, as they are and with right sums.
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/format/format.h"
#include "tests/support/test_seal.h"

#include <stdint.h>
#include <string.h>

enum { BLOCKS_MAX = 16, BODY_SUM_AT = 72 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_checkpoint(const char *bytes, size_t n)
{
    struct edge_checkpoint checkpoint;
    struct edge_checkpoint_zone zone;
    struct edge_listing listing;

    if (edge_checkpoint_decode_head(bytes, &checkpoint) != FB_OK || checkpoint.n_bytes > n ||
        edge_checkpoint_verify(bytes, &checkpoint) != FB_OK) {
        return;
    }
    for (uint32_t i = 0; i < checkpoint.n_zones; i++) {
        edge_checkpoint_zone(bytes, &checkpoint, i, &zone);
    }
    for (uint64_t i = 0; i < checkpoint.n_listings; i++) {
        if (edge_checkpoint_listing(bytes, &checkpoint, i, &listing) == FB_OK) {
            FB_REQUIRE(listing.place.zone < checkpoint.n_zones);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t used = FB_MIN(size, (size_t)BLOCKS_MAX * EDGE_FORMAT_BLOCK);
    size_t n =
        FB_MAX((used + EDGE_FORMAT_BLOCK - 1) / EDGE_FORMAT_BLOCK, (size_t)1) * EDGE_FORMAT_BLOCK;
    FB_AUTO(fb_freep) char *bytes = fb_alloc(n);

    if (used > 0) {
        memcpy(bytes, data, used);
    }
    try_checkpoint(bytes, n);
    test_seal_both(bytes, BODY_SUM_AT, bytes + EDGE_FORMAT_BLOCK, n - EDGE_FORMAT_BLOCK);
    try_checkpoint(bytes, n);
    return 0;
}
