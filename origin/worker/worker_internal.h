/*
 * What the files of origin/worker share.
 */
#pragma once

#include "origin/worker/worker.h"

#include <stdbool.h>

/* One worker, as a task on it sees it. */
struct origin_attempt_options {
    const struct origin_whole_source *source;
    struct origin_objects *objects;
    const struct fb_clock *clock;
    const char *scratch; /* a folder for this worker alone */
    uint32_t n_threads;
    void *ctx;
    bool (*is_stopping)(void *ctx);
};

/* Takes `task` to its end: finished, failed, given back, or lost. False if this
 * machine has no room for work, and should let some time pass. */
bool origin_attempt_run(const struct origin_attempt_options *options,
                        const struct origin_whole_task *task);
