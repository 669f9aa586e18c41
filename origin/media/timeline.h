/*
 * The timeline: packet times of one source, counted from its zero, with jumps
 * of broken or spliced clocks taken out.
 *
 * Recordings of broadcasts restart their clock in the middle. A step back, or
 * one forward of more than ten seconds, on a format where that happens shifts
 * everything after it, on all streams alike, each from its own first packet of the
 * new clock on.
 *
 * Threads    One at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { ORIGIN_TIMELINE_STREAMS = 64 };

struct origin_timeline {
    int64_t zero_us;
    bool may_jump; /* the format's clock is known to */
    int64_t shift_us;
    struct {
        bool is_known;
        int64_t us;       /* where the packet after the last one was due */
        int64_t shift_us; /* of the last one */
    } due[ORIGIN_TIMELINE_STREAMS];
};

/* What to add to the times of a packet on `stream` that is decoded at `us`
 * (source time) and lasts `duration_us`. */
int64_t origin_timeline_shift(struct origin_timeline *timeline, unsigned stream, int64_t us,
                              int64_t duration_us);
