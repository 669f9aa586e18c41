#include "origin/media/timeline.h"

#include "base/core/check.h"

enum { TIMELINE_FORWARD_US = 10000000, TIMELINE_BACK_US = 500000 };

int64_t origin_timeline_shift(struct origin_timeline *timeline, unsigned stream, int64_t us,
                              int64_t duration_us)
{
    FB_REQUIRE(stream < ORIGIN_TIMELINE_STREAMS);
    int64_t at = us - timeline->zero_us + timeline->shift_us;

    if (timeline->due[stream].is_known && timeline->may_jump) {
        int64_t step = at - timeline->due[stream].us;
        if (step > TIMELINE_FORWARD_US || step < -TIMELINE_BACK_US) {
            timeline->shift_us -= step;
            at -= step;
        }
    }
    timeline->due[stream].is_known = true;
    timeline->due[stream].us = at + duration_us;
    return timeline->shift_us - timeline->zero_us;
}
