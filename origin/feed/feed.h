/*
 * The feed: what somebody may want to watch next.
 *
 *     each minute   the watch events since ──► lessons, likeness
 *                   the catalog ──► shelf ──────────────────────► model
 *
 *     who asks ──► viewer ──► candidates ──► chances ──► mix ──► list, for a while ──► page
 *                                   └─ too slow: what they follow and what trends, as it comes
 *
 * Somebody of whom nothing is known gets what trends, what is watched, and something new; all of
 * those share one list. What is shown to somebody who is logged in becomes a lesson when it is
 * known whether they watched it (lessons.h).
 *
 * Ownership  open → close; everything given is borrowed.
 * Threads    Blocking; any thread. One round at a time.
 * Limits     Those of its parts; budget_ms for ranking.
 * Failures   The catalog's. FB_E_MALFORMED for a cursor that is not one of ours.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/feed/lists.h"
#include "origin/feed/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_clock;
struct fb_metrics;
struct origin_feed;

enum {
    ORIGIN_FEED_PAGE_MAX = 50,
    ORIGIN_FEED_PAGE_DEFAULT = 20,
    ORIGIN_FEED_ROUND_MS = 60 * 1000,
    ORIGIN_FEED_BUDGET_MS = 50
};

struct origin_feed_options {
    struct origin_catalog *catalog;
    const struct fb_clock *clock;
    struct fb_metrics *metrics; /* may be NULL */
    struct origin_feed_trends trends;
    uint32_t budget_ms; /* for the ranking of one list; 0: ORIGIN_FEED_BUDGET_MS */
};

struct origin_feed *origin_feed_open(const struct origin_feed_options *options);

/* Keeps what was learned since it was last kept. Requires that no call is under way. Accepts NULL.
 */
void origin_feed_close(struct origin_feed *feed);

/* A round: takes in what was watched since, and makes the model anew. */
FB_MUST_CHECK int origin_feed_round(struct origin_feed *feed);

/* Lessons that the ranker had, ever. Between rounds. */
uint64_t origin_feed_lessons(const struct origin_feed *feed);

struct origin_feed_query {
    const struct origin_id *user; /* NULL: nobody that is known */
    struct fb_str cursor;         /* of the page before; empty: the first */
    size_t limit;                 /* 1 to ORIGIN_FEED_PAGE_MAX */
};

struct origin_feed_page {
    struct origin_list_item *items; /* in the arena */
    size_t n;
    struct fb_str next_cursor; /* in the arena; ptr NULL: this is the end */
    bool is_ranked;            /* false: it had to be quick, or there is no model yet */
};

FB_MUST_CHECK int origin_feed_home(struct origin_feed *feed, struct fb_arena *arena,
                                   const struct origin_feed_query *query,
                                   struct origin_feed_page *ret_page);
