#include "edge/upstream/allowance.h"

#include "base/core/attr.h"

enum { ONE = 1000, LONG_MS = 60000 };

void edge_allowance_init(struct edge_allowance *allowance, uint32_t most, uint64_t now_ms)
{
    *allowance = (struct edge_allowance){
        .saved = (uint64_t)most * ONE, .most = (uint64_t)most * ONE, .earned_ms = now_ms};
}

void edge_allowance_earn(struct edge_allowance *allowance, uint32_t percent, uint32_t per_second,
                         uint64_t now_ms)
{
    uint64_t passed = now_ms > allowance->earned_ms ? now_ms - allowance->earned_ms : 0;

    allowance->earned_ms += passed;
    allowance->saved += (uint64_t)percent * (ONE / 100) + FB_MIN(passed, LONG_MS) * per_second;
    allowance->saved = FB_MIN(allowance->saved, allowance->most);
}

bool edge_allowance_spend(struct edge_allowance *allowance)
{
    if (allowance->saved < ONE) {
        return false;
    }
    allowance->saved -= ONE;
    return true;
}
