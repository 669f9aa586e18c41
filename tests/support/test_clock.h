/*
 * A clock that stands still until a test turns it.
 */
#pragma once

#include "base/core/clock.h"

struct test_clock {
    struct fb_clock clock; /* hand out &clock */
    uint64_t mono_now_ns;
    int64_t wall_now_ms;
};

/* Starts at one second monotonic, 2026-01-01T00:00:00Z. */
struct test_clock test_clock_at_start(void);

void test_clock_advance_ms(struct test_clock *clock, uint64_t ms);
