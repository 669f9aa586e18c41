/*
 * Demand: what a region is expected to watch in the next day.
 *
 *     the last days, newer ones weighing more ──┐
 *     the last hours, if they say more ─────────┤
 *     what trends here, or elsewhere ───────────┼──► views of each video, for how long,
 *     new uploads: followers × share of views ──┘    in which renditions, and why
 *
 * The greatest of these expectations counts. What trends is expected to be watched
 *
 *     max(score here, share × score everywhere / 2)     rounded down to a power of two
 *
 * times: a score is in views of the day, which fade by half in each half-life, and a rate that
 * fades so from now on brings as many again as a steady one has left. Where a video is not watched
 * yet it gets what the region's share of all views is of it, half of that, for not all travels; and
 * of a list ORIGIN_DEMAND_TRENDS_MAX count, so they are never more than so many videos of a plan.
 * Rounded, for scores change each minute, and plans should not for that alone.
 *
 * Ownership  The videos are the arena's.
 * Threads    Blocking; any thread.
 * Limits     ORIGIN_DEMAND_VIDEOS_MAX: those that are watched most.
 * Failures   The catalog's.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/plan/choose.h"

struct origin_catalog;
struct origin_plan_trends;
struct origin_views;

enum { ORIGIN_DEMAND_VIDEOS_MAX = 20000, ORIGIN_DEMAND_DAYS = 7, ORIGIN_DEMAND_TRENDS_MAX = 200 };

struct origin_demand_video {
    int64_t seq;
    struct origin_plan_video video; /* the reason "demand", "trending", "followers" or "release" */
    double watch_ms;                /* sums of the days, for the averages */
    double counted;
    double recent; /* views of the last hours */
    double trend;  /* views that its trending lets expect */
    double bytes;  /* of all renditions */
    struct origin_plan_share shares[ORIGIN_PLAN_RENDITIONS_MAX];
};

struct origin_demand_query {
    struct origin_catalog *catalog;
    struct origin_views *views;
    struct fb_str region;
    int64_t now_ms;
    uint64_t large; /* followers whose owner's new videos are released at once */
    const struct origin_plan_trends *trends; /* plan.h */
};

/* Those that are expected to be watched, most first. */
FB_MUST_CHECK int origin_demand_of(const struct origin_demand_query *query, struct fb_arena *arena,
                                   struct origin_demand_video ***ret_videos, size_t *ret_n);
