/*
 * Mixing: 64 bits in, 64 bits out, each of which depends on all that came in (SplitMix64).
 *
 * For tables, sketches and lots; a peer that knows the function can aim, so that what strangers
 * choose is hashed with a seed first. The same everywhere and for ever: what is kept may rest on
 * it.
 *
 * Threads    Any; a state of fb_draw() one at a time.
 */
#pragma once

#include <stdint.h>

/* Bijective, and 0 stays 0. */
static inline uint64_t fb_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The next number of a sequence that `state`, any number, begins: chance that can be repeated. */
static inline uint64_t fb_draw(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return fb_mix(*state);
}
