/*
 * Trending: what is watched, liked and shared more than all else now (docs/trending.md).
 *
 *     views merged ── rows added ──┐
 *                                  ├──► field ── a round ──► snapshot ──► lists, ranks, pushes
 *     likes, shares ── the day's ──┘    (what is known     (immutable,
 *                                        of each video)     swapped)
 *
 * All that is known comes from the catalog, and is read from there at the start. From then on rows
 * of views are told as they are merged, and events of the day are read by the rounds.
 *
 * Ownership  new → load → … → free. Everything given is borrowed.
 * Threads    Blocking, any thread, but origin_trending_hold(), which never waits for a round.
 * Limits     `max_videos` are looked at closely; of the others only counts are kept, by which they
 *            take a place when they have more views than the least of those (crowd.h).
 * Failures   The catalog's. A round that fails leaves the last snapshot.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "origin/trending/snapshot.h"

#include <stddef.h>
#include <stdint.h>

struct fb_clock;
struct fb_metrics;
struct origin_catalog;
struct origin_trending;
struct origin_video;
struct origin_views;

struct origin_trending_options {
    struct origin_catalog *catalog;
    struct origin_views *views; /* told of what is merged; may be NULL */
    const struct fb_clock *clock;
    struct fb_metrics *metrics; /* may be NULL */
    int64_t half_life_ms;       /* of the day's window; 0: 6 h */
    size_t max_videos;          /* 0: 100,000 */
    size_t max_list;            /* videos of a list; 0: 500. A category's has as many at most */

    /* Appends what lists tell of a video, as one JSON value. May be NULL. */
    void (*describe)(void *ctx, const struct origin_video *video, struct fb_buf *json);
    void *ctx;
};

struct origin_trending *origin_trending_new(const struct origin_trending_options *options);
void origin_trending_free(struct origin_trending *trending); /* accepts NULL */

/* Reads all from the catalog anew, and makes a snapshot of it. */
FB_MUST_CHECK int origin_trending_load(struct origin_trending *trending);

/* Has the next round read all anew: for when another process merged views meanwhile. Any thread. */
void origin_trending_forget(struct origin_trending *trending);

/* One round, with the trending as `ctx`: reads what is new and makes a snapshot. */
FB_MUST_CHECK int origin_trending_run(void *ctx);

/* A reference to the latest snapshot, which is empty before the first. Never waits. */
struct origin_snapshot *origin_trending_hold(struct origin_trending *trending);

/* `changed` is told after each snapshot, on the thread that made it. At most one, before the first
 * round. */
void origin_trending_on_changed(struct origin_trending *trending, void (*changed)(void *ctx),
                                void *ctx);
