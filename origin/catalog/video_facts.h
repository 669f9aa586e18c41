/*
 * What a ranking needs to know of every video that may be seen: a reading of the tables of videos
 * and of their sums.
 */
#pragma once

#include "origin/catalog/counters.h"

#include <stddef.h>
#include <stdint.h>

struct origin_video_facts {
    int64_t seq; /* its number */
    struct origin_id id;
    struct origin_id owner;
    struct fb_str tags;     /* a JSON array of strings; for the visit */
    struct fb_str category; /* empty: none; for the visit */
    struct fb_str sound;    /* likewise */
    int64_t published_ms;
    uint64_t duration_ms;
    struct origin_video_counters counters;
};

typedef int origin_video_facts_fn(void *ctx, const struct origin_video_facts *facts);

/* At most `limit` of those that are ready and active, newest first. The function is quick and does
 * not call the catalog; what it returns below 0 ends the visit and is its result. */
FB_MUST_CHECK int origin_catalog_video_facts(struct origin_catalog *catalog, size_t limit,
                                             origin_video_facts_fn *facts, void *ctx);
