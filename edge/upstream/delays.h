/*
 * Delays: what recent times were like, as quantiles.
 *
 * Counts in steps of an eighth from 64 µs to over a minute, halved now and then so that
 * what is recent counts more. A quantile is right to within that step.
 *
 * Ownership  Embedded; zero is empty.
 * Threads    Any (relaxed atomics): times noted during a halving may be lost.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* Times that a quantile stands on at least, and those after which all is halved. */
enum { EDGE_DELAYS_LEAST = 20, EDGE_DELAYS_HALVE = 1024, EDGE_DELAYS_STEPS = 168 };

struct edge_delays {
    /* Private. */
    atomic_uint steps[EDGE_DELAYS_STEPS];
    atomic_uint n;
};

void edge_delays_add(struct edge_delays *delays, uint64_t us);

/* The time that `percent` of them were not longer than; 0 if too few are known. */
uint64_t edge_delays_quantile(struct edge_delays *delays, unsigned percent);
