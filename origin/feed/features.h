/*
 * Features: what of a viewer and a video the ranker is told.
 *
 * Each is true or not: a number falls into one of a few bins, the logarithmic ones twice as wide
 * each.
 *
 *     of the video     views ever and today; the share that is watched of it; likes and shares for
 * each view; age; length; whether it trends; its category, tags and owner of both          whether
 * the viewer follows its owner, and what share of what they watched is the owner's, or bears its
 * tags; likeness to what they watched; its length beside what they are used to; which source named
 * it crossed          likeness × views; tags × views; how much is known of the viewer × views;
 *                      follows × age
 *
 * Nobody's age, sex, place or name is among them.
 *
 * Threads    Pure functions; any.
 */
#pragma once

#include "origin/feed/candidates.h"
#include "origin/feed/ranker.h"

/* What holds of `candidate` for `viewer`. */
void origin_features_of(const struct origin_shelf *shelf, const struct origin_viewer *viewer,
                        const struct origin_candidate *candidate,
                        struct origin_features *ret_features);
