/*
 * Snapshots: what trends, as it was found at one time; nothing of one ever changes.
 *
 * Ownership  Counted: origin_trending_hold() gives a reference, origin_snapshot_unref() gives it
 *            back. All that is found in a snapshot lives as long as the reference.
 * Threads    Any.
 */
#pragma once

#include "base/core/str.h"
#include "origin/model/id.h"
#include "origin/trending/score.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct origin_snapshot;

struct origin_snapshot_video {
    struct origin_id id;
    struct origin_id owner;
    struct fb_str category; /* empty: none */
    struct fb_str json;     /* what the snapshot's maker describes it with; empty: in no list */
    struct origin_score scores[ORIGIN_TRENDING_N_WINDOWS]; /* of all regions together */
    uint32_t ranks[ORIGIN_TRENDING_N_WINDOWS];             /* from 1 */
};

struct origin_snapshot_item {
    const struct origin_snapshot_video *video;
    double score; /* in the list's region */
};

/* The highest score first; equal ones by id. */
struct origin_snapshot_list {
    struct origin_snapshot_item *items; /* not to be written to */
    size_t n;
    uint64_t order;   /* a digest of what stands where */
    uint64_t content; /* and of all that is told of it */
};

struct origin_snapshot_query {
    enum origin_trending_window window;
    struct fb_str region;   /* empty: all together */
    struct fb_str category; /* empty: all */
};

/* Empty for a region or a category that nothing trends in. */
struct origin_snapshot_list origin_snapshot_list(const struct origin_snapshot *snapshot,
                                                 const struct origin_snapshot_query *query);

/* A video that was watched, liked or shared within the last seven days; NULL for others. */
const struct origin_snapshot_video *origin_snapshot_find(const struct origin_snapshot *snapshot,
                                                         const struct origin_id *id);

/* How many videos have ranks, and when it was made (Unix milliseconds). */
size_t origin_snapshot_count(const struct origin_snapshot *snapshot);
int64_t origin_snapshot_made_ms(const struct origin_snapshot *snapshot);

struct origin_snapshot *origin_snapshot_ref(struct origin_snapshot *snapshot);
void origin_snapshot_unref(struct origin_snapshot *snapshot); /* accepts NULL */
