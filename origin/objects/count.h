/*
 * Counting what is asked of a store: how often, how long, how many bytes, and what fails.
 *
 * Threads    Any.
 */
#pragma once

#include "origin/objects/objects.h"

enum origin_count_op {
    ORIGIN_COUNT_PUT, /* from begin to commit, parts too */
    ORIGIN_COUNT_GET,
    ORIGIN_COUNT_STAT,
    ORIGIN_COUNT_READ,
    ORIGIN_COUNT_LIST,
    ORIGIN_COUNT_REMOVE,
    ORIGIN_COUNT_MULTIPART,
    ORIGIN_COUNT_N
};

enum origin_count_way { ORIGIN_COUNT_WRITTEN, ORIGIN_COUNT_READ_BYTES };

/* For objects->metrics; NULL without `metrics`. */
struct fb_metrics_table *origin_count_table(struct fb_metrics *metrics, const char *kind);

uint64_t origin_count_begin(const struct origin_objects *objects);

/* That an object is not there is no error. */
void origin_count_end(struct origin_objects *objects, enum origin_count_op op, uint64_t begun_ns,
                      int err);
/* A request to a server was made again. */
void origin_count_retry(struct origin_objects *objects);
void origin_count_bytes(struct origin_objects *objects, enum origin_count_way way, uint64_t n);
