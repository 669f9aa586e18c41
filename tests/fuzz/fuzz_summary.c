/*
 * The end of a zone: listings, and the footer in the last block; as they are and
 * with right sums.
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/format/format.h"
#include "tests/support/test_seal.h"

#include <stdint.h>
#include <string.h>

enum { BLOCKS_MAX = 16, FOOTER_SUM_AT = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_summary(const char *bytes, size_t n)
{
    struct edge_summary summary;
    struct edge_listing listing;

    if (edge_summary_decode_footer(bytes + n - EDGE_FORMAT_BLOCK, &summary) != FB_OK) {
        return;
    }
    FB_REQUIRE(summary.n_blocks == edge_summary_blocks(summary.n));
    size_t n_summary = (size_t)summary.n_blocks * EDGE_FORMAT_BLOCK;
    if (n_summary > n || edge_summary_verify(bytes + n - n_summary, &summary) != FB_OK) {
        return;
    }
    for (uint32_t i = 0; i < summary.n; i++) {
        if (edge_summary_get(bytes + n - n_summary, &summary, i, &listing) == FB_OK) {
            FB_REQUIRE(listing.place.zone == summary.zone && listing.place.block > 0);
            FB_REQUIRE(listing.place.heat <= EDGE_HEAT_MAX);
        }
    }
}

/* The footer comes first in the input, so that it is there however short that is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t used = FB_MIN(size, (size_t)BLOCKS_MAX * EDGE_FORMAT_BLOCK);
    size_t n_footer = FB_MIN(used, (size_t)EDGE_FORMAT_BLOCK);
    size_t n_listings =
        (used - n_footer + EDGE_FORMAT_BLOCK - 1) / EDGE_FORMAT_BLOCK * EDGE_FORMAT_BLOCK;
    size_t n = n_listings + EDGE_FORMAT_BLOCK;
    FB_AUTO(fb_freep) char *bytes = fb_alloc(n);

    if (used > 0) {
        memcpy(bytes + n_listings, data, n_footer);
        memcpy(bytes, data + n_footer, used - n_footer);
    }
    try_summary(bytes, n);
    test_seal_both(bytes + n_listings, FOOTER_SUM_AT, bytes, n_listings);
    try_summary(bytes, n);
    return 0;
}
