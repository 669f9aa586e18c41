/*
 * Choosing: which files of which videos a region should hold, by what they are expected to save.
 *
 * Of each video it is known how often it will be watched in the next day, for how long on the
 * average, and in which renditions. A segment at the time t is asked for by those who are still
 * there, exp(-t / average), in its rendition's share:
 *
 *     requests = views × share of the rendition × exp(-t / average)
 *     P        = 1 - exp(-requests)          that anybody asks for it
 *     value    = P × size                    bytes that are not fetched when it is asked for
 *
 * What is worth most per byte comes first, which is what most ask for; a file that does not fit any
 * more is passed over for a smaller one. The same input gives the same plan, to the byte.
 *
 * Ownership  new → free. What is added is copied.
 * Threads    One at a time.
 * Limits     `max_entries`, `max_bytes`; files that fewer than `least` ask for are left out.
 * Failures   FB_E_MALFORMED for a path that no plan can bear.
 */
#pragma once

#include "base/wire/plan.h"
#include "origin/catalog/plans.h"

struct origin_chooser;

enum { ORIGIN_PLAN_RENDITIONS_MAX = 12, ORIGIN_PLAN_RENDITION_MAX = 23 };

struct origin_plan_share {
    char rendition[ORIGIN_PLAN_RENDITION_MAX + 1]; /* such as "720p" */
    double share;                                  /* 0 to 1 */
};

struct origin_plan_video {
    double views;     /* expected in the next day */
    double average_s; /* for how long it is watched */
    double segment_s; /* a segment's length */
    const char *reason;
    bool is_now; /* its first ORIGIN_PLAN_NOW_S seconds wait for no window */
    const struct origin_plan_share *shares;
    size_t n_shares; /* 0: nothing is known, all alike */
};

enum { ORIGIN_PLAN_NOW_S = 60 };

struct origin_chooser_options {
    size_t max_entries;
    uint64_t max_bytes;
    double least; /* requests */
};

struct origin_chooser *origin_chooser_new(const struct origin_chooser_options *options);
void origin_chooser_free(struct origin_chooser *chooser); /* accepts NULL */

/* Considers a file of `video`; files that may change (playlists) are none. */
void origin_chooser_add(struct origin_chooser *chooser, const struct origin_plan_video *video,
                        const struct origin_plan_file *file);

/* Appends the best of what was added to `draft`. */
FB_MUST_CHECK int origin_chooser_finish(struct origin_chooser *chooser,
                                        struct fb_plan_draft *draft);
