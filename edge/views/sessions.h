/*
 * Sessions: one player and one video, and whether that was a view.
 *
 *     fact ──► whose? ──► session ──┬─ enough was watched ──► view
 *                                   └─ over ──► a view after all, or the reason why not
 *
 * A pure machine: facts and the time go in, entries come out. Every session is told of once, when
 * it is known what it was, so that in each entry `sessions` is `views` and all of `uncounted`.
 * What a session adds (time, stalls, the start) is told with its view and from then on; of one
 * that is no view it is not. Bytes count whoever fetched them.
 *
 * docs/views.md says what counts. In short, in this order:
 *
 *     bot        the agent says so; only HEAD; media fetched far faster than anybody watches
 *     rate       its network has begun too many sessions of this video in this minute
 *     no-media   no segment of video came whole
 *     too-short  neither `least_ms` was watched, nor `share_percent` of a shorter video
 *     duplicate  the viewer was counted for this video less than `again_ms` ago
 *
 * A session is known by its player's id, else by its token's subject, else by address and agent,
 * all as hashes (salts.h). It is over when nothing came for `idle_ms` and for as long as its player
 * has media ahead.
 *
 * Ownership  new → free. What the options name outlives the sessions.
 * Threads    One at a time.
 * Limits     `max_sessions`; when there is no room, the one idle the longest is ended. Twice as
 *            many marks of viewers, and of networks.
 */
#pragma once

#include "base/wire/view_entry.h"
#include "edge/views/fact.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_sessions;

struct edge_sessions_options {
    uint64_t segment_ms;
    uint64_t least_ms;
    uint32_t share_percent;
    uint64_t again_ms;
    uint64_t idle_ms;
    uint32_t starts; /* 0: no bound */
    size_t max_sessions;
    uint64_t
        every_ms; /* entries wait at most so long for their minute's end; 0: until it is over */
    size_t max_entries;
    struct fb_str key; /* see salts.h */
    uint64_t seed;
    int64_t wall_ms; /* now */
    bool (*is_bot)(void *ctx, struct fb_str agent);
    void *is_bot_ctx;
    void (*deliver)(void *ctx, const struct fb_view_entry *entries, size_t n);
    void *deliver_ctx;
};

/* All only grow, but for `open` and `waiting`. */
struct edge_sessions_counts {
    uint64_t open;
    uint64_t begun;
    uint64_t views;
    uint64_t capped;
    uint64_t uncounted[FB_VIEW_REASONS_N];
    uint64_t evicted; /* ended for want of room */
    uint64_t entries; /* delivered */
    uint64_t waiting; /* entries that are not */
};

struct edge_sessions *edge_sessions_new(const struct edge_sessions_options *options);

/* Delivers nothing. Accepts NULL. */
void edge_sessions_free(struct edge_sessions *sessions);

void edge_sessions_add(struct edge_sessions *sessions, const struct edge_view_fact *fact);

/* Ends what is over, and delivers minutes that are, or all there is every `every_ms`. */
void edge_sessions_advance(struct edge_sessions *sessions, uint64_t mono_ms, int64_t wall_ms);

/* Ends all sessions and delivers all entries. */
void edge_sessions_finish(struct edge_sessions *sessions);

struct edge_sessions_counts edge_sessions_count(const struct edge_sessions *sessions);
