/*
 * Time as a parameter.
 *
 * Whatever asks for the time is given a clock; programs hand down the system's,
 * tests a clock that they turn by hand (tests/support/test_clock.h).
 *
 * Monotonic time counts from an arbitrary point and never runs back: use it
 * for durations and timeouts. Wall time is Unix time and may jump: use it for
 * dates that leave the process. Steady time is monotonic time as the kernel
 * has it: use it for waits that the kernel or a timer ends.
 *
 * A sanitized build turns the system's clock by as many milliseconds as the
 * file says that FB_TEST_CLOCK names in the environment: eight bytes, little
 * end first, read anew each time, that a test only ever makes greater. Steady
 * time is not turned, so that no wait ends early.
 *
 * Threads    Any, for the system's clock.
 * Failures   A process whose FB_TEST_CLOCK cannot be mapped aborts at start.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct fb_clock {
    uint64_t (*mono_ns)(const struct fb_clock *clock);
    int64_t (*wall_ms)(const struct fb_clock *clock); /* since 1970-01-01 UTC */
    uint64_t (*steady_ns)(const struct fb_clock *clock);
};

enum { FB_NS_PER_MS = 1000000 };

/* The machine's own clock; lives for ever. */
const struct fb_clock *fb_clock_system(void);

uint64_t fb_clock_mono_ns(const struct fb_clock *clock);
uint64_t fb_clock_mono_ms(const struct fb_clock *clock);
int64_t fb_clock_wall_ms(const struct fb_clock *clock);
uint64_t fb_clock_steady_ns(const struct fb_clock *clock);

enum { FB_TIMESTAMP_MAX = 32 };

/* Writes RFC 3339 UTC with milliseconds, "2026-01-31T12:00:00.000Z", with a
 * NUL. Returns `text`. */
char *fb_timestamp(int64_t wall_ms, char text[FB_TIMESTAMP_MAX]);
