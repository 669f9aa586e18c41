/*
 * Removal: what has to go goes, whatever ends when.
 *
 *     delete ───────────► row in removals ──► media/<video>, uploads/<video>, work/<video>
 *     delete, privacy, ─► row in purges ────► POST /purge to each node, upper ones first
 *     (de)activate
 *
 * The rows are written with the change itself (origin/catalog/removals.h), and taken out when all
 * is done: a crash in between does it again, which harms nothing. Objects of a video go at
 * once, and again later, for what a worker that had not yet heard of it wrote meanwhile. A node
 * that does not answer is asked again with growing patience, and told of all that it missed.
 *
 * Ownership  new → free; everything given is borrowed.
 * Threads    Blocking; one run of each round at a time, the rest on any thread.
 * Limits     ORIGIN_REMOVAL_BATCH tags in one call of a node.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "origin/catalog/removals.h"
#include "origin/model/id.h"

#include <stddef.h>
#include <stdint.h>

struct fb_clock;
struct fb_metrics;
struct origin_catalog;
struct origin_objects;
struct origin_removals;

enum { ORIGIN_REMOVAL_BATCH = 256 };

/* One call of a node. */
struct origin_purge_post {
    struct fb_str url;  /* all of it */
    struct fb_str body; /* JSON */
    int result;         /* out: FB_OK if it was answered 200 */
};

/* How nodes are called: all of them at once, until each has a result. */
struct origin_purge_way {
    void *ctx;
    void (*post)(void *ctx, struct origin_purge_post *posts, size_t n);
};

struct origin_removals_options {
    struct origin_catalog *catalog;
    struct origin_objects *objects;
    const struct fb_clock *clock;
    struct fb_metrics *metrics;
    int64_t late_ms;                       /* how long a worker may write for what is deleted */
    const struct origin_purge_node *nodes; /* URLs of their admin addresses */
    size_t n_nodes;
    struct origin_purge_way way; /* not needed without nodes */
};

/* Notes in the catalog which nodes there are. */
FB_MUST_CHECK int origin_removals_new(const struct origin_removals_options *options,
                                      struct origin_removals **ret_removals);
void origin_removals_free(struct origin_removals *removals); /* accepts NULL */

/* Removes now what the catalog has just noted of `video`. A failure is logged; the round tries
 * again. */
void origin_removals_video(struct origin_removals *removals, const struct origin_id *video);

/* Rounds: objects that are due; nodes that have not been told of all. */
FB_MUST_CHECK int origin_removals_run(void *removals);
FB_MUST_CHECK int origin_removals_run_purges(void *removals);
