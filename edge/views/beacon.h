/*
 * Beacons: what a player tells of how it plays, as JSON (docs/views.md).
 *
 *     {"v":1,"sid":"6e2f…","video":"vid7","event":"progress","watch_ms":15000,"stalls":1}
 *
 * Numbers count from the session's beginning, so that one that is lost or comes twice changes
 * nothing. Members that are not known are passed over.
 *
 * Ownership  Strings of a beacon stand in its own memory.
 * Threads    Pure functions, any thread.
 * Limits     EDGE_BEACON_MAX bytes.
 * Failures   FB_E_MALFORMED, FB_E_LIMIT with a sentence for whoever wrote the player.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/wire/view_entry.h"

#include <stdbool.h>
#include <stdint.h>

enum { EDGE_BEACON_MAX = 4096, EDGE_BEACON_SID_MAX = 128 };

enum edge_beacon_event {
    EDGE_BEACON_START,
    EDGE_BEACON_PROGRESS,
    EDGE_BEACON_STALL,
    EDGE_BEACON_END,
    EDGE_BEACON_OTHER /* share and what comes later: shows that the session goes on */
};

/* Plain data. A number that was not said is 0, but for `has_startup`. */
struct edge_beacon {
    enum edge_beacon_event event;
    enum fb_view_source source;
    uint64_t watch_ms;
    uint64_t duration_ms;
    uint64_t startup_ms;
    uint64_t stall_ms;
    uint32_t stalls;
    bool has_startup;
    bool has_source;
    bool has_watch;
    uint8_t sid_len;
    uint8_t video_len;
    char sid[EDGE_BEACON_SID_MAX];
    char video[FB_VIEW_VIDEO_MAX];
};

FB_MUST_CHECK int edge_beacon_parse(struct fb_str body, struct edge_beacon *ret_beacon,
                                    struct fb_diag *diag);
