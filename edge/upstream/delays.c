#include "edge/upstream/delays.h"

#include "base/core/attr.h"

/* A step's number is that of the highest bit, and the three bits below it. */
enum { LOWEST_BIT = 6, FINE_BITS = 3 };

static unsigned step_of(uint64_t us)
{
    if (us < (1U << LOWEST_BIT)) {
        return 0;
    }
    unsigned high = 63 - (unsigned)__builtin_clzll(us);
    unsigned fine = (unsigned)(us >> (high - FINE_BITS)) & ((1U << FINE_BITS) - 1);
    unsigned step = ((high - LOWEST_BIT) << FINE_BITS) + fine + 1;

    return FB_MIN(step, EDGE_DELAYS_STEPS - 1);
}

/* Where a step ends. */
static uint64_t step_end(unsigned step)
{
    if (step == 0) {
        return 1U << LOWEST_BIT;
    }
    unsigned high = ((step - 1) >> FINE_BITS) + LOWEST_BIT;
    uint64_t fine = ((step - 1) & ((1U << FINE_BITS) - 1)) + 1;

    return (1ULL << high) + (fine << (high - FINE_BITS));
}

static void delays_halve(struct edge_delays *delays)
{
    unsigned n = 0;

    for (unsigned i = 0; i < EDGE_DELAYS_STEPS; i++) {
        unsigned half = atomic_load_explicit(&delays->steps[i], memory_order_relaxed) / 2;
        atomic_store_explicit(&delays->steps[i], half, memory_order_relaxed);
        n += half;
    }
    atomic_store_explicit(&delays->n, n, memory_order_relaxed);
}

void edge_delays_add(struct edge_delays *delays, uint64_t us)
{
    atomic_fetch_add_explicit(&delays->steps[step_of(us)], 1, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&delays->n, 1, memory_order_relaxed) + 1 == EDGE_DELAYS_HALVE) {
        delays_halve(delays); /* whoever brings the last one, alone */
    }
}

uint64_t edge_delays_quantile(struct edge_delays *delays, unsigned percent)
{
    uint64_t n = 0;
    uint64_t below = 0;

    for (unsigned i = 0; i < EDGE_DELAYS_STEPS; i++) {
        n += atomic_load_explicit(&delays->steps[i], memory_order_relaxed);
    }
    if (n < EDGE_DELAYS_LEAST) {
        return 0;
    }
    uint64_t wanted = FB_MAX((n * percent + 99) / 100, 1);
    for (unsigned i = 0; i < EDGE_DELAYS_STEPS; i++) {
        below += atomic_load_explicit(&delays->steps[i], memory_order_relaxed);
        if (below >= wanted) {
            return step_end(i);
        }
    }
    return step_end(EDGE_DELAYS_STEPS - 1);
}
