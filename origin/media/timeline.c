#include "origin/media/timeline.h"

#include "base/core/check.h"

enum { TIMELINE_JUMP_US = 10000000 };

int64_t origin_timeline_shift(struct origin_timeline *timeline, unsigned stream, int64_t us)
{
    FB_REQUIRE(stream < ORIGIN_TIMELINE_STREAMS);
    int64_t at = us - timeline->zero_us + timeline->shift_us;

    if (timeline->last[stream].is_known && timeline->may_jump) {
        int64_t step = at - timeline->last[stream].us;
        if (step > TIMELINE_JUMP_US || step < -TIMELINE_JUMP_US) {
            timeline->shift_us -= step;
            at -= step;
        }
    }
    timeline->last[stream].is_known = true;
    timeline->last[stream].us = at;
    return timeline->shift_us - timeline->zero_us;
}
