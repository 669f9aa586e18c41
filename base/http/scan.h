/*
 * Looking through the bytes of targets and paths, eight at a time.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/str.h"

#include <stdint.h>

/* The first place of a byte that is no visible character of ASCII, or one of the two (which may be
 * the same); else str.len. */
size_t fb_scan_plain(struct fb_str str, char stop, char other);
