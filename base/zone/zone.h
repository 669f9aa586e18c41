/*
 * Time zones by their names in the tz database, such as "Europe/Berlin": how far the clocks on
 * the walls there are ahead of UTC at a given moment (through GLib, which reads the system's
 * database, and unlike the C library's tzset() knows several zones at a time).
 *
 * Ownership  open → free.
 * Threads    Any, also at the same time.
 * Failures   FB_E_NOT_FOUND for a name that the system does not know.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdint.h>

struct fb_zone;

enum { FB_ZONE_NAME_MAX = 64 };

FB_MUST_CHECK int fb_zone_open(struct fb_str name, struct fb_zone **ret_zone, struct fb_diag *diag);

/* Accepts NULL. */
void fb_zone_free(struct fb_zone *zone);

/* Seconds to add to UTC for the time on the wall, at `unix_s` seconds since 1970. */
int32_t fb_zone_offset_s(const struct fb_zone *zone, int64_t unix_s);
