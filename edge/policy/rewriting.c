#include "edge/policy/rewriting.h"

static const double rewriting_tight = 0.75; /* of the budget's line */

bool edge_rewriting_passes(uint64_t warm_bytes, uint64_t zone_bytes, unsigned n_passed)
{
    return n_passed < EDGE_REWRITING_PASSES && warm_bytes >= zone_bytes - zone_bytes / 2;
}

bool edge_rewriting_ask(unsigned heat, double pressure)
{
    return pressure < 1 &&
           heat >= (pressure < rewriting_tight ? EDGE_REWRITING_HEAT : 2 * EDGE_REWRITING_HEAT);
}
