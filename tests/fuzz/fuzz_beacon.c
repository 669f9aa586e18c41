/*
 * Beacons: whatever was read keeps to the limits that the sessions rely on.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/views/beacon.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint64_t day_ms = 86400000;
    struct edge_beacon beacon;
    struct fb_diag diag = {0};

    if (edge_beacon_parse((struct fb_str){(const char *)data, size}, &beacon, &diag) < 0) {
        FB_REQUIRE(diag.text[0] != '\0');
        return 0;
    }
    FB_REQUIRE(beacon.sid_len > 0 && beacon.sid_len <= EDGE_BEACON_SID_MAX);
    FB_REQUIRE(beacon.video_len > 0 && beacon.video_len <= FB_VIEW_VIDEO_MAX);
    FB_REQUIRE(beacon.watch_ms <= day_ms && beacon.duration_ms <= day_ms);
    FB_REQUIRE(beacon.startup_ms <= day_ms && beacon.stall_ms <= day_ms);
    FB_REQUIRE(beacon.stalls <= day_ms && beacon.source < FB_VIEW_SOURCES_N);
    return 0;
}
