/*
 * Windows: when the ISP allows filling.
 *
 *     02:00-10:00 Europe/Berlin        each day, by the clock on the wall there
 *     22:00-06:00 America/New_York     over midnight
 *     00:00-24:00 UTC                  always
 *
 * From the first minute up to, and without, the last. Several windows add up. A window is what
 * the clock on the wall says: on the day when clocks go forward over its begin it opens that much
 * later and is shorter, and on the day when they go back within it, it is longer.
 *
 * Ownership  parse → free.
 * Threads    Never changes; any thread.
 * Limits     EDGE_WINDOWS_MAX.
 * Failures   FB_E_MALFORMED, FB_E_NOT_FOUND for an unknown zone, with a sentence.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_windows;

enum { EDGE_WINDOWS_MAX = 16 };

/* Without a window, it is never time. */
FB_MUST_CHECK int edge_windows_parse(const struct fb_str *texts, size_t n,
                                     struct edge_windows **ret_windows, struct fb_diag *diag);

/* Says what keeps `text` from being a window, if anything does. */
FB_MUST_CHECK int edge_windows_check(struct fb_str text, struct fb_diag *diag);

/* Accepts NULL. */
void edge_windows_free(struct edge_windows *windows);

/* True if any of them is open at `wall_ms`. */
bool edge_windows_are_open(const struct edge_windows *windows, int64_t wall_ms);

/* The next minute after `wall_ms` at which that changes, wall clock; 0 if it does not within two
 * days. */
int64_t edge_windows_next_change(const struct edge_windows *windows, int64_t wall_ms);
