/*
 * Candidates: what might be shown to a viewer, gathered from several sources.
 *
 *     FOLLOWED   the newest of the accounts that they follow
 *     ALIKE      what others watched who watched what they did (likeness.h)
 *     TAGGED     most watched of the tags that they watch most
 *     TRENDING   what trends
 *     WATCHED    what everybody watches: for whom nothing is known
 *     NEW        young and hardly seen yet: somebody has to be first
 *
 * A video that several sources name is there once, as of the first that did. What was watched
 * already is left out.
 *
 * Threads    Pure functions over what does not change; any.
 * Limits     ORIGIN_CANDIDATES_MAX, of each source ORIGIN_CANDIDATES_OF_SOURCE at most.
 */
#pragma once

#include "origin/feed/likeness.h"
#include "origin/feed/shelf.h"
#include "origin/feed/viewer.h"

#include <stddef.h>
#include <stdint.h>

enum { ORIGIN_CANDIDATES_MAX = 600, ORIGIN_CANDIDATES_OF_SOURCE = 200 };

enum origin_feed_source {
    ORIGIN_FEED_FOLLOWED,
    ORIGIN_FEED_ALIKE,
    ORIGIN_FEED_TAGGED,
    ORIGIN_FEED_TRENDING,
    ORIGIN_FEED_WATCHED,
    ORIGIN_FEED_NEW,
    ORIGIN_FEED_N_SOURCES
};

/* "followed" and so on; static. */
const char *origin_feed_source_name(enum origin_feed_source source);

struct origin_candidate {
    uint32_t video;
    enum origin_feed_source source;
    double likeness; /* to what the viewer watched, summed: the later the more; 0: none */
    double chance;   /* for the ranker */
};

/* How like `video` is to what the viewer watched last, summed: the later the more. */
double origin_viewer_likeness(const struct origin_viewer *viewer,
                              const struct origin_likeness *likeness, uint32_t video);

/* `likeness` may be NULL. Returns how many there are. */
size_t origin_candidates_gather(const struct origin_shelf *shelf,
                                const struct origin_likeness *likeness,
                                const struct origin_viewer *viewer,
                                struct origin_candidate candidates[ORIGIN_CANDIDATES_MAX]);
