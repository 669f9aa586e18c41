/*
 * Pauses before what failed is tried again: doubled each time up to a limit, a share of each left
 * to chance, so that those who failed together do not come back together.
 *
 * Threads    Any.
 */
#pragma once

#include <stdint.h>

enum { FB_BACKOFF_HALF = 500 };

struct fb_backoff {
    uint64_t first_ms;
    uint64_t most_ms; /* below 2^50 */
    uint32_t chance;  /* how much of a pause is left to chance, in 1000 */
};

/* The pause after a failure with `n_before` others before it in a row. */
uint64_t fb_backoff_ms(const struct fb_backoff *backoff, uint32_t n_before);
