/*
 * Rewriting: when the oldest zone is reclaimed, what of it stays?
 *
 * Heat says it: an extent's hits since it was written, or since its zone was last passed
 * over, saturating at EDGE_HEAT_MAX. A hit is a read from the volume, or a hit in
 * RAM that RAM told of when it evicted the extent.
 *
 *   - At least half of the zone has heat: it is passed over. It stays as it is,
 *     becomes the youngest, and its heat starts at nothing: no byte is written.
 *   - Else extents with EDGE_REWRITING_HEAT are written again, elsewhere, with no heat;
 *     the others are dropped, and fetched again if somebody asks.
 *
 * Passing over does most of the work: over the traces it takes four fifths off what is
 * written again, and costs a few hits, of what lies cold beside the hot.
 *
 * Threads    Any: nothing is kept.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    EDGE_HEAT_MAX = 15,
    EDGE_REWRITING_HEAT = 3,
    EDGE_REWRITING_PASSES = 8 /* in a row, at most: an owner's loop looks at each */
};

/* True: pass the zone over. `warm_bytes` have heat, of `zone_bytes` (any unit); `n_passed` were
 * passed over just before. */
bool edge_rewriting_passes(uint64_t warm_bytes, uint64_t zone_bytes, unsigned n_passed);

/* True: write the extent again. `pressure`: edge_budget_pressure() of the volume. */
bool edge_rewriting_ask(unsigned heat, double pressure);
