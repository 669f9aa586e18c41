#include "origin/media/timeline.h"

#include "base/core/check.h"

#include <stdlib.h>

enum { TIMELINE_FORWARD_US = 10000000, TIMELINE_BACK_US = 500000 };

/* The shift to begin from: that of all streams, or still the stream's own where its
 * packet lies nearer to where it was due by that. A demuxer gives the last packet of a
 * stream when the next one begins, so that it may come after another stream's clock
 * was set anew. */
static int64_t timeline_choose(const struct origin_timeline *timeline, unsigned stream, int64_t us)
{
    int64_t own = timeline->due[stream].shift_us;
    int64_t due = timeline->due[stream].us;
    int64_t step_own = us + own - due;
    int64_t step_all = us + timeline->shift_us - due;

    return llabs(step_own) <= llabs(step_all) ? own : timeline->shift_us;
}

int64_t origin_timeline_shift(struct origin_timeline *timeline, unsigned stream, int64_t us,
                              int64_t duration_us)
{
    FB_REQUIRE(stream < ORIGIN_TIMELINE_STREAMS);
    int64_t shift_us = timeline->shift_us;

    us -= timeline->zero_us;
    if (timeline->due[stream].is_known && timeline->may_jump) {
        shift_us = timeline_choose(timeline, stream, us);
        int64_t step = us + shift_us - timeline->due[stream].us;
        if (step > TIMELINE_FORWARD_US || step < -TIMELINE_BACK_US) {
            shift_us -= step;
            timeline->shift_us = shift_us;
        }
    }
    timeline->due[stream].is_known = true;
    timeline->due[stream].us = us + shift_us + duration_us;
    timeline->due[stream].shift_us = shift_us;
    return shift_us - timeline->zero_us;
}
